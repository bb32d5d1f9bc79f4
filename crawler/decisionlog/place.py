"""Where a log is kept: a file for SQLite, a database on a server for PostgreSQL. Opens nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from crawler.decisionlog.errors import LogError

_DRIVERS: Final = {
    "sqlite": ("sqlite", "sqlite+pysqlite"),
    "postgresql": ("postgresql", "postgresql+psycopg"),
}
_FORMS: Final = "sqlite:///file.db, sqlite:////folder/file.db or postgresql://user@host/database"
# What libpq understands and a crawl may need; everything about sessions is decided by the log itself.
_OPTIONS: Final = frozenset((
    "host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile", "service",
    "target_session_attrs", "channel_binding", "gssencmode", "krbsrvname", "require_auth",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Server:
    """A database on a PostgreSQL server. As text it has no password."""

    url: URL

    def __str__(self) -> str:
        return self.url.set(drivername="postgresql").render_as_string(hide_password=True)


LogPlace = Path | Server


def shown_url(url: str) -> str:
    """Return a log URL as it may be printed: without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "(no log URL)"


def log_place(url: str) -> LogPlace:
    """Return the place that a log URL names. Raises LogError when no log can be kept there."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise LogError(f"{url!r} is not a log URL: write {_FORMS}") from None
    engine = parsed.get_backend_name()
    if parsed.drivername not in _DRIVERS.get(engine, ()):
        raise LogError(f"no log can be kept in {parsed.drivername}: use {_FORMS}")
    if engine == "postgresql":
        return _server(parsed)
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise LogError(
            f"{url!r} names no file; a log in memory would not outlive the run: use sqlite:///file.db"
        )
    if parsed.query:
        raise LogError(f"{url!r}: options after '?' are not supported in a log URL: leave them out")
    # As SQLite does, go where a link leads: its journal is there, and so are locks, key and last checkpoint.
    return Path(os.path.realpath(parsed.database))


def _server(url: URL) -> Server:
    place = Server(url.set(drivername="postgresql+psycopg"))
    if not url.database and "service" not in url.query:
        raise LogError(f"{place} names no database: write postgresql://user@host/database")
    unknown = sorted(set(url.query) - _OPTIONS)
    if unknown:
        raise LogError(
            f"{place}: {', '.join(unknown)} cannot be given in a log URL, only {', '.join(sorted(_OPTIONS))}"
        )
    return place
