"""Moves a running crawl to another state of the block lists, between two requests.

Looks every few seconds whether `CURRENT` names another snapshot, loads it in a thread, and puts it in force
in one step: a request is judged by one state or by the other, never by none, and what was waiting is judged
anew when it is about to leave. Both digests are recorded. A state that cannot be loaded changes nothing, and
is recorded too.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import rfc8785
from scrapy import signals

from blocklists.errors import SekishoError
from blocklists.refresh_plan import Freshness, age_words
from blocklists.refresh_state import list_ages
from blocklists.snapshot import load_snapshot
from blocklists.store import CURRENT, STATE, read_current
from crawler.checkpoint import Checkpoint
from crawler.decisionlog.record import Document
from crawler.extensions.list_stats import set_lists
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from scrapy.crawler import Crawler

    from blocklists.snapshot import Snapshot

logger = logging.getLogger(__name__)
SCHEMA = "sekisho.lists-change/1"


def _change(members: dict[str, str | int]) -> Document:
    return Document(kind="lists_change", body=rfc8785.dumps({"schema": SCHEMA, **members}))


def _stamp(path: Path) -> object:
    """Return what changes when a file is replaced; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class ListsWatch:
    """See the module."""

    def __init__(self, crawler: Crawler) -> None:
        self._stats = crawler.stats
        self._checkpoint = Checkpoint.of(crawler)
        self._folder = self._checkpoint.config.blocklists
        self._seen: object = None
        self._known: object = None
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl; it looks from the first request to the last."""
        watch = cls(crawler)
        crawler.signals.connect(watch.engine_started, signal=signals.engine_started)
        crawler.signals.connect(watch.spider_closed, signal=signals.spider_closed)
        return watch

    def engine_started(self) -> None:
        """Say what the operator has to know of the lists, and begin to look."""
        self._known = _stamp(self._folder / STATE)
        self._warn_of_age()
        for notice in self._checkpoint.snapshot.notices:
            logger.warning("Sekisho: %s", notice)
        self._task = asyncio.ensure_future(self._watch())

    async def spider_closed(self) -> None:
        """Stop looking; a change that is being recorded is recorded first."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._checkpoint.config.lists_watch_seconds)
            try:
                await asyncio.shield(self.look())
            except SekishoError as error:  # the log failed: the guard stops the crawl
                logger.critical("sekisho: %s", error)
                return

    async def look(self) -> None:
        """Move to the snapshot that `CURRENT` names, if it is another one; show what a refresh came to."""
        known = _stamp(self._folder / STATE)
        if known != self._known:
            self._known = known
            set_lists(self._stats, self._checkpoint)
        state = _stamp(self._folder / CURRENT)
        if state == self._seen:
            return
        old = self._checkpoint.snapshot
        try:
            digest = read_current(self._folder)
            if digest is None or digest == old.sha256:
                self._seen = state
                return
            new = await asyncio.to_thread(self._load)
        except SekishoError as error:
            self._seen = state
            await self._keep(old, str(error))
            return
        self._seen = state
        await self._adopt(old, new)

    def _load(self) -> Snapshot:
        config = self._checkpoint.config
        return load_snapshot(self._folder, now_us=self._checkpoint.clock.now_us(), index=config.lists_index)

    async def _adopt(self, old: Snapshot, new: Snapshot) -> None:
        self._checkpoint.adopt_lists(new)
        set_lists(self._stats, self._checkpoint)
        self._stats.inc_value("sekisho/lists_changed_count")
        logger.info(
            "Sekisho: the block lists changed from %s to %s (%d entries)",
            old.sha256[:12],
            new.sha256[:12],
            len(new.matcher),
        )
        for notice in new.notices:
            logger.warning("Sekisho: %s", notice)
        members: dict[str, str | int] = {"from": old.sha256, "to": new.sha256, "entries": len(new.matcher)}
        await self._checkpoint.record.note(
            Reason.LISTS_CHANGED,
            _change(members),
            extra=(Document(kind="blocklist", body=new.manifest),),
        )

    async def _keep(self, old: Snapshot, error: str) -> None:
        self._stats.inc_value("sekisho/lists_kept_count")
        logger.error("Sekisho: the new block lists cannot be used, %s stays: %s", old.sha256[:12], error)
        members: dict[str, str | int] = {"from": old.sha256, "to": old.sha256, "error": error}
        await self._checkpoint.record.note(Reason.LISTS_KEPT, _change(members))

    def _warn_of_age(self) -> None:
        config = self._checkpoint.config
        now_us = self._checkpoint.clock.now_us()
        ages = list_ages(
            self._folder,
            self._checkpoint.snapshot.sources,
            now_us=now_us,
            warn_days=config.lists_warn_days,
            refuse_days=max(config.lists_refuse_days, config.lists_warn_days),
        )
        for age in ages:
            if age.freshness is not Freshness.FRESH:
                logger.warning(
                    "Sekisho: list %s was last confirmed %s ago; run: sekisho blocklists refresh",
                    age.source_id,
                    age_words(age.confirmed_at, now_us),
                )
