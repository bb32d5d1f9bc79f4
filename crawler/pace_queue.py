"""The scheduler's queue that knows the pace: requests of an origin together, taken when their site is ready.

Takes the place of Scrapy's `DownloaderAwarePriorityQueue`, in memory and on disk: like there, requests of one
origin come in the order of their priority, and the origin with the fewest under way comes first, in turn
among equals. Other than there, an origin whose turn has not come is passed over, and choosing does not take
longer with more origins. `PacedScheduler` takes back what was let out too early.
A project's own SCHEDULER or SCHEDULER_PRIORITY_QUEUE stays in use: the pace is kept all the same, but then a
slow site may keep others waiting.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrapy.core.scheduler import Scheduler
from scrapy.pqueues import DownloaderAwarePriorityQueue, _path_safe

from crawler.checkpoint import Checkpoint
from crawler.door import end_without_door
from crawler.errors import SetupError
from crawler.pace_gate import BLOCKED

if TYPE_CHECKING:
    from scrapy import Request, Spider
    from scrapy.crawler import Crawler
    from twisted.internet.defer import Deferred


logger = logging.getLogger(__name__)
_MOST_STALE = 1_000


class PacedPriorityQueue(DownloaderAwarePriorityQueue):
    """See the module."""

    def __init__(self, crawler: Crawler, *args: Any, **named: Any) -> None:  # noqa: ANN401 - Scrapy's own
        super().__init__(crawler, *args, **named)
        self._gate = Checkpoint.of(crawler).pace.gate
        self._gate.open(crawler, self)
        self._crawler = crawler
        self._is_shut: bool | None = None  # not known before the engine runs
        self._ready: dict[int, dict[str, None]] = {}  # number under way: origins, in turn
        self._place: dict[str, int] = {}  # origin: where it stands in `_ready`
        self._asleep: dict[str, float] = {}
        self._alarms: list[tuple[float, str]] = []
        self._first: dict[str, deque[Request]] = {}  # of an origin, before what is in `pqueues`
        self._size = sum(len(queue) for queue in self.pqueues.values())
        for key in self.pqueues:
            self._stand(key)

    def __len__(self) -> int:
        """Return how many requests wait here."""
        return self._size

    def _stand(self, key: str) -> None:
        """Put an origin where it belongs by what is under way of it."""
        count = self._gate.count(key)
        before = self._place.get(key)
        if before == count:
            return
        if before is not None:
            self._leave(key)
        self._asleep.pop(key, None)
        self._ready.setdefault(count, {})[key] = None
        self._place[key] = count

    def _leave(self, key: str) -> None:
        before = self._place.pop(key, None)
        if before is None:
            return
        keys = self._ready[before]
        del keys[key]
        if not keys:
            del self._ready[before]

    def touch(self, key: str) -> bool:
        """See `pace_gate.Taker`."""
        if key not in self.pqueues:
            return False
        self._stand(key)
        return True

    def _wake_up(self) -> None:
        now = time.monotonic()
        while self._alarms and self._alarms[0][0] <= now:
            at, key = heapq.heappop(self._alarms)
            if self._asleep.get(key) == at:
                self._stand(key)

    def _sleep(self, key: str, at: float) -> None:
        self._asleep[key] = at
        heapq.heappush(self._alarms, (at, key))
        if len(self._alarms) > _MOST_STALE + 2 * len(self._asleep):  # of those that were woken before
            self._alarms = [(moment, one) for one, moment in self._asleep.items()]
            heapq.heapify(self._alarms)

    def _choose(self) -> str | None:
        """Return the origin to take a request of, or None when none is ready."""
        gate = self._gate
        if self._alarms:
            self._wake_up()
        while self._ready:
            count = min(self._ready)
            key = next(iter(self._ready[count]))
            if gate.count(key) != count:
                self._stand(key)
                continue
            wait = gate.wait(key)
            if not wait:
                return key
            self._leave(key)
            if wait < BLOCKED:
                self._sleep(key, time.monotonic() + wait)
        if self._alarms:
            gate.wake_in(max(0.0, self._alarms[0][0] - time.monotonic()))
        return None

    def pop(self) -> Request | None:
        """Return a request whose site is ready for it, or None; None for good where there is no door."""
        if self._is_shut is None:
            self._is_shut = end_without_door(self._crawler)
        key = None if self._is_shut else self._choose()
        if key is None:
            return None
        queue = self.pqueues[key]
        first = self._first.get(key)
        if first:
            request: Request | None = first.popleft()
            if not first:
                del self._first[key]
        else:
            request = queue.pop()
        if request is not None:
            self._size -= 1
            self._gate.take(key, request)
        if len(queue) == 0 and key not in self._first:
            self._drop(key)
        else:
            self._stand(key)
        return request

    def peek(self) -> Request | None:
        """Return what `pop` would return, and leave it here."""
        key = self._choose()
        if key is None:
            return None
        return self._first[key][0] if key in self._first else self.pqueues[key].peek()

    def _drop(self, key: str) -> None:
        """Close the queue of an origin that is empty."""
        self._leave(key)
        self._asleep.pop(key, None)
        self.pqueues.pop(key).close()
        if self.key:
            # What a queue did not remove of its files keeps the folder, as in Scrapy's own.
            with suppress(OSError):
                Path(self.key, _path_safe(key)).rmdir()

    def push(self, request: Request) -> None:
        """Keep a request until its site is ready for it. ValueError when it cannot be written to disk."""
        key = self._gate.key(request)
        queue = self.pqueues.get(key)
        if queue is None:
            queue = self.pqueues[key] = self.pqfactory(key)
            try:
                queue.push(request)
            except BaseException:
                self._drop(key)
                raise
            self._stand(key)
        else:
            queue.push(request)
        self._size += 1

    def push_first(self, request: Request) -> None:
        """Keep a request that came out too early: it comes out before the others of its origin."""
        key = self._gate.key(request)
        self._first.setdefault(key, deque()).append(request)
        if key not in self.pqueues:
            self.pqueues[key] = self.pqfactory(key)
            self._stand(key)
        self._size += 1

    def sleeps_long(self) -> bool:
        """Whether everything here has to wait for longer than a crawl waits."""
        if self._ready or len(self._asleep) < len(self.pqueues):
            return False
        horizon = time.monotonic() + self._gate.longest_hold
        return all(at > horizon for at in self._asleep.values())

    def close(self) -> dict[str, list[int]]:
        """Close all queues; return what is needed to open them again."""
        self._size = 0
        self._first.clear()
        self._ready.clear()
        self._place.clear()
        return super().close()


class PacedScheduler(Scheduler):
    """Scrapy's scheduler, which also takes back a request that its site was not ready for."""

    def open(self, spider: Spider) -> Deferred[None] | None:
        """Open the queues."""
        if self.crawler is None:
            raise SetupError("the scheduler was made without a crawler; it is made by Scrapy from a crawler")
        self._gate = Checkpoint.of(self.crawler).pace.gate
        self._gate.serves_scheduler = True
        self._gate.keeps_on_disk = self.dqdir is not None
        return super().open(spider)

    def enqueue_request(self, request: Request) -> bool:
        """Keep a request; one that comes back is no duplicate of itself."""
        if not self._gate.takes_back(request):
            return super().enqueue_request(request)
        in_memory: object = self.mqs  # whatever SCHEDULER_PRIORITY_QUEUE says
        if self.dqs is None and isinstance(in_memory, PacedPriorityQueue):
            in_memory.push_first(request)
        elif not self._dqpush(request):
            self._mqpush(request)
        return True

    def close(self, reason: str) -> Deferred[None] | None:
        """Close the queues, and say what is left in them for another run."""
        if self.dqs is not None and len(self.dqs):
            logger.info("Sekisho: %d requests are kept in %s for another run", len(self.dqs), self.dqdir)
        return super().close(reason)

    def has_pending_requests(self) -> bool:
        """Whether this crawl has anything left to wait for.

        With a JOBDIR, what its sites put off for longer than the agent waits is left there for another run.
        """
        if not len(self):
            return False
        if not self._gate.keeps_on_disk or len(self.mqs):
            return True
        on_disk: object = self.dqs  # whatever SCHEDULER_PRIORITY_QUEUE says
        return not (isinstance(on_disk, PacedPriorityQueue) and on_disk.sleeps_long())
