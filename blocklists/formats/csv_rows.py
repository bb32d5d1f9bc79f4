"""CSV files of authorities: one name a row, with a map from our fields to the columns of the file.

Decides how a row is cut (RFC 4180 quoting, one row a line, so that every line number is true) and which
column is which, by the heading in the first row. What a row may say is decided in `cited.py`.
Pure; never raises on hostile input.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blocklists.formats.cited import read_cited
from blocklists.formats.lines import Collector, Found, collect, each_line
from blocklists.formats.names import NotUnderstoodError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from blocklists.entry import Match
    from blocklists.formats.row import ParsedList

PARSER = "csv/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """How to read a CSV file: our field names (`cited.FIELDS`) to its headings; `pattern` is required."""

    names: Mapping[str, str]
    delimiter: str = ","
    date_format: str = "%Y-%m-%d"


def parse_csv(octets: bytes, *, scope: Match, columns: Columns, authority_known: bool) -> ParsedList:
    """Return the rows of a CSV file with a heading.

    Rejected: a row with another number of cells than the heading, a broken quotation (a cell cannot hold a
    line end), and what `read_cited` refuses. A file without one of the mapped columns has a `fault`.
    """
    collector = Collector(octets, scope)
    places: dict[str, int] = {}
    width = 0

    def read(text: str, scope: Match) -> Iterable[Found]:
        cells = _cells(text, columns.delimiter)
        if len(cells) != width:
            raise NotUnderstoodError(f"has {len(cells)} cells, but the heading has {width}")
        values = {name: cells[place] for name, place in places.items()}
        return (read_cited(values, scope, authority_known=authority_known, date_format=columns.date_format),)

    def work() -> None:
        nonlocal width
        for line_no, text in each_line(collector, ()):
            if width:
                collector.take(line_no, text, read)
                continue
            heading = _heading(text, columns.delimiter)
            width = len(heading)
            missing = [title for title in columns.names.values() if title not in heading]
            if missing:
                found = ", ".join(heading)[:200]
                collector.fault = f"has no column {missing[0]!r} in its heading (line {line_no}: {found})"
                return
            places.update({name: heading.index(title) for name, title in columns.names.items()})

    collect(work)
    return collector.result()


def _heading(text: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in _cells(text, delimiter)]
    except NotUnderstoodError:
        return [text]


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as error:
        raise NotUnderstoodError(f"is not a row of CSV: {error}") from error
