"""Where requests wait that have left the scheduler: the waiting room, and the lines of the hosts.

Whoever is inside takes no place of CONCURRENT_REQUESTS, up to a bound. Many may wait for one thing (a file of
their site), and be free to go in the same moment; each then takes a place when there is one, in order.
Otherwise all of them would be permitted at once, and most would lie in a queue with a permit that grows old.
A host too takes only so many at once: who would have to queue for it waits in its line, before the permit.
Knows nothing of origins and of turns.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from crawler.pacer import Postponed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scrapy import Request

WAITING_ROOM = 1_000
"""Requests that may wait outside CONCURRENT_REQUESTS; each costs memory, so further ones count."""
_LOOK_SECONDS = 0.5
_Found = TypeVar("_Found")


class WaitingRoom:
    """See the module. `is_closing` says whether the crawl ends; `entered` is called when somebody comes in.

    `excess` says how many more than CONCURRENT_REQUESTS count as under way; below zero there are places.
    """

    def __init__(
        self, *, is_closing: Callable[[], bool], excess: Callable[[], int], entered: Callable[[], None]
    ) -> None:
        self._is_closing = is_closing
        self._excess = excess
        self._entered = entered
        self._waits: set[asyncio.Future[Any]] = set()
        self._line: deque[asyncio.Future[None]] = deque()
        self._looker: asyncio.TimerHandle | None = None
        self.most_inside = 0
        self.longest_wait = 0.0  # seconds, of those whose wait is over

    def __len__(self) -> int:
        """Return how many wait now."""
        return len(self._waits)

    @property
    def uncounted(self) -> int:
        """How many requests take no place of CONCURRENT_REQUESTS."""
        return min(len(self._waits), WAITING_ROOM)

    async def inside(self, awaited: Awaitable[_Found]) -> _Found:
        """Await in the room. Raises Postponed when the crawl ends meanwhile."""
        return await self._wait(asyncio.ensure_future(awaited))

    async def place(self) -> None:
        """Return when whoever asks, who counts already, has a place. Raises Postponed as `inside` does."""
        while self._excess() > 0:
            called = asyncio.get_running_loop().create_future()
            self._line.append(called)
            await self._wait(called)

    def call_in(self) -> None:
        """Give the places that are free to the first of the line, who count from now on."""
        while self._line and self._excess() < 0:
            called = self._line.popleft()
            if not called.done():
                self._waits.discard(called)
                called.set_result(None)

    async def _wait(self, awaited: asyncio.Future[_Found]) -> _Found:
        self._waits.add(awaited)
        self.most_inside = max(self.most_inside, len(self._waits))
        clock = asyncio.get_running_loop().time
        begin = clock()
        if self._looker is None:
            self._look()
        self._entered()
        try:
            return await awaited
        except asyncio.CancelledError:
            awaited.cancel()
            if self._is_closing():
                raise Postponed(0.0) from None
            raise
        finally:
            self._waits.discard(awaited)
            self.longest_wait = max(self.longest_wait, clock() - begin)

    def _look(self) -> None:
        """See every now and then whether the crawl ends: Scrapy waits then for all that is under way."""
        self._looker = None
        if self._is_closing():
            for waiting in list(self._waits):
                waiting.cancel()
        elif self._waits:
            self._looker = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)


class HostLines:
    """The places of each host (Scrapy's slots), and the line before them. `is_closing` as for the room."""

    def __init__(self, *, is_closing: Callable[[], bool]) -> None:
        self._is_closing = is_closing
        self._taken: Counter[str] = Counter()
        self._of: WeakKeyDictionary[Request, str] = WeakKeyDictionary()
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    async def place(self, request: Request, host: str, most: int) -> None:
        """Return when a request has one of the `most` places of a host, which it keeps until `give_back`.

        Raises Postponed when the crawl ends meanwhile.
        """
        if request in self._of:
            return
        line = self._lines.get(host)
        if line or self._taken[host] >= most:
            called = asyncio.get_running_loop().create_future()
            self._lines.setdefault(host, deque()).append(called)
            try:
                await called
            except asyncio.CancelledError:
                if called.done() and not called.cancelled():
                    self._free(host)
                raise
            if self._is_closing():
                self._free(host)
                raise Postponed(0.0)
        else:
            self._taken[host] += 1
        self._of[request] = host

    def give_back(self, request: Request) -> None:
        """Free the place of a request that has ended, if it has one, for the next in line."""
        host = self._of.pop(request, None)
        if host is not None:
            self._free(host)

    def _free(self, host: str) -> None:
        line = self._lines.get(host)
        while line:
            called = line.popleft()
            if not line:
                del self._lines[host]
            if not called.done():
                called.set_result(None)  # the place is handed on
                return
        self._taken[host] -= 1
        if not self._taken[host]:
            del self._taken[host]
