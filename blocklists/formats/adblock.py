"""AdBlock lists, the part that names hosts: `||h^` blocks a host and all below it, `@@||h^` lifts that.

Decides which rules are about hosts alone; `$important`, `$document` and `$all` are understood, every other
option, cosmetic rules, patterns and substrings are rejected, because what they mean depends on a page that
is never loaded here. An exception lifts blocks of its own list only, and `$important` outranks it
(https://adguard-dns.io/kb/general/dns-filtering-syntax/).
Pure; never raises on hostile input.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from blocklists.entry import EntryAction, Match
from blocklists.formats.lines import NAME, Found, Syntax, parse_lines
from blocklists.formats.names import NotUnderstoodError, parse_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blocklists.formats.row import ParsedList

PARSER = "adblock/1"
_RULE = re.compile(r"(@@)?\|\|([^\^|$/*]+)\^(?:\$(.*))?")
_HEADER = re.compile(r"\[[^\[\]]*\]")
_OPTIONS = frozenset({"important", "document", "all"})


def parse_adblock(octets: bytes, *, scope: Match) -> ParsedList:
    """Return the host rules of an AdBlock list; names reach as far as the syntax says, below the host too.

    `scope` has to be `Match.SUBTREE`; comments begin with `!` or `#` and a blank, and `[Adblock Plus]` is a
    heading.
    """
    return parse_lines(octets, _SYNTAX, scope)


def _read(text: str, scope: Match) -> Iterator[Found]:
    if _HEADER.fullmatch(text):
        return
    rule = _RULE.fullmatch(text)
    if rule is None:
        raise NotUnderstoodError("is not a host rule of the form ||host^ or @@||host^")
    options = [option.strip() for option in rule[3].split(",")] if rule[3] is not None else []
    unknown = next((option for option in options if option not in _OPTIONS), None)
    if unknown is not None:
        raise NotUnderstoodError(
            f"has the option {unknown[:60]!r}; only important, document and all are known"
        )
    pattern, match = parse_target(rule[2], scope)
    yield Found(
        pattern=pattern,
        match=match,
        action=EntryAction.ALLOW if rule[1] else EntryAction.BLOCK,
        important="important" in options,
    )


_SYNTAX = Syntax(comments=("!", "# "), simple=re.compile(rf"\|\|({NAME})\^"), read=_read)
