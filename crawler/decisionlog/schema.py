"""The tables and the view `decisions` that exporters query; what keeps them append-only is in `guards`.

Format 2 is format 1 with the tables from `registry` on: records are the same to the octet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from crawler.decisionlog.column_types import KeptText as _Text
from crawler.decisionlog.column_types import KeptUrl as _Url
from crawler.decisionlog.guards import sqlite_statements
from crawler.decisionlog.portable_text import MARK

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

FORMAT: Final = "sekisho.log/2"
FORMAT_1: Final = "sekisho.log/1"  # without registry: read and verified, no longer written
APPLICATION_ID: Final = 0x53454B49  # "SEKI", shown by file(1)

_Int = BigInteger().with_variant(Integer(), "sqlite")
_STRICT: dict[str, Any] = {"sqlite_strict": True}
_CLUSTERED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}

metadata = MetaData()

meta = Table(
    "meta", metadata,
    Column("key", _Text, primary_key=True, nullable=False),
    Column("value", _Text, nullable=False),
    **_CLUSTERED,
)  # fmt: skip

document = Table(
    "document", metadata,
    Column("id", _Int, primary_key=True, autoincrement=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("kind", _Text, nullable=False),
    Column("size", _Int, nullable=False),  # octets before compression
    Column("codec", _Text, nullable=False),  # raw or zlib
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("sha256"),
    **_STRICT,
)  # fmt: skip

segment = Table(
    "segment", metadata,
    Column("id", _Int, primary_key=True, autoincrement=False),  # 1, 2, 3 … without gaps
    Column("uuid", _Text, nullable=False),
    Column("run_id", _Text, nullable=False),
    Column("agent", _Text, nullable=False),
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
    Column("id", _Int, primary_key=True, autoincrement=False),
    Column("agent", _Text, nullable=False),
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
    Column("stage", _Text, nullable=False),
    Column("verdict", _Text, nullable=False),
    Column("reason", _Text, nullable=False),
    Column("kind", _Text),
    Column("method", _Text, nullable=False),
    Column("host", _Text),
    Column("domain", _Text),
    Column("url_commit", LargeBinary),
    Column("parent_commit", LargeBinary),
    Column("basis_sha256", LargeBinary),
    Column("ref_idx", _Int),
    Column("attempt", _Int, nullable=False),
    Column("status", _Int),
    Column("size", _Int),
    Column("body_sha256", LargeBinary),
    Column("media_type", _Text),
    Column("error", _Text),
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
    Column("url", _Url),
    Column("parent_url", _Url),
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
# The tree in which segments open and close. `body` is what is hashed; the columns before it repeat members.
registry = Table(
    "registry", metadata,
    Column("idx", _Int, primary_key=True, autoincrement=False),  # 0, 1, 2 … without gaps
    Column("ts_us", _Int, nullable=False),
    Column("kind", _Text, nullable=False),
    Column("segment_id", _Int),
    Column("body", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Index("registry_of_kind", "kind", "idx"),
    Index("registry_of_segment", "segment_id", "kind"),
    **_STRICT,
)  # fmt: skip

# Signed heads of the registry: C2SP signed notes, verbatim.
checkpoint = Table(
    "checkpoint", metadata,
    Column("size", _Int, primary_key=True, autoincrement=False),  # leaves of the registry that it covers
    Column("ts_us", _Int, nullable=False),  # time of the last of them
    Column("root", LargeBinary, nullable=False),
    Column("note", _Text, nullable=False),
    **_STRICT,
)  # fmt: skip

# What others attested of a checkpoint: RFC 3161 tokens, cosignatures of witnesses.
anchor = Table(
    "anchor", metadata,
    Column("id", _Int, primary_key=True, autoincrement=False),
    Column("size", _Int, nullable=False),  # of the checkpoint
    Column("ts_us", _Int, nullable=False),  # when it was received
    Column("kind", _Text, nullable=False),  # rfc3161 or cosignature
    Column("name", _Text, nullable=False),  # address of the authority, or name of the witness
    Column("body", LargeBinary, nullable=False),
    **_STRICT,
)  # fmt: skip

# Sums by host of a segment, written when it is sealed; their root is in the seal's leaf.
rollup = Table(
    "rollup", metadata,
    Column("host_key", _Text, nullable=False),  # reversed labels: org.example.
    Column("segment_id", _Int, nullable=False),
    Column("n_fetch", _Int, nullable=False),
    Column("n_skip", _Int, nullable=False),
    Column("n_defer", _Int, nullable=False),
    Column("n_keep", _Int, nullable=False),
    Column("n_drop", _Int, nullable=False),
    Column("reasons", _Text, nullable=False),  # canonical JSON: reason to count
    Column("policies", _Text, nullable=False),  # canonical JSON: digests in hex, sorted
    Column("first_us", _Int, nullable=False),
    Column("last_us", _Int, nullable=False),
    Column("first_idx", _Int, nullable=False),
    Column("last_idx", _Int, nullable=False),
    PrimaryKeyConstraint("host_key", "segment_id"),
    Index("rollup_of_segment", "segment_id", "host_key"),
    **_CLUSTERED,
)  # fmt: skip

# Where the records of a host are: an index, checked against the sums whenever it is used, no evidence itself.
posting = Table(
    "posting", metadata,
    Column("host_key", _Text, nullable=False),
    Column("segment_id", _Int, nullable=False),
    Column("places", LargeBinary, nullable=False),  # indices as differences in LEB128
    PrimaryKeyConstraint("host_key", "segment_id"),
    **_CLUSTERED,
)  # fmt: skip

# Where the records of a URL are, for hosts with many (`url_index`): signed, no evidence itself, and gone as
# soon as one URL of the host is erased. A log may be without these two.
url_key = Table(
    "url_key", metadata,
    Column("segment_id", _Int, nullable=False),
    Column("host", _Text, nullable=False),
    Column("key", LargeBinary, nullable=False),  # of the digests of URLs, 16 random octets
    Column("buckets", _Int, nullable=False),
    PrimaryKeyConstraint("segment_id", "host"),
    **_CLUSTERED,
)  # fmt: skip

url_posting = Table(
    "url_posting", metadata,
    Column("segment_id", _Int, nullable=False),
    Column("host", _Text, nullable=False),
    Column("bucket", _Int, nullable=False),
    Column("body", LargeBinary, nullable=False),  # signature, digests and places
    PrimaryKeyConstraint("segment_id", "host", "bucket"),
    **_STRICT,  # two rows a page; clustered, most of a row would have a page of its own
)  # fmt: skip

# What may be deleted, and by which leaf of the registry: guards let nothing else go.
erasure = Table(
    "erasure", metadata,
    Column("segment_id", _Int, nullable=False),
    Column("idx", _Int, nullable=False),
    Column("registry_idx", _Int, nullable=False),
    PrimaryKeyConstraint("segment_id", "idx"),
    **_CLUSTERED,
)  # fmt: skip

pruning = Table(
    "pruning", metadata,
    Column("segment_id", _Int, primary_key=True, autoincrement=False),
    Column("registry_idx", _Int, nullable=False),
    **_STRICT,
)  # fmt: skip

discarding = Table(
    "discarding", metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("registry_idx", _Int, nullable=False),
    **_CLUSTERED,
)  # fmt: skip

URL_INDEX: Final = (url_key, url_posting)
SINCE_2: Final = (
    registry, checkpoint, anchor, rollup, posting, *URL_INDEX, erasure, pruning, discarding,
)  # fmt: skip


# One statement a table, made once: appending is the path that is hot.
INSERT: Final = {
    table: f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})"  # noqa: S608 - names of this file
    for table in metadata.tables.values()
}


# Documented in README.md: exporters print their queries against it, so that anybody can repeat them.
def _view(*, hex_of: str, url_of: str) -> str:
    """Return the view for an engine's way to write octets in hex, and a URL that may be octets."""

    def digest(column: str) -> str:
        return f"CASE WHEN {column} IS NOT NULL THEN {hex_of.format(column)} END"

    return f"""
CREATE VIEW decisions AS
SELECT s.uuid AS segment, r.idx AS idx, s.run_id AS run, r.ts_us AS ts_us,
       r.stage AS stage, r.verdict AS verdict, r.reason AS reason, r.kind AS kind, r.method AS method,
       {url_of.format("o.url")} AS url, {url_of.format("o.parent_url")} AS parent_url,
       r.host AS host, r.domain AS domain, c.agent AS agent,
       r.status AS status, r.size AS size, {digest("r.body_sha256")} AS body_sha256,
       r.media_type AS media_type, r.error AS error, r.ref_idx AS ref_idx, r.attempt AS attempt,
       {hex_of.format("c.policy_sha256")} AS policy_sha256,
       {hex_of.format("c.blocklist_sha256")} AS blocklist_sha256,
       {digest("r.basis_sha256")} AS basis_sha256, {hex_of.format("r.leaf_hash")} AS leaf_hash
  FROM record r
  JOIN segment s ON s.id = r.segment_id
  JOIN context c ON c.id = r.context_id
  LEFT JOIN opening o ON o.segment_id = r.segment_id AND o.idx = r.idx
"""  # noqa: S608 - names of this file


VIEW: Final = _view(
    hex_of="lower(hex({0}))",
    url_of="CASE typeof({0}) WHEN 'blob' THEN 'x-octets:' || lower(hex({0})) ELSE {0} END",
)
POSTGRES_VIEW: Final = _view(
    hex_of="encode({0}, 'hex')",
    url_of="CASE WHEN left({0}, 2) = '" + MARK + "x' THEN 'x-octets:' || substr({0}, 3) ELSE {0} END",
).replace("CREATE VIEW", "CREATE OR REPLACE VIEW")


def create(connection: Connection) -> None:
    """Create everything in an empty SQLite database; the caller holds the transaction."""
    metadata.create_all(connection, checkfirst=False)
    connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('format', ?)", (FORMAT,))
    connection.exec_driver_sql(VIEW)
    for statement in sqlite_statements():
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


def complete(connection: Connection) -> None:
    """Give a log in SQLite that has none the tables of `URL_INDEX`; the caller holds the transaction."""
    for table in URL_INDEX:
        table.create(connection)
    for statement in sqlite_statements({table.name for table in URL_INDEX}):
        connection.exec_driver_sql(statement)
