"""The run header: what was running, under which settings, as a document of the log.

Format `sekisho.run/1`, canonical JSON (RFC 8785): run id, spider, agent token, versions, user and machine,
digests of policy, lists, profile and waivers, what stands before the network as it lives, what the tripwire
lets pass and what it cannot see, and the effective value of every setting that bears on what may leave.
"""

from __future__ import annotations

import getpass
import os
import platform
import sqlite3
import ssl
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

import rfc8785
from scrapy.utils.misc import load_object

from crawler.decisionlog.record import Document
from crawler.handlers import tells_its_connections
from crawler.tripwire import tripwire

if TYPE_CHECKING:
    from scrapy.crawler import Crawler

    from crawler.checkpoint import Checkpoint

SCHEMA = "sekisho.run/1"
# No setting that may hold a secret: feeds, default headers and pipelines' own settings are left out.
RECORDED_SETTINGS = (
    "ADDONS",
    "ASYNCIO_EVENT_LOOP",
    "AUTOTHROTTLE_ENABLED",
    "AUTOTHROTTLE_MAX_DELAY",
    "AUTOTHROTTLE_START_DELAY",
    "AUTOTHROTTLE_TARGET_CONCURRENCY",
    "CLOSESPIDER_ERRORCOUNT",
    "CLOSESPIDER_ITEMCOUNT",
    "CLOSESPIDER_PAGECOUNT",
    "CLOSESPIDER_TIMEOUT",
    "CONCURRENT_REQUESTS",
    "CONCURRENT_REQUESTS_PER_DOMAIN",
    "COOKIES_ENABLED",
    "DEPTH_LIMIT",
    "DNS_TIMEOUT",
    "DOWNLOADER",
    "DOWNLOADER_MIDDLEWARES",
    "DOWNLOAD_BIND_ADDRESS",
    "DOWNLOAD_DELAY",
    "DOWNLOAD_HANDLERS",
    "DOWNLOAD_MAXSIZE",
    "DOWNLOAD_SLOTS",
    "DOWNLOAD_TIMEOUT",
    "DOWNLOAD_VERIFY_CERTIFICATES",
    "DUPEFILTER_CLASS",
    "EXTENSIONS",
    "FORCE_CRAWLER_PROCESS",
    "HTTPCACHE_ENABLED",
    "HTTPPROXY_ENABLED",
    "ITEM_PIPELINES",
    "JOBDIR",
    "MEDIA_ALLOW_REDIRECTS",
    "METAREFRESH_ENABLED",
    "RANDOMIZE_DOWNLOAD_DELAY",
    "REDIRECT_ENABLED",
    "REDIRECT_MAX_TIMES",
    "REMOTE_CONTROL_ENABLED",
    "RETRY_ENABLED",
    "RETRY_HTTP_CODES",
    "RETRY_TIMES",
    "ROBOTSTXT_OBEY",
    "SCHEDULER",
    "SCHEDULER_PRIORITY_QUEUE",
    "SPIDER_MIDDLEWARES",
    "TELNETCONSOLE_ENABLED",
    "TWISTED_DNS_RESOLVER",
    "TWISTED_REACTOR",
    "TWISTED_REACTOR_ENABLED",
    "URLLENGTH_LIMIT",
)
PACKAGES = (
    "sekisho",
    "scrapy",
    "protego",
    "twisted",
    "aiohttp",
    "h2",
    "sqlalchemy",
    "tldextract",
    "playwright",
)
_OWN_LOOPS = ("", "None", "asyncio.SelectorEventLoop", "asyncio.unix_events._UnixSelectorEventLoop")


