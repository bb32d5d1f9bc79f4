"""The settings of Sekisho, read once into a frozen value.

Every name begins with `SEKISHO_`; a name that is not listed in `SETTINGS` is an error, so that a typing
mistake cannot switch anything off. No setting turns protection off: not wanting it means not installing
the add-on.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blocklists.index import IndexChoice
from blocklists.refresh_plan import REFUSE_DAYS, WARN_DAYS
from blocklists.store_prune import LEAST_KEEP, USUAL_KEEP
from crawler.browser.locate import ANY
from crawler.errors import SetupError
from crawler.tripwire_words import Destination, Mode

if TYPE_CHECKING:
    from scrapy.settings import BaseSettings

SETTINGS: dict[str, tuple[object, str]] = {
    "SEKISHO_AGENT": (None, "product token of the declared agent; may be left out when there is only one"),
    "SEKISHO_POLICIES": ("policies", "folder with agents/*.toml"),
    "SEKISHO_LOG": ("sqlite:///sekisho.db", "SQLAlchemy URL of the decision log"),
    "SEKISHO_LOG_KEY_FILE": (None, "key that signs the log's checkpoints; beside an SQLite log by default"),
    "SEKISHO_LOG_CHECKPOINT_FILE": (
        None,
        "last checkpoint outside the database; beside an SQLite log by default",
    ),
    "SEKISHO_LOG_ORIGIN": (None, "name of a new log in its checkpoints: a URL without scheme"),
    "SEKISHO_LOG_RETENTION": ("default", "series of the retention schedule that a run's records belong to"),
    "SEKISHO_BLOCKLISTS": ("lists", "folder with block lists and their manifests"),
    "SEKISHO_PROFILE": (
        "default",
        "which legal weights block: default, strict, eu-gpai…, or a .toml file",
    ),
    "SEKISHO_LISTS_INDEX": ("auto", "how the names of compiled lists are held: auto, memory or mapped"),
    "SEKISHO_LISTS_WARN_DAYS": (WARN_DAYS, "age of a fetched list after which a crawl warns"),
    "SEKISHO_LISTS_REFUSE_DAYS": (REFUSE_DAYS, "age of a fetched list after which a crawl does not start"),
    "SEKISHO_LISTS_WATCH_SECONDS": (5.0, "how often a crawl looks whether other lists are in force"),
    "SEKISHO_LISTS_KEEP": (USUAL_KEEP, "compiled snapshots that stay, with the one in force; at least 2"),
    "SEKISHO_WAIVERS_FILE": (
        None,
        "file of licences and contracts that lift a site's refusals; none by default",
    ),
    "SEKISHO_ROBOTS_CACHE_SECONDS": (86_400, "longest use of one copy of robots.txt, at most 86400"),
    "SEKISHO_ROBOTS_TIMEOUT": (30.0, "seconds until robots.txt counts as unreachable"),
    "SEKISHO_TRIPWIRE": ("refuse", "what is opened past the door: refuse, or record what is not refused"),
    "SEKISHO_DESTINATIONS": (
        (),
        "host:port of databases, queues and stores that components beside the crawl may reach",
    ),
    "SEKISHO_PROGRAMS": ((), "programs that components beside the crawl may start"),
    "SEKISHO_BROWSER": (ANY, "Chromium that renders pages: auto, a command or a path"),
    "SEKISHO_BROWSER_SANDBOX": (True, "Chromium's own sandbox; root has none"),
    "SEKISHO_BROWSER_PAGES": (2, "pages that are rendered at the same time"),
    "SEKISHO_BROWSER_TIMEOUT": (60.0, "longest rendering of one page in seconds"),
    "SEKISHO_BROWSER_REQUESTS": (200, "most requests of one page while it is rendered"),
    "SEKISHO_BROWSER_BYTES": (50_000_000, "most octets of one page's parts, and of its document"),
    "SEKISHO_BROWSER_SKIP": (
        "image,media,font",
        "types of parts that are not asked for; none asks for all",
    ),
    "SEKISHO_PROGRESS": (True, "show progress and a closing table on standard error"),
    "SEKISHO_PROGRESS_SECONDS": (5.0, "seconds between progress lines"),
    "SEKISHO_METRICS_HOST": ("127.0.0.1", "address of the Prometheus endpoint"),
    "SEKISHO_METRICS_PORT": (None, "port of the Prometheus endpoint; off when not set"),
    "SEKISHO_METRICS_TEXTFILE": (None, "file that receives the metrics when the crawl ends"),
}
_OFF = frozenset({"0", "false", "no", "off", ""})
# What Chromium calls the parts that a document can go without (scripts, styles, calls and frames it needs).
PART_TYPES = frozenset({"image", "media", "font", "texttrack", "manifest", "ping", "other"})
LONGEST_LIST_AGE = 36_500  # days
MOST_SNAPSHOTS = 1_000_000
LONGEST_ROBOTS_CACHE = 86_400  # RFC 9309 section 2.4: a copy is not used for more than 24 hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of one crawl, checked."""

    agent: str | None
    policies: Path
    log: str
    log_key_file: str | None
    log_checkpoint_file: str | None
    log_origin: str | None
    log_retention: str
    blocklists: Path
    profile: str
    lists_index: IndexChoice
    lists_warn_days: float
    lists_refuse_days: float
    lists_watch_seconds: float
    lists_keep: int
    waivers_file: Path | None
    robots_cache_seconds: int
    robots_timeout: float
    tripwire: Mode
    destinations: tuple[Destination, ...]
    programs: tuple[str, ...]
    browser: str
    browser_sandbox: bool
    browser_pages: int
    browser_timeout: float
    browser_requests: int
    browser_bytes: int
    browser_skip: frozenset[str]
    progress: bool
    progress_seconds: float


