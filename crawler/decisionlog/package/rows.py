"""Turns lines of a package's small files into the values that the checks take. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from crawler.decisionlog.package.read_jsonl import unhex
from crawler.decisionlog.rollup import STORED
from crawler.decisionlog.verify_segment import SegmentClaim

if TYPE_CHECKING:
    from crawler.decisionlog.package.layout import SegmentPart
    from crawler.decisionlog.rollup import SumRow


def number(value: object) -> int:
    """Return an integer. Raises ValueError."""
    if type(value) is not int:
        raise ValueError(f"{value!r} is no integer")
    return value


_SEGMENT: Final = frozenset({
    "id", "uuid", "run_id", "agent", "schema_ver", "opened_us", "nonce", "sealed_us", "size", "root",
})  # fmt: skip
_HEAD: Final = frozenset({"segment_id", "size", "root", "ts_us"})
_CONTEXT: Final = frozenset({"id", "agent", "policy_sha256", "blocklist_sha256"})


def exactly(names: frozenset[str], row: dict[str, Any]) -> None:
    """See that a line has these members and no others, which would be read and never verified."""
    if row.keys() != names:
        other = ", ".join(sorted(row.keys() ^ names))
        raise ValueError(f"a line has other members than it should have: {other[:120]!a}")


@dataclass(slots=True)
class Rows:
    """What manifest and small files of a package say, by number.

    What takes a row raises ValueError, TypeError, KeyError or AttributeError when it is none.
    """

    parts: dict[int, SegmentPart]
    segments: dict[int, dict[str, Any]] = field(default_factory=dict)
    heads: dict[int, list[tuple[int, bytes, int]]] = field(default_factory=dict)
    contexts: dict[int, tuple[bytes, bytes, bytes]] = field(default_factory=dict)

    def take_segment(self, row: dict[str, Any]) -> None:
        """Take a line of segments.jsonl; it is looked at when its segment is."""
        exactly(_SEGMENT, row)
        if self.segments.setdefault(number(row["id"]), row) is not row:
            raise ValueError(f"segment number {row['id']} stands in it twice")

    def take_head(self, row: dict[str, Any]) -> None:
        """Take a line of heads.jsonl."""
        exactly(_HEAD, row)
        head = number(row["size"]), unhex(row["root"]), number(row["ts_us"])
        self.heads.setdefault(number(row["segment_id"]), []).append(head)

    def take_context(self, row: dict[str, Any]) -> None:
        """Take a line of contexts.jsonl."""
        exactly(_CONTEXT, row)
        if row["id"] in self.contexts:
            raise ValueError(f"context {row['id']} stands in it twice")
        digests = unhex(row["policy_sha256"]), unhex(row["blocklist_sha256"])
        self.contexts[number(row["id"])] = (row["agent"].encode(), *digests)


def claim_of(
    part: SegmentPart, row: dict[str, Any], heads: tuple[tuple[int, bytes, int], ...]
) -> SegmentClaim:
    """Return what a line of segments.jsonl claims. Raises ValueError, TypeError, KeyError, AttributeError."""
    root, sealed_us, size = row["root"], row["sealed_us"], row["size"]
    return SegmentClaim(
        number=number(row["id"]),
        uuid=UUID(row["uuid"]),
        run=row["run_id"].encode(),
        agent=row["agent"].encode(),
        schema=row["schema_ver"],
        opened_us=number(row["opened_us"]),
        nonce=unhex(row["nonce"]),
        sealed_us=None if sealed_us is None else number(sealed_us),
        sealed_size=None if size is None else number(size),
        sealed_root=None if root is None else unhex(root),
        heads=heads,
        start=0,
        end=part.size,
        opening_end=0,
    )


def sum_row(row: dict[str, Any]) -> SumRow:
    """Return a line of a segment's sums. Raises ValueError or KeyError on one that says more, or less."""
    if len(row) != len(STORED):
        raise ValueError("a line has other members than a sum by host")
    return cast("SumRow", tuple(row[name] for name in STORED))  # what it is, is seen when it is hashed
