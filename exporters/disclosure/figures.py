"""A published number together with the query that gives it: the only way a number enters a disclosure.

Holds the value classes and the narrow view of the log that exporters need; asks nothing itself.
The queries read one documented SQL view, `decisions` (see `crawler/decisionlog`), so an outsider with a copy
of the log and any SQLite shell gets the same rows. Pure: no clock, no files, no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Scalar = str | int | None
Row = tuple[Scalar, ...]


class Log(Protocol):
    """What a disclosure needs of a decision log; `LogReader` offers it."""

    def query(self, sql: str, params: Sequence[str | int] = ()) -> list[tuple[Scalar, ...]]:
        """Return the rows of a SELECT with `?` placeholders over the view `decisions`."""

    def document(self, sha256: str) -> bytes | None:
        """Return the stored document of a digest (64 hex characters), or None when the log holds none."""


def _literal(value: str | int) -> str:
    """Return a value as standard SQL writes it."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One query and its answer. `id` is stable within a document; `columns` name the cells of each row."""

    id: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    sql: str
    params: tuple[str | int, ...] = ()

    @property
    def statement(self) -> str:
        """The query with its parameters written in: paste it into a shell and get `rows`."""
        head, *rest = self.sql.split("?")
        return head + "".join(_literal(value) + part for value, part in zip(self.params, rest, strict=True))

    @property
    def value(self) -> Scalar:
        """The single cell of a figure that asks for one number or time."""
        return self.rows[0][0] if self.rows else None

    @property
    def number(self) -> int:
        """The single cell as a count; 0 when the query found nothing."""
        value = self.value
        return value if isinstance(value, int) else 0

    def column(self, name: str) -> tuple[Scalar, ...]:
        """Return one column of every row."""
        index = self.columns.index(name)
        return tuple(row[index] for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question without its scope. `sql` holds `{scope}` once for each place where the scope belongs."""

    id: str
    columns: tuple[str, ...]
    sql: str
    alias: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which records a question is about: one agent, optionally a half-open span, optionally some policies.

    Times are UTC microseconds; `policies` are digests, and empty means all.
    """

    agent: str
    since_us: int | None = None
    until_us: int | None = None
    policies: tuple[str, ...] = ()

    def condition(self, alias: str = "") -> tuple[str, tuple[str | int, ...]]:
        """Return the SQL condition of this scope and its parameters."""
        prefix = f"{alias}." if alias else ""
        parts = [f"{prefix}agent = ?"]
        values: list[str | int] = [self.agent]
        if self.since_us is not None:
            parts.append(f"{prefix}ts_us >= ?")
            values.append(self.since_us)
        if self.until_us is not None:
            parts.append(f"{prefix}ts_us < ?")
            values.append(self.until_us)
        if self.policies:
            parts.append(f"{prefix}policy_sha256 IN ({', '.join('?' * len(self.policies))})")
            values.extend(self.policies)
        return " AND ".join(parts), tuple(values)


def ask(log: Log, query: Query, scope: Scope, *extra: str | int) -> Figure:
    """Put a question to the log within a scope; `extra` are the parameters that follow the scope's own."""
    condition, values = scope.condition(query.alias)
    sql = query.sql.replace("{scope}", condition)
    params = values * query.sql.count("{scope}") + extra
    rows = tuple(tuple(row) for row in log.query(sql, params))
    return Figure(id=f"{scope.agent}.{query.id}", columns=query.columns, rows=rows, sql=sql, params=params)
