"""One line turns everything on, or the crawl does not start.

    ADDONS = {"crawler.addon.SekishoAddon": 100}

The add-on checks agent, lists and log, pins what could go round the door at a priority that no project,
spider or command line reaches, and opens the log. What is wrong is said in one line on standard error, and
the process exits with 5 (refused). It never raises NotConfigured, which Scrapy answers with an
unprotected crawl.
"""

from __future__ import annotations

import atexit
import os
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from blocklists.errors import SekishoError
from blocklists.profile import load_profile
from blocklists.refresh_state import require_fresh
from blocklists.snapshot import load_snapshot
from crawler.browser.locate import is_browser_handler, require_if_named
from crawler.config import read_config
from crawler.decisionlog.clock import SystemClock
from crawler.errors import SetupError
from crawler.exit_code import exit_refused
from crawler.tripwire import tripwire
from crawler.tripwire_words import Destination
from policies.agents import load_agent, require_ready
from policies.waivers import load_waivers

if TYPE_CHECKING:
    from typing import NoReturn, Self

    from scrapy.crawler import Crawler
    from scrapy.settings import BaseSettings

    from blocklists.snapshot import Snapshot
    from crawler.config import Config
    from policies.agents import LoadedAgent

_WIRE_SETTINGS = ("SEKISHO_TRIPWIRE", "SEKISHO_DESTINATIONS", "SEKISHO_PROGRAMS")
_DATABASE_PORTS = {"postgresql": 5432}
# Above every priority that Scrapy knows (its highest, the command line, is 40).
PINNED = 1000
# Why each is pinned stands beside it. `None` switches a component or handler off.
PINNED_SETTINGS: dict[str, object] = {
    "DOWNLOADER": "crawler.door.Downloader",
    "ROBOTSTXT_OBEY": False,  # ours replaces it; two readers that disagree are worse than one
    "REMOTE_CONTROL_ENABLED": False,  # runs code inside the crawl for whoever holds its token
    "TELNETCONSOLE_ENABLED": False,  # the same, over telnet
    "HTTPCACHE_ENABLED": False,  # a cached page reaches the spider without a decision
}
MIDDLEWARES: dict[str, int] = {
    "crawler.middlewares.identity.IdentityMiddleware": 1,
    "crawler.middlewares.piracy.PiracyMiddleware": 10,
    "crawler.middlewares.offsite.RecordedOffsiteMiddleware": 50,
    "crawler.middlewares.robots.RobotsMiddleware": 100,
    "crawler.middlewares.access.AccessPageMiddleware": 585,
    "crawler.middlewares.browser.BrowserMiddleware": 587,
    "crawler.middlewares.rights.RightsMiddleware": 588,
    "crawler.middlewares.pace.PaceMiddleware": 870,
    "crawler.middlewares.record.RecordMiddleware": 880,
    "crawler.middlewares.access.AccessHeadMiddleware": 890,
}
# Next to the network, so that `downloader/response_count` goes on counting every response: also those that
# the head of access refuses, with their bodies.
COUNTED = ("scrapy.downloadermiddlewares.stats.DownloaderStats", 895)
REPLACED_MIDDLEWARES = (
    "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware",
    "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware",
    "scrapy.downloadermiddlewares.useragent.UserAgentMiddleware",
    "scrapy.downloadermiddlewares.httpcache.HttpCacheMiddleware",
)
SPIDER_MIDDLEWARES: dict[str, int] = {
    "crawler.middlewares.links.NofollowMiddleware": 790,
    "crawler.middlewares.links.RecordedUrlLengthMiddleware": 800,
    "crawler.middlewares.links.RecordedDepthMiddleware": 900,
}
REPLACED_SPIDER_MIDDLEWARES = (
    "scrapy.spidermiddlewares.urllength.UrlLengthMiddleware",
    "scrapy.spidermiddlewares.depth.DepthMiddleware",
)
SCHEDULING = {
    "SCHEDULER": "crawler.pace_queue.PacedScheduler",
    "SCHEDULER_PRIORITY_QUEUE": "crawler.pace_queue.PacedPriorityQueue",
}
# Scrapy takes a gigabyte, and sixteen sites at once whose pages never end would take sixteen.
LARGEST_PAGE = 128 * 1024 * 1024
# The guard is not among them: the add-on sets it up, so that no table of extensions can leave it out.
EXTENSIONS: dict[str, int] = {
    "crawler.resolver.LoopbackNames": 0,
    "crawler.extensions.lists.ListsWatch": 0,
    "crawler.extensions.progress.Progress": 1,
    "crawler.extensions.stats.SekishoStats": 2,
    "crawler.extensions.prometheus.PrometheusExtension": 3,
}


