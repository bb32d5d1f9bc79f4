"""How results are written on a terminal or for a program: tables, JSON, JSON lines. Pure: returns text.

Shared by every `sekisho` command, whichever package it stands in, so that all of them look and parse alike.
Widths follow Unicode Standard Annex #11 (East Asian wide and fullwidth characters take two cells); control
characters are shown as escapes, because URLs and page texts are hostile and a terminal obeys them.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_Named = TypeVar("_Named", bound=StrEnum)

_ELLIPSIS = "…"
_RAW_IN_JSON = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")


class OutputFormat(StrEnum):
    """The values of `--format`."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


def one_of(kind: type[_Named]) -> Callable[[str], _Named]:
    """Return what reads an option of a closed set, for `type=` of argparse.

    A value outside the set gives one line that names the set, and the nearest of it where one is near.
    """

    def read(text: str) -> _Named:
        try:
            return kind(text)
        except ValueError:
            names = [one.value for one in kind]
            near = difflib.get_close_matches(text, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise argparse.ArgumentTypeError(f"{text!a} is none of {', '.join(names)}{hint}") from None

    return read


def printable(text: str) -> str:
    """Return the text on one line, with control and formatting characters written as escapes."""
    out = []
    for character in text:
        hostile = unicodedata.category(character) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
        out.append(character.encode("unicode_escape").decode("ascii") if hostile else character)
    return "".join(out)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def display_width(text: str) -> int:
    """Return how many terminal cells a printable text takes."""
    return sum(_cells(character) for character in text)


def shorten(text: str, cells: int) -> str:
    """Return the text cut to at most `cells` cells (at least 1), marked with an ellipsis when it was cut."""
    if display_width(text) <= cells:
        return text
    kept, used = [], 0
    for character in text:
        used += _cells(character)
        if used > cells - 1:
            break
        kept.append(character)
    return "".join(kept) + _ELLIPSIS


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, widest: int | None = None) -> str:
    """Return a text table with aligned columns; numbers are set to the right.

    `widest` cuts every cell to that many terminal cells. Rows must be as long as the headings (ValueError).
    The text has no line end after the last row; without rows it is the headings alone.
    """
    body = [[_shown(value, widest) for value in row] for row in rows]
    numeric = [False] * len(headings)
    for column in range(len(headings)):
        numeric[column] = bool(body) and all(row[column].replace(",", "").isdigit() for row in body)
    grid = [[printable(heading) for heading in headings], *body]
    widths = [max(display_width(line[column]) for line in grid) for column in range(len(headings))]
    return "\n".join(_row(line, widths, numeric) for line in grid)


def _shown(value: object, widest: int | None) -> str:
    text = "" if value is None else printable(str(value))
    return text if widest is None else shorten(text, widest)


def _row(line: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    cells = []
    for text, width, right in zip(line, widths, numeric, strict=True):
        space = " " * (width - display_width(text))
        cells.append(space + text if right else text + space)
    return "  ".join(cells).rstrip()


def as_json(schema: str, members: Mapping[str, object]) -> str:
    """Return a JSON document for people and programs: two spaces of indent, `schema` first."""
    return _escaped(json.dumps({"schema": schema} | dict(members), indent=2, ensure_ascii=False))


def as_jsonl(rows: Iterable[Mapping[str, object]]) -> str:
    """Return one compact JSON object a line, without a line end after the last."""
    return "\n".join(_escaped(json.dumps(row, ensure_ascii=False, separators=(",", ":"))) for row in rows)


def _escaped(document: str) -> str:
    """Escape what JSON leaves raw: what a terminal obeys, and surrogates that UTF-8 cannot carry."""
    return _RAW_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def render(
    output: OutputFormat, schema: str, name: str, columns: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> str:
    """Return the same rows as a table of `columns`, as JSON with the rows under `name`, or as JSON lines."""
    if output is OutputFormat.JSON:
        return as_json(schema, {name: list(rows)})
    if output is OutputFormat.JSONL:
        return as_jsonl(rows)
    return table([column.upper() for column in columns], [[row.get(key) for key in columns] for row in rows])
