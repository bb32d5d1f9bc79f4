"""Opens a log in PostgreSQL: whether this server may be trusted with it, and as whom one works with it.

A session takes on one of the roles that `sekisho log init` made (`postgres_setup`), so that a login with more
rights does not use them: `sekisho_writer` to append, `sekisho_reader` to read, `sekisho_pruner` for what the
retention rules let go. A server that does not sync its commits is refused at the start; the triggers look at
it again with every batch.

Writers work beside each other. What they number together (segments, contexts, documents, the registry) is
numbered under one advisory lock to the end of the transaction (https://www.postgresql.org/docs/current/
explicit-locking.html#ADVISORY-LOCKS): a sequence is no order, because a later number may be committed first.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from crawler.decisionlog import schema
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.portable_text import read_text, stored_url
from crawler.decisionlog.session import PostgresSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import psycopg
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.place import Server
    from crawler.decisionlog.session import Value

SCHEMA: Final = "sekisho"
OWNER: Final = "sekisho_owner"
WRITER: Final = "sekisho_writer"
READER: Final = "sekisho_reader"
PRUNER: Final = "sekisho_pruner"
SHARED_LOCK: Final = 0x53454B4953484F  # "SEKISHO"
SEGMENT_LOCKS: Final = 0x53454B49  # "SEKI", beside the segment's number
OLDEST: Final = 15  # releases before it get no corrections any more
_APPEND: Final = "LOCK TABLE record IN ROW EXCLUSIVE MODE"
BEGIN_BATCH: Final = f"BEGIN; {_APPEND}"
_CONNECT_TIMEOUT_S: Final = 10
_SILENCE_MS: Final = 30_000  # a server that acknowledges nothing for so long is gone

_ADVICE: Final = {
    "28000": "this login is refused: check user, password and pg_hba.conf",
    "28P01": "this login is refused: check user and password",
    "3D000": "is the name right? If it is new, create the database, then run `sekisho log init --log URL`",
    "42501": "GRANT sekisho_writer (to crawl) or sekisho_reader (to read) to this login",
    "42P01": "the log is incomplete: run `sekisho log init --log URL`",
    "53100": "the server's disk is full: free space, then start again (a new segment is opened)",
    "53200": "the server is out of memory",
    "53300": "the server has too many connections: raise max_connections, or run fewer crawls",
    "55P03": "another session has held a lock for too long: end it or wait for it",
    "57P01": "the server was shut down: start it, then start again (a new segment is opened)",
    "57P03": "the server is starting: try again",
    "25006": "this server takes no writes: name the primary, not a standby",
    "XX001": "data are damaged: keep the server's files as evidence, and restore a copy",
    "XX002": "an index is damaged: keep the server's files as evidence, then REINDEX",
}
# libpq does not pass on the code of an error while connecting, but the server's sentence.
_SIGNS: Final = (
    ('" does not exist', "3D000"),
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("authentication failed", "28000"),
    ("pg_hba.conf", "28000"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
    ("is starting up", "57P03"),
    ("is shutting down", "57P01"),
)
# What a reader sees within a transaction is one state of the log, however fast it grows.
_READING: Final = (
    "SET default_transaction_isolation = 'repeatable read'",
    "SET default_transaction_read_only = on",
)
_DAMAGED: Final = frozenset({"XX001", "XX002"})


def errors() -> tuple[type[Exception], ...]:
    """Return what psycopg and SQLAlchemy raise; what is not loaded raises nothing."""
    module = sys.modules.get("psycopg")
    return (SQLAlchemyError,) if module is None else (SQLAlchemyError, module.Error)


def explain(error: BaseException, place: Server, doing: str) -> LogError:
    """Return the one readable line for an error of the server or the way to it."""
    cause = error.orig if isinstance(error, SQLAlchemyError) and hasattr(error, "orig") else error
    state = getattr(cause, "sqlstate", None)
    detail = " ".join(str(cause).split()) or type(cause).__name__
    advice = _ADVICE.get(state or "", "")
    if state is None and type(cause).__name__ in {"OperationalError", "ConnectionTimeout"}:
        advice = next((_ADVICE[code] for sign, code in _SIGNS if sign in detail), "")
        advice = advice or "is the server running, and are host and port right?"
    kind = IntegrityError if state in _DAMAGED or isinstance(cause, UnicodeError) else LogError
    return kind(f"cannot {doing} the log {place}: {detail}" + (f"; {advice}" if advice else ""))


def _driver(place: Server) -> None:
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra; only logs in PostgreSQL need it
    except ImportError as error:
        raise LogError(
            f"the log {place} needs the driver of PostgreSQL: pip install 'sekisho[postgres]' ({error})"
        ) from error


def connect(place: Server) -> Connection:
    """Connect as the login that the URL names. Raises LogError."""
    _driver(place)
    engine = create_engine(
        place.url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",  # transactions are ours
        use_native_hstore=False,
        connect_args={
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "tcp_user_timeout": _SILENCE_MS,
            "keepalives_idle": 30,
            "application_name": "sekisho",
            "client_encoding": "utf8",
        },
    )
    try:
        connection = engine.connect()
    except errors() as error:
        raise explain(error, place, "open") from error
    try:
        check_server(connection, place)
    except BaseException:
        connection.close()
        raise
    return connection


def psycopg_of(connection: Connection) -> psycopg.Connection[Any]:
    """Return psycopg's connection."""
    raw: Any = connection.connection.driver_connection
    return raw  # type: ignore[no-any-return]


