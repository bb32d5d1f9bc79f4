"""Opens a log, whichever engine keeps it, and says in one line what is wrong with it.

Everything above uses the names of this file and SQLAlchemy's `Connection`; what differs between the engines
is in `store_sqlite` and `store_postgres`. SQLAlchemy Core statements on the tables of `schema` work on both.
For statements of one's own, `driver(connection)` is a `Session` with `?` for parameters. A transaction is
begun with `begin(connection)` and ended by `commit(connection)`; whoever numbers what all writers share calls
`number_alone(connection)` in it first.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crawler.decisionlog import schema, store_postgres, store_sqlite
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.place import LogPlace, Server, log_place
from crawler.decisionlog.portable_text import stored_text
from crawler.decisionlog.session import PostgresSession, Session, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

__all__ = ["LogPlace", "Server", "Session", "Value", "log_place"]

LOCK_TIMEOUT_S: Final = 60.0
_WRITABLE: Final = frozenset({schema.FORMAT})
_READABLE: Final = frozenset({schema.FORMAT, schema.FORMAT_1})


def log_path(url: str) -> Path:
    """Return the file that a log URL names. Raises LogError when the log is in no file."""
    place = log_place(url)
    if isinstance(place, Server):
        raise LogError(f"the log {place} is not in a file: use sqlite:///file.db")
    return place


def database_file(url: str) -> Path | None:
    """Return the file of an SQLite log, None for a log in a server. Raises LogError."""
    return file_of(log_place(url))


def file_of(place: LogPlace) -> Path | None:
    """Return the file of an SQLite log, None for a log in a server."""
    return place if isinstance(place, Path) else None


def errors() -> tuple[type[Exception], ...]:
    """Return what a database raises, for an `except` clause; `explain` makes a LogError of it."""
    return (sqlite3.Error, *store_postgres.errors())


def explain(error: BaseException, place: LogPlace, doing: str) -> LogError:
    """Return the one readable line for an error of the database."""
    if isinstance(place, Server):
        return store_postgres.explain(error, place, doing)
    return store_sqlite.explain(error, place, doing)


@contextmanager
def explained(place: LogPlace, doing: str) -> Iterator[None]:
    """Turn the database's errors into LogError, and into IntegrityError where its data are damaged."""
    try:
        yield
    except errors() as error:
        raise explain(error, place, doing) from error


def open_for_writing(place: LogPlace, *, lock_timeout: float = LOCK_TIMEOUT_S) -> Connection:
    """Open a log for appending, durably; a file is created. Raises LogError with what to do about it."""
    if isinstance(place, Server):
        return store_postgres.open_as(
            place, store_postgres.WRITER, lock_timeout=lock_timeout, formats=_WRITABLE
        )
    return store_sqlite.open_for_writing(place, lock_timeout=lock_timeout)


def open_for_pruning(place: LogPlace, *, lock_timeout: float = LOCK_TIMEOUT_S) -> Connection:
    """Open a log for deleting what its registry has named before. Raises LogError."""
    if isinstance(place, Server):
        return store_postgres.open_as(
            place, store_postgres.PRUNER, lock_timeout=lock_timeout, formats=_WRITABLE
        )
    return store_sqlite.open_for_writing(place, lock_timeout=lock_timeout)


def open_for_reading(place: LogPlace, *, lock_timeout: float = LOCK_TIMEOUT_S) -> Connection:
    """Open a log for reading only. Raises LogError."""
    if isinstance(place, Server):
        return store_postgres.open_as(
            place, store_postgres.READER, lock_timeout=lock_timeout, formats=_READABLE
        )
    return store_sqlite.open_for_reading(place, lock_timeout=lock_timeout)


def driver(connection: Connection) -> Session:
    """Return the session below SQLAlchemy's connection, for paths where 20 µs a statement would matter."""
    if _is_server(connection):
        return PostgresSession(store_postgres.psycopg_of(connection))
    return store_sqlite.driver(connection)


def octets(connection: Connection) -> Session:
    """Return a session that gives texts as their UTF-8: no decoding, and no failing on broken text."""
    if _is_server(connection):
        return store_postgres.octets(connection)
    raw = store_sqlite.driver(connection)
    raw.text_factory = bytes
    return raw


def begin(connection: Connection) -> None:
    """Begin a transaction that writes."""
    driver(connection).execute("BEGIN IMMEDIATE")


def commit(connection: Connection) -> None:
    """Commit it; what it wrote is durable when this returns."""
    driver(connection).execute("COMMIT")


def roll_back(connection: Connection) -> None:
    """Undo what the transaction wrote."""
    driver(connection).execute("ROLLBACK")


def number_alone(connection: Connection) -> None:
    """See to it that nobody else numbers what writers share, until the end of the transaction.

    Segments, contexts, documents, and the registry with its checkpoints and anchors take the number after
    the largest. An SQLite log has one transaction that writes at a time, and needs nothing for it.
    """
    if _is_server(connection):
        store_postgres.number_alone(connection)


def keep_records(connection: Connection) -> None:
    """See to it that nobody appends records until the end of the transaction; those under way end first."""
    if _is_server(connection):
        store_postgres.keep_records(connection)


def append_records(connection: Connection) -> None:
    """Have `keep_records` of others wait from here on, as appending records does by itself.

    For transactions that call `number_alone` before they append: both are taken in this order by everybody.
    """
    if _is_server(connection):
        store_postgres.append_records(connection)


def begin_batch(place: LogPlace) -> str:
    """Return what begins a transaction as `begin` and `append_records` do, in one question to the server."""
    return store_postgres.BEGIN_BATCH if isinstance(place, Server) else "BEGIN IMMEDIATE"


def appender(connection: Connection) -> Callable[[Table, Iterable[Sequence[Value]]], None]:
    """Return what appends rows, all columns of a table in its order, as fast as the engine can."""
    if _is_server(connection):
        return store_postgres.appender(connection)
    raw = store_sqlite.driver(connection)
    return lambda table, rows: store_sqlite.append(raw, table, rows)


def keeping(place: LogPlace) -> Callable[[str], str] | None:
    """Return what a text becomes before it is kept, for rows that do not go through SQLAlchemy."""
    return stored_text if isinstance(place, Server) else None


def select(connection: Connection, sql: str, params: Sequence[Value]) -> list[tuple[Value, ...]]:
    """Return the rows of one SELECT; every other statement is refused. Raises the database's errors."""
    if _is_server(connection):
        return store_postgres.select(connection, sql, params)
    return store_sqlite.select(store_sqlite.driver(connection), sql, params)


def has_url_index(connection: Connection) -> bool:
    """Whether the log has the tables `schema.URL_INDEX`."""
    if _is_server(connection):
        return store_postgres.has_table(connection, schema.url_key.name)
    return store_sqlite.has_table(store_sqlite.driver(connection), schema.url_key.name)


def overwrite_what_goes(connection: Connection) -> None:
    """Have the octets of what this connection deletes overwritten, as far as that is the engine's to do."""
    if not _is_server(connection):
        store_sqlite.overwrite_what_goes(store_sqlite.driver(connection))


def leave_no_copy(connection: Connection) -> None:
    """Remove what a write-ahead log holds of what was deleted. Raises LogError where others keep it."""
    if not _is_server(connection):
        store_sqlite.leave_no_copy(store_sqlite.driver(connection))


def tidy(connection: Connection) -> None:
    """Leave nothing beside the log that it does not need."""
    if not _is_server(connection):
        store_sqlite.tidy(store_sqlite.driver(connection))


def _is_server(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
