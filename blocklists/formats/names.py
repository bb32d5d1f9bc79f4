"""The names and addresses that a row may hold, in every format: canonical, or refused with a reason.

Decides what is a host name, what names this machine, and what is too wide to apply unseen (a single label,
a public suffix). How a row is cut into names is the business of each format.
Pure; raises only its two errors.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

import idna

from blocklists.domain import is_public_suffix
from blocklists.entry import Match
from blocklists.host import MAX_RAW_HOST, is_ip_address, uts46_name

_UNSEEN = re.compile(r"[\x00-\x1f\x7f]")
# Characters that a host name cannot hold and that mark the rows of other formats.
_FOREIGN = re.compile(r"[ \t/|^*@=\"'(),;!?#%$&<>\\{}]")
LOCAL_NAMES = frozenset(
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
LOCAL_ADDRESSES = frozenset({"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1"})  # noqa: S104 - refused
_LOCAL = "names this machine, not a site"
_WIDE = frozenset({Match.SUBTREE, Match.BELOW})


class NotUnderstoodError(Exception):
    """A row that is not understood."""


class TooWideError(Exception):
    """A row that would cover the sites of strangers."""


def parse_target(text: str, scope: Match) -> tuple[str, Match]:
    """Return the canonical pattern of a name or an address; an address is always `Match.IP`."""
    check_characters(text)
    address = parse_address(text)
    if address is not None:
        return address, Match.IP
    return parse_name(text, scope), scope


def check_characters(text: str) -> None:
    """Refuse what no host name holds, with the character."""
    if not text:
        raise NotUnderstoodError("names nothing")
    if len(text) > MAX_RAW_HOST:
        raise NotUnderstoodError(f"longer than {MAX_RAW_HOST} characters")
    if _UNSEEN.search(text):
        raise NotUnderstoodError("holds a NUL or another control character")
    foreign = _FOREIGN.search(text)
    if foreign:
        raise NotUnderstoodError(f"holds {foreign[0]!r}, which no host name does; is this another format?")


def parse_name(name: str, scope: Match) -> str:
    """Return a host name in A-labels."""
    pattern = uts46_name(name)
    if pattern is None:
        raise NotUnderstoodError("is not a host name")
    if is_ip_address(pattern):
        raise NotUnderstoodError(f"is an address in an unusual notation; write {pattern}")
    if pattern in LOCAL_NAMES:
        raise NotUnderstoodError(_LOCAL)
    for label in pattern.split("."):
        if label.startswith("xn--") and not _decodes(label):
            raise NotUnderstoodError(f"{label!r} is not a valid A-label")
    if "." not in pattern:
        raise TooWideError("is a single label; list the domains below it that are meant")
    if scope in _WIDE and is_public_suffix(pattern):
        raise TooWideError(
            "is a public suffix; list the domains below it that are meant, "
            'or set scope = "host" for the name alone'
        )
    return pattern


def parse_address(text: str) -> str | None:
    """Return the canonical form of an IP address in its usual notation, or None when it is none."""
    address = plain_address(text)
    if address in LOCAL_ADDRESSES:
        raise NotUnderstoodError(_LOCAL)
    return address


def plain_address(text: str) -> str | None:
    """Return the canonical form of any address, this machine's own included, or None."""
    if not (text[-1:].isdigit() or ":" in text):  # a name, as nearly every row is
        return None
    try:
        address: IPv4Address | IPv6Address = ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return None if address.scope_id else str(address.ipv4_mapped or address)
    return str(address)


def parse_url(text: str) -> str:
    """Return the canonical pattern of a path row (`host/path?query`, with or without scheme).

    The host becomes canonical; path and query stay as written, and a fragment is dropped. A row without a
    path names a whole host, which is another statement, so it is not widened to that.
    """
    rest = re.sub(r"^https?://", "", text, count=1, flags=re.IGNORECASE).partition("#")[0]
    ends = [at for at in (rest.find("/"), rest.find("?")) if at >= 0]
    if not ends:
        raise TooWideError("names no path; list the host among the domains if all of it is meant")
    authority, target = rest[: min(ends)], rest[min(ends) :]
    if _UNSEEN.search(target) or " " in target:
        raise NotUnderstoodError("holds a blank or a control character in its path")
    host, _ = parse_target(authority, Match.HOST)
    if target in ("/", "?", "/?"):
        raise TooWideError("names no path; list the host among the domains if all of it is meant")
    return f"{host}{target if target.startswith('/') else f'/{target}'}"


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
