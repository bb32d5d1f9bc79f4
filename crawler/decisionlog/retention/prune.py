"""Removes the records of whole sealed segments, after the registry has said so, under a signed checkpoint.

First the intent is signed and published, with the sums by host, root and seal that stay; then the rows go, a
few thousand at a time (but an index that has one row for each host at once); then the registry says that they
are gone. A crash between is resumed: what was intended is finished, and nothing else is touched.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, insert, literal, select, tuple_

from blocklists.errors import ExitCode, SekishoError
from crawler.decisionlog import schema, store
from crawler.decisionlog.registry import Pruned, PruneIntended
from crawler.decisionlog.retention.acts import BATCH
from crawler.decisionlog.retention.documents import announced, only_of
from crawler.decisionlog.retention.holds import held_under_way, holding, holds
from crawler.decisionlog.retention.plan import Item, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import ColumnElement, Table
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.retention.acts import Act, Actor

_ROWS: Final = (*schema.URL_INDEX, schema.opening, schema.posting, schema.head, schema.record)


class HeldError(SekishoError):
    """A hold stands that was not there when the plan was made (exit 5)."""

    exit_code = ExitCode.REFUSED


def intend(actor: Actor, item: Item, *, who: str, manifest: str | None, now_us: int) -> None:
    """Announce, signed, that the records of a due segment will go, unless somebody else just did.

    Raises HeldError, LogError.
    """
    if item.state is not State.DUE or item.series is None:
        raise ValueError(f"segment {item.segment} is not due: {item.state}")
    with actor.explained():
        documents = only_of(actor.connection, item.number)
        documents.catch_up()
    with actor.signed(now_us) as act:
        same = schema.pruning.c.segment_id == item.number
        if act.connection.execute(select(schema.pruning).where(same)).first() is not None:
            return
        held = holding(act.connection, holds(act.connection), item.number)
        if held is not None:
            raise HeldError(
                f"segment {item.segment} is held by {held.name} ({held.reason}): it stays until that hold is"
                " released"
            )
        rule = f"{item.series.name} {item.series.period} ({item.series.authority})"
        leaf = act.append(
            PruneIntended(
                segment=item.segment, size=item.size, root=item.root, rule=rule, actor=who, manifest=manifest
            ),
            segment_id=item.number,
        )
        act.connection.execute(insert(schema.pruning).values(segment_id=item.number, registry_idx=leaf))
        documents.catch_up()
        _discard(act, documents.unneeded, leaf)


def _discard(act: Act, digests: list[bytes], leaf: int) -> None:
    """Say which documents go. One that went before and was stored again since is named already."""
    column = schema.discarding.c
    for start in range(0, len(digests), BATCH):
        part = digests[start : start + BATCH]
        named = set(act.connection.execute(select(column.sha256).where(column.sha256.in_(part))).scalars())
        rows = [{"sha256": digest, "registry_idx": leaf} for digest in part if digest not in named]
        if rows:
            act.connection.execute(insert(schema.discarding), rows)


def finish(actor: Actor, item: Item, *, now_us: int, progress: Callable[[int], None] | None = None) -> int:
    """Delete what was announced, say in the registry that it is gone, and return the number of records."""
    with actor.explained():
        intent = actor.connection.execute(
            select(schema.pruning.c.registry_idx).where(schema.pruning.c.segment_id == item.number)
        ).scalar_one()
    gone = 0
    with actor.explained():
        indexed = store.has_url_index(actor.connection)
    for table in _ROWS if indexed else _ROWS[len(schema.URL_INDEX) :]:
        while True:
            count = _delete_some(actor, table, item.number)
            if table is schema.record:
                gone += count
                if progress is not None and count:
                    progress(gone)
            if not count:
                break
    _delete_documents(actor, item.number)
    with actor.signed(now_us) as act:
        if not _is_done(act.connection, item.number):
            _refuse_if_held(act.connection, item.number)  # others may hold what it went by, and go
            act.append(Pruned(segment=item.segment, intent=intent), segment_id=item.number)
    return gone


def _is_done(connection: Connection, number: int) -> bool:
    """Whether the registry says that a segment is pruned: nothing goes with it any more."""
    column = schema.registry.c
    done = select(column.idx).where(column.segment_id == number, column.kind == Pruned.KIND).limit(1)
    return connection.execute(done).first() is not None


def _delete_some(actor: Actor, table: Table, number: int) -> int:
    """Delete some rows of a segment, those of the highest index first, and return how many."""
    if table in {schema.posting, schema.url_key}:
        where = table.c.segment_id == number
    elif table is schema.url_posting:
        where = _last_buckets(actor, number)
    else:
        key = table.c.size if table is schema.head else table.c.idx
        with actor.plain() as connection:
            newest = connection.execute(select(func.max(key)).where(table.c.segment_id == number)).scalar()
        if newest is None:
            return 0
        where = (table.c.segment_id == number) & (key > newest - BATCH)
    with _unless_held(actor, number) as connection:
        return connection.execute(delete(table).where(where)).rowcount


def _last_buckets(actor: Actor, number: int) -> ColumnElement[bool]:
    """Return the condition for the last buckets of a segment's index of URLs."""
    column = schema.url_posting.c
    key = tuple_(column.host, column.bucket)
    own = select(column.host, column.bucket).where(column.segment_id == number)
    with actor.plain() as connection:
        first = connection.execute(
            own.order_by(column.host.desc(), column.bucket.desc()).offset(BATCH - 1).limit(1)
        ).first()
    if first is None:
        return column.segment_id == number
    last = (literal(value, one.type) for value, one in zip(first, (column.host, column.bucket), strict=True))
    return (column.segment_id == number) & (key >= tuple_(*last))


@contextmanager
def _unless_held(actor: Actor, number: int, *, documents: bool = False) -> Iterator[Connection]:
    """Begin a transaction that removes what was announced. Raises HeldError when a hold was set since."""
    with actor.plain() as connection:
        (store.keep_records if documents else store.append_records)(connection)
        store.number_alone(connection)  # a hold is set before this, and seen, or after the rows are gone
        _refuse_if_held(connection, number)
        yield connection


def _refuse_if_held(connection: Connection, number: int) -> None:
    held = holding(connection, holds(connection), number)
    if held is not None:
        raise HeldError(
            f"segment number {number} is held by {held.name} ({held.reason}) since its pruning began:"
            " what is left of it stays until that hold is released"
        )


def _delete_documents(actor: Actor, number: int) -> None:
    """Delete what was said to go, unless a record needs it that came since.

    In the transaction nobody appends records: what a writer counts on being there is in its records, or it
    looks for it in the transaction in which it names it. So it does until the segment is said to be pruned.

    None goes while another run is held whose pruning began: that its records are gone tells nothing of what
    was its own. What is left goes with the next pruning after that hold, whichever it is.
    """
    with actor.explained():
        if held_under_way(actor.connection) - {number}:
            return
        documents = announced(actor.connection)
        documents.catch_up()
    gone = documents.unneeded
    for start in range(0, len(gone), BATCH):
        with _unless_held(actor, number, documents=True) as connection:
            if _is_done(connection, number) or held_under_way(connection):  # two may do the same
                return
            documents.catch_up()
            part = documents.unneeded_of(gone[start : start + BATCH])
            connection.execute(delete(schema.document).where(schema.document.c.sha256.in_(part)))