def refuse(error: SekishoError) -> NoReturn:
    """Say in one line why the crawl does not start, and end the process with the error's exit code."""
    sys.stderr.write(f"sekisho: {error}\n")
    sys.stderr.flush()
    exit_refused()  # where the exception below is caught, as under FORCE_CRAWLER_PROCESS
    raise SystemExit(int(error.exit_code))


def _pin(settings: BaseSettings) -> None:
    for name, value in PINNED_SETTINGS.items():
        settings.set(name, value, priority=PINNED)
    # The add-on itself, against `custom_settings = {"ADDONS": {}}`.
    settings.set("ADDONS", dict(settings.getdict("ADDONS")), priority=PINNED)
    # Only http and https have a door. Elsewhere a name of a file or a bucket is not a site that we may visit.
    handlers = dict(settings.getdict("DOWNLOAD_HANDLERS"))
    for scheme in ("file", "data", "ftp", "s3"):
        handlers[scheme] = None
    for scheme in ("http", "https"):
        # Its browser goes to the network by itself; `middlewares/browser.py` takes the same meta keys.
        if is_browser_handler(handlers.get(scheme)):
            del handlers[scheme]
    settings.set("DOWNLOAD_HANDLERS", handlers, priority=PINNED)
    # Scrapy's cookie middleware would fetch the Public Suffix List by itself, past every decision.
    os.environ["TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS"] = ""


def _install(settings: BaseSettings) -> None:
    """Put our components in place over whatever a project or a spider says of them."""
    tables = (
        ("DOWNLOADER_MIDDLEWARES", MIDDLEWARES, REPLACED_MIDDLEWARES),
        ("SPIDER_MIDDLEWARES", SPIDER_MIDDLEWARES, REPLACED_SPIDER_MIDDLEWARES),
        ("EXTENSIONS", EXTENSIONS, ()),
    )
    for name, ours, replaced in tables:
        table = {
            key if isinstance(key, str) else f"{key.__module__}.{key.__qualname__}": value
            for key, value in settings.getdict(name).items()
        }
        table |= ours | dict.fromkeys(replaced)
        if name == "DOWNLOADER_MIDDLEWARES":
            table.setdefault(*COUNTED)
        settings.set(name, table, priority=PINNED)
    for name, scheduler in SCHEDULING.items():
        settings.set(
            name, scheduler, priority="addon"
        )  # a project's own stays: the pace is kept without them
    settings.set("DOWNLOAD_MAXSIZE", LARGEST_PAGE, priority="addon")  # a project's own stays


def _log_destinations(url: str) -> list[Destination]:
    """Return where the log's database listens, when it is not a file."""
    try:
        parts = make_url(url)
    except ArgumentError:
        return []  # whoever opens the log says so
    if not parts.host:
        return []
    return [Destination(host=parts.host, port=parts.port or _DATABASE_PORTS.get(parts.get_backend_name(), 0))]


def _put_up_the_wire(settings: BaseSettings) -> None:
    """Set the tripwire, before spiders' modules are imported; a script's own process is watched later."""
    config = read_config(settings)
    wire = tripwire()
    wire.demand(config.tripwire)
    wire.allow((*config.destinations, *_log_destinations(config.log)), config.programs)
    for name in _WIRE_SETTINGS:  # a spider must not open a way for itself
        settings.set(name, settings.get(name), priority=PINNED)
    if "scrapy.cmdline" in sys.modules:
        wire.watch_from_the_start()


