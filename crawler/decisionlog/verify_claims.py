"""Reads what a log claims of its segments, before any of it is verified."""

from __future__ import annotations

import sqlite3
from math import floor
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.verify_segment import SegmentClaim
from crawler.decisionlog.verify_told import DatabaseRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crawler.decisionlog.session import Session

_OWNED: Final = ("record", "opening", "head")
_LARGEST: Final = 2**63 - 1
_NEWEST_REMOVAL: Final = (
    "SELECT max(idx) FROM registry WHERE kind IN ('erase', 'erase_document', 'prune_intent', 'prune_done')"
)


def newest_removal(raw: Session) -> int:
    """Return the index of the newest entry of the registry about something that goes; -1 when none is."""
    (newest,) = raw.execute(_NEWEST_REMOVAL).fetchone()
    return newest if isinstance(newest, int) else -1


def sealed_since(raw: Session, number: int, size: int) -> bool:
    """Whether a segment was sealed since the registry had so many entries."""
    sql = "SELECT 1 FROM registry WHERE segment_id = ? AND kind = 'segment_seal' AND idx >= ?"
    return raw.execute(sql, (number, size)).fetchone() is not None


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


def _bounds(raw: Session, table: str, number: int) -> tuple[int, int, bool]:
    """Return the first index of a segment's rows, the one behind the last, and whether some index is none."""
    sql = "SELECT (SELECT min(idx) {0}), (SELECT max(idx) {0})"
    rows = f"FROM {table} WHERE segment_id = ?1"
    start, end = raw.execute(sql.format(rows), (number,)).fetchone()
    strange = False
    if isinstance(raw, sqlite3.Connection):  # where whoever has the file may keep values of any type
        odd = f"SELECT EXISTS (SELECT 1 {rows} AND idx IS NULL) OR EXISTS (SELECT 1 {rows} AND idx >= '')"
        strange = bool(raw.execute(odd, (number,)).fetchone()[0])
        if strange:
            start, end = raw.execute(sql.format(f"{rows} AND idx < ''"), (number,)).fetchone()
    if end is None:
        return 0, 0, strange
    strange = strange or {type(start), type(end)} != {int}
    start, end = (max(min(each, _LARGEST), -_LARGEST) for each in (start, end))
    return floor(start), min(floor(end) + 1, _LARGEST), strange


def _claim(raw: Session, row: tuple[Any, ...], findings: Findings) -> SegmentClaim:
    number, uuid, run, agent, version, opened_us, nonce, sealed_us, size, root = row
    named = uuid.decode("ascii", "replace") if isinstance(uuid, bytes) else str(uuid)
    try:
        identity = UUID(named)
    except ValueError:
        identity = UUID(int=0)
        findings.add(Problem.SEGMENT_CHANGED, f"segment number {number!a} has no valid UUID: {named!a}")
    else:
        if str(identity) != named:  # another way to write it, which no writer uses
            findings.add(Problem.SEGMENT_CHANGED, f"its UUID is written {named!a}", identity)

    def integer(value: object, what: str) -> int | None:
        if value is None or type(value) is int:
            return value
        findings.add(Problem.SEGMENT_CHANGED, f"its {what} is no integer: {value!a}", identity)
        return None

    number = integer(number, "number") or 0
    start, end, strange = _bounds(raw, "record", number)
    if strange:
        findings.add(Problem.RECORD_OUTSIDE, "a record has an index that is no integer", identity)
    opening_start, opening_end, strange = _bounds(raw, "opening", number)
    if strange or opening_start < 0:
        findings.add(Problem.URL_OUTSIDE, "a URL has an index that no record has", identity)
    heads = raw.execute(
        "SELECT size, root, ts_us FROM head WHERE segment_id = ? ORDER BY size", (number,)
    ).fetchall()
    sound = tuple(head for head in heads if (type(head[0]), type(head[2])) == (int, int))
    if len(sound) != len(heads):
        findings.add(Problem.HEAD_WRONG, "a head has a size or time that is no integer", identity)
    return SegmentClaim(
        number=number,
        uuid=identity,
        run=run if isinstance(run, bytes) else b"",
        agent=agent if isinstance(agent, bytes) else b"",
        schema=version,
        opened_us=integer(opened_us, "opening time") or 0,
        nonce=nonce if isinstance(nonce, bytes) else b"",
        sealed_us=integer(sealed_us, "time of sealing"),
        sealed_size=integer(size, "size"),
        sealed_root=root,
        heads=sound,
        start=start,
        end=end,
        opening_end=opening_end,
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
    for table in _OWNED if DatabaseRegistry.is_missing(raw) else (*_OWNED, "rollup"):
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
        if isinstance(newest, int) and newest > size:
            findings.add(
                Problem.REGISTRY_MISSING,
                f"a checkpoint covers {newest} entries of the registry; there are {size}",
            )
    raw.execute("COMMIT")
    return claims, size
