"""Who may go next: the pace that a site asked for, kept per origin.

`Pacer` is the interface, `LocalPacer` keeps it within one process. The wait counts from the end of the
previous exchange with the origin, so that the gap that the server sees is never shorter than what it
asked for, whatever the connections do. Where a delay is asked, one request is under way at a time.
A hold (Retry-After, RFC 9110 section 10.2.3) stops also what has its turn already and was not sent yet;
a hold for longer than the policy's cap is not waited for: `LeftAlone` says so.
The user's own DOWNLOAD_DELAY and AutoThrottle stay with Scrapy's slots; both waits must have passed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.vocabulary import Origin

REMEMBERED_ORIGINS = 100_000


class LeftAlone(Exception):  # noqa: N818 - an answer, not a failure
    """The origin asked to be left alone for longer than this crawl waits: `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the site asked to be left alone for {seconds:.0f} s more")
        self.seconds = seconds


class Turn(Protocol):
    """Leave to go once; given back when the exchange has ended, however it ended."""

    def done(self) -> None:
        """Give the turn back. Doing it twice is harmless."""


class Pacer(Protocol):
    """What a pace keeper offers; a shared store can stand behind it when several machines crawl."""

    def learn(self, origin: Origin, delay: float) -> None:
        """Remember the delay in seconds that an origin asks for; it replaces what it asked before."""

    def hold(self, origin: Origin, seconds: float) -> None:
        """Let nothing go to an origin for that long from now (Retry-After)."""

    async def turn(self, origin: Origin) -> Turn:
        """Return when a request may go. Raises LeftAlone."""

    async def outlast_hold(self, origin: Origin) -> None:
        """Return when an origin is not held any more; asked just before sending. Raises LeftAlone."""


class _Lane:
    """One origin: its delay, when the last exchange ended, until when it is held, and its queue."""

    __slots__ = ("delay", "ended", "held_until", "lock", "quiet", "turns", "under_way")

    def __init__(self) -> None:
        self.delay = 0.0
        self.ended = float("-inf")
        self.held_until = float("-inf")
        self.lock = asyncio.Lock()
        self.turns = 0  # waiting or under way
        self.under_way = 0
        self.quiet: asyncio.Event | None = None  # awaited by the holder of the lock, nobody else

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may start; not positive when it may go at once."""
        return max(self.ended + self.delay, self.held_until) - now


class LocalTurn:
    """A turn of `LocalPacer`."""

    __slots__ = ("_clock", "_lane", "_locked", "_open")

    def __init__(self, lane: _Lane, clock: Callable[[], float], *, locked: bool) -> None:
        self._lane = lane
        self._clock = clock
        self._locked = locked
        self._open = True
        lane.under_way += 1

    def done(self) -> None:
        """See `Turn.done`."""
        if not self._open:
            return
        self._open = False
        lane = self._lane
        lane.turns -= 1
        lane.under_way -= 1
        lane.ended = self._clock()
        if lane.quiet is not None and not lane.under_way:
            lane.quiet.set()
            lane.quiet = None
        if self._locked:
            lane.lock.release()


class LocalPacer:
    """A pace keeper for one process.

    `clock` is a monotonic clock in seconds; `longest_hold` is how many seconds of a hold are waited for.
    """

    def __init__(self, clock: Callable[[], float], longest_hold: float) -> None:
        self._clock = clock
        self._longest_hold = longest_hold
        self._lanes: dict[Origin, _Lane] = {}

    def _lane(self, origin: Origin) -> _Lane:
        lane = self._lanes.get(origin)
        if lane is None:
            if len(self._lanes) >= REMEMBERED_ORIGINS:
                self._forget_the_idle()
            lane = self._lanes[origin] = _Lane()
        return lane

    def _forget_the_idle(self) -> None:
        """Bound the memory: an origin that nobody uses and whose wait is over can be forgotten."""
        now = self._clock()
        idle = [origin for origin, lane in self._lanes.items() if not lane.turns and lane.wait(now) <= 0]
        for origin in idle:
            del self._lanes[origin]

    def learn(self, origin: Origin, delay: float) -> None:
        """See `Pacer.learn`."""
        self._lane(origin).delay = delay

    def hold(self, origin: Origin, seconds: float) -> None:
        """See `Pacer.hold`."""
        lane = self._lane(origin)
        lane.held_until = max(lane.held_until, self._clock() + seconds)

    async def turn(self, origin: Origin) -> LocalTurn:
        """See `Pacer.turn`."""
        lane = self._lane(origin)
        lane.turns += 1
        locked = False
        try:
            if lane.delay:
                await lane.lock.acquire()
                locked = True
            while True:
                if locked and lane.under_way:  # these left before a delay was asked
                    lane.quiet = asyncio.Event()
                    await lane.quiet.wait()
                wait = lane.wait(self._clock())
                if wait <= 0:
                    break
                self._check_hold(lane)
                await asyncio.sleep(wait)  # a hold may have grown meanwhile
        except BaseException:
            lane.turns -= 1
            if locked:
                lane.lock.release()
            raise
        return LocalTurn(lane, self._clock, locked=locked)

    async def outlast_hold(self, origin: Origin) -> None:
        """See `Pacer.outlast_hold`."""
        lane = self._lanes.get(origin)
        while lane is not None and (wait := lane.held_until - self._clock()) > 0:
            self._check_hold(lane)
            await asyncio.sleep(wait)

    def _check_hold(self, lane: _Lane) -> None:
        seconds = lane.held_until - self._clock()
        if seconds > self._longest_hold:
            raise LeftAlone(seconds)
