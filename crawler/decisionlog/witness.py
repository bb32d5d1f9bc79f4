"""Witnesses (https://c2sp.org/tlog-witness): others who cosign a checkpoint that only extends the last one.

A witness that has seen a checkpoint signs no other history, so that a log shows all its readers the same one.
Builds the request and reads the answer, cosignatures of Ed25519 or ML-DSA-44; sends nothing.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crawler.decisionlog import cosignatures
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.notes import (
    LONGEST_NOTE,
    MLDSA44_COSIGNATURE,
    Note,
    NoteError,
    VerifierKey,
    cosigned_at,
    parse_checkpoint,
    parse_note,
    signers,
)
from crawler.decisionlog.tree import consistency_proof

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE_TYPE: Final = "text/x.tlog.size"
LONGEST_ANSWER: Final = LONGEST_NOTE  # a witness may cosign with many keys, and a signature have 6 kB
_SIZE: Final = re.compile(r"(0|[1-9][0-9]{0,18})\n", re.ASCII)
_OK, _CONFLICT = 200, 409
_END_OF_TIME: Final = 253_402_300_800  # the year 10000, where calendars and columns of ours end
_MEANING: Final = {
    400: "the witness has a larger checkpoint than ours is said to extend",
    403: "the witness does not trust the key of this log: give it the verifier key (`sekisho log key show`)",
    404: "the witness does not know this log: register its origin and verifier key there",
    422: "the witness does not accept the proof of consistency: the log was changed, or it has seen a fork",
}


class WitnessError(LogError):
    """A witness did not cosign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A cosignature line of a witness, verified, and its time (POSIX seconds)."""

    line: str
    time_s: int


def check_support(key: VerifierKey) -> None:
    """See that what this witness signs can be verified here. Raises UnverifiableError, WitnessError."""
    if key.type != MLDSA44_COSIGNATURE:
        return
    try:
        cosignatures.check_support(key.key)
    except ValueError as error:
        raise WitnessError(f"the key of the witness {key.name} is none of ML-DSA-44") from error


def request(old_size: int, leaves: Sequence[bytes], note: Note) -> bytes:
    """Return the body of `add-checkpoint`: the old size, the proof from it, the checkpoint."""
    size = parse_checkpoint(note).size
    proof = consistency_proof(leaves[:size], old_size)
    lines = "".join(f"{base64.b64encode(node).decode()}\n" for node in proof)
    return f"old {old_size}\n{lines}\n{note}".encode()


def size_wanted(status: int, media_type: str, body: bytes) -> int | None:
    """Return the size from which the witness wants a proof, where that is its answer, else None."""
    if status != _CONFLICT or media_type.split(";", maxsplit=1)[0].strip() != SIZE_TYPE:
        return None
    match = _SIZE.fullmatch(body.decode("ascii", "replace"))
    return int(match[1]) if match else None


def read_answer(status: int, body: bytes, note: Note, key: VerifierKey) -> Cosigned:
    """Return the witness's cosignature of the note. Raises WitnessError, UnverifiableError."""
    if status != _OK:
        why = _MEANING.get(status, f"it answered with status {status}")
        raise WitnessError(f"the witness {key.name} did not cosign: {why}")
    try:
        return verified(body.decode(), note, key)
    except (UnicodeError, NoteError) as error:
        raise WitnessError(f"the witness {key.name} answered nonsense: {error}") from error


def verified(lines: str, note: Note, key: VerifierKey) -> Cosigned:
    """Return the cosignature of this key among signature lines. Raises NoteError, UnverifiableError.

    One without a time says nothing of what the witness saw last, as those of witnesses must: it is refused.
    """
    return cosigned(parse_note(f"{note.text}\n{lines}".encode()), key)


def cosigned(note: Note, key: VerifierKey) -> Cosigned:
    """Return the cosignature of this key in a note. Raises as `verified`."""
    signers(note, (key,))
    signature = next(one for one in note.signatures if (one.name, one.id) == (key.name, key.id))
    time_s = cosigned_at(signature)
    if not 0 < time_s < _END_OF_TIME:
        raise NoteError(f"the cosignature of {key.name!r} has no time: {time_s} seconds")
    return Cosigned(line=signature.line, time_s=time_s)
