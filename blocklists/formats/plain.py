"""Plain-domain lists: one host name or IP address a row, `#` starts a comment.

Decides which rows are entries; how far an entry reaches (`host` or `subtree`) is the manifest's word.
No specification exists; this is the format that hagezi, blocklistproject, UT1 and nextdns publish as
"domains". Rows of other formats (`0.0.0.0 x`, `||x^`, `*.x`, URLs) are rejected, because the same glyphs mean
different things in different formats.
Pure; never raises on hostile input.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from blocklists.formats.lines import NAME, Found, Syntax, parse_lines
from blocklists.formats.names import NotUnderstoodError, parse_target
from blocklists.host import MAX_RAW_HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blocklists.entry import Match
    from blocklists.formats.row import ParsedList

PARSER = "plain/1"
# The look-behind keeps a row of blanks from being searched once for each of them.
INLINE_COMMENT = re.compile(r"(?<![ \t])[ \t]+#")


def parse_plain(octets: bytes, *, scope: Match) -> ParsedList:
    """Return the rows of a plain-domain list.

    `scope` is `Match.HOST` or `Match.SUBTREE` and applies to names; addresses become `Match.IP`.
    A byte-order mark, CRLF, trailing blanks, and a missing final newline are accepted. Rejected: a row
    that is not UTF-8, is longer than 1,024 characters, holds NUL or another control character, holds more
    than one word, is no host name, has an invalid A-label, or names this machine. Quarantined: a single
    label, and a public suffix (ICANN or private) that would be blocked with everything below it.
    """
    return parse_lines(octets, _SYNTAX, scope)


def _read(text: str, scope: Match) -> Iterator[Found]:
    if len(text) > MAX_RAW_HOST:
        raise NotUnderstoodError(f"longer than {MAX_RAW_HOST} characters")
    pattern, match = parse_target(INLINE_COMMENT.split(text, maxsplit=1)[0], scope)
    yield Found(pattern=pattern, match=match)


_SYNTAX = Syntax(comments=("#",), simple=re.compile(f"({NAME})"), read=_read)
