"""Reads what a log claims of its segments, before any of it is verified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.verify_segment import SegmentClaim
from crawler.decisionlog.verify_told import DatabaseRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crawler.decisionlog.session import Session

_OWNED: Final = ("record", "opening", "head")
_NEWEST_REMOVAL: Final = (
    "SELECT max(idx) FROM registry WHERE kind IN ('erase', 'erase_document', 'prune_intent', 'prune_done')"
)


def newest_removal(raw: Session) -> int:
    """Return the index of the newest entry of the registry about something that goes; -1 when none is."""
    (newest,) = raw.execute(_NEWEST_REMOVAL).fetchone()
    return -1 if newest is None else newest


def _numbers(raw: Session, table: str) -> Iterator[int]:
    """Yield the segment numbers that a table mentions, jumping from one to the next."""
    number = None
    while True:
        after = "" if number is None else " WHERE segment_id > ?"
        (number,) = raw.execute(
            f"SELECT min(segment_id) FROM {table}{after}",  # noqa: S608 - names of this file
            () if number is None else (number,),
        ).fetchone()
        if number is None:
            return
        yield number


def _claim(raw: Session, row: tuple[Any, ...], findings: Findings) -> SegmentClaim:
    number, uuid, run, agent, version, opened_us, nonce, sealed_us, size, root = row
    start, end = raw.execute(
        "SELECT (SELECT min(idx) FROM record WHERE segment_id = ?1),"
        " (SELECT max(idx) FROM record WHERE segment_id = ?1)",
        (number,),
    ).fetchone()
    (opening_end,) = raw.execute("SELECT max(idx) FROM opening WHERE segment_id = ?", (number,)).fetchone()
    heads = raw.execute("SELECT size, root, ts_us FROM head WHERE segment_id = ? ORDER BY size", (number,))
    named = uuid.decode("ascii", "replace") if isinstance(uuid, bytes) else str(uuid)
    try:
        identity = UUID(named)
    except ValueError:
        identity = UUID(int=0)
        findings.add(Problem.SEGMENT_CHANGED, f"segment number {number} has no valid UUID: {named!a}")
    else:
        if str(identity) != named:  # another way to write it, which no writer uses
            findings.add(Problem.SEGMENT_CHANGED, f"its UUID is written {named!a}", identity)
    return SegmentClaim(
        number=int(number or 0),
        uuid=identity,
        run=run if isinstance(run, bytes) else b"",
        agent=agent if isinstance(agent, bytes) else b"",
        schema=version,
        opened_us=int(opened_us or 0),
        nonce=nonce if isinstance(nonce, bytes) else b"",
        sealed_us=sealed_us,
        sealed_size=size,
        sealed_root=root,
        heads=tuple(heads.fetchall()),
        start=0 if start is None else start,
        end=0 if end is None else end + 1,
        opening_end=0 if opening_end is None else opening_end + 1,
    )


def read_claims(raw: Session, findings: Findings) -> tuple[list[SegmentClaim], int]:
    """Read, in one short transaction, what the log claims of its segments, and the size of its registry."""
    raw.execute("BEGIN")
    rows = raw.execute(
        "SELECT id, uuid, run_id, agent, schema_ver, opened_us, nonce, sealed_us, size, root"
        " FROM segment ORDER BY id"
    ).fetchall()
    claims = [_claim(raw, row, findings) for row in rows]
    known = {claim.number for claim in claims}
    for table in _OWNED:
        for number in set(_numbers(raw, table)) - known:
            findings.add(
                Problem.SEGMENT_MISSING,
                f"table {table} has rows of segment number {number}, but the segment is gone",
            )
    before = 0
    for number in sorted(known):
        if number != before + 1:
            findings.add(Problem.SEGMENT_MISSING, f"segments number {before + 1} to {number - 1} are gone")
        before = number
    size = DatabaseRegistry.size(raw)
    if size:
        (newest,) = raw.execute("SELECT max(size) FROM checkpoint").fetchone()
        if newest is not None and newest > size:
            findings.add(
                Problem.REGISTRY_MISSING,
                f"a checkpoint covers {newest} entries of the registry; there are {size}",
            )
    raw.execute("COMMIT")
    return claims, size
