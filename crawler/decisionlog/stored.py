"""What a log gives back: a segment, a run, a record as they stand, and a document's octets. Values only."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from uuid import UUID

    from policies.vocabulary import RequestKind, Stage


_LARGEST: Final = 1 << 28  # octets of a document; a small body may say to unpack to anything


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentInfo:
    """One segment as it stands: `size` counts its records, `root` is set when it was sealed.

    `head_size` and `head_root` are those of its newest head (0 and None without one). Times are UTC in
    microseconds; roots 64 hex characters.
    """

    number: int
    segment: UUID
    run: str
    agent: str
    schema_version: int
    opened_us: int
    size: int
    first_us: int | None
    last_us: int | None
    sealed: bool
    root: str | None
    head_size: int
    head_root: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """One run: its segments in the order of opening."""

    run: str
    segments: tuple[SegmentInfo, ...]

    @property
    def size(self) -> int:
        """How many records the run has."""
        return sum(segment.size for segment in self.segments)

    @property
    def sealed(self) -> bool:
        """Whether every segment was sealed: the run ended in order."""
        return all(segment.sealed for segment in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """One record as it is in the log: the fields of `Entry` (without the basis itself), and where it stands.

    Digests are 64 hex characters, `ts_us` is UTC in microseconds, `opened` says whether the record's URLs
    are still there (True also when it never had any).
    """

    segment: UUID
    idx: int
    run: str
    ts_us: int
    mono_ns: int
    stage: Stage
    verdict: str
    reason: str
    kind: RequestKind | None
    method: str
    url: str | None
    parent_url: str | None
    host: str | None
    domain: str | None
    agent: str
    policy_sha256: str
    blocklist_sha256: str
    basis_sha256: str | None
    ref_idx: int | None
    attempt: int
    status: int | None
    size: int | None
    body_sha256: str | None
    media_type: str | None
    error: str | None
    leaf_hash: str
    opened: bool


def unpack_body(codec: str | bytes, size: int, body: bytes) -> bytes:
    """Return a stored document's octets. Raises ValueError when they are not what the row says."""
    name = codec if isinstance(codec, str) else codec.decode("ascii", "replace")
    if name == "raw":
        octets = body
    elif name == "zlib":
        unpacker = zlib.decompressobj()
        if size > _LARGEST:
            raise ValueError(f"its body would have {size:,} octets")
        try:
            octets = unpacker.decompress(body, size + 1)
            if unpacker.unused_data or not unpacker.eof:
                raise ValueError("its body is not one whole stream")
        except zlib.error as error:
            raise ValueError(f"its body cannot be unpacked: {error}") from error
    else:
        raise ValueError(f"its codec {name!r} is unknown")
    if len(octets) != size:
        raise ValueError(f"its body does not have the {size} octets that it should have")
    return octets