def _check_pinned(settings: BaseSettings) -> None:
    """Raise SetupError when code sets something at a priority that no project, spider or user has."""
    tables = ("ADDONS", "DOWNLOAD_HANDLERS", "DOWNLOADER_MIDDLEWARES", "SPIDER_MIDDLEWARES", "EXTENSIONS")
    for name in (*PINNED_SETTINGS, *tables):
        priority = settings.getpriority(name) or 0
        if priority > PINNED:
            raise SetupError(
                f"{name} is set in code at priority {priority}, past what keeps the crawl guarded; "
                "remove the code that sets it"
            )


def _load(settings: BaseSettings) -> tuple[Config, LoadedAgent, Snapshot]:
    """Return settings, agent and lists of a crawl; SekishoError says what is wrong with them."""
    config = read_config(settings)
    agent = load_agent(config.policies, config.agent)
    require_ready(agent, datetime.now(UTC).date())
    now_us = SystemClock().now_us()
    snapshot = load_snapshot(config.blocklists, now_us=now_us, index=config.lists_index)
    load_profile(config.profile)
    require_if_named(config.browser)
    if config.waivers_file is not None:
        load_waivers(config.waivers_file)
    require_fresh(config.blocklists, snapshot.sources, now_us=now_us, refuse_days=config.lists_refuse_days)
    return config, agent, snapshot


def _check_reactor(settings: BaseSettings) -> None:
    if settings.getbool("TWISTED_REACTOR_ENABLED") and "asyncio" not in str(settings["TWISTED_REACTOR"]):
        raise SetupError(
            f"TWISTED_REACTOR = {settings['TWISTED_REACTOR']!r}: the log is awaited with asyncio; remove the "
            "setting, or use twisted.internet.asyncioreactor.AsyncioSelectorReactor"
        )


class SekishoAddon:
    """See the module."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a crawler."""
        return cls(crawler)

    @classmethod
    def update_pre_crawler_settings(cls, settings: BaseSettings) -> None:
        """Pin what must be known before a crawler exists, and offer the ready-made spider."""
        modules = settings.getlist("SPIDER_MODULES")
        if "crawler.spiders" not in modules:
            settings.set("SPIDER_MODULES", [*modules, "crawler.spiders"], priority=PINNED)
        try:
            _check_reactor(settings)  # before Scrapy chooses its process by it
            _put_up_the_wire(settings)
        except SekishoError as error:
            refuse(error)
        _pin(settings)

    def update_settings(self, settings: BaseSettings) -> None:
        """Check everything, pin everything, open the log; or end the process with one readable line."""
        from crawler.checkpoint import Checkpoint  # noqa: PLC0415 - imports Scrapy's HTTP parts late
        from crawler.decisionlog.aio import AsyncLog  # noqa: PLC0415
        from crawler.decisionlog.location import custody_of  # noqa: PLC0415
        from crawler.extensions.guard import Guard  # noqa: PLC0415
        from crawler.extensions.prometheus import check_metrics_settings  # noqa: PLC0415

        try:
            _check_reactor(settings)
            _put_up_the_wire(settings)
            config, agent, snapshot = _load(settings)
            check_metrics_settings(settings)
            _pin(settings)
            _install(settings)
            _check_pinned(settings)
            run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
            log = AsyncLog.open(
                config.log,
                run_id=run_id,
                agent=agent.policy.token,
                clock=SystemClock(),
                on_failure=self._on_log_failure,
                custody=custody_of(
                    config.log,
                    key_file=config.log_key_file,
                    checkpoint_file=config.log_checkpoint_file,
                    origin=config.log_origin,
                ),
                retention=config.log_retention,
            )
        except SekishoError as error:
            # Under FORCE_CRAWLER_PROCESS a Deferred swallows the exit; a crawl without a spider exits with 1.
            self._crawler.spider = None
            refuse(error)
        # `scrapy shell` ends without closing its engine; what was recorded must reach the disk all the same.
        atexit.register(log.writer.close, seal=False)
        checkpoint = Checkpoint(config=config, agent=agent, snapshot=snapshot, log=log, run_id=run_id)
        checkpoint.attach(self._crawler)
        guard = checkpoint.guard = Guard(self._crawler)
        atexit.register(guard.last_words)

    def _on_log_failure(self, error: SekishoError) -> None:
        from crawler.checkpoint import Checkpoint  # noqa: PLC0415

        Checkpoint.of(self._crawler).log_failed(error)
