"""The decision log as a disclosure sees it: plain cells, document octets, segments, and the check of it all.

Wraps `LogReader`; the only module here that touches the log's own classes. Reads, never writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.verify import verify_log
from exporters.disclosure.sources import Segment, Verification

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from exporters.disclosure.figures import Row, Scalar

#: Larger answers are not kept in memory.
REMEMBERED_ROWS = 1_000
_DIGEST_LENGTH = 64
_HEX = frozenset("0123456789abcdef")


def _plain(cell: object) -> Scalar:
    """Return a cell as text, whole number or NULL; octets as hex, a fraction as text."""
    if cell is None or isinstance(cell, (int, str)):
        return cell
    return cell.hex() if isinstance(cell, bytes) else str(cell)


class LogView:
    """An open log, read for a disclosure. A context manager; raises LogError and IntegrityError."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._answers: dict[tuple[str, tuple[str | int, ...]], list[Row]] = {}

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the log at a SQLAlchemy URL."""
        return cls(LogReader.open(url))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    def query(self, sql: str, params: Sequence[str | int] = ()) -> list[Row]:
        """Return the rows of a SELECT with `?` placeholders; the same question is put once."""
        key = (sql, tuple(params))
        known = self._answers.get(key)
        if known is None:
            known = [tuple(_plain(cell) for cell in row) for row in self._reader.query(*key)]
            if len(known) <= REMEMBERED_ROWS:
                self._answers[key] = known
        return known

    def document(self, sha256: str) -> bytes | None:
        """Return a stored document's octets, or None when there is none under this digest."""
        if len(sha256) != _DIGEST_LENGTH or not _HEX.issuperset(sha256):
            return None
        found = self._reader.document(sha256)
        return None if found is None else found.body

    def segments(self) -> tuple[Segment, ...]:
        """Return every segment in the order of opening."""
        return tuple(
            Segment(
                id=str(info.segment),
                run=info.run,
                size=info.size,
                root=info.root or info.head_root or "",
                opened_us=info.opened_us,
                sealed=info.sealed,
            )
            for info in self._reader.segments()
        )

    def end_us(self) -> int:
        """Return the time just after the newest record: the bound of a disclosure without `--to`."""
        newest = self.query("SELECT MAX(ts_us) FROM decisions")[0][0]
        return newest + 1 if isinstance(newest, int) else 0

    def verify(self) -> Verification:
        """Hash everything again. IntegrityError when something was altered: then nothing may be published."""
        report = verify_log(self._reader)
        if report.findings_total:
            first = report.findings[0]
            raise IntegrityError(
                f"the log was altered, so nothing is published from it: {first.problem.value} "
                f"{first.place}: {first.text} ({report.findings_total} findings); see: sekisho log verify"
            )
        return Verification(
            verified=not report.unverifiable,
            records=report.records,
            segments=len(report.segments),
            problem="; ".join(report.unverifiable),
        )
