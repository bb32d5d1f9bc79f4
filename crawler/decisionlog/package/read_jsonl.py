"""Reads the records and URLs of a package of JSON lines back as columns, for the checks of a log.

Everything that does not look as `jsonl` writes it raises ValueError: the caller makes a finding of it. That
includes what this reader could ignore and another may believe: a member given twice, members of other names,
a URL beside other octets of it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.package.jsonl import DIGESTS, TEXTS
from crawler.decisionlog.package.opened import LONGEST_LINE, regular
from crawler.decisionlog.package.pages import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crawler.decisionlog.package.read import Openings, Records

_ROWS: Final = 1000
_OCTETS: Final = 1 << 26  # of the lines of a page, so that what unpacks to anything takes no more
_OPENING: Final = frozenset({"idx", "url", "parent_url", "salt"})
_ODD: Final = frozenset({"url_octets", "parent_url_octets"})


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines, gzipped or not. Raises ValueError and OSError."""
    for _, members in _lines(path):
        yield members


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects, each with the number of its octets."""
    with gzip.open(regular(path), "rb") if path.suffix == ".gz" else regular(path).open("rb") as file:
        try:
            while octets := file.readline(LONGEST_LINE):
                members = _object(octets)
                if not isinstance(members, dict) or not octets.endswith(b"\n"):
                    raise ValueError("a line is no JSON object, or has no end")
                yield len(octets), members
        except (EOFError, zlib.error, RecursionError) as error:
            raise ValueError(f"it was cut off or changed: {error}") from error


def _object(octets: bytes) -> object:
    return json.loads(octets, object_pairs_hook=_members)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a line has a member twice")
    return members


def _pages(path: Path) -> Iterator[list[dict[str, Any]]]:
    """Yield the objects, some at a time."""
    page: list[dict[str, Any]] = []
    octets = 0
    for size, members in _lines(path):
        page.append(members)
        octets += size
        if len(page) == _ROWS or octets > _OCTETS:
            yield page
            page, octets = [], 0
    if page:
        yield page


def _octets(value: str | None) -> bytes | None:
    return None if value is None else value.encode()


def _digest(value: str | None) -> bytes | None:
    return None if value is None else unhex(value)


def unhex(value: str) -> bytes:
    """Return the octets that a text is in lower-case hex. Raises ValueError and TypeError."""
    octets = bytes.fromhex(value)
    if octets.hex() != value:
        raise ValueError(f"{value[:80]!r} is no lower-case hex")
    return octets


def _number(value: object) -> object:
    if value is not None and type(value) is not int:
        raise ValueError(f"{value!r} is no integer")
    return value


def records(path: Path) -> Iterator[Records]:
    """Yield the records as columns by name. Raises what `read.UNREADABLE` names."""
    for page in _pages(path):
        if any(len(row) != len(KEPT) for row in page):
            raise ValueError("a line has other members than a record")
        columns: dict[str, list[Any]] = {}
        for name in KEPT:
            read = _octets if name in TEXTS else _digest if name in DIGESTS else _number
            columns[name] = [read(row[name]) for row in page]
        yield columns


def openings(path: Path) -> Iterator[Openings]:
    """Yield idx, URL, parent URL and salt as columns. Raises as `records` does."""
    for page in _pages(path):
        if any(row.keys() - _ODD != _OPENING for row in page):
            raise ValueError("a line has other members than URLs with their salt")
        yield {
            "idx": [_number(row["idx"]) for row in page],
            "url": [_url(row, "url") for row in page],
            "parent_url": [_url(row, "parent_url") for row in page],
            "salt": [unhex(row["salt"]) for row in page],
        }


def _url(row: dict[str, Any], name: str) -> bytes | None:
    odd, text = row.get(f"{name}_octets"), row[name]
    return _octets(text) if odd is None else only_octets(text, unhex(odd))


def only_octets(text: object, octets: bytes) -> bytes:
    """Return the octets of a URL that is no valid Unicode. Raises ValueError when it also stands as a text.

    A reader of the text would see another URL than the one that was recorded.
    """
    if text is not None:
        raise ValueError("a URL is given as a text and as octets")
    try:
        octets.decode()
    except UnicodeDecodeError:
        return octets
    raise ValueError("a URL is given as octets that are valid Unicode")
