"""What passes from a log to the files of a package: a part of a segment, as each encoding wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class Part(Protocol):
    """Records of a segment in a row, with their URLs."""

    @property
    def size(self) -> int:
        """How many records there are."""

    @property
    def opened(self) -> int:
        """How many URLs there are with their salt."""

    @property
    def contexts(self) -> frozenset[int]:
        """The numbers of their contexts."""

    @property
    def needs(self) -> frozenset[bytes]:
        """The digests of documents that they need."""


P = TypeVar("P", bound=Part)
P_co = TypeVar("P_co", covariant=True, bound=Part)
P_contra = TypeVar("P_contra", contravariant=True, bound=Part)


class PartSource(Protocol[P_co]):
    """Reads segments."""

    def parts(self, number: int, end: int) -> Iterator[P_co]:
        """Yield the records of a segment up to an index (excluded)."""


class PartSink(Protocol[P_contra]):
    """Writes one segment."""

    def take(self, part: P_contra, /) -> None:
        """Write one part."""

    def close(self) -> None:
        """Write what is left."""

    def abandon(self) -> None:
        """Stop after a failure."""
