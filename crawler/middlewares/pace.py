"""Pace: waits until the origin lets the next request go.

Stands just before the record, so that a decision is made when a request is about to leave and not while
it waits. What a wait made doubtful is judged anew: newer lists by the record, everything else from the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

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
        self._asked_again: WeakSet[Request] = WeakSet()

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
            was_long = await pace.take_turn(request, visit, downloader._get_slot(request)[1])  # noqa: SLF001
        except LeftAlone as held:
            skip = self._checkpoint.leave_alone(visit, held)
            if pace.keeps(request):
                return pace.gate.give_back(request)
            raise skip from None
        if was_long and self._is_outdated(request, visit):
            visit.end_turn()
            return await pace.wait_outside(request, 0.0)
        return None

    def _is_outdated(self, request: Request, visit: Visit) -> bool:
        """Whether what robots.txt said before a long wait may not be used any more, or its hours are over.

        A copy that does not last from one turn to the next is asked for again once, and then used.
        """
        checkpoint = self._checkpoint
        if visit.readings is None or visit.facts.origin is None or checkpoint.site_files is None:
            return False
        hours = judge_visit_time(visit.readings, checkpoint.intent.token, now_us=checkpoint.clock.now_us())
        if not hours.action.passes:
            return True
        if checkpoint.site_files.usable(visit.facts.origin) is not None or request in self._asked_again:
            return False
        self._asked_again.add(request)
        return True
