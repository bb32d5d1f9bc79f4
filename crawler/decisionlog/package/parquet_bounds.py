"""Checks what other readers believe of a Parquet file without reading it: bounds, nulls, how much there is.

A query engine leaves out whatever the statistics in a file say it need not read, and counts rows by what it
says. Whoever changes that changes the answer of every query that filters or counts, and not one record. So
it must be that of the records, and the file must hold nothing else that an engine could go by: no index of
pages, no bloom filter, no order of rows, no octets beside the columns. Fields have the numbers of
parquet.thrift.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.package.opened import regular
from crawler.decisionlog.package.parquet_footer import Fields, Value, number, read_footer, struct, structs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TAIL: Final = 8  # octets: the length of the metadata, and PAR1
_MAGIC: Final = 4
_LARGEST: Final = 1 << 26  # octets of metadata; a group of rows takes four thousand
_LONGEST: Final = 4096  # octets of a value; longer ones are left out of statistics when a file is written
_CHUNK: Final = {2, 3}  # where a column is, and what; not in another file, without indices, not encrypted
_GROUP: Final = {1, 2, 3, 5, 6, 7}  # no order of rows
_COLUMN: Final = {1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13, 16}  # no bloom filter, no texts of its own
_STATISTICS: Final = {1, 2, 3, 5, 6, 7, 8}  # no number of distinct values
_SIZES: Final = {1, 2, 3}
_NULLS: Final = 3
_BOUNDS: Final = (
    (1, True),
    (2, False),
    (5, True),
    (6, False),
)  # of Statistics: largest and smallest, old and new


class FileBounds:
    """What the rows of a file really are: `take` batches, end each group with `end_group`, then `check`."""

    def __init__(self, names: Sequence[str]) -> None:
        self._bounds_of = importlib.import_module("pyarrow.compute").min_max
        self._names = names
        self._groups: list[tuple[int, list[tuple[int, Any, Any]]]] = []
        self._start()

    def _start(self) -> None:
        self._rows = 0
        self._low: list[Any] = [None] * len(self._names)
        self._high: list[Any] = [None] * len(self._names)
        self._nulls = [0] * len(self._names)

    def take(self, batch: Any) -> None:  # noqa: ANN401 - pyarrow has no types
        """Take in rows."""
        low, high = self._low, self._high
        self._rows += batch.num_rows
        for at, column in enumerate(batch.columns):
            self._nulls[at] += column.null_count
            if column.null_count == len(column):
                continue
            bounds = self._bounds_of(column)
            least, most = bounds["min"].as_py(), bounds["max"].as_py()
            if low[at] is None or least < low[at]:
                low[at] = least
            if high[at] is None or most > high[at]:
                high[at] = most

    def end_group(self) -> None:
        """Begin the next group of rows."""
        self._groups.append((self._rows, list(zip(self._nulls, self._low, self._high, strict=True))))
        self._start()

    def check(self, path: Path) -> None:
        """Compare with what the file states. Raises ValueError and OSError."""
        size = regular(path).stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - _TAIL))
            length = int.from_bytes(file.read(4), "little")
            if length > min(size - _TAIL, _LARGEST):
                raise ValueError("its metadata are too long")
            file.seek(size - _TAIL - length)
            stated = read_footer(file.read(length))
        groups = structs(stated, 4) if self._groups or 4 in stated else []  # noqa: PLR2004 - row_groups
        if len(groups) != len(self._groups) or number(stated, 3) != sum(rows for rows, _ in self._groups):
            raise ValueError("it states another number of rows than it has")
        held = sum(
            self._check_group(group, rows, columns)
            for group, (rows, columns) in zip(groups, self._groups, strict=True)
        )
        if _MAGIC + held + length + _TAIL != size:
            raise ValueError("it holds octets that belong to no column")

    def _check_group(self, group: Fields, rows: int, columns: list[tuple[int, Any, Any]]) -> int:
        """Compare a group of rows, and return how many octets its columns take."""
        chunks = structs(group, 1)
        if number(group, 3) != rows or not rows or len(chunks) != len(columns):
            raise ValueError("it states another number of rows than it has")
        if not group.keys() <= _GROUP:
            raise ValueError("it states an order of its rows, which no export writes")
        held = 0
        for name, chunk, (nulls, low, high) in zip(self._names, chunks, columns, strict=True):
            meta = struct(chunk, 3)
            if not chunk.keys() <= _CHUNK or not meta.keys() <= _COLUMN:
                raise ValueError(f"it has an index or a filter of {name}, which no export writes")
            if number(meta, 5) != rows:
                raise ValueError(f"it states another number of values of {name} than it has")
            _check_bounds(name, struct(meta, 12) if 12 in meta else None, rows, nulls, low, high)  # noqa: PLR2004 - statistics
            if 16 in meta:  # noqa: PLR2004 - size_statistics
                _check_sizes(name, struct(meta, 16), rows, nulls)
            held += number(meta, 7)
        return held


def _check_bounds(name: str, stated: Fields | None, rows: int, nulls: int, low: Any, high: Any) -> None:  # noqa: ANN401, PLR0917 - of any column
    if stated is None:
        raise ValueError(f"it states nothing of {name}, and every export does")
    if not stated.keys() <= _STATISTICS or not all(stated.get(field, True) is True for field in (7, 8)):
        raise ValueError(f"it states something of {name} that no export states")
    if stated.get(_NULLS) != nulls:
        raise ValueError(f"it states another number of rows without {name} than it has")
    for field, is_high in _BOUNDS:
        octets = _octets(high if is_high else low)
        if field in stated and stated[field] != octets:
            raise ValueError(f"it states other bounds of {name} than it has: queries would leave rows out")
        if field > _NULLS and field not in stated and nulls < rows and len(octets or b"") <= _LONGEST:
            raise ValueError(f"it states no bounds of {name}, and every export does")


def _check_sizes(name: str, stated: Fields, rows: int, nulls: int) -> None:
    """Compare how much of a column there is: nothing repeats, and all may be null.

    How many octets its texts have is not compared: pyarrow counts fewer of those that begin as the one before
    (DELTA_BYTE_ARRAY), and others make room by it and leave nothing out.
    """
    counts: dict[int, tuple[Value, ...]] = {2: ([], [rows]), 3: ([], [nulls, rows - nulls])}
    if not stated.keys() <= _SIZES or not all(stated.get(field, []) in may for field, may in counts.items()):
        raise ValueError(f"it states other sizes of {name} than it has")


def _octets(value: Any) -> bytes | None:  # noqa: ANN401 - of any column
    """Return a value as it stands in statistics."""
    if isinstance(value, int):
        return value.to_bytes(8, "little", signed=True)
    return value.encode() if isinstance(value, str) else value