def _plain(value: object) -> object:
    """Return a setting as JSON can hold it."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return str(value)  # no floats in anything that is hashed
    if hasattr(value, "items"):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(member) for member in value]
    return str(value)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed as a package"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _class_name(one: object) -> str:
    return f"{type(one).__module__}.{type(one).__qualname__}"


def _guard(crawler: Crawler) -> dict[str, object]:
    """Return what stands before the network, as it lives; that it is complete, *guard armed* says next."""
    engine: Any = crawler.engine
    handlers: dict[str, object] = engine.downloader.handlers._schemes  # noqa: SLF001 - a GuardedHandlers
    return {
        "downloader": _class_name(engine.downloader),
        "handlers": {scheme: _class_path(one) for scheme, one in sorted(handlers.items())},
        "downloader_middlewares": [_class_name(one) for one in engine.downloader.middleware.middlewares],
        "spider_middlewares": [_class_name(one) for one in engine.scraper.spidermw.middlewares],
        "extensions": [_class_name(one) for one in crawler.extensions.middlewares],
        "scheduler": f"{engine.scheduler_cls.__module__}.{engine.scheduler_cls.__qualname__}",
    }


def _class_path(one: object) -> str:
    return one if isinstance(one, str) else f"{one.__module__}.{getattr(one, '__qualname__', one)}"


def _blind(crawler: Crawler) -> list[str]:
    """Return what the tripwire cannot see in this run, as far as settings tell."""
    found = []
    engine: Any = crawler.engine
    handlers: dict[str, Any] = engine.downloader.handlers._schemes  # noqa: SLF001 - as above
    for scheme, one in sorted(handlers.items()):
        if not tells_its_connections(load_object(one)):
            found.append(f"{scheme}: connections of {_class_path(one)} are told by host and port only")
    loop = str(crawler.settings["ASYNCIO_EVENT_LOOP"] or "")
    if loop not in _OWN_LOOPS:
        found.append(f"sockets of the event loop {loop}, if it is written in C")
    return found


def _proxies() -> dict[str, str]:
    """Return the proxies that the environment names, without the credentials that they may hold."""
    return {
        scheme: url.rpartition("@")[2].rpartition("//")[2].rstrip("/")
        for scheme, url in sorted(getproxies().items())
        if scheme in ("http", "https")
    }


def run_header(crawler: Crawler, checkpoint: Checkpoint) -> Document:
    """Return the header of a run."""
    config = checkpoint.config
    members = {
        "schema": SCHEMA,
        "run": checkpoint.run_id,
        "spider": crawler.spidercls.name,
        "agent": checkpoint.agent.policy.token,
        "user_agent": checkpoint.agent.policy.user_agent,
        "policy_sha256": checkpoint.agent.sha256,
        "blocklist_sha256": checkpoint.snapshot.sha256,
        "profile_sha256": checkpoint.profile.sha256,
        "waivers_sha256": checkpoint.waivers.sha256,
        "loopback_only": checkpoint.loopback_only,
        "versions": {
            **{package: _version(package) for package in PACKAGES},
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "openssl": ssl.OPENSSL_VERSION,
        },
        "machine": {"name": platform.node(), "system": f"{platform.system()} {platform.release()}"},
        "user": _user(),
        "guard": _guard(crawler),
        "tripwire": {
            "mode": tripwire().mode.value,
            "destinations": [str(one) for one in config.destinations],
            "programs": list(config.programs),
            "blind": _blind(crawler),
        },
        "proxies": _proxies(),
        "sekisho_settings": {
            "SEKISHO_PROFILE": config.profile,
            "SEKISHO_LISTS_INDEX": config.lists_index.value,
            "SEKISHO_LISTS_REFUSE_DAYS": str(config.lists_refuse_days),
            "SEKISHO_LISTS_WATCH_SECONDS": str(config.lists_watch_seconds),
            "SEKISHO_ROBOTS_CACHE_SECONDS": config.robots_cache_seconds,
            "SEKISHO_ROBOTS_TIMEOUT": str(config.robots_timeout),
            "SEKISHO_BROWSER": config.browser,
            "SEKISHO_BROWSER_SANDBOX": config.browser_sandbox,
            "SEKISHO_BROWSER_TIMEOUT": str(config.browser_timeout),
            "SEKISHO_BROWSER_REQUESTS": config.browser_requests,
            "SEKISHO_BROWSER_BYTES": config.browser_bytes,
            "SEKISHO_BROWSER_SKIP": sorted(config.browser_skip),
        },
        "settings": {name: _plain(crawler.settings.get(name)) for name in RECORDED_SETTINGS},
    }
    return Document(kind="run", body=rfc8785.dumps(members))  # type: ignore[arg-type]
