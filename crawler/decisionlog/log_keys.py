"""Which keys of a log could sign what was written between two entries of its registry.

For what is signed beside the checkpoints (`url_index`). The entries themselves are verified by
`sekisho log verify`; whoever asks here believes them, as a look-up believes the sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import BindParameter, bindparam, select

from crawler.decisionlog import schema
from crawler.decisionlog.notes import ED25519, NoteError, parse_vkey
from crawler.decisionlog.registry import KeyAdded, KeyRetired, SegmentAdopted, SegmentOpened, SegmentSealed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Select
    from sqlalchemy.engine import Row

    from crawler.decisionlog.reader import LogReader

_LEAF = schema.registry.c
_NUMBERS: Final[BindParameter[Any]] = bindparam("numbers", expanding=True)
_OPENINGS: Final = (SegmentOpened.KIND, SegmentAdopted.KIND)
_ENDS: Final = (
    select(_LEAF.segment_id, _LEAF.kind, _LEAF.idx)
    .where(_LEAF.segment_id.in_(_NUMBERS), _LEAF.kind.in_((*_OPENINGS, SegmentSealed.KIND)))
    .order_by(_LEAF.idx.desc())
)
_SEGMENTS: Final = 10_000  # asked for at a time


def opened_and_sealed(
    rows_of: Callable[[Select[Any], Mapping[str, Sequence[int]]], Iterable[Row[Any]]], numbers: Sequence[int]
) -> dict[int, tuple[int, int]]:
    """Return the entries of the openings and of the seals of segments, as far as both are there.

    A segment that was open when its log was migrated has none of its opening, but one of its adoption.
    """
    opened, sealed = dict[int, int](), dict[int, int]()
    for start in range(0, len(numbers), _SEGMENTS):
        for row in rows_of(_ENDS, {"numbers": numbers[start : start + _SEGMENTS]}):
            (opened if row.kind in _OPENINGS else sealed)[row.segment_id] = row.idx
    return {number: (opened[number], sealed[number]) for number in opened.keys() & sealed.keys()}


@dataclass(slots=True, kw_only=True)
class _Period:
    """A key of the log, and between which entries of its registry it could sign."""

    key: Ed25519PublicKey
    added: int
    retired: int | None = None


class LogKeys:
    """The keys of a log. Make it with `of`."""

    def __init__(self, periods: Collection[_Period]) -> None:
        self._periods = periods

    @classmethod
    def of(cls, reader: LogReader) -> Self:
        """Return the keys that the registry of a log names. Raises LogError."""
        found: dict[str, list[_Period]] = {}  # a key that was retired may be added again
        for leaf in reader.leaves((KeyAdded.KIND, KeyRetired.KIND)):
            match leaf.event:
                case KeyAdded(vkey=text):
                    try:
                        vkey = parse_vkey(text)
                    except NoteError:
                        continue  # `sekisho log verify` tells of it
                    if vkey.type == ED25519:
                        key = Ed25519PublicKey.from_public_bytes(vkey.key)
                        found.setdefault(text, []).append(_Period(key=key, added=leaf.idx))
                case KeyRetired(vkey=text) if text in found:
                    found[text][-1].retired = leaf.idx
                case _:
                    pass
        return cls([period for periods in found.values() for period in periods])

    def signed(self, octets: bytes, signature: bytes, leaves: tuple[int, int]) -> bool:
        """Whether a key has signed that could between the entries of a segment's opening and of its seal."""
        opened, sealed = leaves
        for period in self._periods:
            if period.added < sealed and (period.retired is None or period.retired > opened):
                try:
                    period.key.verify(signature, octets)
                except InvalidSignature:
                    continue
                return True
        return False
