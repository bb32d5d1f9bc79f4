r"""The registry: the tree in which segments open and close, and every act on a log is announced.

Format `sekisho.registry`, version 1. The body of a leaf is canonical JSON (RFC 8785) with the members `idx`,
`kind`, `ts_us` and those of its kind, and is kept verbatim, so that no reader needs to encode anything:

    leaf hash = SHA-256(0x00 + "sekisho.registry" 0x00 + body)

`idx` counts from 0 without gaps. `ts_us` (UTC, µs) never goes back: where a clock did, the leaf keeps the
time of the one before and a `clock_jump` says so. Digests and roots are 64 lower-case hex characters.
The registry is never pruned: it is what remains of a segment that is.

Pure; knows bodies and hashes, no database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Final

from crawler.decisionlog.canonical import canonical_members

if TYPE_CHECKING:
    from collections.abc import Mapping

LABEL: Final = b"sekisho.registry\x00"
_COMMON: Final = ("idx", "kind", "ts_us")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a leaf says. Members are integers, texts and None, and nothing else."""

    KIND: ClassVar[str] = ""

    @property
    def about(self) -> str | None:
        """The UUID of the segment that it is about, or None."""
        value = getattr(self, "segment", None)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOpened(Event):
    """The first leaf of every log: `origin` is the name under which its checkpoints are signed."""

    KIND: ClassVar[str] = "log_open"
    origin: str
    format: str
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdded(Event):
    """From the next leaf on, checkpoints may be signed with this key (a C2SP verifier key)."""

    KIND: ClassVar[str] = "key_add"
    vkey: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRetired(Event):
    """From this leaf on, no checkpoint may be signed with this key."""

    KIND: ClassVar[str] = "key_retire"
    vkey: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOpened(Event):
    """Before the first record of a segment, so that a segment that is removed whole is missed."""

    KIND: ClassVar[str] = "segment_open"
    segment: str
    number: int
    run: str
    agent: str
    retention: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentAdopted(Event):
    """A segment that was written before the log had a registry, as it stood when it got one."""

    KIND: ClassVar[str] = "segment_adopt"
    segment: str
    number: int
    run: str
    agent: str
    size: int
    root: str
    sealed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHeaded(Event):
    """The root of an open segment at a size."""

    KIND: ClassVar[str] = "segment_head"
    segment: str
    size: int
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSealed(Event):
    """The end of a segment. `rollup_root` is the root over its sums by host; `how`: sealed or recovered."""

    KIND: ClassVar[str] = "segment_seal"
    segment: str
    size: int
    root: str
    rollup_size: int
    rollup_root: str
    first_us: int | None
    last_us: int | None
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered(Event):
    """A writer died; the next one found its segment at this size, and seals it."""

    KIND: ClassVar[str] = "recovery"
    segment: str
    size: int
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped(Event):
    """The clock of the host stood `behind_us` before the leaf that came before."""

    KIND: ClassVar[str] = "clock_jump"
    behind_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointMissing(Event):
    """The file with the last checkpoint outside the database was not there when a writer opened the log."""

    KIND: ClassVar[str] = "checkpoint_missing"
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported(Event):
    """A segment was exported and the export verified; `manifest` is the SHA-256 of its manifest."""

    KIND: ClassVar[str] = "export"
    segment: str
    size: int
    root: str
    manifest: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSet(Event):
    """Nothing in the scope may be pruned or erased. `scope`: all, run:ID, segment:UUID or host:NAME."""

    KIND: ClassVar[str] = "hold_set"
    hold: str
    scope: str
    reason: str
    authority: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldCleared(Event):
    """A hold ended."""

    KIND: ClassVar[str] = "hold_clear"
    hold: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased(Event):
    """The URLs of one record are removed; its commitment stays."""

    KIND: ClassVar[str] = "erase"
    segment: str
    idx_erased: int
    basis: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentErased(Event):
    """A document is removed because an erased URL stands in it; its SHA-256 stays in the records."""

    KIND: ClassVar[str] = "erase_document"
    sha256: str
    basis: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneIntended(Event):
    """The records of a sealed segment will be removed. `manifest`: of the verified export, or None."""

    KIND: ClassVar[str] = "prune_intent"
    segment: str
    size: int
    root: str
    rule: str
    actor: str
    manifest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned(Event):
    """They are removed."""

    KIND: ClassVar[str] = "prune_done"
    segment: str
    intent: int


_EVENTS: Final[dict[str, type[Event]]] = {
    event.KIND: event
    for event in (
        LogOpened, KeyAdded, KeyRetired, SegmentOpened, SegmentAdopted, SegmentHeaded, SegmentSealed,
        Recovered, ClockJumped, CheckpointMissing, Exported, HoldSet, HoldCleared, Erased, DocumentErased,
        PruneIntended, Pruned,
    )
}  # fmt: skip
_MEMBERS: Final = {
    event: {field.name: str(field.type) for field in fields(event)} for event in _EVENTS.values()
}
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "int | None": (int, type(None)),
    "str | None": (str, type(None)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One leaf of the registry: its place, its time, what it says, and the octets that say it."""

    idx: int
    ts_us: int
    event: Event
    body: bytes

    @property
    def hash(self) -> bytes:
        """Its leaf hash."""
        return leaf_hash(self.body)


def leaf_hash(body: bytes) -> bytes:
    """Return the leaf hash of a body."""
    return sha256(b"\x00" + LABEL + body).digest()


def encode(event: Event, *, idx: int, ts_us: int) -> Leaf:
    """Return the leaf for an event. Raises ValueError for a text that is no valid Unicode."""
    members = {name: getattr(event, name) for name in _members(type(event))}
    try:
        body = canonical_members({**members, "idx": idx, "kind": event.KIND, "ts_us": ts_us})
    except ValueError as error:
        raise ValueError(f"a leaf of kind {event.KIND} cannot be written: {error}") from error
    return Leaf(idx=idx, ts_us=ts_us, event=event, body=body)


def decode(body: bytes) -> Leaf:
    """Return what a body says. Raises ValueError when no writer of this version writes such a body."""
    try:
        members = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {error}") from error
    if not isinstance(members, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - content, not a type of ours
    kind = members.get("kind")
    event = _EVENTS.get(kind) if isinstance(kind, str) else None
    if event is None:
        raise ValueError(f"its kind {str(kind)[:40]!r} is unknown to this version")
    idx, ts_us = members.get("idx"), members.get("ts_us")
    if type(idx) is not int or type(ts_us) is not int:
        raise ValueError("its idx or ts_us is no integer")
    leaf = encode(_event(event, members), idx=idx, ts_us=ts_us)
    if leaf.body != body:
        raise ValueError("it is not canonical JSON, or has members that its kind does not have")
    return leaf


def _event(event: type[Event], members: Mapping[str, object]) -> Event:
    given = {}
    for name, expected in _members(event).items():
        value = members.get(name)
        if not isinstance(value, _TYPES[expected]) or isinstance(value, bool):
            raise ValueError(f"its {name} is no {expected}")  # noqa: TRY004 - content, not a type of ours
        given[name] = value
    return event(**given)


def _members(event: type[Event]) -> dict[str, str]:
    """Return the members of a kind with their types as written above."""
    return _MEMBERS[event]
