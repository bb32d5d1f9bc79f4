"""The canonical host: one spelling for every way to write the same host, and the origin of a URL.

Decides what a host is called before any list, robots.txt cache or log looks at it.
Implements the host parser of the URL Standard (https://url.spec.whatwg.org/#host-parsing) where it and the
connecting code agree, and refuses where they do not: a host that two readers understand differently is
unparsable, and callers never fetch what is unparsable.
The fetched form is judged. Scrapy turns a Unicode host into A-labels by IDNA2003 (RFC 3490), so that form
comes first; the UTS-46 form (https://www.unicode.org/reports/tr46/) follows as a second key where it differs.
Pure: no input raises, nothing is looked up, no socket, no clock.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from unicodedata import normalize
from urllib.parse import unquote_to_bytes

import idna

# Room for 253 octets written as percent-encoded characters; anything longer cannot be a DNS name.
MAX_RAW_HOST = 1024
MAX_HOST = 253
_CACHED_HOSTS = 32_768
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65_535
_MAX_IPV4_PARTS = 4
_MAX_OCTET = 255

# Letters, digits, hyphen, and the underscore that real host names hold: what Scrapy lets Twisted resolve.
_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")
# The same, and already canonical: the last label cannot be read as a number.
_CANONICAL_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z_-][a-z0-9_-]{0,62}")
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_IPV4_PART = re.compile(r"0x([0-9a-f]+)|0([0-7]*)|([1-9][0-9]*)")

_SCHEME_AND_AUTHORITY = re.compile(r"(https?)://([^/?#\\]*)(\\?)", re.IGNORECASE | re.ASCII)
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(?:0*([0-9]{1,5}))?)?")
_UNSEEN = re.compile(r"[\x00-\x20\x7f]")
_DELIMITERS = frozenset("/?#@:\\[]")


def canonical_host(raw_host: str) -> str | None:
    """Return the canonical spelling of the host that would be connected to, or None when it is unparsable.

    `raw_host` is the host part of a URL, without userinfo and port; IPv6 with or without brackets.
    The result is lower-case A-labels without trailing dot, a dotted IPv4 address, or a compressed IPv6
    address without brackets. Percent-encoding is undone once, one trailing dot is dropped, IPv4 in any
    notation becomes dotted, and IPv4-mapped IPv6 becomes IPv4. Idempotent.
    """
    if len(raw_host) > MAX_RAW_HOST:
        return None
    keys = _host_keys(raw_host)
    return keys[0] if keys else None


def host_keys(raw_host: str) -> tuple[str, ...]:
    """Return every key of a host as written: the fetched form, then the UTS-46 form if it differs.

    Empty when the host is unparsable. The keys of an ASCII host are its canonical form alone: `fass.de` is
    no key of `xn--fa-hia.de`, because they are two sites.
    """
    if len(raw_host) > MAX_RAW_HOST:
        return ()
    return _host_keys(raw_host)


def split_origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, canonical host and port of an absolute http(s) URL, or None when it must not be fetched.

    Takes the URL as Scrapy would send it (`Request(url).url`). Userinfo is ignored; the port is the
    scheme's default when absent or empty. None stands for: another scheme, no host, a host or port that
    is unparsable, port 0, blanks or control characters in the authority, and a backslash that ends the
    authority (readers disagree whether it belongs to the host; Scrapy replaces it before sending).
    """
    found = _SCHEME_AND_AUTHORITY.match(url)
    if found is None or found[3]:
        return None
    scheme = found[1].lower()
    authority = found[2]
    if _UNSEEN.search(authority) or _hides_delimiter(authority):
        return None
    userinfo, _, host_and_port = authority.rpartition("@")
    parts = _HOST_AND_PORT.fullmatch(host_and_port)
    if parts is None or "[" in userinfo or "]" in userinfo:
        return None
    if ":" in parts[1] and not parts[1].startswith("["):
        return None
    host = canonical_host(parts[1])
    port = _DEFAULT_PORTS[scheme] if parts[2] is None else int(parts[2])
    if host is None or not 0 < port <= _MAX_PORT:
        return None
    return scheme, host, port


