"""A second pace keeper behind the same interface: its state is a file that several crawls share.

Stands in tests for the store that many machines will need, and proves that the interface suffices: whoever
has a turn holds a lease in the file, so that nobody else of any process goes meanwhile. Times are those of
the machine's monotonic clock, which its processes have in common.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from blocklists.domain import registrable_domain
from crawler.checkpoint import Checkpoint
from crawler.pacer import DRIFT, SHORT, LeftAlone, Outlook, Postponed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scrapy.crawler import Crawler

    from policies.vocabulary import Origin

LEASE_SECONDS = 30.0
_TABLE = """
CREATE TABLE IF NOT EXISTS lane (
  name TEXT PRIMARY KEY, asked REAL, ended REAL NOT NULL DEFAULT 0, started REAL NOT NULL DEFAULT 0,
  held REAL NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT '', lease TEXT NOT NULL DEFAULT '',
  leased_until REAL NOT NULL DEFAULT 0
)
"""


class SharedTurn:
    """A turn of `SharedPacer`: a lease on the origin and on its domain."""

    def __init__(self, pacer: SharedPacer, names: tuple[str, ...], lease: str) -> None:
        self._pacer = pacer
        self._names = names
        self._lease = lease
        self.left_at: float | None = None

    async def leave(self) -> None:
        """See `Turn.leave`."""
        while (wait := self._pacer.held(self._names)) > 0:
            if wait > SHORT:
                raise Postponed(wait)
            await asyncio.sleep(wait)
        self.left_at = time.monotonic()

    def done(self) -> None:
        """See `Turn.done`."""
        if self._lease:
            ended = time.monotonic() if self.left_at is not None else 0.0
            self._pacer.give_back(self._names, self._lease, ended)
            self._lease = ""


class SharedPacer:
    """See the module. One at a time to each registrable domain, whatever is asked: simple, and never too fast."""

    def __init__(self, path: str, longest_hold: float) -> None:
        self.on_change: Callable[[Origin], None] | None = None
        self._longest_hold = longest_hold
        self._file = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=OFF")
        self._file.execute(_TABLE)
        self._leases = 0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            self._file.execute("COMMIT")

    def _names(self, origin: Origin) -> tuple[str, str]:
        names = (str(origin), f"domain {registrable_domain(origin.host)}")
        self._file.executemany("INSERT OR IGNORE INTO lane (name) VALUES (?)", [(name,) for name in names])
        return names

    def learn(self, origin: Origin, delay: float) -> None:
        """See `Pacer.learn`."""
        name, domain = self._names(origin)
        asked = delay * (1 + DRIFT)
        with self._transaction():
            self._file.execute("UPDATE lane SET asked = ? WHERE name = ?", (asked, name))
            self._file.execute(
                "UPDATE lane SET asked = min(coalesce(asked, ?1), ?1) WHERE name = ?2", (asked, domain)
            )

    def hold(self, origin: Origin, seconds: float, why: str = "", *, whole_domain: float = 0.0) -> None:
        """See `Pacer.hold`."""
        now = time.monotonic()
        for name, span in zip(self._names(origin), (seconds, whole_domain), strict=True):
            until = now + span * (1 + DRIFT)
            self._file.execute(
                "UPDATE lane SET held = ?, why = ? WHERE name = ? AND held < ?", (until, why, name, until)
            )

    def held(self, names: tuple[str, ...]) -> float:
        """Return for how many seconds more nothing may go."""
        row = self._file.execute(
            "SELECT max(held), max(why) FROM lane WHERE name IN (?, ?)", names
        ).fetchone()
        wait = float(row[0]) - time.monotonic()
        if wait > self._longest_hold:
            raise LeftAlone(wait, row[1])
        return wait

    def outlook(self, origin: Origin, *, own: float = 0.0) -> Outlook | None:
        """See `Pacer.outlook`."""
        name, domain = self._names(origin)
        known = self._file.execute("SELECT asked FROM lane WHERE name = ?", (name,)).fetchone()[0]
        if known is None:
            return None
        return Outlook(max(0.0, self._wait((name, domain), own)), alone=True, shared=True)

    def _wait(self, names: tuple[str, str], own: float) -> float:
        now = time.monotonic()
        rows = self._file.execute(
            "SELECT coalesce(asked, 0), ended, started, held, leased_until FROM lane WHERE name IN (?, ?)",
            names,
        ).fetchall()
        due = max(max(ended + asked, started + own, held) for asked, ended, started, held, _ in rows)
        leased = max(row[4] for row in rows) > now
        return max(due - now, 0.02 if leased else 0.0)

    def turn_now(self, origin: Origin, *, own: float = 0.0, alone: bool = False) -> SharedTurn | None:
        """See `Pacer.turn_now`."""
        names = self._names(origin)
        with self._transaction():
            if self._wait(names, own) > 0:
                return None
            self._leases += 1
            lease, now = f"{os.getpid()}/{self._leases}", time.monotonic()
            self._file.executemany(
                "UPDATE lane SET lease = ?, leased_until = ?, started = ? WHERE name = ?",
                [(lease, now + LEASE_SECONDS, now, name) for name in names],
            )
        return SharedTurn(self, names, lease)

    async def turn(self, origin: Origin, *, own: float = 0.0, alone: bool = False) -> SharedTurn:
        """See `Pacer.turn`."""
        while True:
            turn = self.turn_now(origin, own=own, alone=alone)
            if turn is not None:
                return turn
            names = self._names(origin)
            self.held(names)
            await asyncio.sleep(self._wait(names, own))

    def give_back(self, names: tuple[str, ...], lease: str, ended: float) -> None:
        """End a lease; `ended` is 0 when nothing was sent."""
        self._file.executemany(
            "UPDATE lane SET lease = '', leased_until = 0, ended = max(ended, ?) WHERE name = ? AND lease = ?",
            [(ended, name, lease) for name in names],
        )


class UseSharedPacer:
    """The extension that puts it in place."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> UseSharedPacer:
        """Replace the pacer of a guarded crawl before its engine starts."""
        pace = Checkpoint.of(crawler).pace
        pace.pacer = SharedPacer(crawler.settings["SHARED_PACE"], 300.0)
        return cls()
