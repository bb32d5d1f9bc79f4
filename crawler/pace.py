"""The pace of one crawl: what middlewares and door ask about when a request may go.

Brings together who may go next (`pacer.py`), how long a site is left alone after trouble (`pace_backoff.py`)
and what the scheduler may let out (`pace_gate.py`). A wait that is long is never spent with a decision in
hand: the request goes back to the scheduler, or, when it did not come from there, waits outside of
CONCURRENT_REQUESTS; then it is judged anew, because lists, hours and robots.txt may have changed.
Decides nothing about what may be fetched.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from scrapy.exceptions import DownloadCancelledError, IgnoreRequest, StopDownload
from twisted.internet.defer import CancelledError

from crawler.pace_backoff import BackOff
from crawler.pace_gate import Gate, past_the_filter
from crawler.pace_local import LocalPacer
from crawler.pacer import SHORT
from policies.signals.retry_after import parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from scrapy import Request
    from scrapy.http import Response

    from crawler.pacer import Pacer
    from crawler.visit import Visit
    from policies.vocabulary import Origin

_THROTTLED = frozenset((429, 503))
_TOO_MANY_REQUESTS = 429
# Not the site's failure: we ended it, or it was refused.
_NO_FAILURES = (DownloadCancelledError, StopDownload, IgnoreRequest, CancelledError, asyncio.CancelledError)


class Pace:
    """See the module. `longest_hold` (seconds) is the longest wait that is not left to another run."""

    def __init__(self, longest_hold: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._longest_hold = longest_hold
        self._pacer: Pacer = LocalPacer(clock, longest_hold)
        self._back_off = BackOff()
        self.gate = Gate(self._pacer, longest_hold=longest_hold, goes_alone=self._back_off.is_alone)

    @property
    def pacer(self) -> Pacer:
        """Who keeps the pace; another one may be put in its place before the engine starts."""
        return self._pacer

    @pacer.setter
    def pacer(self, other: Pacer) -> None:
        self._pacer = other
        self.gate.use(other)

    @property
    def pauses(self) -> int:
        """How many pauses of sites in trouble were begun or made longer."""
        return self._back_off.pauses

    def learn(self, origin: Origin, delay: float) -> None:
        """Remember what an origin asks for, in seconds between two requests; 0 when it asks for nothing."""
        self._pacer.learn(origin, delay)

    def close_until(self, origin: Origin, seconds: float, why: str) -> None:
        """Leave an origin alone until the hours that it names, `seconds` from now."""
        self._pacer.hold(origin, seconds, why)

    def wait(self, origin: Origin) -> float:
        """Return after how many seconds a request could go, as far as that is known."""
        outlook = self._pacer.outlook(origin)
        return 0.0 if outlook is None else outlook.wait

    def is_long(self, request: Request, origin: Origin) -> bool:
        """Whether a request had better go back to the scheduler than wait for its turn."""
        wait = self.wait(origin)
        return SHORT < wait <= self._longest_hold and self.gate.is_scheduled(request)

    def keeps(self, request: Request) -> bool:
        """Whether a request that its site puts off for very long is kept in the JOBDIR for another run."""
        return self.gate.keeps_on_disk and self.gate.is_scheduled(request)

    async def take_turn(self, request: Request, visit: Visit, host: str, slot: Any) -> float:  # noqa: ANN401
        """Wait for the turn of a request, and for a place at its host. Raises LeftAlone, Postponed.

        `slot` is Scrapy's slot of the host: it holds the operator's delay, and how many it takes at once.

        Returns for how many seconds that took so long that what was judged before may not hold any more.
        """
        origin = visit.facts.origin
        if origin is None or visit.turn is not None:
            return 0.0
        begin = self._clock()
        is_page = self.gate.is_scheduled(request)  # what a page needs never waits for the page's own place
        if is_page:
            await self.gate.room.place()
        own = slot.download_delay() if slot.delay else 0.0
        alone = self._back_off.is_alone(origin)
        turn = self._pacer.turn_now(origin, own=own, alone=alone)
        if turn is None:
            turn = await self.gate.room.inside(self._pacer.turn(origin, own=own, alone=alone))
        visit.turn = turn
        self.gate.has_turn(request)
        if is_page:
            await self.gate.lines.place(request, host, slot.concurrency)
        waited = self._clock() - begin
        return waited if waited > SHORT else 0.0

    async def leave(self, visit: Visit) -> None:
        """Return when a request may be sent. Raises LeftAlone or Postponed."""
        if visit.turn is not None:
            await visit.turn.leave()

    async def wait_outside(self, request: Request, seconds: float) -> Request:
        """Return a request when its wait is over; back to the scheduler at once when it came from there."""
        if self.gate.is_scheduled(request):
            return self.gate.give_back(request)
        await self.gate.room.inside(asyncio.sleep(seconds))
        return past_the_filter(request)

    def heed(self, visit: Visit, response: Response, *, now_us: int) -> None:
        """Take in what an answer says about the pace (RFC 9110 section 10.2.3, RFC 6585 section 4)."""
        origin = visit.facts.origin
        if origin is None:
            return
        if response.status not in _THROTTLED:
            if self._back_off.is_alone(origin):
                self._back_off.answered(origin)
            return
        words = (response.headers.get(b"Retry-After") or b"").decode("latin-1")
        visit.asked_pause = asked = parse_retry_after(words, now_us=now_us)
        pause = self._back_off.throttled(origin, asked, sent_at=self._sent_at(visit), now=self._clock())
        # A 429 speaks of us, and whoever counts us may count for all hosts of a domain.
        domain = min(pause, self._longest_hold) if response.status == _TOO_MANY_REQUESTS else 0.0
        why = f"HTTP {response.status}, Retry-After: {words[:100]}" if words else f"HTTP {response.status}"
        self._pacer.hold(origin, pause, why, whole_domain=domain)

    def failed(self, visit: Visit, error: BaseException) -> None:
        """Take in that no answer came."""
        origin = visit.facts.origin
        if origin is None or isinstance(error, _NO_FAILURES):
            return
        pause = self._back_off.failed(origin, sent_at=self._sent_at(visit), now=self._clock())
        self._pacer.hold(origin, pause, f"the connection failed: {type(error).__name__}")

    def _sent_at(self, visit: Visit) -> float:
        sent = None if visit.turn is None else visit.turn.left_at
        return self._clock() if sent is None else sent
