"""The run header: what was running, under which settings, as a document of the log.

Format `sekisho.run/1`, canonical JSON (RFC 8785): run id, spider, agent token, versions, digests of policy
and lists, and the effective value of every setting that bears on what may leave.
"""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import rfc8785

from crawler.decisionlog.record import Document

if TYPE_CHECKING:
    from scrapy.crawler import Crawler

    from crawler.checkpoint import Checkpoint

SCHEMA = "sekisho.run/1"
RECORDED_SETTINGS = (
    "ADDONS",
    "AUTOTHROTTLE_ENABLED",
    "CONCURRENT_REQUESTS",
    "CONCURRENT_REQUESTS_PER_DOMAIN",
    "COOKIES_ENABLED",
    "DEPTH_LIMIT",
    "TWISTED_DNS_RESOLVER",
    "DOWNLOADER",
    "DOWNLOADER_MIDDLEWARES",
    "DOWNLOAD_DELAY",
    "DOWNLOAD_HANDLERS",
    "DOWNLOAD_MAXSIZE",
    "DOWNLOAD_TIMEOUT",
    "DOWNLOAD_VERIFY_CERTIFICATES",
    "EXTENSIONS",
    "HTTPCACHE_ENABLED",
    "HTTPPROXY_ENABLED",
    "METAREFRESH_ENABLED",
    "REDIRECT_ENABLED",
    "REDIRECT_MAX_TIMES",
    "REMOTE_CONTROL_ENABLED",
    "RETRY_ENABLED",
    "RETRY_HTTP_CODES",
    "RETRY_TIMES",
    "ROBOTSTXT_OBEY",
    "SPIDER_MIDDLEWARES",
    "TELNETCONSOLE_ENABLED",
    "TWISTED_REACTOR",
    "TWISTED_REACTOR_ENABLED",
    "URLLENGTH_LIMIT",
)


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
            "sekisho": _version("sekisho"),
            "scrapy": _version("scrapy"),
            "protego": _version("protego"),
            "twisted": _version("twisted"),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        },
        "sekisho_settings": {
            "SEKISHO_PROFILE": config.profile,
            "SEKISHO_LISTS_INDEX": config.lists_index.value,
            "SEKISHO_LISTS_REFUSE_DAYS": str(config.lists_refuse_days),
            "SEKISHO_LISTS_WATCH_SECONDS": str(config.lists_watch_seconds),
            "SEKISHO_ROBOTS_CACHE_SECONDS": config.robots_cache_seconds,
            "SEKISHO_ROBOTS_TIMEOUT": str(config.robots_timeout),
        },
        "settings": {name: _plain(crawler.settings.get(name)) for name in RECORDED_SETTINGS},
    }
    return Document(kind="run", body=rfc8785.dumps(members))  # type: ignore[arg-type]
