"""The part of CBOR that assertions of C2PA are written in: octets in, plain values out.

Implements RFC 8949 sections 3 and 4.2.1 for definite lengths; anything else (indefinite lengths, more than a
bound of items, nesting or octets) is a ValueError, so that the caller can count it as unreadable.
A library would do, but none is a dependency yet, and a reader of forty lines has no extension hooks to guard.
"""

from __future__ import annotations

import struct

Cbor = int | float | bool | bytes | str | list["Cbor"] | dict[str, "Cbor"] | None

_DEEPEST = 16
_MOST_ITEMS = 2_000
_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}
_SIMPLE: dict[int, bool | None] = {20: False, 21: True, 22: None, 23: None}


class _Cursor:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0
        self._items = 0

    def _take(self, count: int) -> bytes:
        taken = self._octets[self._at : self._at + count]
        if len(taken) < count:
            raise ValueError("the octets end too soon")
        self._at += count
        return taken

    def _head(self) -> tuple[int, int, int]:
        """Return major type, additional information and argument."""
        first = self._take(1)[0]
        kind, more = first >> 5, first & 31
        if more < 24:  # noqa: PLR2004 - RFC 8949 section 3
            return kind, more, more
        if more not in _SIZES:
            raise ValueError("an indefinite or reserved length")
        return kind, more, int.from_bytes(self._take(_SIZES[more]), "big")

    def value(self, depth: int = 0) -> Cbor:
        """Return the next value."""
        self._items += 1
        if depth > _DEEPEST or self._items > _MOST_ITEMS:
            raise ValueError("nested too deeply or too many items")
        kind, more, argument = self._head()
        match kind:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:
                return self._take(argument)
            case 3:
                return self._take(argument).decode("utf-8")
            case _:
                return self._compound(kind, more, argument, depth + 1)

    def _compound(self, kind: int, more: int, argument: int, depth: int) -> Cbor:
        match kind:
            case 4:
                return [self.value(depth) for _ in range(argument)]
            case 5:
                return {str(self.value(depth)): self.value(depth) for _ in range(argument)}
            case 6:  # a tag says how to read what follows; for rights it does not matter
                return self.value(depth)
            case _:
                return self._simple(more, argument)

    @staticmethod
    def _simple(more: int, argument: int) -> Cbor:
        formats = {25: "e", 26: "f", 27: "d"}
        if more in formats:
            octets = argument.to_bytes(_SIZES[more], "big")
            return float(struct.unpack(f">{formats[more]}", octets)[0])
        return _SIMPLE.get(argument)


def read_cbor(octets: bytes) -> Cbor:
    """Return the first value in some octets; ValueError when it cannot be read."""
    return _Cursor(octets).value()
