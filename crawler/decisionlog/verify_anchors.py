"""Checks what others attested of a log's checkpoints: timestamps, cosignatures of witnesses. Asks nobody.

The same checks for a log and for a package exported from it. An attestation says something only to those who
trust whoever made it: without a root certificate or the witness's key it is counted, and not checked. What
has its key and cannot be checked on this machine is counted so too, and said to be unverifiable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from crawler.decisionlog import schema, timestamps, witness
from crawler.decisionlog.anchors import COSIGNATURE, RFC3161, Attested
from crawler.decisionlog.errors import LogError, UnverifiableError
from crawler.decisionlog.export import rfc3339
from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.notes import NoteError, parse_note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cryptography.x509 import Certificate

    from crawler.decisionlog.notes import VerifierKey
    from crawler.decisionlog.reader import LogReader


class AnchorRow(NamedTuple):
    """An attestation as it is kept; `note` is the checkpoint that it is of, made at `made_us`; None: none."""

    number: int
    size: int
    ts_us: int
    kind: str
    name: str
    body: bytes
    note: str | None
    made_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How many attestations held, how many were not checked, and the newest that held.

    `unchecked` are all that were not, also for want of a key; `beyond` are those among them whose key was
    given and whose signatures cannot be verified on this machine, and `why` says why.
    """

    held: int = 0
    unchecked: int = 0
    beyond: int = 0
    why: str = ""
    newest: Attested | None = None

    @property
    def notes(self) -> Iterator[str]:
        """What to tell of it."""
        if self.newest is not None:
            yield (
                f"{self.held} attestations by others hold; the newest, by {_shown(self.newest)}, is of"
                f" {self.newest.size} entries of the registry at {rfc3339(self.newest.time_us)}"
            )
        if self.unchecked > self.beyond:
            yield (
                f"{self.unchecked - self.beyond} attestations by others were not checked: give --tsa-roots"
                " or --witness-key"
            )

    @property
    def unverifiable(self) -> Iterator[str]:
        """What was to be checked, and cannot be here."""
        if self.beyond:
            yield f"{self.beyond} attestations by others were not checked: {self.why}"


def _shown(attested: Attested) -> str:
    """Return the subject of an authority's certificate, or name and ID of a witness's key, which is long.

    The address that a timestamp is said to be from, nobody has signed.
    """
    if attested.kind == RFC3161:
        return timestamps.signed_by(attested.body)
    return "+".join(attested.name.split("+", 2)[:2])


def anchors_of(reader: LogReader) -> Iterator[AnchorRow]:
    """Yield the attestations in a log. Raises LogError."""
    anchor, checkpoint = schema.anchor.c, schema.checkpoint.c
    rows = reader.rows(
        select(
            anchor.id, anchor.size, anchor.ts_us, anchor.kind, anchor.name, anchor.body,
            checkpoint.note, checkpoint.ts_us,
        )
        .join_from(schema.anchor, schema.checkpoint, anchor.size == checkpoint.size, isouter=True)
        .order_by(anchor.id)
    )  # fmt: skip
    return (AnchorRow._make(row) for row in rows)


def check_anchors(
    rows: Iterable[AnchorRow],
    roots: Sequence[Certificate],
    witnesses: Sequence[VerifierKey],
    findings: Findings,
) -> Checked:
    """Check every attestation for which a root or key was given; what is wrong is a finding."""

    def find(text: str) -> None:
        findings.add(Problem.ANCHOR_WRONG, text)

    held, unchecked, beyond, why, newest = 0, 0, 0, "", None
    keys = {str(key): key for key in witnesses}
    for expected, row in enumerate(rows, 1):
        if row.number != expected:
            find(f"attestation {expected} is gone")
        if row.note is None:
            find(f"attestation {row.number} is of a checkpoint of size {row.size}, and there is none")
            continue
        if (row.kind == RFC3161 and not roots) or (row.kind == COSIGNATURE and row.name not in keys):
            unchecked += 1
            continue
        try:
            time_us = _time_of(row, row.note, roots, keys.get(row.name))
        except UnverifiableError as error:
            unchecked, beyond, why = unchecked + 1, beyond + 1, str(error)
            continue
        except (LogError, NoteError, ValueError, TypeError, AttributeError) as error:
            find(f"attestation {row.number} of the checkpoint of size {row.size} is wrong: {error}")
            continue
        if time_us != row.ts_us:
            find(f"attestation {row.number} has another time than its row")
            continue
        held += 1
        newest = Attested(kind=row.kind, name=row.name, size=row.size, time_us=time_us, body=row.body)
    return Checked(held=held, unchecked=unchecked, beyond=beyond, why=why, newest=newest)


def _time_of(row: AnchorRow, note: str, roots: Sequence[Certificate], key: VerifierKey | None) -> int:
    """Return the time of an attestation that holds. Raises LogError (UnverifiableError), NoteError."""
    if row.kind == RFC3161:
        return timestamps.check(bytes(row.body), note.encode(), roots, not_before_us=row.made_us)
    if row.kind == COSIGNATURE and key is not None:
        checkpoint = parse_note(note.encode())
        return witness.verified(bytes(row.body).decode(), checkpoint, key).time_s * 1_000_000
    raise LogError(f"attestations of kind {row.kind!r} are unknown")
