"""Copies the records of segments into the files of a package, from whatever reads to whatever writes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crawler.decisionlog.package.arrow import ArrowPages, ChunkReader
from crawler.decisionlog.package.jsonl import JsonlSink
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.package.pages import PageReader
from crawler.decisionlog.package.parquet import ParquetSink
from crawler.decisionlog.package.readers import WORTH_IT, ReaderProcesses
from crawler.decisionlog.verify_segment import SegmentClaim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crawler.decisionlog.package.arrow import Chunk
    from crawler.decisionlog.package.folder import PackageFolder
    from crawler.decisionlog.package.pages import ExportPage
    from crawler.decisionlog.package.part import P, Part, PartSink, PartSource
    from crawler.decisionlog.package.plan import PackagePlan
    from crawler.decisionlog.place import LogPlace
    from crawler.decisionlog.session import Session

Copy = Callable[[SegmentClaim, str, str | None], int]
"""Writes a segment into a file of records and one of URLs, or none; returns how many URLs there are."""


@dataclass(frozen=True, slots=True)
class Copying:
    """An export that copies: from a log, which a session has open at a place, to a folder.

    `note` is told of each part.
    """

    session: Session
    place: LogPlace
    folder: PackageFolder
    plan: PackagePlan
    note: Callable[[Part], None]

    def copy(
        self, source: PartSource[P], made: AbstractContextManager[PartSink[P]], claim: SegmentClaim
    ) -> int:
        """Copy one segment."""
        openings = 0
        with made as sink:
            try:
                for part in source.parts(claim.number, claim.end):
                    sink.take(part)
                    openings += part.opened
                    self.note(part)
                sink.close()
            except BaseException:
                sink.abandon()
                raise
        return openings

    @contextmanager
    def jsonl(self, records: str, urls: str | None) -> Iterator[PartSink[ExportPage]]:
        """Open two files of JSON lines."""
        with ExitStack() as stack:
            zipped = stack.enter_context(self.folder.gzipped(records))
            yield JsonlSink(zipped, None if urls is None else stack.enter_context(self.folder.gzipped(urls)))

    @contextmanager
    def parquet(self, records: str, urls: str | None, arrow: ArrowPages) -> Iterator[PartSink[Chunk]]:
        """Open two Parquet files."""
        with ExitStack() as stack:
            file = stack.enter_context(self.folder.file(records))
            beside = None if urls is None else stack.enter_context(self.folder.file(urls))
            yield ParquetSink(file, beside, arrow)

    @contextmanager
    def of(self, claims: Sequence[SegmentClaim]) -> Iterator[Copy]:
        """Give what copies these segments, one after the other in this order."""
        plan = self.plan
        committed, urls = plan.keeps_commitments, plan.urls
        pages = PageReader(self.session, committed=committed, urls=urls)
        if plan.encoding is Encoding.JSONL:
            yield lambda claim, records, beside: self.copy(pages, self.jsonl(records, beside), claim)
            return
        arrow = ArrowPages(committed=committed, urls=urls)

        def parquet(source: PartSource[Chunk]) -> Copy:
            return lambda claim, records, beside: self.copy(
                source, self.parquet(records, beside, arrow), claim
            )

        if plan.readers == 1 or sum(claim.end for claim in claims) < WORTH_IT:
            yield parquet(ChunkReader(pages, arrow))
            return
        sizes = [(claim.number, claim.end) for claim in claims]
        with ReaderProcesses(self.place, plan.readers, sizes, committed=committed, urls=urls) as readers:
            yield parquet(readers)
