"""The table of paywall vendors and of what gates say, and how both are looked for.

Values and matching only; the table itself is data (`paywall_vendors.toml`) and arrives as an argument.
Hosts are found where scripts, styles and frames name them, `//host`; phrases are compared folded: without
case, accents and odd spaces. Decides nothing; pure; linear in its input; never raises on hostile input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from policies.signals.login_words import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GAP = 60
"""Characters for which a `*` in a phrase stands at most."""

SHORT = 250
"""Characters of a block that is short enough to be nothing but a gate."""

_DENSE_FROM = "\u2e80"

# Places at which the beginning of a phrase is followed up.
_TRIES = 8

_HOST = re.compile(rb"//([a-z0-9.-]{4,80})")
_ESCAPED_HOST = re.compile(rb"\\/\\/([a-z0-9.-]{4,80})")
_BACKSLASH = b"\\"
_ESCAPED = rb"\/\/"
# Mentions of hosts in one page that are looked at; a list of links has a thousand.
_MOST_HOSTS = 5_000
# Invisible ones, and those that fold to four letters or more, of which a page could hold nothing else.
_ODD = re.compile(
    "[\u00ad\u200b-\u200f\u2057\u2060\u2152\u2167\u2177\u247d-\u2487\u2a0c\u321d\u321e\u3300-\u33ff"
    "\ufdf0-\ufdff\ufeff]"
)
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One seller of paywalls: the hosts of its scripts, and a word that the page must hold besides."""

    name: str
    hosts: tuple[str, ...]
    needs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorTable:
    """Vendors by host, words of home-made gates, phrases as their parts around `*`, and pairs of words."""

    hosts: Mapping[bytes, Vendor] = field(default_factory=dict)
    own_gate: tuple[bytes, ...] = ()
    gates: tuple[tuple[str, ...], ...] = ()
    meters: tuple[tuple[str, ...], ...] = ()
    pairs: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    labels: int = 0
    longest: int = 0
    """How many labels and how many octets a host has at most."""


NO_VENDORS = VendorTable()


def folded(text: str) -> str:
    """Return a text for comparison with phrases."""
    return " ".join(fold(_ODD.sub("", text).translate(_APOSTROPHES)).split())


def _parts(phrase: str) -> tuple[str, ...]:
    parts = tuple(part for piece in phrase.split("*") if (part := folded(piece)))
    if not parts:
        raise ValueError(f"a phrase without words: {phrase!r}")
    return parts


def _folded(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return words folded; a blank at either end of one says that a word ends there."""
    return tuple(f"{' ' * word.startswith(' ')}{folded(word)}{' ' * word.endswith(' ')}" for word in words)


def make_table(
    vendors: tuple[Vendor, ...],
    *,
    own_gate: tuple[str, ...],
    gates: tuple[str, ...],
    meters: tuple[str, ...],
    pairs: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (),
) -> VendorTable:
    """Return a table; ValueError for a phrase without words or a host that is none."""
    hosts: dict[bytes, Vendor] = {}
    for vendor in vendors:
        for host in vendor.hosts:
            if not re.fullmatch(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", host):
                raise ValueError(f"{vendor.name}: {host!r} is no host name")
            hosts[host.encode()] = vendor
    return VendorTable(
        hosts=hosts,
        own_gate=tuple(word.lower().encode() for word in own_gate),
        gates=tuple(dict.fromkeys(_parts(phrase) for phrase in gates)),
        meters=tuple(dict.fromkeys(_parts(phrase) for phrase in meters)),
        pairs=tuple((_folded(going_on), _folded(keys)) for going_on, keys in pairs),
        labels=max((host.count(b".") + 1 for host in hosts), default=0),
        longest=max(map(len, hosts), default=0),
    )


def folded_blocks(blocks: Iterable[str]) -> str:
    """Return blocks of text folded, one a line; no block may hold a line end."""
    text = "\n".join(blocks)
    if text.isascii():
        return fold(text.replace("`", "'"))
    return fold(_ODD.sub("", text).translate(_APOSTROPHES))


def place_of(text: str, parts: tuple[str, ...]) -> int:
    """Return where a phrase stands in folded blocks, -1 for nowhere.

    Its parts stand in order in one block, at most `GAP` characters apart.
    """
    position = text.find(parts[0])
    if len(parts) == 1 or position < 0:
        return position
    for _ in range(_TRIES):
        end = position + len(parts[0])
        for part in parts[1:]:
            found = text.find(part, end, end + GAP + len(part))
            if found < 0 or "\n" in text[end:found]:
                break
            end = found + len(part)
        else:
            return position
        position = text.find(parts[0], position + 1)
        if position < 0:
            break
    return -1


def place_of_pair(text: str, going_on: tuple[str, ...], keys: tuple[str, ...]) -> int:
    """Return where a short one of folded blocks says how to go on and needs a key for it, -1 for nowhere."""
    for words in going_on:
        position = text.find(words)
        for _ in range(_TRIES):
            if position < 0:
                break
            # Where words are written without spaces, a third of the letters says as much.
            most = SHORT if words < _DENSE_FROM else SHORT // 3
            begin = text.rfind("\n", max(0, position - most), position) + 1
            end = text.find("\n", position, position + most)
            if end < 0:
                end = len(text) if len(text) - position <= most else -1
            short = 0 <= end - begin <= most and (begin > 0 or position <= most)
            if short and any(key in f"{text[begin:end]} " for key in keys):
                return position
            position = text.find(words, position + 1)
    return -1


def find_vendors(lowered: bytes, table: VendorTable) -> tuple[str, ...]:
    """Return the names of the vendors whose hosts a page names, in the order of the page.

    `lowered` are the page's octets in lower case. Who names more hosts than are looked at counts as one.
    """
    if not table.hosts:
        return ()
    patterns = [_HOST]
    if _BACKSLASH in lowered and _ESCAPED in lowered:  # one octet is found at once
        patterns.append(_ESCAPED_HOST)
    found: dict[str, None] = {}
    for pattern in patterns:
        hosts = [mention[1] for mention in islice(pattern.finditer(lowered), _MOST_HOSTS + 1)]
        for tail in dict.fromkeys([host.rstrip(b".")[-table.longest - 1 :] for host in dict.fromkeys(hosts)]):
            vendor = _vendor_of(tail, table)
            if vendor is not None and (not vendor.needs or vendor.needs.encode() in lowered):
                found[vendor.name] = None
        if len(hosts) > _MOST_HOSTS:
            found[f"more than {_MOST_HOSTS} hosts"] = None
    return tuple(found)


def _vendor_of(host: bytes, table: VendorTable) -> Vendor | None:
    """Return whose host this is: a listed one, or one below it."""
    labels = host.rsplit(b".", table.labels)
    for left_out in range(max(0, len(labels) - table.labels), len(labels)):
        if (vendor := table.hosts.get(b".".join(labels[left_out:]))) is not None:
            return vendor
    return None
