"""Pace: waits until the origin lets the next request go.

Stands just before the record, so that a decision is made when a request is about to leave and not while
it waits. What a wait made doubtful is judged anew: newer lists by the record, everything else from the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crawler.checkpoint import Checkpoint
from crawler.pacer import LeftAlone
from policies.rules.visit_time import judge_visit_time

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler

    from crawler.visit import Visit


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
        pace = self._checkpoint.pace
        downloader: Any = self._crawler.engine.downloader
        try:
            waited = await pace.take_turn(request, visit, *downloader._get_slot(request))  # noqa: SLF001
        except LeftAlone as held:
            skip = self._checkpoint.leave_alone(visit, held)
            if pace.keeps(request):
                return pace.gate.give_back(request)
            raise skip from None
        if waited and self._is_outdated(visit, waited):
            visit.end_turn()
            return await pace.wait_outside(request, 0.0)
        return None

    def _is_outdated(self, visit: Visit, waited: float) -> bool:
        """Whether what robots.txt said before a long wait may not be used any more, or its hours are over.

        A copy that may never be used for as long as a turn takes is used all the same: asking for it again
        would take the turn from the page each time.
        """
        checkpoint = self._checkpoint
        if visit.readings is None or visit.facts.origin is None or checkpoint.site_files is None:
            return False
        hours = judge_visit_time(visit.readings, checkpoint.intent.token, now_us=checkpoint.clock.now_us())
        if not hours.action.passes:
            return True
        origin, files = visit.facts.origin, checkpoint.site_files
        return files.usable(origin) is None and files.outlives(origin, 2 * waited)
