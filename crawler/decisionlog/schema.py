"""The tables, the triggers that keep them append-only, and the view `decisions` that exporters query.

Triggers stop accidents and a compromised crawler, not somebody who owns the file: see README.md.
`INSERT OR REPLACE` passes by DELETE triggers (`recursive_triggers` is off by default,
https://www.sqlite.org/lang_createtrigger.html), so that BEFORE INSERT guards demand the next index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import UserDefinedType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

FORMAT: Final = "sekisho.log/1"
APPLICATION_ID: Final = 0x53454B49  # "SEKI", shown by file(1)


class _TextOrOctets(UserDefinedType[Any]):
    """SQLite's ANY: a URL that is no valid Unicode is kept as octets, every other one as text."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "ANY"


_Int = BigInteger().with_variant(Integer(), "sqlite")
_STRICT: dict[str, Any] = {"sqlite_strict": True}
_CLUSTERED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}

metadata = MetaData()

meta = Table(
    "meta", metadata,
    Column("key", Text, primary_key=True, nullable=False),
    Column("value", Text, nullable=False),
    **_CLUSTERED,
)  # fmt: skip

document = Table(
    "document", metadata,
    Column("id", _Int, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    Column("size", _Int, nullable=False),  # octets before compression
    Column("codec", Text, nullable=False),  # raw or zlib
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("sha256"),
    **_STRICT,
)  # fmt: skip

segment = Table(
    "segment", metadata,
    Column("id", _Int, primary_key=True),  # 1, 2, 3 … without gaps
    Column("uuid", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("schema_ver", _Int, nullable=False),
    Column("opened_us", _Int, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("sealed_us", _Int),  # time of the last record (opened_us without one); NULL: not sealed
    Column("size", _Int),
    Column("root", LargeBinary),
    UniqueConstraint("uuid"),
    **_STRICT,
)  # fmt: skip

# Agent, policy and lists hardly ever change within a run: one row instead of 100 octets in every record.
context = Table(
    "context", metadata,
    Column("id", _Int, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("policy_sha256", LargeBinary, nullable=False),
    Column("blocklist_sha256", LargeBinary, nullable=False),
    **_STRICT,
)  # fmt: skip

record = Table(
    "record", metadata,
    Column("segment_id", _Int, nullable=False),
    Column("idx", _Int, nullable=False),
    Column("ts_us", _Int, nullable=False),
    Column("mono_ns", _Int, nullable=False),
    Column("stage", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("kind", Text),
    Column("method", Text, nullable=False),
    Column("host", Text),
    Column("domain", Text),
    Column("url_commit", LargeBinary),
    Column("parent_commit", LargeBinary),
    Column("basis_sha256", LargeBinary),
    Column("ref_idx", _Int),
    Column("attempt", _Int, nullable=False),
    Column("status", _Int),
    Column("size", _Int),
    Column("body_sha256", LargeBinary),
    Column("media_type", Text),
    Column("error", Text),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("context_id", _Int, nullable=False),
    PrimaryKeyConstraint("segment_id", "idx"),
    **_CLUSTERED,
)  # fmt: skip

# The only personal data, and therefore apart: erasing will remove rows here and nowhere else.
opening = Table(
    "opening", metadata,
    Column("segment_id", _Int, nullable=False),
    Column("idx", _Int, nullable=False),
    Column("url", Text().with_variant(_TextOrOctets(), "sqlite")),
    Column("parent_url", Text().with_variant(_TextOrOctets(), "sqlite")),
    Column("salt", LargeBinary, nullable=False),
    PrimaryKeyConstraint("segment_id", "idx"),
    **_CLUSTERED,
)  # fmt: skip

head = Table(
    "head", metadata,
    Column("segment_id", _Int, nullable=False),
    Column("size", _Int, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("ts_us", _Int, nullable=False),  # time of its last record (opened_us of the segment without one)
    PrimaryKeyConstraint("segment_id", "size"),
    **_CLUSTERED,
)  # fmt: skip

_NEXT_IDX = "(SELECT coalesce(max(idx) + 1, 0) FROM record WHERE segment_id = NEW.segment_id)"


def _exists(table: str, key: str) -> str:
    """Whether the table has a row for NEW's segment and key already."""
    return f"EXISTS (SELECT 1 FROM {table} WHERE segment_id = NEW.segment_id AND {key} = NEW.{key})"  # noqa: S608 - names of this file


def _next_id(table: str) -> str:
    return f"(SELECT coalesce(max(id), 0) + 1 FROM {table})"  # noqa: S608 - names of this file


_SAME_UUID = "EXISTS (SELECT 1 FROM segment WHERE uuid = NEW.uuid)"
_SEGMENT_IDENTITY = ("id", "uuid", "run_id", "agent", "schema_ver", "opened_us", "nonce")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A trigger: refuse the statement on the table when the condition holds for one of its rows."""

    table: str
    event: str
    when: str
    message: str


def _guards() -> Iterator[Guard]:
    yield Guard(
        table="record",
        event="INSERT",
        when=f"NEW.idx IS NOT {_NEXT_IDX}",
        message="a record takes the next index of its segment, no other",
    )
    yield Guard(
        table="record",
        event="INSERT",
        when="NOT EXISTS (SELECT 1 FROM segment WHERE id = NEW.segment_id AND sealed_us IS NULL)",
        message="records are appended to open segments only",
    )
    yield Guard(
        table="opening",
        event="INSERT",
        when=f"{_exists('opening', 'idx')} OR NOT {_exists('record', 'idx')}",
        message="an opening belongs to one record and is written once",
    )
    yield Guard(
        table="document",
        event="INSERT",
        when="EXISTS (SELECT 1 FROM document WHERE sha256 = NEW.sha256 OR id = NEW.id)",
        message="a document is written once",
    )
    yield Guard(
        table="segment",
        event="INSERT",
        when=f"NEW.id IS NOT {_next_id('segment')} OR {_SAME_UUID} OR NEW.sealed_us IS NOT NULL"
        " OR NEW.size IS NOT NULL OR NEW.root IS NOT NULL",
        message="a segment takes the next number and is opened before it is sealed",
    )
    yield Guard(
        table="segment",
        event="UPDATE",
        when="OLD.sealed_us IS NOT NULL OR NEW.sealed_us IS NULL OR NEW.size IS NULL OR NEW.root IS NULL OR "
        + " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _SEGMENT_IDENTITY),
        message="a segment changes once, when it is sealed",
    )
    yield Guard(
        table="context",
        event="INSERT",
        when=f"NEW.id IS NOT {_next_id('context')}",
        message="a context takes the next number",
    )
    yield Guard(
        table="head",
        event="INSERT",
        when=f"NEW.size IS NOT {_NEXT_IDX} OR {_exists('head', 'size')}",
        message="a head is written once and covers every record of its segment",
    )
    yield Guard(
        table="meta", event="INSERT", when="TRUE", message="the format of a log is fixed when it is made"
    )
    for table in metadata.tables:
        if table != "segment":
            yield Guard(table=table, event="UPDATE", when="TRUE", message="nothing in a log is changed")
        yield Guard(table=table, event="DELETE", when="TRUE", message="nothing in a log is deleted")


def _hex(column: str) -> str:
    return f"lower(hex({column}))"


def _hex_or_null(column: str) -> str:
    return f"CASE WHEN {column} IS NOT NULL THEN {_hex(column)} END"


def _url(column: str) -> str:
    return f"CASE typeof({column}) WHEN 'blob' THEN 'x-octets:' || {_hex(column)} ELSE {column} END"


# Documented in README.md: exporters print their queries against it, so that anybody can repeat them.
VIEW: Final = f"""
CREATE VIEW decisions AS
SELECT s.uuid AS segment, r.idx AS idx, s.run_id AS run, r.ts_us AS ts_us,
       r.stage AS stage, r.verdict AS verdict, r.reason AS reason, r.kind AS kind, r.method AS method,
       {_url("o.url")} AS url, {_url("o.parent_url")} AS parent_url,
       r.host AS host, r.domain AS domain, c.agent AS agent,
       r.status AS status, r.size AS size, {_hex_or_null("r.body_sha256")} AS body_sha256,
       r.media_type AS media_type, r.error AS error, r.ref_idx AS ref_idx, r.attempt AS attempt,
       {_hex("c.policy_sha256")} AS policy_sha256, {_hex("c.blocklist_sha256")} AS blocklist_sha256,
       {_hex_or_null("r.basis_sha256")} AS basis_sha256, {_hex("r.leaf_hash")} AS leaf_hash
  FROM record r
  JOIN segment s ON s.id = r.segment_id
  JOIN context c ON c.id = r.context_id
  LEFT JOIN opening o ON o.segment_id = r.segment_id AND o.idx = r.idx
"""  # noqa: S608 - names of this file


def guard_statements() -> tuple[str, ...]:
    """Return the CREATE TRIGGER statements of SQLite."""
    return tuple(
        f"CREATE TRIGGER guard_{number:02d}_{guard.table}_{guard.event.lower()} BEFORE {guard.event}"
        f" ON {guard.table} WHEN {guard.when} BEGIN SELECT RAISE(ABORT, 'sekisho: {guard.message}'); END"
        for number, guard in enumerate(_guards())
    )


def create(connection: Connection) -> None:
    """Create everything in an empty SQLite database; the caller holds the transaction."""
    metadata.create_all(connection, checkfirst=False)
    connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('format', ?)", (FORMAT,))
    connection.exec_driver_sql(VIEW)
    for statement in guard_statements():
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
