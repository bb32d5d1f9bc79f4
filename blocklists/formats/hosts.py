"""Hosts files: an address of nowhere, then one name or several; `#` starts a comment.

Decides which rows block: those that send a name to 0.0.0.0, 127.0.0.1, `::` or `::1` (hosts(5)). Names of
this machine, which every hosts file holds, are passed over; a row that sends a name to any other address is
no block, and is rejected. How far a name reaches is the manifest's word.
Pure; never raises on hostile input.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from blocklists.formats.lines import NAME, Found, Syntax, parse_lines
from blocklists.formats.names import (
    LOCAL_ADDRESSES,
    LOCAL_NAMES,
    NotUnderstoodError,
    check_characters,
    parse_name,
    plain_address,
)
from blocklists.host import uts46_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blocklists.entry import Match
    from blocklists.formats.row import ParsedList

PARSER = "hosts/1"
_BLANKS = re.compile(r"[ \t]+")
_SINKS = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1"})  # noqa: S104 - where hosts files send what they block


def parse_hosts(octets: bytes, *, scope: Match) -> ParsedList:
    """Return the names of a hosts file.

    `scope` is `Match.HOST` or `Match.SUBTREE`. Several names in one row are several rows with one line
    number. Rejected: a name without address, an address that is no sink, and what no format understands;
    one bad name does not hide the good ones before it.
    """
    return parse_lines(octets, _SYNTAX, scope)


def _read(text: str, scope: Match) -> Iterator[Found]:
    address, *names = _BLANKS.split(text.partition("#")[0].rstrip(" \t"))
    if all(_is_local(name) for name in names) and names:
        return  # the frame of every hosts file, whatever the address
    if plain_address(address) not in _SINKS:
        raise NotUnderstoodError(
            f"begins with {address[:60]!r}; a row that blocks begins with 0.0.0.0, 127.0.0.1, :: or ::1"
        )
    if not names:
        raise NotUnderstoodError("names nothing")
    for name in names:
        if _is_local(name):
            continue
        check_characters(name)
        if plain_address(name) is not None:
            raise NotUnderstoodError(f"{name[:60]!r} is an address in the place of a name")
        yield Found(pattern=parse_name(name, scope), match=scope)


def _is_local(name: str) -> bool:
    return uts46_name(name) in LOCAL_NAMES or plain_address(name) in LOCAL_ADDRESSES


_SYNTAX = Syntax(
    comments=("#",),
    simple=re.compile(rf"(?:0\.0\.0\.0|127\.0\.0\.1|::1?)[ \t]+({NAME})"),
    read=_read,
)
