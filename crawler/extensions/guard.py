"""Guard: opens and closes the run in the log, and lets nothing start unless everything is in place.

Before the first request it looks at the live components, not at settings: the downloader, its handlers,
and every middleware in its order. It writes the run header and *guard armed*; a run without that record is
an unguarded run. When the log fails in mid-crawl it closes the spider with `sekisho_log_unwritable`, and
the run stays unsealed.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING, Any

import rfc8785
from scrapy import signals
from scrapy.exceptions import CloseSpider

from blocklists.errors import SekishoError
from crawler.addon import MIDDLEWARES, SPIDER_MIDDLEWARES
from crawler.checkpoint import Checkpoint
from crawler.decisionlog.record import Document
from crawler.door import check_door
from crawler.errors import SetupError
from crawler.refusals import Refusals
from crawler.run_header import run_header
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Spider
    from scrapy.crawler import Crawler

logger = logging.getLogger(__name__)
YOUNG_OBJECTS = 10_000  # collections of the young begin at this many; memory for it is about a megabyte
LOG_UNWRITABLE = "sekisho_log_unwritable"


def _names(components: object) -> list[str]:
    return [f"{type(one).__module__}.{type(one).__qualname__}" for one in components]  # type: ignore[attr-defined]


def check_in_place(crawler: Crawler) -> None:
    """Raise SetupError unless door and middlewares are alive and in their order."""
    check_door(crawler)
    engine: Any = crawler.engine
    tables = (
        (engine.downloader.middleware.middlewares, MIDDLEWARES),
        (engine.scraper.spidermw.middlewares, SPIDER_MIDDLEWARES),
    )
    for live, wanted in tables:
        present = [name for name in _names(live) if name in wanted]
        expected = sorted(wanted, key=lambda name: wanted[name])
        missing = [name for name in expected if name not in present]
        if missing and missing != ["crawler.middlewares.links.RecordedUrlLengthMiddleware"]:
            raise SetupError(f"not in place: {', '.join(missing)}; remove what disables it")
        if present != [name for name in expected if name in present]:
            raise SetupError(f"out of order: {', '.join(present)}; expected {', '.join(expected)}")


class Guard:
    """See the module."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._checkpoint = Checkpoint.of(crawler)
        self._refusals = Refusals.of(crawler)
        self._reason = ""
        self._failed = False

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl and listen for its beginning and its end."""
        guard = cls(crawler)
        crawler.signals.connect(guard.spider_opened, signal=signals.spider_opened)
        crawler.signals.connect(guard.spider_closed, signal=signals.spider_closed)
        crawler.signals.connect(guard.engine_stopped, signal=signals.engine_stopped)
        return guard

    async def spider_opened(self, spider: Spider) -> None:
        """Check, then write the header; CloseSpider when something is not in place."""
        checkpoint = self._checkpoint
        checkpoint.on_log_failure = self._log_failed
        self._crawler.stats.set_value("sekisho/run_id", checkpoint.run_id)
        try:
            check_in_place(self._crawler)
            record = checkpoint.record
            policy = Document(kind="policy", body=checkpoint.agent.raw)
            lists = Document(kind="blocklist", body=checkpoint.snapshot.manifest)
            extra = [policy, lists]
            if checkpoint.waivers.placed:
                extra.append(Document(kind="waivers", body=checkpoint.waivers.raw))
            await record.note(Reason.RUN_OPENED, run_header(self._crawler, checkpoint), extra=extra)
            await record.note(Reason.GUARD_ARMED)
        except SekishoError as error:
            logger.critical("sekisho: %s", error)
            self._failed = True
            raise CloseSpider("sekisho_not_guarded") from error
        checkpoint.armed = True
        self._calm_the_collector()
        logger.info(
            "Sekisho: run %s of %s, agent %s, policy %s, lists %s (%d entries), log %s%s",
            checkpoint.run_id,
            spider.name,
            checkpoint.agent.policy.token,
            checkpoint.agent.sha256[:12],
            checkpoint.snapshot.sha256[:12],
            len(checkpoint.snapshot.matcher),
            checkpoint.config.log,
            "; placeholder contact: loopback only" if checkpoint.loopback_only else "",
        )

    def _calm_the_collector(self) -> None:
        """Keep the cyclic collector from walking what will not go away.

        What exists now (settings, lists, the suffix list, code) lives as long as the crawl, and a page makes
        thousands of short-lived objects that reference counting frees: at the default threshold the
        collector took up to a third of a crawl's time (measured with `tests/benchmarks/bench_crawl.py`,
        whose `--plain-gc` shows the figures without this). The thresholds are put back when the engine stops.
        """
        self._thresholds = gc.get_threshold()
        gc.collect()
        gc.freeze()
        gc.set_threshold(max(YOUNG_OBJECTS, self._thresholds[0]), *self._thresholds[1:])

    def _log_failed(self, error: SekishoError) -> None:
        """Stop the crawl: without a log nothing may be fetched."""
        logger.critical("sekisho: the decision log failed, the crawl stops: %s", error)
        self._crawler.stats.inc_value("sekisho/log/errors")
        self._failed = True
        engine: Any = self._crawler.engine
        asyncio.ensure_future(engine.close_spider_async(reason=LOG_UNWRITABLE))  # noqa: RUF006 - the engine holds it

    def spider_closed(self, reason: str) -> None:
        """Remember why the run ended; a run that was never armed ends here, its engine does not stop."""
        self._reason = reason
        if self._failed and not self._checkpoint.armed:
            self._crawler.spider = None  # see engine_stopped

    async def engine_stopped(self) -> None:
        """Write the closing record and seal the segment, unless the log has failed."""
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()
        checkpoint = self._checkpoint
        stats: dict[str, Any] = self._crawler.stats.get_stats()
        members = {
            "schema": "sekisho.run-closed/1",
            "run": checkpoint.run_id,
            "reason": self._reason,
            "fetched": checkpoint.tally.fetched,
            "kept": checkpoint.tally.kept,
            "failed": checkpoint.tally.failed,
            "skipped": dict(checkpoint.tally.skipped),
            "refused_again": dict(self._refusals.repeated),
            "duplicates": int(stats.get("dupefilter/filtered", 0)),
        }
        try:
            await checkpoint.record.note(
                Reason.RUN_CLOSED,
                Document(kind="run_closed", body=rfc8785.dumps(members)),  # type: ignore[arg-type]
            )
            head = await checkpoint.log.close(seal=True)
        except SekishoError as error:
            logger.critical("sekisho: the run could not be sealed: %s", error)
            head = None
        if self._failed or head is None:
            # How Scrapy's process learns that a crawl failed: without a spider its exit code is 1.
            self._crawler.spider = None
        if head is not None:
            logger.info("Sekisho: sealed %d records, root %s", head.size, head.root.hex())
