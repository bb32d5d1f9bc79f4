"""What keeps a log append-only: conditions under which a statement on a table is refused, as triggers.

They stop accidents and a compromised crawler, not somebody who owns the database: see README.md.
`INSERT OR REPLACE` passes by DELETE triggers in SQLite (`recursive_triggers` is off by default,
https://www.sqlite.org/lang_createtrigger.html), so that BEFORE INSERT guards demand the next index.
Deleting is possible only for what a leaf of the registry has named before: an erased URL, a pruned segment,
a document that only pruned segments needed.

Conditions are written once, in SQL that PostgreSQL reads too. Names tables, imports nothing of the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_NEXT_IDX: Final = "(SELECT coalesce(max(idx) + 1, 0) FROM record WHERE segment_id = NEW.segment_id)"
_SEGMENT_IDENTITY: Final = ("id", "uuid", "run_id", "agent", "schema_ver", "opened_us", "nonce")
# Rows that go when their segment is pruned; everything else about it stays for ever.
_PRUNED: Final = ("record", "opening", "head", "posting")
_FOR_EVER: Final = ("meta", "segment", "context", "registry", "checkpoint", "anchor", "rollup",
                    "erasure", "pruning", "discarding")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A trigger: refuse the event (INSERT, UPDATE, DELETE) when the condition holds for one of its rows."""

    table: str
    event: str
    when: str
    message: str


def _exists(table: str, key: str) -> str:
    """Whether the table has a row for NEW's segment and key already."""
    return f"EXISTS (SELECT 1 FROM {table} WHERE segment_id = NEW.segment_id AND {key} = NEW.{key})"  # noqa: S608 - names of this file


def _next(table: str, key: str, first: int) -> str:
    return f"NEW.{key} IS DISTINCT FROM (SELECT coalesce(max({key}) + 1, {first}) FROM {table})"  # noqa: S608 - names of this file


def _named_by(kind: str, *, segment: bool = True) -> str:
    """Whether the registry has the leaf that NEW names, of this kind and for its segment."""
    return (
        "EXISTS (SELECT 1 FROM registry WHERE idx = NEW.registry_idx"  # noqa: S608 - names of this file
        f" AND kind = '{kind}'" + (" AND segment_id = NEW.segment_id)" if segment else ")")
    )


def _segments() -> Iterator[Guard]:
    same = "EXISTS (SELECT 1 FROM segment WHERE uuid = NEW.uuid)"
    yield Guard(
        table="segment",
        event="INSERT",
        when=f"{_next('segment', 'id', 1)} OR {same} OR NEW.sealed_us IS NOT NULL"
        " OR NEW.size IS NOT NULL OR NEW.root IS NOT NULL",
        message="a segment takes the next number and is opened before it is sealed",
    )
    yield Guard(
        table="segment",
        event="UPDATE",
        when="OLD.sealed_us IS NOT NULL OR NEW.sealed_us IS NULL OR NEW.size IS NULL OR NEW.root IS NULL OR "
        + " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in _SEGMENT_IDENTITY),
        message="a segment changes once, when it is sealed",
    )


def _records() -> Iterator[Guard]:
    yield Guard(
        table="record",
        event="INSERT",
        when=f"NEW.idx IS DISTINCT FROM {_NEXT_IDX}",
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
        table="context",
        event="INSERT",
        when=_next("context", "id", 1),
        message="a context takes the next number",
    )
    yield Guard(
        table="head",
        event="INSERT",
        when=f"NEW.size IS DISTINCT FROM {_NEXT_IDX} OR {_exists('head', 'size')}",
        message="a head is written once and covers every record of its segment",
    )


def _registry() -> Iterator[Guard]:
    yield Guard(
        table="registry",
        event="INSERT",
        when=_next("registry", "idx", 0),
        message="a leaf of the registry takes the next index, no other",
    )
    yield Guard(
        table="checkpoint",
        event="INSERT",
        when="NEW.size IS DISTINCT FROM (SELECT coalesce(max(idx) + 1, 0) FROM registry)"
        " OR EXISTS (SELECT 1 FROM checkpoint WHERE size = NEW.size)",
        message="a checkpoint is written once and covers the whole registry",
    )
    yield Guard(
        table="anchor",
        event="INSERT",
        when=f"{_next('anchor', 'id', 1)} OR NOT EXISTS (SELECT 1 FROM checkpoint WHERE size = NEW.size)",  # noqa: S608 - names of this file
        message="an attestation belongs to a checkpoint and takes the next number",
    )
    for table in ("rollup", "posting"):
        yield Guard(
            table=table,
            event="INSERT",
            when=f"EXISTS (SELECT 1 FROM {table} WHERE host_key = NEW.host_key"  # noqa: S608 - names of this file
            " AND segment_id = NEW.segment_id)"
            " OR NOT EXISTS (SELECT 1 FROM segment WHERE id = NEW.segment_id AND sealed_us IS NULL)",
            message="the sums of a segment are written once, when it is sealed",
        )
    yield Guard(
        table="erasure",
        event="INSERT",
        when=f"{_exists('erasure', 'idx')} OR NOT {_named_by('erase')}",
        message="an erasure needs its leaf in the registry",
    )
    yield Guard(
        table="pruning",
        event="INSERT",
        when="EXISTS (SELECT 1 FROM pruning WHERE segment_id = NEW.segment_id)"  # noqa: S608 - names of this file
        f" OR NOT {_named_by('prune_intent')}"
        " OR NOT EXISTS (SELECT 1 FROM segment WHERE id = NEW.segment_id AND sealed_us IS NOT NULL)",
        message="a pruning needs its leaf in the registry, and a sealed segment",
    )
    yield Guard(
        table="discarding",
        event="INSERT",
        when="EXISTS (SELECT 1 FROM discarding WHERE sha256 = NEW.sha256)"  # noqa: S608 - names of this file
        f" OR NOT ({_named_by('prune_intent', segment=False)}"
        f" OR {_named_by('erase_document', segment=False)})",
        message="a document goes with a pruned segment, or by an entry of its own",
    )


