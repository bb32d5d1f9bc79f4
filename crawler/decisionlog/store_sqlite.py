"""Opens a log in an SQLite file: whether this SQLite may be trusted with it, and what is in it.

WAL is used only where the SQLite that is really linked has the WAL-reset fix
(https://www.sqlite.org/wal.html#the_wal_reset_bug); every other version gets a rollback journal. There the
commit is the overwriting of the journal's header (`journal_mode=PERSIST`), which `synchronous=FULL` syncs:
an answered commit cannot roll back after a power cut. Deleting the journal promises that with EXTRA only
(https://www.sqlite.org/pragma.html#pragma_synchronous) and costs more. PRAGMAs are read back.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from functools import cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from sqlalchemy import URL, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from blocklists.durable import sync
from crawler.decisionlog import schema
from crawler.decisionlog.errors import IntegrityError, LogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.session import Value

_ROLLBACK: Final = "persist"
_MOST_ROWS: Final = 128  # in one statement; more take longer to prepare than they save

_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "the disk is full: free space, then start again (a new segment is opened)",
    sqlite3.SQLITE_READONLY: "it cannot be written: give this user write access to the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or made: check that its folder exists and may be written",
    sqlite3.SQLITE_NOTADB: "it is not a database: name another file with SEKISHO_LOG or --log",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: keep it as evidence, restore a copy, or name a new file",
    sqlite3.SQLITE_BUSY: "another process has held it locked for too long: end that process or wait for it",
    sqlite3.SQLITE_LOCKED: "another connection has it locked: end that process or wait for it",
    sqlite3.SQLITE_IOERR: "the disk reported an error: check the disk and its free space, then start again",
    sqlite3.SQLITE_PERM: "access is denied: give this user access to the file and its folder",
    sqlite3.SQLITE_AUTH: "only SELECT statements may be run against a log",
}


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite has the fix of the WAL-reset bug: 3.51.3, or its backports 3.50.7 and 3.44.6."""
    major_minor, patch = version[:2], version[2]
    return (
        version >= (3, 51, 3)
        or (major_minor == (3, 50) and patch >= 7)  # noqa: PLR2004 - the published patch levels
        or (major_minor == (3, 44) and patch >= 6)  # noqa: PLR2004 - as above
    )


def explain(error: BaseException, path: Path, doing: str) -> LogError:
    """Return the one readable line for an error of the database."""
    cause = error.orig if isinstance(error, SQLAlchemyError) and hasattr(error, "orig") else error
    code = getattr(cause, "sqlite_errorcode", None)
    advice = _ADVICE.get(code & 0xFF, "") if isinstance(code, int) else ""
    detail = str(cause) or type(cause).__name__
    damaged = code is not None and code & 0xFF == sqlite3.SQLITE_CORRUPT
    undecoded = (
        code is None and isinstance(cause, sqlite3.Error) and "decode to UTF-8" in detail
    )  # the driver's
    kind = IntegrityError if damaged or undecoded or isinstance(cause, UnicodeError) else LogError
    return kind(f"cannot {doing} the log {path}: {detail}" + (f"; {advice}" if advice else ""))


def _check_place(path: Path, *, create: bool) -> None:
    try:
        _check_file(path, create=create)
    except OSError as error:  # a folder that may not be searched, a name that is too long
        raise LogError(
            f"the log {path} cannot be reached: {error.strerror or error};"
            " let this user into its folders, or name another file with SEKISHO_LOG or --log"
        ) from error


def _check_file(path: Path, *, create: bool) -> None:
    if path.is_dir():
        raise LogError(f"the log {path} is a folder: name a file in it, such as {path / 'sekisho.db'}")
    if not path.parent.is_dir():
        raise LogError(f"the folder {path.parent} of the log {path.name} does not exist: create it first")
    if not create and not path.exists():
        raise LogError(
            f"there is no log {path}: run a crawl first, or name the log with --log or SEKISHO_LOG"
        )


def _connect(path: Path, mode: str, timeout: float) -> Connection:
    """Open through SQLAlchemy; transactions are ours (BEGIN IMMEDIATE), so that the driver adds none."""
    engine = create_engine(
        URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": mode, "uri": "true"}),
        poolclass=NullPool,
        connect_args={"timeout": timeout, "check_same_thread": False},
        isolation_level="AUTOCOMMIT",
    )
    return engine.connect()


