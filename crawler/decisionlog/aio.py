"""The log for an asyncio program: awaiting an entry means awaiting its durability. No Scrapy, no Twisted."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from crawler.decisionlog.store import LOCK_TIMEOUT_S
from crawler.decisionlog.writer import LogWriter, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from crawler.decisionlog.batch import SegmentHead
    from crawler.decisionlog.clock import Clock
    from crawler.decisionlog.custody import Custody
    from crawler.decisionlog.errors import LogError
    from crawler.decisionlog.record import Document, Entry, Receipt
    from crawler.decisionlog.rows import Digested


def _resolve(tickets: list[Ticket]) -> None:
    """Tell every waiting coroutine of a batch; runs in the loop's thread."""
    for ticket in tickets:
        future = ticket.owner
        if isinstance(future, asyncio.Future) and not future.done():
            if ticket.error is not None:
                future.set_exception(ticket.error.again())
            else:
                future.set_result(ticket.receipt)


class AsyncLog:
    """A writer whose waiters are coroutines of one event loop: the one that first awaits a record."""

    def __init__(self) -> None:
        self._writer: LogWriter
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def open(
        cls,
        url: str,
        *,
        run_id: str,
        agent: str,
        clock: Clock,
        loop: asyncio.AbstractEventLoop | None = None,
        on_failure: Callable[[LogError], None] | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        lock_timeout: float = LOCK_TIMEOUT_S,
        custody: Custody | None = None,
        retention: str = "default",
    ) -> Self:
        """Open as `LogWriter.open` does. `on_failure` is called in the loop. Raises LogError.

        `loop` is, unless given, the loop that runs when a record is first awaited: Scrapy opens the log
        before its loop runs.
        """
        log = cls()
        log._loop = loop
        log._writer = LogWriter.open(
            url,
            run_id=run_id,
            agent=agent,
            clock=clock,
            on_batch=log._on_batch,
            on_failure=(lambda error: log._in_loop(on_failure, error)) if on_failure else None,
            entropy=entropy,
            lock_timeout=lock_timeout,
            custody=custody,
            retention=retention,
        )
        return log

    @property
    def segment(self) -> UUID:
        """The segment that this run writes."""
        return self._writer.segment

    @property
    def failed(self) -> LogError | None:
        """Why nothing can be recorded any more, or None while all is well."""
        return self._writer.failed

    @property
    def writer(self) -> LogWriter:
        """The writer below."""
        return self._writer

    async def append_durable(self, entry: Entry, documents: Sequence[Document | Digested] = ()) -> Receipt:
        """Record an entry and return when it is durable. Raises LogError; then nothing may be fetched."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = self._loop.create_future()
        self._writer.append(entry, documents, wait=True, owner=future)
        return await future

    def append(self, entry: Entry, documents: Sequence[Document | Digested] = ()) -> Ticket:
        """Record an entry without waiting. Raises LogError at once when the writer is poisoned."""
        return self._writer.append(entry, documents)

    async def close(self, *, seal: bool) -> SegmentHead | None:
        """Close as `LogWriter.close` does, without stopping the loop."""
        return await asyncio.to_thread(self._writer.close, seal=seal)

    def _on_batch(self, tickets: list[Ticket]) -> None:
        self._in_loop(_resolve, tickets)

    def _in_loop(self, callback: Callable[..., None], argument: object) -> None:
        if self._loop is None:
            return  # no coroutine has waited yet
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(callback, argument)
