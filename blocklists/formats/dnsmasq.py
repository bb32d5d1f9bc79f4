"""dnsmasq configuration: `local=/x/`, `server=/x/` and `address=/x/…` rows.

Decides which rows block: those that answer a name and all below it with nothing, or with an address of
nowhere (https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html, --server and --address). `server=/x/1.2.3.4`
sends a name to a resolver and `server=/x/#` exempts it, so both are rejected, and so is an answer with a real
address.
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

PARSER = "dnsmasq/1"
_ROW = re.compile(r"(local|server|address)=/([^#]*)/([^/]*)")
_SINKS = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1"})  # noqa: S104 - answers that lead nowhere


def parse_dnsmasq(octets: bytes, *, scope: Match) -> ParsedList:
    """Return the names that a dnsmasq configuration answers with nothing; `scope` has to be `Match.SUBTREE`.

    Several names in one row are several rows with one line number.
    """
    return parse_lines(octets, _SYNTAX, scope)


def _read(text: str, scope: Match) -> Iterator[Found]:
    row = _ROW.fullmatch(INLINE_COMMENT.split(text, maxsplit=1)[0].rstrip())
    if row is None:
        raise NotUnderstoodError("is not local=/name/, server=/name/ or address=/name/")
    keyword, names, target = row.groups()
    if keyword == "address":
        if target not in ("", "#") and plain_address(target) not in _SINKS:
            raise NotUnderstoodError(f"answers with {target[:60]!r}, an address of something")
    elif target:
        raise NotUnderstoodError(f"sends the name on to {target[:60]!r}, which is not a block")
    for name in names.split("/"):
        check_characters(name)
        if plain_address(name) is not None:
            raise NotUnderstoodError(f"{name[:60]!r} is an address in the place of a name")
        yield Found(pattern=parse_name(name, scope), match=scope)


_SYNTAX = Syntax(
    comments=("#",),
    simple=re.compile(rf"(?:local|server)=/({NAME})/"),
    read=_read,
)
