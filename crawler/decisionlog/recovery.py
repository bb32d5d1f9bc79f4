"""Seals the segments of writers that died, at the size that is durable.

A writer that opens a log does it for those before it, so that their roots stand in the registry from then on.
What is there must fit what was promised: the newest head in the table, and the newest in the registry. If it
does not, the log was changed, and nothing more is written to it.

Records are read and hashed before the transaction that seals, which would keep every other writer waiting:
under the segment's lock they stay as they are, and that they did is asked in the transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from crawler.decisionlog import schema, store, url_index
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.keys import load_key
from crawler.decisionlog.registry import Recovered, SegmentHeaded, SegmentSealed, decode
from crawler.decisionlog.registry_store import RegistryStore
from crawler.decisionlog.segment_lock import take_lock
from crawler.decisionlog.survey import pages, survey, write
from crawler.decisionlog.tree import CompactRange

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection, Row

    from crawler.decisionlog.custody import Custody
    from crawler.decisionlog.place import LogPlace
    from crawler.decisionlog.survey import Survey

_R = schema.record.c
_S = schema.segment.c


def recover_dead(connection: Connection, place: LogPlace, custody: Custody, *, now_us: int) -> None:
    """Seal what writers left that are gone, each segment in a transaction of its own.

    Raises LogError, IntegrityError and the database's errors.
    """
    unsealed = select(_S.id).where(_S.sealed_us.is_(None)).order_by(_S.id)
    for number in connection.execute(unsealed).scalars().all():
        lock = take_lock(place, connection, number)
        if lock is None:
            continue  # its writer lives, or somebody recovers it
        try:
            row = connection.execute(schema.segment.select().where(_S.id == number)).one()
            tree = CompactRange()
            key = load_key(custody.key_file)
            found = survey(connection, place, number, _hashing(connection, row, tree), key.sign)
            store.begin(connection)
            if _is_sealed(connection, number):  # by somebody who had the lock before
                store.roll_back(connection)
                continue
            write(connection, found)  # before the registry, for which others wait in PostgreSQL too
            registry = RegistryStore.open(connection, custody, now_us=now_us)  # others wrote to it meanwhile
            event = Recovered(segment=row.uuid, size=tree.size, root=tree.root().hex())
            registry.append(event, now_us=now_us, segment_id=number)
            seal(connection, registry, row, found, tree, now_us=now_us, how="recovered")
            registry.checkpoint()
            store.commit(connection)
            registry.publish()
        finally:
            lock.release(ended=True)


def _is_sealed(connection: Connection, number: int) -> bool:
    return connection.execute(select(_S.sealed_us).where(_S.id == number)).scalar() is not None


def seal(
    connection: Connection,
    registry: RegistryStore,
    row: Row[Any],
    found: Survey,
    tree: CompactRange,
    *,
    now_us: int,
    how: str,
) -> None:
    """Write last head and seal of a segment, whose sums are written, and the leaf that says so.

    Raises IntegrityError when the segment is not any more what the survey found.
    """
    if found.size != tree.size:
        raise _changed(row, f"it has {found.size} records, and {tree.size} were written")
    url_index.write(connection, row.id, found.urls)
    root, last_us = tree.root(), row.opened_us if found.last_us is None else found.last_us
    connection.execute(
        update(schema.segment).where(_S.id == row.id).values(sealed_us=last_us, size=found.size, root=root)
    )
    newest = select(_R.idx, _R.leaf_hash).where(_R.segment_id == row.id).order_by(_R.idx.desc()).limit(1)
    last = connection.execute(newest).first()  # from the update on nothing is appended
    if (found.size - 1, found.last_leaf) != ((-1, None) if last is None else (last.idx, last.leaf_hash)):
        raise _changed(row, f"it had {found.size} records when they were read")
    head = schema.head
    known = select(func.count()).where(head.c.segment_id == row.id, head.c.size == found.size)
    if not connection.execute(known).scalar():
        connection.execute(head.insert().values(segment_id=row.id, size=found.size, root=root, ts_us=last_us))
    registry.append(
        SegmentSealed(
            segment=row.uuid,
            size=found.size,
            root=root.hex(),
            rollup_size=len(found.sums),
            rollup_root=found.sums_root.hex(),
            first_us=found.first_us,
            last_us=found.last_us,
            how=how,
        ),
        now_us=now_us,
        segment_id=row.id,
    )


def _promised(connection: Connection, number: int) -> dict[int, bytes]:
    """Return the newest roots by size that were promised of a segment."""
    head, registry = schema.head.c, schema.registry.c
    newest = connection.execute(
        select(head.size, head.root).where(head.segment_id == number).order_by(head.size.desc()).limit(1)
    ).first()
    promised = {} if newest is None else {newest.size: newest.root}
    body = connection.execute(
        select(registry.body)
        .where(registry.segment_id == number, registry.kind == SegmentHeaded.KIND)
        .order_by(registry.idx.desc())
        .limit(1)
    ).scalar()
    if body is not None:
        event = decode(body).event
        if isinstance(event, SegmentHeaded):
            promised[event.size] = bytes.fromhex(event.root)
    return promised


def durable_tree(connection: Connection, row: Row[Any]) -> CompactRange:
    """Return the tree over a segment's records as far as they go. Raises IntegrityError."""
    tree = CompactRange()
    for _ in _hashing(connection, row, tree):
        pass
    return tree


def _hashing(connection: Connection, row: Row[Any], tree: CompactRange) -> Iterator[Sequence[Row[Any]]]:
    """Yield a segment's records page by page, and add them to its tree. Raises IntegrityError."""
    promised = sorted(_promised(connection, row.id).items())
    for rows in pages(connection, row.id):
        if rows[0].idx != tree.size or rows[-1].idx != tree.size + len(rows) - 1:
            gone = next(at for at, one in enumerate(rows, tree.size) if one.idx != at)
            raise _changed(row, f"record {gone} is gone")
        start, leaves = tree.size, [one.leaf_hash for one in rows]
        while promised and promised[0][0] <= start + len(leaves):
            size, root = promised.pop(0)
            tree.extend(leaves[tree.size - start : size - start])
            if tree.root() != root:
                raise _changed(row, f"its records up to {size - 1} are not those of its head")
        tree.extend(leaves[tree.size - start :])
        yield rows
    for size, _ in promised:
        if size > tree.size:
            raise _changed(row, f"records {tree.size} to {size - 1} are gone")


def _changed(row: Row[Any], what: str) -> IntegrityError:
    return IntegrityError(
        f"segment {row.uuid} was never sealed, and its end was changed: {what}."
        " Nothing is added to this log: run `sekisho log verify`, keep the file, begin a new log"
    )