def check_server(connection: Connection, place: Server) -> None:
    """Refuse a server that is too old, or that cannot keep every text. Raises LogError."""
    version, encoding = connection.exec_driver_sql(
        "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')"
    ).one()
    if version < OLDEST * 10_000:
        raise LogError(
            f"the log {place} is on PostgreSQL {version // 10_000}: upgrade it, {OLDEST} is the oldest"
        )
    if encoding != "UTF8":
        raise LogError(
            f"the database of the log {place} has the encoding {encoding}: create it with ENCODING 'UTF8'"
        )


def open_as(place: Server, role: str, *, lock_timeout: float, formats: frozenset[str]) -> Connection:
    """Open a log in a role, for writing unless it is the reader's. Raises LogError."""
    connection = connect(place)
    try:
        _enter(connection, place, role, lock_timeout)
        _check_format(connection, place, formats)
        if role != READER:
            _make_durable(connection, place)
    except errors() as error:
        connection.close()
        raise explain(error, place, "open") from error
    except BaseException:
        connection.close()
        raise
    return connection


# The login, whether there is a log with this role, and whether the login may take the role on.
_STANDING: Final = """
SELECT session_user, r.oid IS NOT NULL AND EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %s),
       coalesce(pg_has_role(session_user, r.oid, 'MEMBER'), false)
  FROM (SELECT 1) AS one LEFT JOIN pg_roles r ON r.rolname = %s
"""


def _enter(connection: Connection, place: Server, role: str, lock_timeout: float) -> None:
    """Take on the role, which must exist and be granted."""
    login, known, granted = connection.exec_driver_sql(_STANDING, (SCHEMA, role)).one()
    if not known:
        raise LogError(f"there is no log in {place}: run `sekisho log init --log URL` as its administrator")
    if not granted:
        raise LogError(f"{login} may not work as {role} with the log {place}: GRANT {role} TO {login}")
    for statement in (
        f"SET ROLE {role}",
        f"SET search_path = {SCHEMA}",
        f"SET lock_timeout = {int(lock_timeout * 1000)}",
        *(_READING if role == READER else ("SET default_transaction_isolation = 'read committed'",)),
    ):
        connection.exec_driver_sql(statement)


def found_format(connection: Connection) -> str | None:
    """Return the format of the log in the search path, or None without one."""
    if connection.exec_driver_sql(f"SELECT to_regclass('{SCHEMA}.meta')").scalar() is None:
        return None
    value = connection.exec_driver_sql(f"SELECT value FROM {SCHEMA}.meta WHERE key = 'format'").scalar()  # noqa: S608 - our name
    return None if value is None else str(value)


def has_table(connection: Connection, name: str) -> bool:
    """Whether the log in the search path has this table."""
    return connection.exec_driver_sql(f"SELECT to_regclass('{SCHEMA}.{name}')").scalar() is not None


def _check_format(connection: Connection, place: Server, formats: frozenset[str]) -> None:
    found = found_format(connection)
    if found is None:
        raise LogError(f"there is no log in {place}: run `sekisho log init --log URL` as its administrator")
    if found == schema.FORMAT_1 and found not in formats:
        raise LogError(
            f"the log {place} has format 1, which is read but no longer written: run `sekisho log migrate`"
        )
    if found not in formats:
        raise LogError(
            f"the log {place} has format {found!r} and this version works with {schema.FORMAT!r}:"
            " use the Sekisho version that wrote it, or name another database"
        )


