"""Guard: opens and closes the run in the log, and lets nothing start unless everything is in place.

Before the first request it looks at the live components, not at settings: the downloader, its handlers,
every middleware in its order, and the extensions that protect. It writes the run header and *guard armed*; a
run without that record is an unguarded run. When the log fails in mid-crawl it closes the spider with
`sekisho_log_unwritable`, and the run stays unsealed; a `scrapy` command then exits with 5.
The add-on makes it and listens through it, so that it stands in no table of components.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import rfc8785
from scrapy import signals
from scrapy.exceptions import CloseSpider

from blocklists.errors import SekishoError
from crawler.addon import MIDDLEWARES, SPIDER_MIDDLEWARES
from crawler.checkpoint import Checkpoint
from crawler.decisionlog.record import Document
from crawler.door import NOT_GUARDED, check_door
from crawler.errors import SetupError
from crawler.exit_code import exit_refused
from crawler.refusals import Refusals
from crawler.run_header import run_header
from crawler.trips import Trips
from crawler.tripwire import tripwire
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from scrapy import Spider
    from scrapy.crawler import Crawler

    from crawler.tripwire_words import Trip

logger = logging.getLogger(__name__)
LOG_UNWRITABLE = "sekisho_log_unwritable"
# Without the first a placeholder agent could be led off this machine, without the second to a listed site.
PROTECTING_EXTENSIONS = ("crawler.resolver.LoopbackNames", "crawler.extensions.lists.ListsWatch")


def _names(components: object) -> list[str]:
    return [f"{type(one).__module__}.{type(one).__qualname__}" for one in components]  # type: ignore[attr-defined]


def check_in_place(crawler: Crawler) -> None:
    """Raise SetupError unless door, middlewares and extensions are alive and in their order."""
    check_door(crawler)
    extensions = _names(crawler.extensions.middlewares)
    absent = [name for name in PROTECTING_EXTENSIONS if name not in extensions]
    if absent:
        raise SetupError(f"not in place: {', '.join(absent)}; remove what empties EXTENSIONS")
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
        """Listen for the beginning and the end of a guarded crawl, and for what trips the wire."""
        self._crawler = crawler
        self._checkpoint = Checkpoint.of(crawler)
        self._refusals = Refusals.of(crawler)
        self._trips = Trips(self._checkpoint, self._count)
        self._reason = ""
        self._failed = False
        self._calmed = False
        self._checkpoint.on_log_failure = self._log_failed
        crawler.signals.connect(self.spider_opened, signal=signals.spider_opened)
        crawler.signals.connect(self.spider_closed, signal=signals.spider_closed)
        crawler.signals.connect(self.engine_stopped, signal=signals.engine_stopped)
        tripwire().attach(self._heard)

    async def spider_opened(self, spider: Spider) -> None:
        """Check, then write the header; CloseSpider when something is not in place."""
        checkpoint = self._checkpoint
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
            self._trips.begin()
        except SekishoError as error:
            logger.critical("sekisho: %s", error)
            self._fail()
            raise CloseSpider(NOT_GUARDED) from error
        checkpoint.armed = True
        checkpoint.collector.calm()
        self._calmed = True
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

    def _count(self, key: str) -> None:
        self._crawler.stats.inc_value(key)  # there are no stats yet when the guard is made

    def _heard(self, trip: Trip) -> None:
        self._trips.heard(trip)
        engine: Any = self._crawler._engine  # noqa: SLF001 - there may be none yet
        if engine is not None and engine.running and not self._checkpoint.armed:
            exit_refused()  # a run goes on without its guard, and only the wire is left

    def _fail(self) -> None:
        self._failed = True
        exit_refused()

    def _log_failed(self, error: SekishoError) -> None:
        """Stop the crawl: without a log nothing may be fetched."""
        logger.critical("sekisho: the decision log failed, the crawl stops: %s", error)
        self._crawler.stats.inc_value("sekisho/log/errors")
        self._fail()
        engine: Any = self._crawler.engine
        asyncio.ensure_future(engine.close_spider_async(reason=LOG_UNWRITABLE))  # noqa: RUF006 - the engine holds it

    def spider_closed(self, reason: str) -> None:
        """Remember why the run ended; a run that was never armed ends here, its engine does not stop."""
        self._reason = reason
        if self._failed and not self._checkpoint.armed:
            self._crawler.spider = None  # see engine_stopped

    async def engine_stopped(self) -> None:
        """Write the closing record and seal the segment, unless the log has failed."""
        checkpoint = self._checkpoint
        if self._calmed:
            checkpoint.collector.restore()
        self._trips.drain()
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
            "tripped": dict(self._trips.counted),
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
            exit_refused()
            self._crawler.spider = None  # how a script learns it: `bootstrap_failed` of its process
        if head is not None:
            logger.info("Sekisho: sealed %d records, root %s", head.size, head.root.hex())
        tripwire().detach(self._heard)

    def last_words(self) -> None:
        """Write what tripped and was not written yet, as the process ends without stopping its engine."""
        if self._checkpoint.log.failed is None:
            self._trips.drain()
