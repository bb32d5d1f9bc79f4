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

from crawler.decisionlog.encoding import SALT_SIZE
from crawler.decisionlog.package.jsonl import DIGESTS, TEXTS
from crawler.decisionlog.package.opened import LONGEST_LINE, regular
from crawler.decisionlog.package.pages import KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader
    from pathlib import Path

    from crawler.decisionlog.package.read import Openings, Records

_ROWS: Final = 1000
_OCTETS: Final = 1 << 26  # of the lines of a page, so that what unpacks to anything takes no more
_ODDITIES: Final = (b"\\", b'" ', b'"\t', b'"\r')
_decode: Final = json.JSONDecoder().raw_decode
_NUMBERS: Final = {int, type(None)}
_OPENING: Final = frozenset({"idx", "url", "parent_url", "salt"})
_ODD: Final = frozenset({"url_octets", "parent_url_octets"})


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines, gzipped or not. Raises ValueError and OSError."""
    for page in _pages(path):
        yield from page


def _pages(path: Path) -> Iterator[list[dict[str, Any]]]:
    """Yield the objects, some at a time."""
    with gzip.open(regular(path), "rb") if path.suffix == ".gz" else regular(path).open("rb") as file:
        try:
            while page := _read(file):
                objects = list(map(_object, page))
                if not _plain(b"".join(page), objects):
                    for octets in page:
                        json.loads(octets, object_pairs_hook=_members)
                yield objects
        except (EOFError, zlib.error, RecursionError) as error:
            raise ValueError(f"it was cut off or changed: {error}") from error


def _read(file: gzip.GzipFile | BufferedReader) -> list[bytes]:
    """Return the next lines."""
    page: list[bytes] = []
    room = _OCTETS
    while len(page) < _ROWS and room > 0 and (octets := file.readline(LONGEST_LINE)):
        page.append(octets)
        room -= len(octets)
    return page


def _object(octets: bytes) -> dict[str, Any]:
    text = octets.decode()
    members, end = _decode(text)
    if text[end:] != "\n" or not isinstance(members, dict):
        raise ValueError("a line is no JSON object, or has no end")
    return members


def _plain(octets: bytes, objects: list[dict[str, Any]]) -> bool:
    """Whether lines have, at a glance, as many members as came out of them: none was given twice.

    Without a backslash, a quote and a colon are the end of a name, or a text that begins with a colon.
    """
    return octets.count(b'":') == sum(map(len, objects)) and not any(odd in octets for odd in _ODDITIES)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a line has a member twice")
    return members


def _octets(values: list[str | None]) -> list[bytes | None]:
    return [None if value is None else value.encode() for value in values]


def _digests(values: list[str | None]) -> list[bytes | None]:
    octets = [None if value is None else bytes.fromhex(value) for value in values]
    given, read = (filter(None, values), filter(None, octets))
    if b"".join(read).hex() != "".join(given):
        raise ValueError("a digest is not in lower-case hex")
    return octets


def _numbers(values: list[int | None]) -> list[int | None]:
    if not set(map(type, values)) <= _NUMBERS:
        raise ValueError("a number is none")
    return values


def unhex(value: str) -> bytes:
    """Return the octets that a text is in lower-case hex. Raises ValueError and TypeError."""
    octets = bytes.fromhex(value)
    if octets.hex() != value:
        raise ValueError(f"{value[:80]!r} is no lower-case hex")
    return octets


def records(path: Path) -> Iterator[Records]:
    """Yield the records as columns by name. Raises what `read.UNREADABLE` names."""
    for page in _pages(path):
        if any(len(row) != len(KEPT) for row in page):
            raise ValueError("a line has other members than a record")
        columns: dict[str, list[Any]] = {}
        for name in KEPT:
            read: Callable[[list[Any]], list[Any]] = (
                _octets if name in TEXTS else _digests if name in DIGESTS else _numbers
            )
            columns[name] = read([row[name] for row in page])
        yield columns


def openings(path: Path) -> Iterator[Openings]:
    """Yield idx, URL, parent URL and salt as columns. Raises as `records` does."""
    for page in _pages(path):
        if any(len(row) != len(_OPENING) and row.keys() - _ODD != _OPENING for row in page):
            raise ValueError("a line has other members than URLs with their salt")
        salts = [row["salt"] for row in page]
        if None in salts:
            raise ValueError("a salt is missing")
        if not set(map(len, salts)) <= {2 * SALT_SIZE}:
            raise ValueError("a salt is longer or shorter than a writer's")
        yield {
            "idx": _numbers([row["idx"] for row in page]),
            "url": [_url(row, "url") for row in page],
            "parent_url": [_url(row, "parent_url") for row in page],
            "salt": _digests(salts),
        }


def _url(row: dict[str, Any], name: str) -> bytes | None:
    text: str | None = row[name]
    odd = row.get(f"{name}_octets") if len(row) != len(_OPENING) else None
    if odd is not None:
        return only_octets(text, unhex(odd))
    return None if text is None else text.encode()


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
