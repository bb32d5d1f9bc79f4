"""What a package is to hold, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crawler.decisionlog.package.layout import Encoding

if TYPE_CHECKING:
    from uuid import UUID

    from crawler.decisionlog.verify_segment import SegmentClaim


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagePlan:
    """What to export, and how. Without `runs` and `segments`, every segment.

    `committed` puts the commitments to URLs into the records, so that these verify without the URLs beside
    them, for 64 octets a record more; JSON lines and packages without URLs always have them.
    A large log is read by that many `readers`, processes of their own, where Parquet is written.
    """

    encoding: Encoding = Encoding.PARQUET
    urls: bool = True
    committed: bool = False
    runs: frozenset[str] = frozenset()
    segments: frozenset[UUID] = frozenset()
    readers: int = 1

    @property
    def whole(self) -> bool:
        """Whether every segment is meant."""
        return not self.runs and not self.segments

    @property
    def keeps_commitments(self) -> bool:
        """Whether the records carry their commitments."""
        return self.committed or not self.urls or self.encoding is Encoding.JSONL

    def wants(self, claim: SegmentClaim) -> bool:
        """Whether the segment is to be exported."""
        return self.whole or claim.uuid in self.segments or claim.run.decode("utf-8", "replace") in self.runs
