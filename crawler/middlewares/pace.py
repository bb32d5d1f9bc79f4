"""Pace: waits until the origin lets the next request go.

Stands just before the record, so that a decision is made when a request is about to leave and not while
it waits. What a wait made doubtful is judged anew: newer lists by the record, everything else from the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crawler.checkpoint import Checkpoint
from crawler.pacer import LeftAlone

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler


class PaceMiddleware:
    """See the module."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._checkpoint = Checkpoint.of(crawler)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        return cls(crawler)

    async def process_request(self, request: Request) -> Request | None:
        """Wait for the origin's turn; the door gives it back."""
        visit = self._checkpoint.visit(request)
        if visit is None or visit.facts.origin is None or visit.turn is not None:
            return None
        downloader: Any = self._crawler.engine.downloader
        try:
            await self._checkpoint.pace.take_turn(request, visit, downloader._get_slot(request)[1])  # noqa: SLF001
        except LeftAlone as held:
            raise self._checkpoint.leave_alone(visit, held) from None
        return None