def _part_types(given: object) -> frozenset[str]:
    """Return the types of parts that pages go without; SetupError for one that does not exist."""
    named = frozenset(_words("SEKISHO_BROWSER_SKIP", given))
    if odd := sorted(named - PART_TYPES - {"none"}):
        known = ", ".join(sorted(PART_TYPES))
        raise SetupError(f"SEKISHO_BROWSER_SKIP: {', '.join(odd)}: known are {known}, or none alone")
    return named - {"none"}


def _index_choice(given: object) -> IndexChoice:
    try:
        return IndexChoice(str(given))
    except ValueError:
        known = ", ".join(choice.value for choice in IndexChoice)
        raise SetupError(f"SEKISHO_LISTS_INDEX = {given!r}: must be one of {known}") from None


def _mode(given: object) -> Mode:
    try:
        return Mode(str(given))
    except ValueError:
        known = ", ".join(mode.value for mode in Mode)
        raise SetupError(f"SEKISHO_TRIPWIRE = {given!r}: must be one of {known}") from None


def _retention(given: object) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", str(given), re.ASCII):
        raise SetupError(
            f"SEKISHO_LOG_RETENTION = {given!r}: the name of a series of the retention schedule is needed"
        )
    return str(given)


def _words(name: str, given: object) -> tuple[str, ...]:
    """Return a setting that is a list, or a text with commas as the command line gives it."""
    if isinstance(given, str):
        return tuple(word.strip() for word in given.split(",") if word.strip())
    if isinstance(given, list | tuple) and all(isinstance(word, str) for word in given):
        return tuple(given)
    raise SetupError(f"{name} = {given!r}: a list of texts is needed")


def parse_destination(given: str) -> Destination:
    """Return `host:port` or `[address]:port` in its parts; SetupError when it is neither."""
    host, _, port = given.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536 or "/" in host:  # noqa: PLR2004
        raise SetupError(f"SEKISHO_DESTINATIONS: {given!r} is not host:port, such as db.example.org:5432")
    return Destination(host=host.strip("[]"), port=int(port))


