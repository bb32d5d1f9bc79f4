"""Scrapy's downloader, with the pace kept before a request is queued and not in the queue.

Four changes to Scrapy 2.19: what waits for its site takes no place of CONCURRENT_REQUESTS; the delay of a
slot (DOWNLOAD_DELAY with its jitter, DOWNLOAD_SLOTS, what AutoThrottle makes of it) is kept by the pacer,
together with what the site asks for, so that a decision is made when a request is about to leave; a
request that has to wait at the door goes back to be judged anew; and one that need not wait for its host is
not queued. How many requests may be under way to a host stays with Scrapy's slots.
Decides nothing about what may be fetched.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from scrapy import signals
from scrapy.core.downloader import Downloader
from scrapy.exceptions import IgnoreRequest
from scrapy.utils.defer import _schedule_coro, deferred_from_coro
from twisted.python.failure import Failure

from crawler.checkpoint import Checkpoint
from crawler.pacer import Postponed

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.core.downloader import Slot
    from scrapy.crawler import Crawler
    from scrapy.http import Response
    from twisted.internet.defer import Deferred

_Result = TypeVar("_Result")
_ENDS = "the crawl ends"


class PacedDownloader(Downloader):
    """See the module."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._pace = Checkpoint.of(crawler).pace
        self._pace.gate.belong_to(crawler)

    def needs_backout(self) -> bool:
        """Whether no more requests are to be taken from the scheduler; those in the waiting room go first."""
        room = self._pace.gate.room
        room.call_in()
        return 0 < self.total_concurrency <= len(self.active) - room.uncounted

    async def _enqueue_request(self, request: Request) -> Response:
        """Download a request, at once where its host has a place for it, else when it has one.

        At once means within the task that asked: Scrapy takes the way through the queue in any case, with a
        task, a Deferred and a future for each request and two more rounds of the loop.
        """
        key, slot = self._get_slot(request)
        if slot.queue or slot.free_transfer_slots() <= 0:
            return await super()._enqueue_request(request)
        request.meta[self.DOWNLOAD_SLOT] = key
        slot.active.add(request)
        try:
            self.signals.send_catch_log(
                signal=signals.request_reached_downloader, request=request, spider=self.crawler.spider
            )
            slot.lastseen = monotonic()
            return await self._download(slot, request)
        finally:
            slot.active.remove(request)

    def _process_queue(self, slot: Slot) -> None:
        """Start what is queued, as far as the host's concurrency goes; each has had its turn already."""
        while slot.queue and slot.free_transfer_slots() > 0:
            slot.lastseen = monotonic()
            request, exchange = slot.queue.popleft()
            _schedule_coro(self._wait_for_download(slot, request, exchange))

    def end_pace(self, result: _Result, request: Request) -> _Result | Deferred[Any] | Request:
        """Count a request that has ended; one that was postponed goes back instead of failing.

        Raises IgnoreRequest for one that nobody takes back, because the crawl ends.
        """
        gate = self._pace.gate
        if isinstance(result, Failure) and isinstance(result.value, Postponed):
            if not gate.is_scheduled(request):
                if gate.is_closing:
                    raise IgnoreRequest(_ENDS)
                return self._keep_outside(request, result.value.seconds)
            gate.give_back(request)
            gate.release(request)
            return request
        gate.release(request)
        return result

    def _keep_outside(self, request: Request, seconds: float) -> Deferred[Any]:
        """Wait with a request that no queue takes back; it counts as under way until the engine has it again.

        Otherwise Scrapy sees nothing left to do meanwhile, ends the crawl and loses it; and as the room
        takes everyone inside off that number, the crawl would be wider than CONCURRENT_REQUESTS.
        """
        self.active.add(request)
        return deferred_from_coro(self._outside(request, seconds)).addBoth(self._let_in, request)

    async def _outside(self, request: Request, seconds: float) -> Request:
        try:
            return await self._pace.wait_outside(request, seconds)
        except Postponed:
            raise IgnoreRequest(_ENDS) from None

    def _let_in(self, result: _Result, request: Request) -> _Result:
        self.active.discard(request)
        return result
