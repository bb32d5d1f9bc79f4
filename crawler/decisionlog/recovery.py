"""Seals the segments of writers that died, at the size that is durable.

A writer that opens a log does it for those before it, so that their roots stand in the registry from then on.
What is there must fit what was promised: the newest head in the table, and the newest in the registry. If it
does not, the log was changed, and nothing more is written to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, update

from crawler.decisionlog import schema
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.registry import Recovered, SegmentHeaded, SegmentSealed, decode
from crawler.decisionlog.rollup import write_rollup
from crawler.decisionlog.tree import CompactRange

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Row

    from crawler.decisionlog.registry_store import RegistryStore

_PAGE: Final = 20_000
_R: Final = schema.record.c


def unsealed(connection: Connection) -> list[int]:
    """Return the numbers of the segments that are not sealed."""
    column = schema.segment.c
    return list(
        connection.execute(select(column.id).where(column.sealed_us.is_(None)).order_by(column.id)).scalars()
    )


def recover(connection: Connection, registry: RegistryStore, number: int, *, now_us: int) -> None:
    """Seal a segment whose writer is gone, in the present transaction. Raises IntegrityError."""
    row = connection.execute(select(schema.segment).where(schema.segment.c.id == number)).one()
    tree = durable_tree(connection, row)
    last_us = connection.execute(
        select(_R.ts_us).where(_R.segment_id == number, _R.idx == tree.size - 1)
    ).scalar()
    event = Recovered(segment=row.uuid, size=tree.size, root=tree.root().hex())
    registry.append(event, now_us=now_us, segment_id=number)
    seal_segment(
        connection,
        registry,
        row=row,
        size=tree.size,
        root=tree.root(),
        last_us=row.opened_us if last_us is None else last_us,
        now_us=now_us,
        how="recovered",
    )


def seal_segment(
    connection: Connection,
    registry: RegistryStore,
    *,
    row: Row[tuple[object, ...]],
    size: int,
    root: bytes,
    last_us: int,
    now_us: int,
    how: str,
) -> None:
    """Write head, sums by host and seal of a segment, and the leaf that says so."""
    head = schema.head
    known = select(func.count()).where(head.c.segment_id == row.id, head.c.size == size)
    if not connection.execute(known).scalar():
        connection.execute(head.insert().values(segment_id=row.id, size=size, root=root, ts_us=last_us))
    rollup_size, rollup_root = write_rollup(connection, row.id)
    connection.execute(
        update(schema.segment)
        .where(schema.segment.c.id == row.id)
        .values(sealed_us=last_us, size=size, root=root)
    )
    first_us = connection.execute(select(_R.ts_us).where(_R.segment_id == row.id, _R.idx == 0)).scalar()
    registry.append(
        SegmentSealed(
            segment=row.uuid,
            size=size,
            root=root.hex(),
            rollup_size=rollup_size,
            rollup_root=rollup_root.hex(),
            first_us=first_us,
            last_us=last_us if size else None,
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


def durable_tree(connection: Connection, row: Row[tuple[object, ...]]) -> CompactRange:
    """Return the tree over a segment's records as far as they go. Raises IntegrityError."""
    promised = sorted(_promised(connection, row.id).items())
    tree = CompactRange()
    fetch: Callable[[int], list[tuple[int, bytes]]] = lambda first: [  # noqa: E731 - a page
        (idx, leaf)
        for idx, leaf in connection.execute(
            select(_R.idx, _R.leaf_hash)
            .where(_R.segment_id == row.id, _R.idx >= first)
            .order_by(_R.idx)
            .limit(_PAGE)
        )
    ]
    while page := fetch(tree.size):
        for idx, leaf in page:
            if idx != tree.size:
                raise _changed(row, f"record {tree.size} is gone")
            tree.extend((leaf,))
            while promised and promised[0][0] <= tree.size:
                _compare(row, tree, *promised.pop(0))
    for size, _ in promised:
        if size > tree.size:
            raise _changed(row, f"records {tree.size} to {size - 1} are gone")
    return tree


def _compare(row: Row[tuple[object, ...]], tree: CompactRange, size: int, root: bytes) -> None:
    if size == tree.size and root != tree.root():
        raise _changed(row, f"its records up to {size - 1} are not those of its head")


def _changed(row: Row[tuple[object, ...]], what: str) -> IntegrityError:
    return IntegrityError(
        f"segment {row.uuid} was never sealed, and its end was changed: {what}."
        " Nothing is added to this log: run `sekisho log verify`, keep the file, begin a new log"
    )
