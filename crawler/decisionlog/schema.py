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
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import UserDefinedType

from crawler.decisionlog.guards import sqlite_statements

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

FORMAT: Final = "sekisho.log/2"
FORMAT_1: Final = "sekisho.log/1"  # without registry: read and verified, no longer written
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
# The tree in which segments open and close. `body` is what is hashed; the columns before it repeat members.
registry = Table(
    "registry", metadata,
    Column("idx", _Int, primary_key=True),  # 0, 1, 2 … without gaps
    Column("ts_us", _Int, nullable=False),
    Column("kind", Text, nullable=False),
    Column("segment_id", _Int),
    Column("body", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    **_STRICT,
)  # fmt: skip

# Signed heads of the registry: C2SP signed notes, verbatim.
checkpoint = Table(
    "checkpoint", metadata,
    Column("size", _Int, primary_key=True),  # leaves of the registry that it covers
    Column("ts_us", _Int, nullable=False),  # time of the last of them
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    **_STRICT,
)  # fmt: skip

# What others attested of a checkpoint: RFC 3161 tokens, cosignatures of witnesses.
anchor = Table(
    "anchor", metadata,
    Column("id", _Int, primary_key=True),
    Column("size", _Int, nullable=False),  # of the checkpoint
    Column("ts_us", _Int, nullable=False),  # when it was received
    Column("kind", Text, nullable=False),  # rfc3161 or cosignature
    Column("name", Text, nullable=False),  # address of the authority, or name of the witness
    Column("body", LargeBinary, nullable=False),
    **_STRICT,
)  # fmt: skip

# Sums by host of a segment, written when it is sealed; their root is in the seal's leaf.
rollup = Table(
    "rollup", metadata,
    Column("host_key", Text, nullable=False),  # reversed labels: org.example.
    Column("segment_id", _Int, nullable=False),
    Column("n_fetch", _Int, nullable=False),
    Column("n_skip", _Int, nullable=False),
    Column("n_defer", _Int, nullable=False),
    Column("n_keep", _Int, nullable=False),
    Column("n_drop", _Int, nullable=False),
    Column("reasons", Text, nullable=False),  # canonical JSON: reason to count
    Column("policies", Text, nullable=False),  # canonical JSON: digests in hex, sorted
    Column("first_us", _Int, nullable=False),
    Column("last_us", _Int, nullable=False),
    Column("first_idx", _Int, nullable=False),
    Column("last_idx", _Int, nullable=False),
    PrimaryKeyConstraint("host_key", "segment_id"),
    Index("rollup_of_segment", "segment_id", "host_key"),
    **_CLUSTERED,
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
    Column("segment_id", _Int, primary_key=True),
    Column("registry_idx", _Int, nullable=False),
    **_STRICT,
)  # fmt: skip

discarding = Table(
    "discarding", metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("registry_idx", _Int, nullable=False),
    **_CLUSTERED,
)  # fmt: skip

SINCE_2: Final = (registry, checkpoint, anchor, rollup, erasure, pruning, discarding)


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


def create(connection: Connection) -> None:
    """Create everything in an empty SQLite database; the caller holds the transaction."""
    metadata.create_all(connection, checkfirst=False)
    connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('format', ?)", (FORMAT,))
    connection.exec_driver_sql(VIEW)
    for statement in sqlite_statements():
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
