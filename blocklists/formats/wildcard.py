"""Wildcard lists: `*.x` a row, which here names `x` and every host below it.

Decides nothing but the reading of this one glyph: publishers of such lists (hagezi "Domains Wildcard") mean
the apex too, while RPZ writes `*.x` for everything below the apex alone (`rpz.py`).
Pure; never raises on hostile input.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from blocklists.formats.lines import NAME, Found, Syntax, parse_lines
from blocklists.formats.names import NotUnderstoodError, check_characters, parse_name, plain_address
from blocklists.formats.plain import INLINE_COMMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blocklists.entry import Match
    from blocklists.formats.row import ParsedList

PARSER = "wildcard/1"


def parse_wildcard(octets: bytes, *, scope: Match) -> ParsedList:
    """Return the rows of a wildcard list; `scope` has to be `Match.SUBTREE`.

    Rejected: a row without `*.`, an asterisk anywhere else, an address.
    """
    return parse_lines(octets, _SYNTAX, scope)


def _read(text: str, scope: Match) -> Iterator[Found]:
    row = INLINE_COMMENT.split(text, maxsplit=1)[0]
    if not row.startswith("*."):
        raise NotUnderstoodError("does not begin with '*.'; is this a plain list?")
    name = row[2:]
    check_characters(name)
    if plain_address(name) is not None:
        raise NotUnderstoodError("has an address below an asterisk")
    yield Found(pattern=parse_name(name, scope), match=scope)


_SYNTAX = Syntax(comments=("#",), simple=re.compile(rf"\*\.({NAME})"), read=_read)
