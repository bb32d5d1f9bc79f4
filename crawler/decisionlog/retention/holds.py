"""Legal holds: while one stands, nothing in its scope is pruned or erased, whatever the schedule says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import or_, select

from blocklists.errors import UsageError
from blocklists.host import canonical_host
from crawler.decisionlog import schema
from crawler.decisionlog.registry import HoldCleared, HoldSet, Pruned, decode
from crawler.decisionlog.rollup import host_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

_KINDS: Final = ("run", "segment", "host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold as it was set. Times are UTC in microseconds; `cleared_us` is None while it stands."""

    name: str
    scope: str
    reason: str
    authority: str
    actor: str
    set_us: int
    cleared_us: int | None = None


def checked_scope(text: str) -> str:
    """Return a scope in its one form. Raises UsageError."""
    kind, _, value = text.partition(":")
    if text == "all":
        return text
    if kind == "host" and (host := canonical_host(value)) is not None:
        return f"host:{host}"
    if kind == "run" and value:
        return text
    if kind == "segment":
        try:
            return f"segment:{UUID(value)}"
        except ValueError:
            pass
    raise UsageError(f"{text!r} is no scope: write all, run:ID, segment:UUID or host:NAME")


def holds(connection: Connection) -> list[Hold]:
    """Return every hold that was ever set, in order. Raises ValueError when the registry was changed."""
    column = schema.registry.c
    found: dict[str, Hold] = {}
    out: list[Hold] = []
    for row in connection.execute(
        select(column.body).where(column.kind.in_((HoldSet.KIND, HoldCleared.KIND))).order_by(column.idx)
    ):
        leaf = decode(row.body)
        event = leaf.event
        if isinstance(event, HoldSet):
            found[event.hold] = Hold(
                name=event.hold,
                scope=event.scope,
                reason=event.reason,
                authority=event.authority,
                actor=event.actor,
                set_us=leaf.ts_us,
            )
        elif isinstance(event, HoldCleared) and event.hold in found:
            old = found.pop(event.hold)
            out.append(
                Hold(
                    name=old.name, scope=old.scope, reason=old.reason, authority=old.authority,
                    actor=old.actor, set_us=old.set_us, cleared_us=leaf.ts_us,
                )
            )  # fmt: skip
    return sorted((*out, *found.values()), key=lambda hold: hold.set_us)


def standing(found: Iterable[Hold]) -> list[Hold]:
    """Return those that still stand."""
    return [hold for hold in found if hold.cleared_us is None]


def holding(connection: Connection, found: Iterable[Hold], number: int) -> Hold | None:
    """Return a standing hold in whose scope the segment is, or None.

    A hold on a host keeps every segment whole that has a record of it or of a subdomain.
    """
    column = schema.segment.c
    row = connection.execute(select(column.uuid, column.run_id).where(column.id == number)).one()
    for hold in standing(found):
        kind, _, value = hold.scope.partition(":")
        if (
            hold.scope == "all"
            or (kind == "run" and value == row.run_id)
            or (kind == "segment" and value == row.uuid)
            or (kind == "host" and _has_host(connection, number, value))
        ):
            return hold
    return None


def held_segments(connection: Connection) -> dict[int, Hold]:
    """Return the numbers of the segments that are held, each with a hold that stands."""
    found = standing(holds(connection))
    if not found:
        return {}
    numbers = connection.execute(select(schema.segment.c.id).order_by(schema.segment.c.id)).scalars().all()
    held = ((number, holding(connection, found, number)) for number in numbers)
    return {number: hold for number, hold in held if hold is not None}


def under_way(connection: Connection) -> dict[int, int]:
    """Return the segments whose pruning began and has not ended, each with the entry that announced it."""
    column, entry = schema.pruning.c, schema.registry.c
    done = select(entry.idx).where(entry.segment_id == column.segment_id, entry.kind == Pruned.KIND).exists()
    return {
        row.segment_id: row.registry_idx for row in connection.execute(select(schema.pruning).where(~done))
    }


def held_under_way(connection: Connection) -> set[int]:
    """Return the segments that are held though their pruning began: while there are any, no documents go."""
    found = standing(holds(connection))
    return {number for number in under_way(connection) if holding(connection, found, number) is not None}


def _has_host(connection: Connection, number: int, host: str) -> bool:
    key, column, record = host_key(host), schema.rollup.c, schema.record.c
    summed = select(column.host_key).where(
        column.segment_id == number, column.host_key >= key, column.host_key < key[:-1] + "/"
    )
    if connection.execute(summed.limit(1)).first() is not None:
        return True
    if (
        connection.execute(select(column.host_key).where(column.segment_id == number).limit(1)).first()
        is not None
    ):
        return False
    named = or_(record.host == host, record.host.endswith(f".{host}", autoescape=True))
    return (
        connection.execute(select(record.idx).where(record.segment_id == number, named).limit(1)).first()
        is not None
    )
