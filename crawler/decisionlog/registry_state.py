"""What verifying a registry reads, and what it says: rows, checkpoints from outside, segments as told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from crawler.decisionlog.notes import Note, VerifierKey, parse_checkpoint, parse_note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from crawler.decisionlog.registry import PruneIntended, SegmentAdopted, SegmentSealed


def octets_of(digest: str) -> bytes:
    """Return the octets that an entry names in hex; none when it was changed, which equals no digest."""
    try:
        return bytes.fromhex(digest)
    except ValueError:
        return b""


class LeafRow(NamedTuple):
    """A row of `registry`. Texts are octets, as they are kept; what an export leaves out is None."""

    idx: int
    ts_us: int | None
    kind: bytes | None
    segment_id: int | None
    body: bytes
    leaf_hash: bytes | None


class CheckpointRow(NamedTuple):
    """A row of `checkpoint`; what an export leaves out is None."""

    size: int
    ts_us: int | None
    root: bytes | None
    note: bytes


class RegistrySource(Protocol):
    """Leaves and checkpoints in order."""

    def leaves(self) -> Iterator[LeafRow]:
        """Yield the leaves in order of index."""

    def checkpoints(self) -> Iterator[CheckpointRow]:
        """Yield the checkpoints in order of size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCheckpoint:
    """A checkpoint that somebody kept outside the log, where it was read, and what witnesses are believed."""

    place: str
    note: Note
    witnesses: tuple[VerifierKey, ...] = ()

    @classmethod
    def read(cls, place: str, octets: bytes, witnesses: Iterable[VerifierKey] = ()) -> KnownCheckpoint:
        """Return the checkpoint that the octets are. Raises NoteError."""
        note = parse_note(octets)
        parse_checkpoint(note)
        return cls(place=place, note=note, witnesses=tuple(witnesses))


@dataclass(slots=True, kw_only=True)
class Told:
    """What a registry says of one segment."""

    segment: str
    number: int
    run: str
    agent: str
    adopted: SegmentAdopted | None = None
    heads: dict[int, str] = field(default_factory=dict)
    seal: SegmentSealed | None = None
    intents: dict[int, PruneIntended] = field(default_factory=dict)  # by index of their leaves
    pruned: bool = False
    erased: dict[int, int] = field(default_factory=dict)  # index of the record to that of the leaf
    opened: int = 0  # index of the leaf
    sizes: list[tuple[int, int]] = field(default_factory=list)  # index of a leaf, and size as of then


@dataclass(slots=True, kw_only=True)
class RegistryState:
    """What a registry says, as far as it could be read. `unproved` counts leaves behind the newest anchor.

    `outside` is the number of checkpoints from outside that were met.
    """

    origin: str = ""
    size: int = 0
    root: bytes = b""
    keys: list[str] = field(default_factory=list)  # every key that ever signed, in order
    told: dict[str, Told] = field(default_factory=dict)
    checkpoints: int = 0
    outside: int = 0
    unproved: int = 0
    newest: Note | None = None
    jumps: int = 0
    erased_documents: dict[str, list[int]] = field(default_factory=dict)  # SHA-256 to indices of leaves

    def may_lack(self, digest: bytes, segment: UUID, idx: int) -> bool:
        """Whether a document that a record needs may be gone: erased, and not before the record was there.

        A writer learns of an erasure with its next batch, and signs the size that it had before: every record
        behind that came later, and is to be shown.
        """
        erased = self.erased_documents.get(digest.hex())
        told = self.told.get(str(segment))
        if erased is None or told is None or told.opened > erased[-1]:
            return False
        return idx < next((size for leaf, size in told.sizes if leaf > erased[-1]), idx + 1)
