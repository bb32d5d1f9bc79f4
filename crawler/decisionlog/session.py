"""The connection below SQLAlchemy's, for paths where 20 µs a statement would matter; alike for both engines.

`sqlite3.Connection` is one as it is; `PostgresSession` makes one of psycopg's. Statements are written once,
in the SQL that both read, with `?` or `?1` for parameters. Statements begin and commit transactions too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import BigInteger, LargeBinary

from crawler.decisionlog.portable_text import MARK_OCTETS, read_octets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import psycopg
    from sqlalchemy import Table

Value = int | float | str | bytes | None

_TOKEN: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|\?(\d*)")
_TEXT: Final = 25  # the type `text` (src/include/catalog/pg_type.dat)
_BEGIN: Final = {"BEGIN IMMEDIATE": "BEGIN"}  # readers never hold up writers there: nothing to reserve


class Rows(Protocol):
    """What a statement gave."""

    def fetchone(self) -> Any:  # noqa: ANN401 - a row has the types of its statement
        """Return the next row as a tuple, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Session(Protocol):
    """A connection in which every statement is its own transaction unless BEGIN was executed."""

    def execute(self, sql: str, params: Sequence[Value] = ..., /) -> Rows:
        """Execute one statement."""

    def executemany(self, sql: str, params: Iterable[Sequence[Value]], /) -> object:
        """Execute one statement for each row of parameters."""

    def close(self) -> None:
        """Close it; what was not committed is rolled back."""


@lru_cache(maxsize=512)
def numbered(sql: str) -> str:
    """Return a statement with PostgreSQL's own parameters, such as $1."""
    count = 0

    def parameter(match: re.Match[str]) -> str:
        nonlocal count
        if not match[0].startswith("?"):
            return match[0]
        count += 1
        return f"${match[1] or count}"

    return _TOKEN.sub(parameter, _BEGIN.get(sql, sql))


def _copy_types(table: Table) -> tuple[str, ...]:
    return tuple(
        "int8"
        if isinstance(column.type, BigInteger)
        else "bytea"
        if isinstance(column.type, LargeBinary)
        else "text"
        for column in table.columns
    )


class _Octets:
    """Rows of a cursor whose texts are octets of what is kept, turned into those of the texts themselves."""

    def __init__(self, cursor: psycopg.RawCursor[Any]) -> None:
        self._cursor = cursor
        columns = cursor.description or ()
        self._texts = tuple(at for at, column in enumerate(columns) if column.type_code == _TEXT)

    def _read(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        for at in self._texts:
            if row[at] is not None and MARK_OCTETS in row[at]:
                cells = list(row)
                for text in self._texts:
                    cells[text] = None if row[text] is None else read_octets(row[text])
                return tuple(cells)
        return row

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, or None."""
        row = self._cursor.fetchone()
        return None if row is None else self._read(row)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows that are left."""
        return [self._read(row) for row in self._cursor.fetchall()]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return (self._read(row) for row in self._cursor)


class PostgresSession:
    """A session on psycopg's connection, which must be in autocommit mode."""

    def __init__(self, connection: psycopg.Connection[Any], *, octets: bool = False) -> None:
        from psycopg import RawCursor  # noqa: PLC0415 - an extra; only logs in PostgreSQL need it

        self._connection = connection
        self._cursor = RawCursor
        self._octets = octets
        self._types: dict[str, tuple[str, ...]] = {}

    def execute(self, sql: str, params: Sequence[Value] = ()) -> Rows:
        """Execute one statement. Raises psycopg.Error."""
        cursor = self._cursor(self._connection)
        cursor.execute(numbered(sql).encode(), params or None, binary=bool(params) or self._octets)
        return _Octets(cursor) if self._octets else cursor

    def executemany(self, sql: str, params: Iterable[Sequence[Value]]) -> None:
        """Execute a statement for each row, in one pipeline. Raises psycopg.Error."""
        self._cursor(self._connection).executemany(numbered(sql).encode(), params)

    def append(self, table: Table, rows: Iterable[Sequence[Value]]) -> None:
        """Append rows with all columns of the table, by COPY: not to one with row security.

        Raises psycopg.Error.
        """
        types = self._types.get(table.name)
        if types is None:
            types = self._types[table.name] = _copy_types(table)
        with self._connection.cursor().copy(f"COPY {table.name} FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def select(self, sql: str, params: Sequence[Value]) -> list[tuple[Any, ...]]:
        """Return the rows of one SELECT; the server refuses every other statement. Raises psycopg.Error."""
        cursor = self._cursor(self._connection)
        cursor.execute(b"BEGIN READ ONLY")
        try:
            cursor.execute(
                f"DECLARE answer NO SCROLL CURSOR FOR {numbered(sql)}".encode(), params or None, binary=True
            )
            return cursor.execute(b"FETCH ALL FROM answer").fetchall()
        finally:
            self._connection.rollback()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
