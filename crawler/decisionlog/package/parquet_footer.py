"""Reads the metadata of a Parquet file by itself: a Thrift structure in the compact protocol.

pyarrow ends the whole process over metadata that contradict themselves, and shows no bloom filters and no
older statistics, which other readers go by. So what a file states is read here, as fields by number:

    Parquet format, parquet.thrift      https://github.com/apache/parquet-format
    Thrift compact protocol             https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md

Pure; raises ValueError for octets that are no such structure.
"""

from __future__ import annotations

from typing import Final, cast

Value = bool | int | bytes | list["Value"] | dict[int, "Value"]
Fields = dict[int, "Value"]

_DEEPEST: Final = 16  # structures in each other; the format has seven
_TRUE, _FALSE, _BYTE, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 6, 7, 8, 9, 10, 11, 12
_LONG: Final = 15  # a size that stands behind its octet


class _Reader:
    """Octets, and where in them it is."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def _octet(self) -> int:
        if self._at >= len(self._octets):
            raise ValueError("its metadata are cut off")
        self._at += 1
        return self._octets[self._at - 1]

    def _take(self, size: int) -> bytes:
        taken = self._octets[self._at : self._at + size]
        if len(taken) != size:
            raise ValueError("its metadata are cut off")
        self._at += size
        return taken

    def _varint(self) -> int:
        value = shift = 0
        while True:
            octet = self._octet()
            value |= (octet & 0x7F) << shift
            if octet < 0x80:  # noqa: PLR2004 - the last octet of a number
                return value
            shift += 7
            if shift > 63:  # noqa: PLR2004 - no number has more bits
                raise ValueError("its metadata have a number of more than 64 bits")

    def _number(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def struct(self, depth: int = 0) -> Fields:
        """Return the fields of a structure by number."""
        if depth > _DEEPEST:
            raise ValueError("its metadata are nested too deep")
        fields: Fields = {}
        number = 0
        while head := self._octet():
            number = number + (head >> 4) if head >> 4 else self._number()
            kind = head & 15
            if number in fields:
                raise ValueError("its metadata have a field twice")
            fields[number] = kind == _TRUE if kind in {_TRUE, _FALSE} else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Value:
        if kind in {_TRUE, _FALSE, _BYTE}:
            return self._octet()
        if kind <= _I64:
            return self._number()
        if kind == _DOUBLE:
            return self._take(8)
        if kind == _BINARY:
            return self._take(self._varint())
        if kind in {_LIST, _SET}:
            return self._list(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise ValueError("its metadata have a value of an unknown kind" if kind != _MAP else "it has a map")

    def _list(self, depth: int) -> list[Value]:
        if depth > _DEEPEST:
            raise ValueError("its metadata are nested too deep")
        head = self._octet()
        size = self._varint() if head >> 4 == _LONG else head >> 4
        if size > len(self._octets):
            raise ValueError("its metadata are cut off")
        return [self._value(head & 15, depth + 1) for _ in range(size)]

    @property
    def rest(self) -> int:
        """How many octets are left."""
        return len(self._octets) - self._at


def read_footer(octets: bytes) -> Fields:
    """Return the fields of FileMetaData. Raises ValueError."""
    reader = _Reader(octets)
    fields = reader.struct()
    if reader.rest:
        raise ValueError("octets stand behind its metadata")
    return fields


def number(fields: Fields, field: int) -> int:
    """Return a number. Raises ValueError."""
    value = fields.get(field)
    if type(value) is not int:
        raise ValueError(f"its metadata have no number {field}")
    return value


def structs(fields: Fields, field: int) -> list[Fields]:
    """Return a list of structures. Raises ValueError."""
    values = fields.get(field)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise ValueError(f"its metadata have no list {field}")
    return cast("list[Fields]", values)


def struct(fields: Fields, field: int) -> Fields:
    """Return a structure. Raises ValueError."""
    value = fields.get(field)
    if not isinstance(value, dict):
        raise ValueError(f"its metadata have no structure {field}")  # noqa: TRY004 - content of a file
    return value