def _make_durable(connection: Connection, place: Server) -> None:
    """Refuse a server that may forget a commit, and hold this session to what it promises."""
    for name, why in (
        ("fsync", "a power cut could lose or damage the log"),
        ("full_page_writes", "a power cut could damage the log"),
        ("synchronous_commit", "an acknowledged decision could be lost"),
    ):
        value = connection.exec_driver_sql("SELECT current_setting(%s)", (name,)).scalar()
        if value == "off":
            raise LogError(
                f"the log {place} cannot be made durable: {name} is off, and {why};"
                " set it to on on the server"
            )
        if name == "synchronous_commit":  # a change of the server's settings shall not reach this session
            connection.exec_driver_sql(f"SET synchronous_commit = '{value}'")
    missing = connection.exec_driver_sql(UNGUARDED).scalars().all()
    if missing:
        raise LogError(
            f"the tables {', '.join(missing)} of the log {place} have lost their guards:"
            " find out who took them, then run `sekisho log init --log URL` again"
        )


# Tables whose triggers do not fire always, or that lack those against UPDATE, DELETE and TRUNCATE.
UNGUARDED: Final = f"""
SELECT c.relname FROM pg_class c
  LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled = 'A'
 WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'
 GROUP BY c.relname
HAVING coalesce(bit_or(t.tgtype::int) & 60, 0) <> 60 ORDER BY c.relname
"""  # noqa: S608 - our name; 4 INSERT, 8 DELETE, 16 UPDATE, 32 TRUNCATE (src/include/catalog/pg_trigger.h)


def number_alone(connection: Connection) -> None:
    """Wait until no other transaction numbers what all writers share; until the end of this one."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SHARED_LOCK})")


def keep_records(connection: Connection) -> None:
    """Wait until no other transaction has appended records and is not ended; keep new ones from it."""
    connection.exec_driver_sql("LOCK TABLE record IN SHARE MODE")


def append_records(connection: Connection) -> None:
    """Take the lock that appending records takes."""
    connection.exec_driver_sql(_APPEND)


def take_segment(connection: Connection, number: int) -> bool:
    """Take the lock that says that a segment's writer lives; it goes with the connection."""
    sql = f"SELECT pg_try_advisory_lock({SEGMENT_LOCKS}, {number})"
    return bool(connection.exec_driver_sql(sql).scalar())


def release_segment(connection: Connection, number: int) -> None:
    """Let go of it before the connection ends."""
    connection.exec_driver_sql(f"SELECT pg_advisory_unlock({SEGMENT_LOCKS}, {number})")


def appender(connection: Connection) -> Callable[[Table, Iterable[Sequence[Value]]], None]:
    """Return what appends rows, by COPY to the tables that grow by the second. Raises psycopg.Error."""
    session = PostgresSession(psycopg_of(connection))

    def append(table: Table, rows: Iterable[Sequence[Value]]) -> None:
        if table is schema.record:
            session.append(table, rows)
        elif table is schema.opening:
            session.append(table, [(*row[:2], _kept(row[2]), _kept(row[3]), row[4]) for row in rows])
        else:
            session.executemany(schema.INSERT[table], rows)

    return append


def _kept(url: Any) -> str | None:  # noqa: ANN401 - text, octets or None
    return None if url is None else stored_url(url)


def octets(connection: Connection) -> PostgresSession:
    """Return a session that gives texts as the UTF-8 of the texts that were stored."""
    from psycopg.types.string import ByteaBinaryLoader  # noqa: PLC0415 - an extra

    raw = psycopg_of(connection)
    raw.adapters.register_loader("text", ByteaBinaryLoader)
    return PostgresSession(raw, octets=True)


def select(connection: Connection, sql: str, params: Sequence[Value]) -> list[tuple[Value, ...]]:
    """Return the rows of one SELECT, with the values that SQLite would give. Raises psycopg.Error."""
    return [
        tuple(_plain(cell) for cell in row)
        for row in PostgresSession(psycopg_of(connection)).select(sql, params)
    ]


def _plain(cell: object) -> Value:
    if isinstance(cell, str):
        return read_text(cell)
    if isinstance(cell, Decimal):  # what sums and averages of bigint are
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    return cell if cell is None or isinstance(cell, (int, float, bytes)) else str(cell)
