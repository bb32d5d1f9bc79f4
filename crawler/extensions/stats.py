"""Puts what a guarded crawl has done so far among Scrapy's stats, for monitors and for the closing dump.

The tally counts while the crawl runs; once a second, and when the spider closes, its numbers are set here, so
that the way of a request pays nothing for them. Keys are those of README; they hold no host and no URL.
Decides nothing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from scrapy import signals
from scrapy.utils.asyncio import create_looping_call

from crawler.checkpoint import Checkpoint
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.store import log_path
from crawler.extensions.list_stats import set_lists
from crawler.extensions.metrics import FAILED_BY_REASON, SKIPPED_BY_REASON
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from typing import Self

    from scrapy.crawler import Crawler
    from scrapy.statscollectors import StatsCollector
    from scrapy.utils.asyncio import AsyncioLoopingCall
    from twisted.internet.task import LoopingCall

REFRESH_SECONDS = 1.0


def set_terms(stats: StatsCollector, checkpoint: Checkpoint) -> None:
    """Set what does not change while a crawl runs, and what its lists are when it begins."""
    agent = checkpoint.agent
    stats.set_value("sekisho/agent", agent.policy.token)
    stats.set_value("sekisho/policy/version", agent.policy.version)
    stats.set_value("sekisho/policy/sha256", agent.sha256)
    set_lists(stats, checkpoint)


def set_counts(stats: StatsCollector, checkpoint: Checkpoint) -> None:
    """Set what has been counted up to now."""
    tally = checkpoint.tally
    stats.set_value("sekisho/decisions/fetched", tally.fetched)
    stats.set_value("sekisho/decisions/kept", tally.kept)
    stats.set_value("sekisho/decisions/skipped", sum(tally.skipped.values()))
    for reason, count in tally.skipped.items():
        stats.set_value(f"{SKIPPED_BY_REASON}{reason}", count)
    if tally.failed:
        stats.set_value(f"{FAILED_BY_REASON}{Reason.ERROR_NETWORK.value}", tally.failed)
    _set_pace(stats, checkpoint)
    records = checkpoint.log.writer.size
    if records != stats.get_value("sekisho/log/records"):
        stats.set_value("sekisho/log/last_append_timestamp", checkpoint.clock.now_us() / 1_000_000)
    stats.set_value("sekisho/log/records", records)
    with suppress(OSError, LogError):  # a figure for people; the log itself says when it is gone
        stats.set_value("sekisho/log/bytes", log_path(checkpoint.config.log).stat().st_size)
    if checkpoint.site_files is not None:
        stats.set_value("sekisho/robots_cache_entries", len(checkpoint.site_files))


def _set_pace(stats: StatsCollector, checkpoint: Checkpoint) -> None:
    pace = checkpoint.pace
    room = pace.gate.room
    stats.set_value("sekisho/pace/deferred", pace.gate.given_back)
    stats.set_value("sekisho/pace/back_offs", pace.pauses)
    stats.set_value("sekisho/pace/waiting", len(room))
    stats.set_value("sekisho/pace/waiting_max", room.most_inside)
    stats.set_value("sekisho/pace/longest_wait_seconds", round(room.longest_wait, 3))


class SekishoStats:
    """The extension: see the module."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._checkpoint = Checkpoint.of(crawler)
        self._task: AsyncioLoopingCall | LoopingCall | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl; SetupError when the crawl is none."""
        extension = cls(crawler)
        crawler.signals.connect(extension.spider_opened, signal=signals.spider_opened)
        crawler.signals.connect(extension.spider_closed, signal=signals.spider_closed)
        return extension

    def spider_opened(self) -> None:
        """Set the terms of the crawl and begin to count."""
        set_terms(self._crawler.stats, self._checkpoint)
        self._task = create_looping_call(set_counts, self._crawler.stats, self._checkpoint)
        self._task.start(REFRESH_SECONDS)

    def spider_closed(self) -> None:
        """Set the last numbers; Scrapy writes its stats after this."""
        if self._task is not None and self._task.running:
            self._task.stop()
        set_counts(self._crawler.stats, self._checkpoint)
