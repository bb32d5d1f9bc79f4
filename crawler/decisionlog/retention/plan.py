"""What the schedule says of every segment today: due, held, not due, open, pruned, or without a series."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import select

from crawler.decisionlog import schema
from crawler.decisionlog.registry import Exported, Pruned, SegmentOpened, decode
from crawler.decisionlog.retention.holds import holding, holds

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.retention.schedule import Schedule, Series


class State(StrEnum):
    """What is to be done with a segment."""

    OPEN = "open"
    KEPT = "kept"
    DUE = "due"
    HELD = "held"
    UNDER_WAY = "pruning"
    PRUNED = "pruned"
    UNSCHEDULED = "unscheduled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One segment under the schedule. Times are UTC in microseconds.

    `exports` are the manifests (SHA-256) of exports that the registry has of it.
    """

    number: int
    segment: str
    run: str
    retention: str
    size: int
    root: str
    ended_us: int | None
    due_us: int | None
    state: State
    hold: str | None
    series: Series | None
    exports: tuple[str, ...]


def plan(connection: Connection, schedule: Schedule, *, now_us: int) -> list[Item]:
    """Return every segment with what is to be done with it, in the order of their numbers."""
    classes, exports, pruned = _told(connection)
    intended = set(connection.execute(select(schema.pruning.c.segment_id)).scalars())
    found = holds(connection)
    items = []
    for row in connection.execute(select(schema.segment).order_by(schema.segment.c.id)):
        name = classes.get(row.uuid, "default")
        series = schedule.of(name)
        due_us = None if series is None or row.sealed_us is None else series.due_us(row.sealed_us)
        state, hold = State.KEPT, None
        if row.uuid in pruned:
            state = State.PRUNED
        elif row.id in intended:
            held = holding(connection, found, row.id)
            state, hold = (State.UNDER_WAY, None) if held is None else (State.HELD, held.name)
        elif row.sealed_us is None:
            state = State.OPEN
        elif series is None:
            state = State.UNSCHEDULED
        elif due_us is not None and due_us <= now_us:
            held = holding(connection, found, row.id)
            state, hold = (State.DUE, None) if held is None else (State.HELD, held.name)
        items.append(
            Item(
                number=row.id,
                segment=row.uuid,
                run=row.run_id,
                retention=name,
                size=row.size or 0,
                root="" if row.root is None else row.root.hex(),
                ended_us=row.sealed_us,
                due_us=due_us,
                state=state,
                hold=hold,
                series=series,
                exports=tuple(exports.get(row.uuid, ())),
            )
        )
    return items


def _told(connection: Connection) -> tuple[dict[str, str], dict[str, list[str]], set[str]]:
    """Return what the registry says of segments: their classes, their exports, and which are pruned."""
    column = schema.registry.c
    classes: dict[str, str] = {}
    exports: dict[str, list[str]] = {}
    pruned: set[str] = set()
    kinds = (SegmentOpened.KIND, Exported.KIND, Pruned.KIND)
    for row in connection.execute(select(column.body).where(column.kind.in_(kinds)).order_by(column.idx)):
        match decode(row.body).event:
            case SegmentOpened(segment=segment, retention=retention):
                classes[segment] = retention
            case Exported(segment=segment, manifest=manifest):
                exports.setdefault(segment, []).append(manifest)
            case Pruned(segment=segment):
                pruned.add(segment)
            case _:
                pass
    return classes, exports, pruned
