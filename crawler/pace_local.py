"""The pace keeper of one process: a lane for each origin, and what the lanes of a registrable domain share.

Implements `pacer.Pacer`, which says what counts from when. Whoever cannot go at once stands in the queue of
its domain, in the order of arrival; a timer serves it, and nobody polls. Memory is bounded.
Decides nothing about what may be fetched, nor how long a pause is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from blocklists.domain import registrable_domain
from crawler.pacer import DRIFT, FREE, LEAD, SHORT, LeftAlone, Outlook, Postponed

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.vocabulary import Origin

REMEMBERED_ORIGINS = 100_000
_NEVER = float("-inf")
_BLOCKED = float("inf")


class _Domain:
    """What the origins of one registrable domain have in common; `queue` is in the order of arrival."""

    __slots__ = ("asking", "delay", "ended", "held_until", "lanes", "queue", "started", "timer", "under_way")

    def __init__(self) -> None:
        self.lanes = 0
        self.asking: dict[_Lane, float] = {}
        self.delay = 0.0  # the smallest that one of them asks for
        self.ended = _NEVER  # the last exchange with one that asks
        self.under_way = 0  # with those that ask
        self.started = _NEVER  # the last one with any
        self.held_until = _NEVER
        self.queue: deque[_Waiter] = deque()
        self.timer: asyncio.TimerHandle | None = None


class _Lane:
    """One origin: what it asks for, when its last exchange began and ended, until when it is held."""

    __slots__ = (
        "alone_under_way", "asked", "domain", "ended", "held_until", "known", "name", "origin", "started",
        "under_way", "waiting", "why",
    )  # fmt: skip

    def __init__(self, origin: Origin, name: str, domain: _Domain) -> None:
        self.origin = origin
        self.name = name
        self.domain = domain
        self.known = False
        self.asked = 0.0
        self.ended = _NEVER
        self.started = _NEVER
        self.held_until = _NEVER
        self.why = ""
        self.under_way = 0
        self.alone_under_way = 0
        self.waiting = 0

    def shares(self) -> bool:
        """Whether it takes its turns with others of its domain; one that is not known yet does as they do."""
        return bool(self.asked) or (not self.known and bool(self.domain.delay))

    def hold_ends(self) -> float:
        return max(self.held_until, self.domain.held_until)

    def may_start(self, own: float) -> float:
        """Return when the next request may be sent, as far as it is known while others are under way."""
        domain = self.domain
        moment = self.hold_ends()
        if own:
            moment = max(moment, self.started + own, domain.started + own)
        if self.asked:
            moment = max(moment, self.ended + self.asked)
        if self.shares():
            moment = max(moment, domain.ended + domain.delay)
        return moment

    def is_blocked(self, *, alone: bool) -> bool:
        """Whether something that is under way has to end before."""
        if self.alone_under_way or ((alone or self.asked) and self.under_way):
            return True
        return bool(self.domain.under_way) and self.shares()


class _Waiter:
    __slots__ = ("alone", "future", "lane", "own")

    def __init__(self, lane: _Lane, own: float, *, alone: bool, future: asyncio.Future[LocalTurn]) -> None:
        self.lane = lane
        self.own = own
        self.alone = alone
        self.future = future


class LocalTurn:
    """A turn of `LocalPacer`."""

    __slots__ = ("_alone", "_counted", "_lane", "_not_before", "_open", "_pacer", "left_at")

    def __init__(self, pacer: LocalPacer, lane: _Lane, not_before: float, *, alone: bool) -> None:
        self._pacer = pacer
        self._lane = lane
        self._not_before = not_before
        self._alone = alone
        self._counted = lane.shares()
        self._open = True
        self.left_at: float | None = None
        lane.under_way += 1
        lane.alone_under_way += alone
        lane.domain.under_way += self._counted
        lane.started = lane.domain.started = not_before

    async def leave(self) -> None:
        """See `Turn.leave`."""
        lane, clock = self._lane, self._pacer.clock
        now = clock()
        while (wait := max(self._not_before, lane.held_until, lane.domain.held_until) - now) > 0:
            self._pacer.check_hold(lane, now)
            if wait > SHORT:
                raise Postponed(wait)
            await asyncio.sleep(wait)
            now = clock()
        self.left_at = lane.started = lane.domain.started = now

    def done(self) -> None:
        """See `Turn.done`."""
        if not self._open:
            return
        self._open = False
        lane = self._lane
        domain = lane.domain
        lane.under_way -= 1
        lane.alone_under_way -= self._alone
        domain.under_way -= self._counted
        if self.left_at is not None:
            lane.ended = self._pacer.clock()
            if self._counted or lane.asked:
                domain.ended = lane.ended
        if domain.queue:
            self._pacer.serve(domain)


class LocalPacer:
    """A pace keeper for one process.

    `clock` is a monotonic clock in seconds; `longest_hold` is how many seconds of a hold are waited for.
    """

    def __init__(self, clock: Callable[[], float], longest_hold: float) -> None:
        self.clock = clock
        self.on_change: Callable[[Origin], None] | None = None
        self._longest_hold = longest_hold
        self._lanes: dict[Origin, _Lane] = {}
        self._domains: dict[str, _Domain] = {}
        self._room = REMEMBERED_ORIGINS

    def _lane(self, origin: Origin) -> _Lane:
        lane = self._lanes.get(origin)
        if lane is None:
            if len(self._lanes) >= self._room:
                self._forget_the_idle()
                # What is kept (sites that asked for a long pause) is not looked through for each new one.
                self._room = max(REMEMBERED_ORIGINS, len(self._lanes) + len(self._lanes) // 10)
            name = registrable_domain(origin.host)
            domain = self._domains.get(name)
            if domain is None:
                domain = self._domains[name] = _Domain()
            domain.lanes += 1
            lane = self._lanes[origin] = _Lane(origin, name, domain)
        return lane

    def _forget_the_idle(self) -> None:
        """Bound the memory: an origin that nobody uses and whose wait is over can be forgotten."""
        now = self.clock()
        for origin, lane in list(self._lanes.items()):
            if lane.under_way or lane.waiting or lane.may_start(0.0) > now:
                continue
            del self._lanes[origin]
            domain = lane.domain
            domain.lanes -= 1
            if domain.asking.pop(lane, None) is not None:
                domain.delay = min(domain.asking.values(), default=0.0)
            if not domain.lanes:
                del self._domains[lane.name]

    def learn(self, origin: Origin, delay: float) -> None:
        """See `Pacer.learn`."""
        lane = self._lane(origin)
        delay += delay * DRIFT
        if lane.known and lane.asked == delay:
            return
        domain = lane.domain
        if delay:
            domain.asking[lane] = delay
            domain.ended = max(domain.ended, lane.ended)
        else:
            domain.asking.pop(lane, None)
        domain.delay = min(domain.asking.values(), default=0.0)
        lane.asked = delay
        lane.known = True
        self._changed(lane)

    def _changed(self, lane: _Lane) -> None:
        if lane.domain.queue:
            self.serve(lane.domain)
        if self.on_change is not None:
            self.on_change(lane.origin)

    def hold(self, origin: Origin, seconds: float, why: str = "", *, whole_domain: float = 0.0) -> None:
        """See `Pacer.hold`."""
        lane, now = self._lane(origin), self.clock()
        until = now + seconds + seconds * DRIFT
        if until > lane.held_until:
            lane.held_until, lane.why = until, why
        if whole_domain:
            lane.domain.held_until = max(lane.domain.held_until, now + whole_domain)
        if lane.domain.queue:
            self.serve(lane.domain)

    def outlook(self, origin: Origin, *, own: float = 0.0) -> Outlook | None:
        """See `Pacer.outlook`."""
        lane = self._lanes.get(origin)
        if lane is None or not lane.known:
            return self._outlook_of_stranger(origin, lane)
        if not own and not lane.asked and lane.hold_ends() == _NEVER:
            return FREE
        wait = max(0.0, lane.may_start(own) - self.clock())
        asks = bool(lane.asked)
        return Outlook(wait, alone=asks, shared=asks and len(lane.domain.asking) > 1)

    def _outlook_of_stranger(self, origin: Origin, lane: _Lane | None) -> Outlook | None:
        """Return what is to be expected of an origin of which nothing was learnt: a hold, its domain."""
        domain = self._domains.get(registrable_domain(origin.host))
        if domain is None:
            return None
        moment = domain.held_until
        if domain.delay:
            moment = max(moment, domain.ended + domain.delay)
        if lane is not None:
            moment = max(moment, lane.held_until)
        wait = max(0.0, moment - self.clock())
        return Outlook(wait, alone=True, shared=bool(domain.delay)) if wait or domain.delay else None

    def turn_now(self, origin: Origin, *, own: float = 0.0, alone: bool = False) -> LocalTurn | None:
        """See `Pacer.turn_now`."""
        lane = self._lane(origin)
        if lane.domain.queue or lane.is_blocked(alone=alone):
            return None
        now, moment = self.clock(), lane.may_start(own)
        if moment - LEAD > now:
            return None
        return LocalTurn(self, lane, max(moment, now), alone=alone)

    async def turn(self, origin: Origin, *, own: float = 0.0, alone: bool = False) -> LocalTurn:
        """See `Pacer.turn`."""
        turn = self.turn_now(origin, own=own, alone=alone)
        if turn is not None:
            return turn
        lane = self._lane(origin)
        domain = lane.domain
        self.check_hold(lane, self.clock())
        future: asyncio.Future[LocalTurn] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(lane, own, alone=alone, future=future)
        domain.queue.append(waiter)
        lane.waiting += 1
        self.serve(domain)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                future.result().done()
            else:
                self._give_up(domain, waiter)
            raise

    def _give_up(self, domain: _Domain, waiter: _Waiter) -> None:
        if waiter in domain.queue:
            domain.queue.remove(waiter)
            waiter.lane.waiting -= 1
            self.serve(domain)

    def serve(self, domain: _Domain) -> None:
        """Give turns to those in the queue of a domain who may go, in the order in which they came."""
        now = self.clock()
        soonest = _BLOCKED
        left: deque[_Waiter] = deque()
        passed: set[_Lane] = set()
        waiting, domain.queue = domain.queue, left
        for waiter in waiting:
            lane = waiter.lane
            if waiter.future.done():
                lane.waiting -= 1
                continue
            if lane in passed:  # nobody overtakes within an origin
                left.append(waiter)
                continue
            if lane.hold_ends() - now > self._longest_hold:
                lane.waiting -= 1
                waiter.future.set_exception(LeftAlone(lane.hold_ends() - now, lane.why))
                continue
            blocked = lane.is_blocked(alone=waiter.alone)
            moment = lane.may_start(waiter.own)
            if not blocked and moment - LEAD <= now:
                lane.waiting -= 1
                waiter.future.set_result(LocalTurn(self, lane, max(moment, now), alone=waiter.alone))
                continue
            passed.add(lane)
            left.append(waiter)
            if not blocked:
                soonest = min(soonest, moment)
        if domain.timer is not None:
            domain.timer.cancel()
            domain.timer = None
        if soonest < _BLOCKED:
            loop = asyncio.get_running_loop()
            domain.timer = loop.call_later(max(0.0, soonest - LEAD - now), self.serve, domain)

    def check_hold(self, lane: _Lane, now: float) -> None:
        """Raise LeftAlone when a lane is held for longer than is waited for."""
        seconds = lane.hold_ends() - now
        if seconds > self._longest_hold:
            raise LeftAlone(seconds, lane.why)
