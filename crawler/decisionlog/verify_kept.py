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
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Table

    from crawler.decisionlog.session import Session

_URLS: Final = frozenset({"url", "parent_url"})  # octets when they are no valid Unicode, else text
_PAGE: Final = 5000  # rows
_TEXT: Final = "CAST(? AS TEXT)"  # a session that gives texts as octets would give octets back
_SAID: Final = {
    b"text": "text", b"blob": "octets", b"integer": "a number", b"real": "a fraction", b"null": "nothing",
}  # fmt: skip


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


def _told(table: Table, kinds: Iterable[tuple[str, bytes]], urls: Mapping[str, bytes | None]) -> str | None:
    """Return what is wrong with a row, given `typeof` of its columns, None if each is what a writer writes.

    A URL is rightly kept as octets if it is no Unicode.
    """
    for name, kind in kinds:
        column = table.columns[name]
        wanted = b"blob" if _is_octets(table, name) else b"text"
        if isinstance(column.type, BigInteger):
            wanted = b"integer"
        if kind == wanted or (kind == b"null" and column.nullable):
            continue
        if not (name in urls and kind == b"blob" and not _is_unicode(urls[name])):
            return f"its {name} is kept as {_SAID[kind]}, which no writer does: queries pass over it"
    return None


def _is_unicode(octets: bytes | None) -> bool:
    try:
        (octets or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _of_records(table: Table) -> str:
    asked = (*(f"typeof({name})" for name in _columns(table)), *_columns(table))
    return (
        f"SELECT idx, {', '.join(asked)} FROM {table.name} WHERE ({odd(table)})"  # noqa: S608 - names of the schema
        " AND segment_id = ? AND idx >= ? AND idx < ? ORDER BY idx"
    )


_RECORDS: Final = tuple(
    (table, _columns(table), _of_records(table)) for table in (schema.record, schema.opening)
)


def records_kept_otherwise(raw: Session, number: int, first: int, end: int) -> Iterator[tuple[int, str]]:
    """Yield index and words for each record of a segment, from an index to another (excluded), that has one.

    `raw` gives texts as octets. Raises the database's errors.
    """
    if not isinstance(raw, sqlite3.Connection):
        return
    for table, names, sql in _RECORDS:
        for idx, *row in raw.execute(sql, (number, first, end)).fetchall():
            values = dict(zip(names, row[len(names) :], strict=True))
            urls = {name: value for name, value in values.items() if name in _URLS}
            told = _told(table, zip(names, row, strict=False), urls)
            if told is not None:
                yield idx, told


def check_kept(raw: Session, findings: Findings) -> None:
    """Look at the tables beside those of records, on a session that gives texts as octets."""
    found = raw.execute("SELECT lower(name) FROM sqlite_master WHERE type = 'table'").fetchall()
    there = {name for (name,) in found}
    for table in schema.metadata.sorted_tables:
        if table not in {schema.record, schema.opening} and table.name.encode() in there:
            _check_table(raw, table, findings)


def _check_table(raw: Session, table: Table, findings: Findings) -> None:
    """Look at each row of a table, a page at a time; where what orders them is odd, no page follows."""
    names = tuple(table.columns.keys())
    keys = tuple(column.name for column in table.primary_key)
    order = ", ".join(keys)
    start = ", ".join(
        "?" if isinstance(table.c[key].type, (BigInteger, LargeBinary)) else _TEXT for key in keys
    )
    kinds = " || ' ' || ".join(f"typeof({name})" for name in names)
    page = f"SELECT {kinds}, {order} FROM {table.name}{{}} ORDER BY {order} LIMIT {_PAGE}"  # noqa: S608 - names of the schema
    known: dict[bytes, str | None] = {}
    rows = raw.execute(page.format("")).fetchall()
    while rows:
        for kept, *_ in rows:
            if kept not in known:
                known[kept] = _told(table, zip(names, kept.split(), strict=True), {})
            told = known[kept]
            if told is not None:
                findings.add(Problem.KEPT_OTHERWISE, f"a row of the table {table.name}: {told}")
        kept, *last = rows[-1]
        odd_key = known[kept] is not None or len(rows) < _PAGE
        rows = [] if odd_key else raw.execute(page.format(f" WHERE ({order}) > ({start})"), last).fetchall()