def read_config(settings: BaseSettings) -> Config:
    """Return the checked settings; SetupError names the setting, its value and what would be right."""
    for name in settings:
        if name.startswith("SEKISHO_") and name not in SETTINGS:
            # Without the prefix: with it every two names look alike.
            close = difflib.get_close_matches(name[8:], [known[8:] for known in SETTINGS], n=1)
            hint = f"; did you mean SEKISHO_{close[0]}?" if close else f"; known are {', '.join(SETTINGS)}"
            raise SetupError(f"unknown setting {name}{hint}")

    def value(name: str) -> object:
        given = settings.get(name)
        return SETTINGS[name][0] if given is None or given == "" else given

    def number(name: str, *, low: float, high: float) -> float:
        given = value(name)
        try:
            converted = float(str(given))
        except ValueError:
            raise SetupError(f"{name} = {given!r}: a number from {low:g} to {high:g} is needed") from None
        if not low <= converted <= high:
            raise SetupError(f"{name} = {given!r}: must lie between {low:g} and {high:g}")
        return converted

    def text(name: str) -> str | None:
        given = value(name)
        return None if given is None else str(given)

    agent, waivers = value("SEKISHO_AGENT"), value("SEKISHO_WAIVERS_FILE")
    return Config(
        agent=None if agent is None else str(agent),
        policies=Path(str(value("SEKISHO_POLICIES"))),
        log=str(value("SEKISHO_LOG")),
        log_key_file=text("SEKISHO_LOG_KEY_FILE"),
        log_checkpoint_file=text("SEKISHO_LOG_CHECKPOINT_FILE"),
        log_origin=text("SEKISHO_LOG_ORIGIN"),
        log_retention=_retention(value("SEKISHO_LOG_RETENTION")),
        blocklists=Path(str(value("SEKISHO_BLOCKLISTS"))),
        profile=str(value("SEKISHO_PROFILE")),
        lists_index=_index_choice(value("SEKISHO_LISTS_INDEX")),
        lists_warn_days=number("SEKISHO_LISTS_WARN_DAYS", low=0, high=LONGEST_LIST_AGE),
        lists_refuse_days=number("SEKISHO_LISTS_REFUSE_DAYS", low=0, high=LONGEST_LIST_AGE),
        lists_watch_seconds=number("SEKISHO_LISTS_WATCH_SECONDS", low=0.1, high=3_600),
        lists_keep=int(number("SEKISHO_LISTS_KEEP", low=LEAST_KEEP, high=MOST_SNAPSHOTS)),
        waivers_file=None if waivers is None else Path(str(waivers)),
        robots_cache_seconds=int(number("SEKISHO_ROBOTS_CACHE_SECONDS", low=1, high=LONGEST_ROBOTS_CACHE)),
        robots_timeout=number("SEKISHO_ROBOTS_TIMEOUT", low=0.1, high=600),
        tripwire=_mode(value("SEKISHO_TRIPWIRE")),
        destinations=tuple(
            parse_destination(one) for one in _words("SEKISHO_DESTINATIONS", value("SEKISHO_DESTINATIONS"))
        ),
        programs=_words("SEKISHO_PROGRAMS", value("SEKISHO_PROGRAMS")),
        browser=str(value("SEKISHO_BROWSER")),
        browser_sandbox=str(value("SEKISHO_BROWSER_SANDBOX")).lower() not in _OFF,
        browser_pages=int(number("SEKISHO_BROWSER_PAGES", low=1, high=64)),
        browser_timeout=number("SEKISHO_BROWSER_TIMEOUT", low=1, high=3_600),
        browser_requests=int(number("SEKISHO_BROWSER_REQUESTS", low=1, high=100_000)),
        browser_bytes=int(number("SEKISHO_BROWSER_BYTES", low=1_000, high=10**9)),
        browser_skip=_part_types(value("SEKISHO_BROWSER_SKIP")),
        progress=str(value("SEKISHO_PROGRESS")).lower() not in _OFF,
        progress_seconds=number("SEKISHO_PROGRESS_SECONDS", low=0.1, high=86_400),
    )
