"""Unbound configuration: `local-zone: "x." always_…` rows.

Decides which zones block: those answered with nothing, a refusal or silence (unbound.conf(5), local-zone).
`always_transparent` is the opposite and is rejected like every other type, because what those do depends on
data that stands elsewhere.
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

PARSER = "unbound/1"
_ROW = re.compile(r'local-zone:[ \t]*(?:"([^"]*)"|([^ \t"]+))[ \t]+"?([a-z_]+)"?')
_BLOCKING = "always_null|always_nxdomain|always_nodata|always_refuse|always_deny"


def parse_unbound(octets: bytes, *, scope: Match) -> ParsedList:
    """Return the zones that an Unbound configuration answers with nothing; `scope` has to be `Match.SUBTREE`.

    The line `server:` is the frame; names may end in a dot.
    """
    return parse_lines(octets, _SYNTAX, scope)


def _read(text: str, scope: Match) -> Iterator[Found]:
    line = INLINE_COMMENT.split(text, maxsplit=1)[0]
    if line == "server:":
        return
    row = _ROW.fullmatch(line)
    if row is None:
        raise NotUnderstoodError('is not a row of the form local-zone: "name." always_null')
    name = row[2] if row[1] is None else row[1]
    if row[3] not in _BLOCKING.split("|"):
        raise NotUnderstoodError(f"is a zone of type {row[3][:60]!r}, which is not a block by itself")
    check_characters(name)
    if plain_address(name) is not None:
        raise NotUnderstoodError("names an address as a zone")
    yield Found(pattern=parse_name(name, scope), match=scope)


_SYNTAX = Syntax(
    comments=("#",),
    simple=re.compile(rf'local-zone: "({NAME})\.?" (?:{_BLOCKING})'),
    read=_read,
)
