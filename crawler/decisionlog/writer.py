"""Appends decisions: one thread, one connection, and nothing is acknowledged before its COMMIT returned.

"Drain what is queued, commit, repeat" sizes its own batches, without a timer, whenever somebody waits.
Entries that nobody waits for ride with the next one that somebody does, or go after `LINGER_S`: else most
records would pay for a commit of their own, and the next request would wait behind it.

A failed commit leaves the fate of its rows unknown (they may come back after a crash, or not), so the writer
never tries again: it is poisoned, all pending and later entries fail, and only a new writer, with a new
segment, goes on.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from crawler.decisionlog import encoding, store
from crawler.decisionlog.batch import SegmentHead, SegmentStore
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.record import Document, Entry, Receipt
from crawler.decisionlog.rows import Digested, Pending, RowMaker, digested

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crawler.decisionlog.clock import Clock
    from crawler.decisionlog.custody import Custody

QUEUE_LIMIT: Final = 10_000
QUEUE_TIMEOUT_S: Final = 60.0
LINGER_S: Final = 0.05
_RIDERS: Final = 512  # entries without a waiter are not kept lingering beyond this many


class Ticket(Pending):
    """One appended entry: `receipt` once it is durable, `error` once it never will be, neither before."""

    __slots__ = ("_writer", "durable", "error", "owner", "wait")

    def __init__(self, writer: LogWriter, *, wait: bool, owner: object) -> None:
        super().__init__()
        self._writer = writer
        self.wait = wait
        self.owner = owner  # what the caller wants to find again in `on_batch`
        self.durable = False
        self.error: LogError | None = None

    @property
    def done(self) -> bool:
        """Whether the entry's fate is decided."""
        return self.durable or self.error is not None

    @property
    def receipt(self) -> Receipt | None:
        """The proof that the entry is durable, or None."""
        return Receipt(segment=self._writer.segment, idx=self.idx, ts_us=self.ts_us) if self.durable else None

    def result(self, timeout: float | None = None) -> Receipt:
        """Block until durable (seconds; None waits for ever) and return the receipt. Raises LogError."""
        self._writer.await_fate(self, timeout)
        if self.error is not None:
            raise self.error.again()
        receipt = self.receipt
        if receipt is None:
            raise LogError(
                f"record {self.idx} is not durable after {timeout} s: the log is locked or too slow"
            )
        return receipt


