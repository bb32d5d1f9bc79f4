"""Pace: waits until the origin lets the next request go.

Stands just before the record, so that a decision is made when a request is about to leave and not while
it waits. Rule `crawl_delay` was asked in `robots.py`, where the file is at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.checkpoint import Checkpoint
from crawler.pacer import LeftAlone

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler


class PaceMiddleware:
    """See the module."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        return cls(Checkpoint.of(crawler))

    async def process_request(self, request: Request) -> None:
        """Wait for the origin's turn; the door gives it back."""
        visit = self._checkpoint.visit(request)
        if visit is None or visit.facts.origin is None or visit.turn is not None:
            return
        try:
            visit.turn = await self._checkpoint.pacer.turn(visit.facts.origin)
        except LeftAlone as held:
            raise self._checkpoint.leave_alone(visit, held) from None
