"""Recomputes a log: every leaf from its columns, every root from its leaves, every digest from its octets.

Checks for every segment (`verify_segment`): indices 0 to n-1 without a hole, each leaf hash, each URL against
its commitment, references to earlier request records, a monotonic clock that never goes back, every head's
root and time, the seal, and the segment's row against its UUID; for the log: segment numbers without a hole,
nothing that belongs to no segment, and all documents (`verify_documents`). An unsealed segment is reported,
not failed. What this proves, and what it does not, is in README.md.

Rows are read in pages as plain tuples: a crawl that is writing is not kept waiting, and what it appends after
the start is left for the next time.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from crawler.decisionlog import encoding, store
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.findings import Findings, Problem, VerifyReport
from crawler.decisionlog.verify_documents import DocumentCheck
from crawler.decisionlog.verify_segment import SegmentCheck, SegmentClaim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crawler.decisionlog.reader import LogReader

_OWNED: Final = ("record", "opening", "head")


def _numbers(raw: sqlite3.Connection, table: str) -> Iterator[int]:
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


def _claim(raw: sqlite3.Connection, row: tuple[Any, ...], findings: Findings) -> SegmentClaim:
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


def _claims(raw: sqlite3.Connection, findings: Findings) -> list[SegmentClaim]:
    """Read, in one short transaction, what the log claims about its segments."""
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
    raw.execute("COMMIT")
    return claims


def verify_log(reader: LogReader, progress: Callable[[int], None] | None = None) -> VerifyReport:
    """Verify the whole log and return what was found. `progress` gets the number of records so far.

    Damage that keeps SQLite itself from reading on becomes a finding too. Raises LogError when the log
    cannot be opened or stays locked.
    """
    findings = Findings()
    # A connection of its own, which returns texts as their UTF-8: no decoding, and no failing on broken text.
    connection = store.open_for_reading(reader.path)
    raw = store.driver(connection)
    raw.text_factory = bytes
    documents = DocumentCheck(raw, findings)
    reports = []
    unverifiable: list[str] = []
    notes: list[str] = []
    try:
        for claim in _claims(raw, findings):
            check = SegmentCheck(raw, claim, findings, documents)
            if check.is_of_another_version():
                unverifiable.append(
                    f"segment {claim.uuid} has record schema {claim.schema!r}; this version knows"
                    f" {encoding.SCHEMA_VERSION}: verify it with the Sekisho version that wrote it"
                )
                continue
            reports.append(check.run(progress))
            notes.extend(check.notes)
        documents.run()
    except sqlite3.Error as error:
        explained = store.explain(error, reader.path, "read")
        if not isinstance(explained, IntegrityError):
            raise explained from error
        findings.add(Problem.FILE_DAMAGED, str(explained))
    finally:
        connection.close()
    return VerifyReport(
        segments=tuple(reports),
        records=sum(report.records for report in reports),
        openings=sum(report.openings for report in reports),
        heads=sum(report.heads for report in reports),
        documents=documents.count,
        findings=tuple(findings.kept),
        findings_total=findings.total,
        notes=(*notes, *documents.notes),
        unverifiable=tuple(unverifiable),
    )
