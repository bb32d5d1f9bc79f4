"""Reads the records and URLs of a package of JSON lines back as columns, for the checks of a log.

Everything that does not look as `jsonl` writes it raises ValueError: the caller makes a finding of it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.package.jsonl import DIGESTS, TEXTS
from crawler.decisionlog.package.pages import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crawler.decisionlog.package.read import Openings, Records

_ROWS: Final = 1000
_LONGEST: Final = 1 << 24  # octets of a line; the longest URL that Scrapy fetches is far below


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines, gzipped or not. Raises ValueError and OSError."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        try:
            while octets := file.readline(_LONGEST):
                members = json.loads(octets)
                if not isinstance(members, dict) or not octets.endswith(b"\n"):
                    raise ValueError("a line is no JSON object, or has no end")
                yield members
        except (EOFError, zlib.error, RecursionError) as error:
            raise ValueError(f"it was cut off or changed: {error}") from error


def _octets(value: str | None) -> bytes | None:
    return None if value is None else value.encode()


def _digest(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def _number(value: object) -> object:
    if value is not None and type(value) is not int:
        raise ValueError(f"{value!r} is no integer")
    return value


def records(path: Path) -> Iterator[Records]:
    """Yield the records as columns by name. Raises what `read.UNREADABLE` names."""
    rows = lines(path)
    while page := list(islice(rows, _ROWS)):
        columns: dict[str, list[Any]] = {}
        for name in KEPT:
            read = _octets if name in TEXTS else _digest if name in DIGESTS else _number
            columns[name] = [read(row[name]) for row in page]
        yield columns


def openings(path: Path) -> Iterator[Openings]:
    """Yield idx, URL, parent URL and salt as columns. Raises as `records` does."""
    rows = lines(path)
    while page := list(islice(rows, _ROWS)):
        yield {
            "idx": [_number(row["idx"]) for row in page],
            "url": [_url(row, "url") for row in page],
            "parent_url": [_url(row, "parent_url") for row in page],
            "salt": [bytes.fromhex(row["salt"]) for row in page],
        }


def _url(row: dict[str, Any], name: str) -> bytes | None:
    odd = row.get(f"{name}_octets")
    return _octets(row[name]) if odd is None else bytes.fromhex(odd)
