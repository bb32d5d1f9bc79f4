"""Sees that SQLite keeps each value as the type that a writer gives it, since queries tell types apart.

`WHERE reason = 'robots_disallow'` passes over a reason that is kept as octets, and a look-up by digest over a
digest that is kept as text, although the octets, and so the leaf hash, are the same. A STRICT table refuses
both, but whoever has the file needs not ask it. PostgreSQL has one type a column, whoever writes.

In SQLite's order of values every text comes before the empty octets, and no octets do
(https://www.sqlite.org/datatype3.html section 4.1): one comparison tells which of the two a value is.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, LargeBinary

from crawler.decisionlog import schema
from crawler.decisionlog.findings import Findings, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Table

    from crawler.decisionlog.session import Session

_URLS: Final = ("url", "parent_url")  # octets when they are no valid Unicode, else text
_SMALL: Final = (
    schema.meta, schema.segment, schema.context, schema.head, schema.registry, schema.checkpoint,
    schema.anchor,
)  # fmt: skip
_PAGE: Final = 5000  # documents


def _is_octets(table: Table, column: str) -> bool:
    return isinstance(table.columns[column].type, LargeBinary)


def _columns(table: Table) -> tuple[str, ...]:
    """Return the columns that hold text or octets."""
    return tuple(each.name for each in table.columns if not isinstance(each.type, BigInteger))


def odd(table: Table, columns: tuple[str, ...] = ()) -> str:
    """Return an SQL condition: text where octets belong, or octets where text does; NULL is neither."""
    return " OR ".join(
        f"{name} < x''" if _is_octets(table, name) else f"{name} >= x''"
        for name in columns or _columns(table)
    )


def _sql(table: Table, where: str) -> str:
    names = _columns(table)
    asked = ", ".join((*(f"typeof({name})" for name in names), *(name for name in names if name in _URLS)))
    return f"SELECT {asked} FROM {table.name} WHERE ({odd(table)}){where}"  # noqa: S608 - names of the schema


def _told(table: Table, row: tuple[bytes | None, ...]) -> str | None:
    """Return what is wrong with a row that was found, None if it is a URL that is rightly kept as octets."""
    names = _columns(table)
    urls = dict(zip((name for name in names if name in _URLS), row[len(names) :], strict=True))
    for name, kind in zip(names, row[: len(names)], strict=True):
        wanted = b"blob" if _is_octets(table, name) else b"text"
        if kind in {wanted, b"null"} or not (name not in urls or _is_unicode(urls[name])):
            continue
        said = "text" if wanted == b"blob" else "octets"
        return f"its {name} is kept as {said}, which no writer does: queries pass over it"
    return None


def _is_unicode(octets: bytes | None) -> bool:
    try:
        (octets or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


_RANGE: Final = " AND segment_id = ? AND idx >= ? AND idx < ?"
_RECORDS: Final = tuple(
    (table, f"SELECT idx, {_sql(table, _RANGE).removeprefix('SELECT ')} ORDER BY idx")
    for table in (schema.record, schema.opening)
)


def records_kept_otherwise(raw: Session, number: int, first: int, end: int) -> Iterator[tuple[int, str]]:
    """Yield index and words for each record of a segment, from an index to another (excluded), that has one.

    `raw` gives texts as octets. Raises the database's errors.
    """
    if not isinstance(raw, sqlite3.Connection):
        return
    for table, sql in _RECORDS:
        for idx, *row in raw.execute(sql, (number, first, end)).fetchall():
            told = _told(table, tuple(row))
            if told is not None:
                yield idx, told


def check_kept(raw: Session, findings: Findings) -> None:
    """Look at the tables beside those of records, on a session that gives texts as octets."""
    there = {
        name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    }
    for table in _SMALL:
        if table.name.encode() in there:
            _find(table, raw.execute(_sql(table, "")).fetchall(), findings)
    sql, last = _sql(schema.document, " AND id > ? AND id <= ?"), 0
    (size,) = raw.execute("SELECT coalesce(max(id), 0) FROM document").fetchone()
    while last < size:
        _find(schema.document, raw.execute(sql, (last, last + _PAGE)).fetchall(), findings)
        last += _PAGE


def _find(table: Table, rows: list[tuple[bytes, ...]], findings: Findings) -> None:
    for row in rows:
        told = _told(table, row)
        if told is not None:
            findings.add(Problem.KEPT_OTHERWISE, f"a row of the table {table.name}: {told}")
