"""Reads a segment page by page for a package: records, openings, and commitments of what has no opening.

A page is one read transaction, so that a crawl that is writing is not kept waiting. Columns that a package
does not keep are not read: leaf hashes never (they are recomputed), commitments only where they cannot be
computed from URL and salt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.uncollected import uncollected
from crawler.decisionlog.verify_source import OPENINGS_SQL, RECORD_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crawler.decisionlog.session import Session

PAGE: Final = 2000
COMMITS: Final = ("url_commit", "parent_commit")
KEPT: Final = tuple(name for name in RECORD_COLUMNS if name != "leaf_hash")
PLAIN: Final = tuple(name for name in KEPT if name not in COMMITS)
_IS_COMMITTED: Final = "url_commit IS NOT NULL OR parent_commit IS NOT NULL"
_COMMITTED_SQL: Final = (
    f"SELECT idx, url_commit, parent_commit FROM record WHERE ({_IS_COMMITTED})"  # noqa: S608 - names of this file
    " AND segment_id = ? AND idx >= ? AND idx < ? ORDER BY idx"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPage:
    """Rows by column name, openings (idx, url, parent_url, salt), and idx with commitments that lack one.

    Texts are octets.
    """

    records: Mapping[str, Sequence[Any]]
    openings: list[tuple[Any, ...]]
    withheld: list[tuple[Any, ...]]

    @property
    def size(self) -> int:
        """How many records there are."""
        return len(self.records["idx"])

    @property
    def opened(self) -> int:
        """How many URLs there are with their salt."""
        return len(self.openings)

    @property
    def contexts(self) -> frozenset[int]:
        """The numbers of their contexts."""
        return frozenset(self.records["context_id"])

    @property
    def needs(self) -> frozenset[bytes]:
        """The digests of documents that they need: their bases, and what is said of the run itself."""
        needed = set(self.records["basis_sha256"])
        if b"run" in self.records["stage"]:
            pairs = zip(self.records["stage"], self.records["body_sha256"], strict=True)
            needed.update(body for stage, body in pairs if stage == b"run")
        return frozenset(needed - {None})


def _sql(names: tuple[str, ...], *, flagged: bool) -> str:
    flag = f", {_IS_COMMITTED}" if flagged else ""
    return (
        f"SELECT {', '.join(names)}{flag} FROM record"  # noqa: S608 - names of this file
        " WHERE segment_id = ? AND idx >= ? AND idx < ? ORDER BY idx LIMIT ?"
    )


class PageReader:
    """Reads the pages of segments; `committed` with commitments, `urls` with openings."""

    def __init__(self, session: Session, *, committed: bool, urls: bool) -> None:
        self._session = session
        self._committed = committed
        self._urls = urls
        self._names = KEPT if committed else PLAIN
        self._sql = _sql(self._names, flagged=not committed)

    def parts(self, number: int, end: int) -> Iterator[ExportPage]:
        """Yield the records of a segment up to index `end` (excluded)."""
        return self.pages(number, 0, end)

    def pages(self, number: int, first: int, end: int) -> Iterator[ExportPage]:
        """Yield the records of a segment from index `first` to `end` (excluded)."""
        while first < end:
            with uncollected():
                page, after = self._page(number, first, end)
            if page is not None:
                yield page
            first = after

    def _page(self, number: int, first: int, end: int) -> tuple[ExportPage | None, int]:
        session = self._session
        session.execute("BEGIN")
        rows = session.execute(self._sql, (number, first, end, PAGE)).fetchall()
        after = rows[-1][0] + 1 if len(rows) == PAGE else end
        openings = session.execute(OPENINGS_SQL, (number, first, after)).fetchall() if self._urls else []
        columns = list(zip(*rows, strict=True))
        withheld: list[tuple[Any, ...]] = []
        if rows and not self._committed and sum(columns[-1]) != len(openings):
            opened = {row[0] for row in openings}
            committed = session.execute(_COMMITTED_SQL, (number, first, after)).fetchall()
            withheld = [row for row in committed if row[0] not in opened]
        session.execute("COMMIT")
        if not rows:
            return None, after
        records = dict(zip(self._names, columns, strict=False))  # the last column may be the flag
        return ExportPage(records=records, openings=openings, withheld=withheld), after