def driver(connection: Connection) -> sqlite3.Connection:
    """Return the connection below SQLAlchemy's, for the paths where 20 µs a statement would matter."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise LogError("the log needs the sqlite3 driver of the standard library")
    return raw


def _pragma(raw: sqlite3.Connection, statement: str, expected: object, path: Path) -> None:
    """Set a PRAGMA and read it back: SQLite ignores what it does not like."""
    name = statement.split("=", 1)[0].strip()
    raw.execute(f"PRAGMA {statement}").fetchall()
    (value,) = raw.execute(f"PRAGMA {name}").fetchone()
    if value != expected:
        raise LogError(
            f"the log {path} cannot be made durable: {name} is {value!r} instead of {expected!r};"
            " end other programs that have it open, and keep it on a local disk"
        )


def _check_format(raw: sqlite3.Connection, path: Path, *, writing: bool) -> bool:
    """Whether the database is a log of our format; False when it is empty."""
    try:
        names = {name for (name,) in raw.execute("SELECT name FROM sqlite_master")}
    except UnicodeDecodeError as error:  # where SQLite quotes what it cannot understand of a damaged schema
        damage = sqlite3.DatabaseError("database disk image is malformed")
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage from error
    if not names:
        return False
    found = raw.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() if "meta" in names else None
    if found is None:
        raise LogError(
            f"{path} is a database but not a Sekisho log: name another file with SEKISHO_LOG or --log"
        )
    if writing and found[0] == schema.FORMAT_1:
        raise LogError(
            f"the log {path} has format 1, which is read but no longer written: run `sekisho log migrate`,"
            " which adds a registry and changes no record, or name a new file with SEKISHO_LOG"
        )
    if found[0] not in {schema.FORMAT, schema.FORMAT_1}:
        raise LogError(
            f"the log {path} has format {found[0]!r} and this version works with {schema.FORMAT!r}:"
            " use the Sekisho version that wrote it, or name a new file with SEKISHO_LOG or --log"
        )
    return True


def has_table(raw: sqlite3.Connection, name: str) -> bool:
    """Whether the log has this table."""
    found = raw.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
    return found.fetchone() is not None


def _prepare(connection: Connection, path: Path) -> bool:
    """Set durability, create or check the format; return whether the log was created just now."""
    raw = driver(connection)
    journal = "wal" if wal_is_safe(sqlite3.sqlite_version_info) else _ROLLBACK
    _check_format(
        raw, path, writing=True
    )  # before anything is written to a file that may belong to somebody else
    _pragma(raw, f"journal_mode={journal}", journal, path)
    _pragma(raw, "synchronous=FULL", 2, path)
    # Inserting moves rows between pages: where they were they would stay, and nothing that erases finds them.
    _pragma(raw, "secure_delete=ON", 1, path)
    raw.execute("BEGIN IMMEDIATE")
    try:
        created = not _check_format(raw, path, writing=True)
        if created:
            schema.create(connection)
        else:
            # On a file that may only be read BEGIN IMMEDIATE succeeds: ask before key and checkpoint are.
            raw.execute("DELETE FROM meta WHERE FALSE")
            if not has_table(raw, schema.url_key.name):
                schema.complete(connection)
        raw.execute("COMMIT")
    except BaseException:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raise
    return created


def open_for_writing(path: Path, *, lock_timeout: float) -> Connection:
    """Open or create a log for appending, durably. Raises LogError with what to do about it."""
    _check_place(path, create=True)
    connection: Connection | None = None
    try:
        connection = _connect(path, "rwc", lock_timeout)
        if _prepare(connection, path):
            # An I/O error while creating can go unreported: sync the folder, and believe a second look only.
            connection.close()
            sync(path.parent)  # SQLite does not report it when its own attempt fails
            connection = _connect(path, "rw", lock_timeout)
            if _prepare(connection, path):
                raise LogError(f"the log {path} was created and is gone again: check the disk")  # noqa: TRY301 - one place closes
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        if connection is not None:
            connection.close()
        raise explain(error, path, "open") from error
    except LogError:
        if connection is not None:
            connection.close()
        raise
    return connection


def open_for_migration(path: Path, *, lock_timeout: float) -> Connection:
    """Open a log of any format, durably, to change its tables. Raises LogError."""
    _check_place(path, create=False)
    connection = _connect(path, "rw", lock_timeout)
    try:
        raw = driver(connection)
        journal = "wal" if wal_is_safe(sqlite3.sqlite_version_info) else _ROLLBACK
        _pragma(raw, f"journal_mode={journal}", journal, path)
        _pragma(raw, "synchronous=FULL", 2, path)
    except BaseException:
        connection.close()
        raise
    return connection


def overwrite_what_goes(raw: sqlite3.Connection) -> None:
    """Have deleted rows overwritten with zeros, and no rollback journal left that has them still.

    The journal of this connection goes with its commit, whatever others left in that file; that this is
    durable takes EXTRA, see above.
    """
    raw.execute("PRAGMA secure_delete = ON").fetchall()
    if raw.execute("PRAGMA journal_mode").fetchone() == (_ROLLBACK,):
        raw.execute("PRAGMA synchronous = EXTRA")
        raw.execute("PRAGMA journal_mode = DELETE").fetchall()


def leave_no_copy(raw: sqlite3.Connection) -> None:
    """Empty the write-ahead log, once those who write and read let it. Raises LogError when they do not."""
    if raw.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        return
    (busy, *_) = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise LogError(
            "it is erased, but the write-ahead log beside the database (-wal) keeps a copy while others have"
            " the log open: end them, then open the log once, with any command that writes, such as"
            " `sekisho log anchor`"
        )


def tidy(raw: sqlite3.Connection) -> None:
    """Remove the empty rollback journal that stays beside the log, unless somebody else is writing."""
    with suppress(sqlite3.Error):
        if raw.execute("PRAGMA journal_mode").fetchone() == (_ROLLBACK,):
            raw.execute("PRAGMA journal_mode = DELETE")


def open_for_reading(path: Path, *, lock_timeout: float) -> Connection:
    """Open a log for reading only. Raises LogError.

    The file is opened for writing where that is possible, because only then can SQLite roll back what a
    killed writer left half done; `query_only` keeps every statement from writing.
    """
    _check_place(path, create=False)
    connection: Connection | None = None
    try:
        connection = _connect(path, "rw" if os.access(path, os.W_OK) else "ro", lock_timeout)
        raw = driver(connection)
        _pragma(raw, "query_only=ON", 1, path)
        if not _check_format(raw, path, writing=False):
            raise LogError(f"the log {path} is empty: run a crawl first")  # noqa: TRY301 - one place closes
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        if connection is not None:
            connection.close()
        raise explain(error, path, "read") from error
    except LogError:
        if connection is not None:
            connection.close()
        raise
    return connection


_SELECTING: Final = frozenset((
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
))  # fmt: skip


@cache
def _insert(table: Table, rows: int) -> str:
    """Return the statement for so many rows, of which those are left out whose first column is NULL."""
    if rows == 1:
        return schema.INSERT[table]
    row = f"({', '.join('?' * len(table.columns))})"
    return (
        f"INSERT INTO {table.name} SELECT * FROM (VALUES {', '.join([row] * rows)}) WHERE column1 IS NOT NULL"  # noqa: S608 - names of this package
    )


def append(raw: sqlite3.Connection, table: Table, rows: Iterable[Sequence[Value]]) -> None:
    """Append rows with all columns of the table, of which the first is never NULL. Raises sqlite3.Error.

    Many rows in a statement: the driver hands the interpreter over to other threads and back several times
    for each, and beside a busy crawl every handing back takes up to `sys.getswitchinterval()`. Numbers of
    rows are powers of two, filled up with rows that are left out, so that statements are prepared once.
    """
    width = len(table.columns)
    most = min(_MOST_ROWS, raw.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // width)
    most = 1 << most.bit_length() - 1
    waiting = list(rows)
    for start in range(0, len(waiting), most):
        some = waiting[start : start + most]
        size = 1 << (len(some) - 1).bit_length()
        values = list(chain.from_iterable(some))
        values += repeat(None, (size - len(some)) * width)
        kept = raw.execute(_insert(table, size), values).rowcount
        if kept != len(some):
            raise sqlite3.IntegrityError(f"{kept} of {len(some)} rows reached the table {table.name}")


def select(raw: sqlite3.Connection, sql: str, params: Sequence[Value]) -> list[tuple[Value, ...]]:
    """Return the rows of one SELECT; every other statement is refused. Raises sqlite3.Error."""
    raw.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _SELECTING else sqlite3.SQLITE_DENY)
    try:
        return raw.execute(sql, params).fetchall()
    finally:
        raw.set_authorizer(None)
