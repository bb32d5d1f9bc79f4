"""Plain-domain lists: one host name or IP address a row, `#` starts a comment.

Decides which rows are entries; how far an entry reaches (`host` or `subtree`) is the manifest's word.
No specification exists; this is the format that hagezi, blocklistproject, UT1 and nextdns publish as
"domains". Rows of other formats (`0.0.0.0 x`, `||x^`, `*.x`, URLs) are rejected, because the same glyphs mean
different things in different formats.
Pure; never raises on hostile input.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

import idna

from blocklists.domain import is_public_suffix
from blocklists.entry import Match
from blocklists.formats.row import MAX_ROW_TEXT, ParsedList, Row, RowProblem
from blocklists.host import MAX_RAW_HOST, is_ip_address, uts46_name

if TYPE_CHECKING:
    from collections.abc import Iterator

PARSER = "plain/1"

_BOM = b"\xef\xbb\xbf"
_INLINE_COMMENT = re.compile(r"[ \t]+#")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f]")
# Characters that a host name cannot hold and that mark the rows of other formats.
_FOREIGN = re.compile(r"[ \t/|^*@=\"'(),;!?#%$&<>\\{}]")
_LOCAL_NAMES = frozenset(
    {
        "localhost",
        "localhost.localdomain",
        "local",
        "broadcasthost",
        "ip6-localhost",
        "ip6-loopback",
        "ip6-localnet",
        "ip6-mcastprefix",
        "ip6-allnodes",
        "ip6-allrouters",
        "ip6-allhosts",
    }
)
_LOCAL_ADDRESSES = frozenset({"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1"})  # noqa: S104 - refused
_LOCAL = "names this machine, not a site"


class _NotUnderstoodError(Exception):
    """A row that is not understood."""


class _TooWideError(Exception):
    """A row that would cover the sites of strangers."""


def parse_plain(octets: bytes, *, scope: Match) -> ParsedList:
    """Return the rows of a plain-domain list.

    `scope` is `Match.HOST` or `Match.SUBTREE` and applies to names; addresses become `Match.IP`.
    A byte-order mark, CRLF, trailing blanks, and a missing final newline are accepted. Rejected: a row
    that is not UTF-8, is longer than 1,024 characters, holds NUL or another control character, holds more
    than one word, is no host name, has an invalid A-label, or names this machine. Quarantined: a single
    label, and a public suffix (ICANN or private) that would be blocked with everything below it.
    """
    rows: list[Row] = []
    rejected: list[RowProblem] = []
    quarantined: list[RowProblem] = []
    seen: set[str] = set()
    duplicates = 0
    for line_no, text in _lines(octets):
        try:
            pattern, match = _parse_row(text, scope)
        except _NotUnderstoodError as problem:
            rejected.append(RowProblem(line_no=line_no, text=text[:MAX_ROW_TEXT], why=str(problem)))
        except _TooWideError as problem:
            quarantined.append(RowProblem(line_no=line_no, text=text[:MAX_ROW_TEXT], why=str(problem)))
        else:
            if pattern in seen:
                duplicates += 1
                continue
            seen.add(pattern)
            rows.append(Row(line_no=line_no, text=text, pattern=pattern, match=match))
    return ParsedList(
        rows=tuple(rows),
        rejected=tuple(rejected),
        quarantined=tuple(quarantined),
        duplicates=duplicates,
    )


def _lines(octets: bytes) -> Iterator[tuple[int, str]]:
    """Yield number and text of every line that is neither blank nor a comment.

    Lines end at LF alone: `splitlines` would also cut at U+2028 and shift every line number after it.
    """
    for line_no, line in enumerate(octets.removeprefix(_BOM).split(b"\n"), start=1):
        text = line.strip(b" \t\r").decode("utf-8", errors="backslashreplace")
        if text and not text.startswith("#"):
            yield line_no, text


def _parse_row(text: str, scope: Match) -> tuple[str, Match]:
    if len(text) > MAX_RAW_HOST:
        raise _NotUnderstoodError(f"longer than {MAX_RAW_HOST} characters")
    name = _INLINE_COMMENT.split(text, maxsplit=1)[0]
    if _UNSEEN.search(name):
        raise _NotUnderstoodError("holds a NUL or another control character")
    foreign = _FOREIGN.search(name)
    if foreign:
        raise _NotUnderstoodError(f"holds {foreign[0]!r}, which no host name does; is this another format?")
    address = _address(name)
    if address is not None:
        if address in _LOCAL_ADDRESSES:
            raise _NotUnderstoodError(_LOCAL)
        return address, Match.IP
    return _parse_name(name, scope), scope


def _parse_name(name: str, scope: Match) -> str:
    pattern = uts46_name(name)
    if pattern is None:
        raise _NotUnderstoodError("is not a host name")
    if is_ip_address(pattern):
        raise _NotUnderstoodError(f"is an address in an unusual notation; write {pattern}")
    if pattern in _LOCAL_NAMES:
        raise _NotUnderstoodError(_LOCAL)
    for label in pattern.split("."):
        if label.startswith("xn--") and not _decodes(label):
            raise _NotUnderstoodError(f"{label!r} is not a valid A-label")
    if "." not in pattern:
        raise _TooWideError("is a single label; list the domains below it that are meant")
    if scope is Match.SUBTREE and is_public_suffix(pattern):
        raise _TooWideError(
            "is a public suffix; list the domains below it that are meant, "
            'or set scope = "host" for the name alone'
        )
    return pattern


def _address(text: str) -> str | None:
    if not (text[-1:].isdigit() or ":" in text):  # a name, as nearly every row is
        return None
    try:
        address: IPv4Address | IPv6Address = ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return None if address.scope_id else str(address.ipv4_mapped or address)
    return str(address)


def _decodes(label: str) -> bool:
    """Whether an A-label stands for a U-label: under IDNA2008, or (emoji) under IDNA2003."""
    try:
        idna.ulabel(label)
    except (UnicodeError, IndexError, ValueError):
        pass
    else:
        return True
    try:
        unicode_label = label.removeprefix("xn--").encode("ascii").decode("punycode")
        return not unicode_label.isascii() and unicode_label.encode("idna") == label.encode("ascii")
    except (UnicodeError, IndexError, ValueError, OverflowError):
        return False