def _changes() -> Iterator[Guard]:
    for table in (*_FOR_EVER, *_PRUNED, "document"):
        if table != "segment":
            yield Guard(table=table, event="UPDATE", when="TRUE", message="nothing in a log is changed")
    for table in _FOR_EVER:
        yield Guard(table=table, event="DELETE", when="TRUE", message="nothing in a log is deleted")
    pruned = "NOT EXISTS (SELECT 1 FROM pruning WHERE segment_id = OLD.segment_id)"
    erased = "NOT EXISTS (SELECT 1 FROM erasure WHERE segment_id = OLD.segment_id AND idx = OLD.idx)"
    for table in _PRUNED:
        yield Guard(
            table=table,
            event="DELETE",
            when=f"{pruned} AND {erased}" if table == "opening" else pruned,
            message="nothing in a log is deleted unless its registry says so before",
        )
    yield Guard(
        table="document",
        event="DELETE",
        when="NOT EXISTS (SELECT 1 FROM discarding WHERE sha256 = OLD.sha256)",
        message="nothing in a log is deleted unless its registry says so before",
    )


def _url_index() -> Iterator[Guard]:
    """Yield the guards of an index of URLs: written before its segment is sealed, gone as a whole."""
    sealed = "NOT EXISTS (SELECT 1 FROM segment WHERE id = NEW.segment_id AND sealed_us IS NULL)"
    erased = (
        "EXISTS (SELECT 1 FROM erasure e JOIN record r ON r.segment_id = e.segment_id AND r.idx = e.idx"
        " WHERE e.segment_id = {row}.segment_id AND r.host = {row}.host)"
    )
    key = "EXISTS (SELECT 1 FROM url_key WHERE segment_id = {row}.segment_id AND host = {row}.host)"
    yield Guard(
        table="url_key",
        event="INSERT",
        when=f"{key.format(row='NEW')} OR {sealed} OR {erased.format(row='NEW')}",
        message="an index of URLs is written once, when its segment is sealed, and not with an erased one",
    )
    yield Guard(
        table="url_posting",
        event="INSERT",
        when="EXISTS (SELECT 1 FROM url_posting WHERE segment_id = NEW.segment_id AND host = NEW.host"  # noqa: S608 - names of this file
        f" AND bucket = NEW.bucket) OR {sealed} OR NOT {key.format(row='NEW')}",
        message="a part of an index of URLs is written once, when its segment is sealed, behind its key",
    )
    for table in ("url_key", "url_posting"):
        yield Guard(table=table, event="UPDATE", when="TRUE", message="nothing in a log is changed")
    yield Guard(
        table="url_key",
        event="DELETE",
        when="NOT EXISTS (SELECT 1 FROM pruning WHERE segment_id = OLD.segment_id)"  # noqa: S608 - names of this file
        f" AND NOT {erased.format(row='OLD')}",
        message="an index of URLs goes when its segment is pruned or a URL of its host is erased",
    )
    yield Guard(
        table="url_posting",
        event="DELETE",
        when=key.format(row="OLD"),
        message="an index of URLs goes as a whole, the key first",
    )


def guards() -> Iterator[Guard]:
    """Yield every guard of a log of the present format."""
    yield from _records()
    yield from _segments()
    yield from _registry()
    yield Guard(
        table="meta", event="INSERT", when="TRUE", message="the format of a log is fixed when it is made"
    )
    yield from _changes()
    yield from _url_index()


def sqlite_statements(tables: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the CREATE TRIGGER statements of SQLite (`IS NOT` there, for versions before 3.39).

    All of them, or those of some tables.
    """
    return tuple(
        f"CREATE TRIGGER guard_{number:02d}_{guard.table}_{guard.event.lower()} BEFORE {guard.event}"
        f" ON {guard.table} WHEN {guard.when.replace(' IS DISTINCT FROM ', ' IS NOT ')}"
        f" BEGIN SELECT RAISE(ABORT, 'sekisho: {guard.message}'); END"
        for number, guard in enumerate(guards())
        if tables is None or guard.table in tables
    )