class LogWriter:
    """The one writer of one segment. Make it with `open`; any thread may append."""

    def __init__(
        self,
        segment: SegmentStore,
        *,
        clock: Clock,
        on_batch: Callable[[list[Ticket]], None] | None,
        on_failure: Callable[[LogError], None] | None,
        entropy: Callable[[int], bytes],
        queue_limit: int,
        queue_timeout: float,
    ) -> None:
        self._store = segment
        self.segment = segment.segment
        self._on_batch = on_batch
        self._on_failure = on_failure
        self._queue_limit = queue_limit
        self._queue_timeout = queue_timeout
        self._rows = RowMaker(
            segment.number, segment.segment, clock=clock, entropy=entropy, keep=store.keeping(segment.path)
        )
        lock = threading.Lock()
        self._lock = lock
        self._work = threading.Condition(lock)  # the writer's thread waits here
        self._progress = threading.Condition(lock)  # callers wait here: for room, or for their record
        self._queue: list[Ticket] = []
        self._next_idx = 0
        self._urgent = False  # somebody waits for what is queued
        self._closing = False
        self._seal = False
        self._failure: LogError | None = None
        self._head: SegmentHead | None = None
        self._thread = threading.Thread(target=self._serve, name="sekisho-log", daemon=True)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        run_id: str,
        agent: str,
        clock: Clock,
        on_batch: Callable[[list[Ticket]], None] | None = None,
        on_failure: Callable[[LogError], None] | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        queue_limit: int = QUEUE_LIMIT,
        queue_timeout: float = QUEUE_TIMEOUT_S,
        lock_timeout: float = store.LOCK_TIMEOUT_S,
        custody: Custody | None = None,
        retention: str = "default",
    ) -> Self:
        """Open or create the log at `url`, start a new segment in it, and return its running writer.

        `on_batch` is called from the writer's thread, once a batch, with those of its tickets that were
        appended with `wait=True`, all durable or all failed; `on_failure` once, when the writer is poisoned.
        Neither may block. Timeouts are seconds. `custody` names the key and the last checkpoint; None takes
        the environment's, or those beside the database. `retention` is a series of the retention schedule.
        Raises LogError when the log cannot be opened.
        """
        segment = SegmentStore.open(
            store.log_place(url),
            run_id=run_id,
            agent=agent,
            opened_us=clock.now_us(),
            nonce=entropy(encoding.SALT_SIZE),
            lock_timeout=lock_timeout,
            custody=custody,
            retention=retention,
        )
        writer = cls(
            segment,
            clock=clock,
            on_batch=on_batch,
            on_failure=on_failure,
            entropy=entropy,
            queue_limit=queue_limit,
            queue_timeout=queue_timeout,
        )
        writer._thread.start()
        return writer

    @property
    def failed(self) -> LogError | None:
        """Why the writer is poisoned, or None while it works."""
        return self._failure

    @property
    def size(self) -> int:
        """How many entries were appended, durable or not yet."""
        return self._next_idx

    def append(
        self,
        entry: Entry,
        documents: Sequence[Document | Digested] = (),
        *,
        wait: bool = False,
        owner: object = None,
    ) -> Ticket:
        """Queue an entry with the documents that it refers to, and return its ticket at once.

        A document is stored once. What is handed over again and again is given as `digested` returns it: if
        somebody removed it from the log since, it is stored again.

        Blocks only while the queue is full. Raises LogError when the writer is poisoned or closed, or the
        queue stays full for too long; ValueError when the entry cannot be a record (a digest that is none, a
        `ref_idx` that names no earlier record, a number beyond 64 bits).
        """
        ticket = Ticket(self, wait=wait, owner=owner)
        with self._lock:
            if self._failure is not None or self._closing or len(self._queue) >= self._queue_limit:
                self._await_room()
            self._rows.fill(ticket, entry, self._next_idx)
            if documents:
                ticket.documents += tuple(
                    one if isinstance(one, tuple) else digested(one) for one in documents
                )
            self._next_idx += 1
            self._queue.append(ticket)
            if wait:
                if not self._urgent:
                    self._urgent = True
                    self._work.notify()
            elif len(self._queue) in (1, _RIDERS):
                self._work.notify()
        return ticket

    def close(self, *, seal: bool) -> SegmentHead | None:
        """Write what is queued and the last head, seal the segment if asked to, and end the thread.

        Returns the last head, or None when the writer failed before or while writing it: then the segment
        stays unsealed, and `failed` says why. Closing a second time changes nothing.
        """
        with self._lock:
            if not self._closing:
                self._closing, self._seal = True, seal
            self._work.notify()
            self._progress.notify_all()
        self._thread.join()
        return self._head

    def await_fate(self, ticket: Ticket, timeout: float | None) -> None:
        """Block until the ticket is durable or has failed, or the timeout (seconds) is over."""
        with self._lock:
            if not ticket.done:
                self._urgent = True
                self._work.notify()
                self._progress.wait_for(lambda: ticket.done, timeout)

    # the callers' side, under the lock

    def _await_room(self) -> None:
        """Back-pressure: return when the queue has room. Raises LogError."""
        self._urgent = True
        self._work.notify()
        room = self._progress.wait_for(
            lambda: self._failure is not None or self._closing or len(self._queue) < self._queue_limit,
            self._queue_timeout,
        )
        if self._failure is not None:
            raise self._failure.again()
        if self._closing:
            raise LogError(
                f"the log {self._store.path} is closed: nothing is appended to this segment any more"
            )
        if not room:
            raise LogError(
                f"the log {self._store.path} has not kept up for {self._queue_timeout:g} s with"
                f" {self._queue_limit} entries waiting: its disk is too slow, or another process locks it"
            )

    # the writer's thread

    def _serve(self) -> None:
        batch: list[Ticket] = []
        try:
            while batch := self._take():
                self._store.commit(batch)
                self._acknowledge(batch)
            self._head = self._store.finish(seal=self._seal)
        except BaseException as error:  # noqa: BLE001 - whatever ended this thread must reach those who wait
            self._poison(error, batch)

    def _take(self) -> list[Ticket]:
        """Return all that is queued, once it is worth a commit; empty only when the log is to be closed."""
        with self._lock:
            while not self._closing:
                if not self._queue:
                    self._urgent = False  # who hurried the batch before this one has it already
                    self._work.wait()
                elif self._urgent or len(self._queue) >= _RIDERS or not self._work.wait(LINGER_S):
                    break
            batch, self._queue = self._queue, []
            self._urgent = False
            self._progress.notify_all()
        return batch

    def _acknowledge(self, batch: list[Ticket]) -> None:
        with self._lock:
            for ticket in batch:
                ticket.durable = True
            self._progress.notify_all()
        self._report(batch)

    def _report(self, batch: list[Ticket]) -> None:
        if self._on_batch is not None:
            waiting = [ticket for ticket in batch if ticket.wait]
            if waiting:
                self._on_batch(waiting)

    def _poison(self, error: BaseException, batch: list[Ticket]) -> None:
        failure = error if isinstance(error, LogError) else self._store.explain(error)
        failure.__cause__ = error if failure is not error else None
        with self._lock:
            self._failure = failure
            lost = [ticket for ticket in batch if not ticket.durable] + self._queue
            self._queue = []
            for ticket in lost:
                ticket.error = failure
            self._progress.notify_all()
        with suppress(Exception):  # the transaction is lost either way
            self._store.close()
        with suppress(Exception):  # a caller's broken callback must not hide the failure from the next one
            self._report(lost)
        if self._on_failure is not None:
            self._on_failure(failure)