def is_ip_address(host: str) -> bool:
    """Whether a canonical host is an IP literal."""
    return ":" in host or _ENDS_IN_A_NUMBER.fullmatch(host) is not None


def uts46_name(name: str) -> str | None:
    """Return the A-label form of a registered name as its owner writes it, or None when it is not a name.

    UTS-46 without transitional mapping: `faß.de` is `xn--fa-hia.de`. Names that IDNA2008 does not know
    (emoji, underscores beside Unicode) fall back to IDNA2003, the form under which they resolve.
    """
    if len(name) > MAX_RAW_HOST:
        return None
    if name.isascii():
        return _ascii_key(name)
    encoded = _uts46(name) or _idna2003(name)
    return None if encoded is None else _ascii_key(encoded)


@lru_cache(maxsize=_CACHED_HOSTS)
def _host_keys(raw: str) -> tuple[str, ...]:
    if len(raw) <= MAX_HOST and _CANONICAL_NAME.fullmatch(raw):
        return (raw,)
    if ":" in raw or raw.startswith("["):
        address = _ipv6_key(raw)
        return () if address is None else (address,)
    fetched = _fetched_key(raw)
    if fetched is None:
        return ()
    written = _percent_decoded(raw)
    if written is None or written.isascii():
        return (fetched,)
    current = _uts46(written)
    other = None if current is None else _ascii_key(current)
    return (fetched,) if other in (None, fetched) else (fetched, other)


def _fetched_key(raw: str) -> str | None:
    """Follow Scrapy (Unicode to A-labels), then whoever undoes percent-encoding after it."""
    sent = raw if raw.isascii() else _idna2003(raw)
    name = None if sent is None else _percent_decoded(sent)
    if name is not None and not name.isascii():
        name = _idna2003(name)
    return None if name is None else _ascii_key(name)


def _percent_decoded(raw: str) -> str | None:
    if "%" not in raw:
        return raw
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeError:
        return None


def _idna2003(name: str) -> str | None:
    """Return what Scrapy makes of a Unicode host (w3lib: NFKC, then the codec of RFC 3490)."""
    try:
        return normalize("NFKC", name).encode("idna").decode("ascii")
    except UnicodeError:
        return None


def _uts46(name: str) -> str | None:
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except (UnicodeError, ValueError, IndexError):
        return None


def _ascii_key(name: str) -> str | None:
    """Return the canonical form of an ASCII host without brackets."""
    host = name.lower().removesuffix(".")
    if len(host) > MAX_HOST or _NAME.fullmatch(host) is None:
        return None
    return _ipv4_key(host) if _ENDS_IN_A_NUMBER.fullmatch(host) else host


def _ipv4_key(host: str) -> str | None:
    """Return the dotted form of an IPv4 address in any notation that inet_aton(3) connects to."""
    parts = host.split(".")
    if len(parts) > _MAX_IPV4_PARTS:
        return None
    numbers = []
    for part in parts:
        digits = _IPV4_PART.fullmatch(part)
        if digits is None:
            return None
        sixteen, eight, ten = digits.groups()
        numbers.append(int(sixteen, 16) if sixteen else int(eight or "0", 8) if ten is None else int(ten))
    *leading, last = numbers
    if any(number > _MAX_OCTET for number in leading) or last >= 256 ** (5 - len(numbers)):
        return None
    for place, number in enumerate(leading):
        last += number << (8 * (3 - place))
    return str(IPv4Address(last))


def _ipv6_key(raw: str) -> str | None:
    inner = raw[1:-1] if raw.startswith("[") and raw.endswith("]") else raw
    if "%" in inner:  # a zone names an interface of this machine, never a site
        return None
    try:
        address = IPv6Address(inner)
    except AddressValueError:
        return None
    return str(address.ipv4_mapped or address)


def _hides_delimiter(authority: str) -> bool:
    """Whether NFKC would make a URL delimiter out of a character that is none (urlsplit refuses the same)."""
    if authority.isascii():
        return False
    unusual = "".join(character for character in authority if not character.isascii())
    return not _DELIMITERS.isdisjoint(normalize("NFKC", unusual))
