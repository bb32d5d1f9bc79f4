"""A memory of what sites said, bounded by number and by octets; what was used longest ago is forgotten first.

A number alone bounds nothing: a site chooses how long its files are, and what is read of a file takes up to
ten times its octets.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Remembered(Generic[_Key, _Value]):
    """See the module. `octets_of` says how large an entry is; the one just kept is never forgotten."""

    def __init__(self, *, most: int, most_octets: int, octets_of: Callable[[_Value], int]) -> None:
        self._most = most
        self._most_octets = most_octets
        self._octets_of = octets_of
        self._kept: OrderedDict[_Key, tuple[_Value, int]] = OrderedDict()
        self._octets = 0

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self._kept)

    def get(self, key: _Key) -> _Value | None:
        """Return an entry without using it, or None."""
        found = self._kept.get(key)
        return None if found is None else found[0]

    def use(self, key: _Key) -> None:
        """Note that an entry was used."""
        self._kept.move_to_end(key)

    def keep(self, key: _Key, value: _Value) -> None:
        """Keep an entry in place of what its key had, and forget others where there are too many."""
        before = self._kept.pop(key, None)
        if before is not None:
            self._octets -= before[1]
        octets = self._octets_of(value)
        self._kept[key] = (value, octets)
        self._octets += octets
        while len(self._kept) > max(1, self._most) or (
            self._octets > self._most_octets and len(self._kept) > 1
        ):
            self._octets -= self._kept.popitem(last=False)[1][1]
