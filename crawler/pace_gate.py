"""The gate between scheduler and downloader: from which origin a request may be taken now.

A request whose site is not ready for it stays in the scheduler, on disk where there is a JOBDIR, and takes no
place of CONCURRENT_REQUESTS; nobody polls: a timer and what the pacer reports wake the engine. Of an origin
of which nothing is known yet one request is let out, so that its robots.txt is asked for; of one that goes
at its site's pace, one. What waits inside all the same (for a file of the site, for a turn that came later
than it seemed) is in the waiting room (`pace_room.py`).
Holds the counts and asks the pacer; decides nothing about what may be fetched, nor how long a wait is.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from blocklists.domain import registrable_domain
from crawler.pace_room import HostLines, WaitingRoom
from crawler.pacer import FREE, LEAD
from crawler.visit import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from scrapy import Request
    from scrapy.crawler import Crawler

    from crawler.pacer import Pacer
    from policies.vocabulary import Origin

BLOCKED = float("inf")
_EARLY = LEAD + 0.05  # the rules are asked, and their answer written, before the turn comes


_TRUSTED_TIMES = 3  # that a request comes back before its origin is left for a while
_LONGEST_PATIENCE = 5.0
_MOST_CAME_BACK = 10_000
_FILTERED = "sekisho_filtered"


class Taker(Protocol):
    """A queue that is told when an origin may have become free."""

    def touch(self, key: str) -> bool:
        """Look at an origin again; says whether anything of it is here."""


def past_the_filter(request: Request) -> Request:
    """Return a request that goes back to a scheduler that is not ours, and is no duplicate of itself there.

    Only until it comes out again (`as_it_was`): a redirect takes `dont_filter` along, and goes offsite so.
    What says so is in meta, since it comes out of a queue on disk as another object.
    """
    if not request.dont_filter:
        request.dont_filter = True
        request.meta[_FILTERED] = True
    return request


def as_it_was(request: Request) -> None:
    """Undo `past_the_filter` with a request that came out of a scheduler."""
    if request.meta.pop(_FILTERED, False):
        request.dont_filter = False


@lru_cache(maxsize=65_536)
def _key(origin: Origin) -> str:
    return str(origin)


class Gate:
    """See the module. One a crawl."""

    def __init__(
        self, pacer: Pacer, *, longest_hold: float, goes_alone: Callable[[Origin], bool] = lambda _: False
    ) -> None:
        self._goes_alone = goes_alone
        self.longest_hold = longest_hold
        self.serves_scheduler = False  # whether the scheduler is ours, and asks `takes_back`
        self.keeps_on_disk = False  # with a JOBDIR, what has to wait for very long is left for another run
        self.given_back = 0
        self._crawler: Crawler | None = None
        self._takers: list[Taker] = []
        self._out: Counter[str] = Counter()
        self._domain_out: Counter[str] = Counter()
        self._parked: dict[str, OrderedDict[str, None]] = {}
        self._taken: WeakKeyDictionary[Request, tuple[str, str]] = WeakKeyDictionary()
        self._returning: WeakSet[Request] = WeakSet()
        self._preparing: Counter[str] = Counter()  # taken and without a turn, of origins with a delay of ours
        self._unready: WeakKeyDictionary[Request, str] = WeakKeyDictionary()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = BLOCKED
        # How often since the last turn, and when.
        self._came_back: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self.lines = HostLines(is_closing=lambda: self.is_closing)
        self.room = WaitingRoom(is_closing=lambda: self.is_closing, excess=self._excess, entered=self.wake)
        self.use(pacer)

    def use(self, pacer: Pacer) -> None:
        """Ask another pacer from now on."""
        self.pacer = pacer
        pacer.on_change = self._changed

    def belong_to(self, crawler: Crawler) -> None:
        """Know the crawl, whatever scheduler and queues it has: when it ends, and how wide it is."""
        self._crawler = crawler

    def open(self, crawler: Crawler, taker: Taker) -> None:
        """Serve a queue of a crawl."""
        self.belong_to(crawler)
        self._takers.append(taker)

    # -- taking ---------------------------------------------------------------------------------------

    def key(self, request: Request) -> str:
        """Return the name under which requests to one origin are kept together."""
        origin = origin_of(request.url)
        if origin is None:
            return ""
        return _key(origin)

    def count(self, key: str) -> int:
        """Return how many requests to an origin are out of the scheduler."""
        return self._out[key]

    def wait(self, key: str) -> float:
        """Return after how many seconds a request may be taken; `BLOCKED` until the origin is touched."""
        origin = origin_of(key)
        if origin is None:
            return 0.0
        own = self._own_delay(origin.host)
        outlook = self.pacer.outlook(origin, own=own)
        if outlook is FREE:
            return 0.0
        out = self._out[key]
        # Of one that is not known yet, or goes alone, one is out; with a delay of ours, one gets ready.
        is_taken = out and (outlook is None or outlook.alone or self._goes_alone(origin))
        if is_taken or (own and self._preparing[key]):
            return BLOCKED
        if outlook is None:
            return self._patience(key) if key in self._came_back else 0.0
        if outlook.wait > self.longest_hold:
            return outlook.wait if self.keeps_on_disk else 0.0
        wait = max(0.0, outlook.wait - _EARLY)
        if key in self._came_back:
            wait = max(wait, self._patience(key))
        return BLOCKED if outlook.shared and not wait and self._is_parked(key, origin) else wait

    def _is_parked(self, key: str, origin: Origin) -> bool:
        """Whether another origin of its domain has the turn; it is remembered as one that waits for it."""
        domain = registrable_domain(origin.host)
        if not self._domain_out[domain]:
            return False
        self._parked.setdefault(domain, OrderedDict())[key] = None
        return True

    def _own_delay(self, host: str) -> float:
        """Return the operator's delay for a host, in seconds, as the downloader's slots have it now."""
        downloader: Any = None if self._crawler is None else self._crawler.engine.downloader
        if downloader is None:
            return 0.0
        slot = downloader.slots.get(host)
        if slot is not None:
            return float(slot.delay)
        given = downloader.per_slot_settings.get(host)
        return float((given or {}).get("delay", downloader._delay))  # noqa: SLF001 - AutoThrottle sets it so

    def _excess(self) -> int:
        """Return how many more than CONCURRENT_REQUESTS are under way; below zero there are places."""
        downloader: Any = None if self._crawler is None else self._crawler.engine.downloader
        if downloader is None or not downloader.total_concurrency:
            return -1
        return len(downloader.active) - self.room.uncounted - int(downloader.total_concurrency)

    def take(self, key: str, request: Request) -> None:
        """Count a request that leaves the scheduler."""
        origin = origin_of(key)
        domain = ""
        if origin is not None:
            outlook = self.pacer.outlook(origin)
            if outlook is not FREE and outlook is not None and outlook.shared:
                domain = registrable_domain(origin.host)
                self._domain_out[domain] += 1
            if self._own_delay(origin.host):
                self._preparing[key] += 1
                self._unready[request] = key
        self._out[key] += 1
        self._taken[request] = (key, domain)

    def has_turn(self, request: Request) -> None:
        """Count a request that has its turn; the next of its origin can be seen to."""
        if self._came_back and request in self._taken:
            self._came_back.pop(self._taken[request][0], None)
        self._is_ready(request)

    def _is_ready(self, request: Request) -> None:
        """Let the next of an origin with a delay of ours get ready."""
        if not self._unready:
            return
        key = self._unready.pop(request, None)
        if key is None:
            return
        self._preparing[key] -= 1
        if not self._preparing[key]:
            del self._preparing[key]
        if self._touch(key):
            self.wake()

    def release(self, request: Request) -> None:
        """Count a request that has ended or goes back."""
        self.lines.give_back(request)
        taken = self._taken.pop(request, None)
        if taken is None:
            return
        self._is_ready(request)
        key, domain = taken
        self._out[key] -= 1
        if not self._out[key]:
            del self._out[key]
        self._touch(key)
        if domain:
            self._domain_out[domain] -= 1
            if self._domain_out[domain] <= 0:
                del self._domain_out[domain]
                self._unpark(domain)

    def _unpark(self, domain: str) -> None:
        """Let the next origin of a domain have its turn, in the order in which they came."""
        parked = self._parked.pop(domain, None)
        while parked:
            key, _ = parked.popitem(last=False)
            origin = origin_of(key)
            outlook = None if origin is None else self.pacer.outlook(origin)
            # One whose own delay is not over yet goes on by itself; whoever is next takes the domain's turn.
            if self._touch(key) and (outlook is None or outlook.wait <= _EARLY):
                break
        if parked:
            self._parked[domain] = parked

    def _changed(self, origin: Origin) -> None:
        if self._touch(_key(origin)):
            self.wake()

    def _touch(self, key: str) -> bool:
        touched = [taker.touch(key) for taker in self._takers]  # all of them: memory and disk
        return any(touched)

    # -- waking ---------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Have the engine ask the scheduler again."""
        engine: Any = self._crawler.engine if self._crawler is not None else None
        slot = getattr(engine, "_slot", None)
        if slot is not None and slot.closing is None:
            slot.nextcall.schedule()

    def wake_in(self, seconds: float) -> None:
        """Have the engine ask the scheduler again after a while; the earliest wish counts."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer, self._timer_at = None, BLOCKED
        self.wake()

    # -- going back -----------------------------------------------------------------------------------

    def is_scheduled(self, request: Request) -> bool:
        """Whether a request came out of a queue that can take it back."""
        return request in self._taken

    def give_back(self, request: Request) -> Request:
        """Return a request that is to go into the scheduler again, to be judged anew when it comes out."""
        self._returning.add(request)
        self.given_back += 1
        key = self._taken[request][0]
        times, _ = self._came_back.get(key, (0, 0.0))
        self._came_back[key] = (times + 1, asyncio.get_running_loop().time())
        self._came_back.move_to_end(key)
        if len(self._came_back) > _MOST_CAME_BACK:  # of origins that never had a turn again
            self._came_back.popitem(last=False)
        return request if self.serves_scheduler else past_the_filter(request)

    def _patience(self, key: str) -> float:
        """Return for how many seconds an origin is left whose requests come back again and again.

        Whoever expects a turn too early (a pacer that others share, for one) must not keep the machine busy.
        """
        times, last = self._came_back[key]
        if times <= _TRUSTED_TIMES:
            return 0.0
        pause = min(_LONGEST_PATIENCE, _EARLY * 2.0 ** min(times - _TRUSTED_TIMES, 10))
        return max(0.0, last + pause - asyncio.get_running_loop().time())

    def takes_back(self, request: Request) -> bool:
        """Whether the scheduler gets a request that was its own; asked once."""
        if request not in self._returning:
            return False
        self._returning.discard(request)
        return True

    # -- ending -------------------------------------------------------------------------------------------

    @property
    def is_closing(self) -> bool:
        """Whether the crawl is ending."""
        engine: Any = self._crawler.engine if self._crawler is not None else None
        slot = getattr(engine, "_slot", None)
        return slot is not None and slot.closing is not None
