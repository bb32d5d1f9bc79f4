"""Decides cheaply whether a page can hold any statement about access or use, and opens it for reading if so.

Nearly every page holds none, so the look must cost microseconds: one lower-casing and a few searches over
the whole body. Most pages greet robots with a meta element that restricts nothing; only its own tag is read.
There is no size bound at which the look stops: it is linear, and a statement in the last octet of a long page
counts as much as one in the first.
Known limit: a page that spells the property with character references or escapes is not recognised.
Pure; never raises on hostile input.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from policies.signals.gate_words import NO_VENDORS, find_vendors
from policies.signals.licence_links import RSL_MARKER
from policies.signals.page_markup import first_tag, read_within_budget
from policies.signals.page_opened import NO_MARKERS, Markers, Page
from policies.signals.page_text import declared_charset, decode_narrow, decode_octets, wide_codec

if TYPE_CHECKING:
    from policies.facts import ResponseFacts
    from policies.signals.gate_words import VendorTable

ACCESSIBLE = "isaccessibleforfree"
CONTENT_TIER = "content_tier"
# A stretch of the property that is found faster than the whole: its first letters are those of every page.
_ACCESSIBLE = ACCESSIBLE.removeprefix("isacc").encode()
_CONTENT_TIER = CONTENT_TIER.encode()
_PASSWORD = b"password"
# The octet test for a password field; the tag reader then says whether it is one.
_PASSWORD_TYPE = re.compile(rb"type\s{0,9}=\s{0,9}[\"']?\s{0,9}password")

_REFRESH = b"refresh"
_REFRESH_PRAGMA = re.compile(rb"http-equiv\s{0,9}=\s{0,9}[\"']?\s{0,9}refresh")

MOST_LINKS = 8
"""A page with more links than these is no challenge and no way to a login."""

# By pattern: its first octet is found at once, while a search for three common ones takes ten times as long.
_LINK = re.compile(rb"<a ")
# What such a page goes on with: a script, a form.
_GOING_ON = (b"location", b"samlrequest", b"</form")

_ROBOTS = b"robots"
# The long word first: searching for three letters takes three times as long, and an `n` at its end half more.
_RESERVATION = b"reservati"
_TDM = re.compile(rb"tdm[-:]reservation")
# One octet is found at once, and most pages have none of it.
_PLUS = b"+"
_META = b"<meta"
# What makes a robots meta element restrict something; `&` may spell any of it. `max-snippet:-1` is common.
_RESTRICTING = re.compile(
    rb"no(?:ne|index|archive|cache|snippet|ai|image|follow)|unavailable[_-]after"
    rb"|max-snippet[\s\"']{0,9}:[\s\"']{0,9}[+-]?0|&"
)
_TAG_WINDOW = 8_192
_NAME_WINDOW = 4_096
# Mentions of robots that are looked at one by one; a page with more is opened.
_MENTIONS = 64

_HTML_TYPES = frozenset(("text/html", "application/xhtml+xml"))
# Containers that are never a page of text, whatever they begin with.
_NEVER_MARKUP = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "video/",
    "audio/",
    "font/",
)
_MARKS = b"\xef\xbb\xbf\xff\xfe"
_SPACE = b"\0 \t\r\n\f"
_SNIFF = 1024


def _may_restrict(lowered: bytes, position: int) -> bool:
    """Return whether a mention of robots stands in a meta element that may restrict something."""
    start = lowered.rfind(_META, max(0, position - _NAME_WINDOW), position)
    if start < 0:
        return False
    window = lowered[start : start + _TAG_WINDOW]
    tag = first_tag(window.decode("latin-1"))
    end = tag.end if tag is not None else len(window)
    if start + end <= position:
        return False
    return end == _TAG_WINDOW or _RESTRICTING.search(window, 0, end) is not None


def _robots_may_restrict(lowered: bytes, name: bytes) -> bool:
    position = lowered.find(name)
    for _ in range(_MENTIONS):
        if position < 0:
            return False
        if _may_restrict(lowered, position):
            return True
        position = lowered.find(name, position + len(name))
    return position >= 0


def has_few_links(lowered: bytes) -> bool:
    """Tell whether a page (in lower case) has at most `MOST_LINKS` links; a full page shows it at once."""
    return next(islice(_LINK.finditer(lowered), MOST_LINKS, None), None) is None


def _holds_one_of(words: tuple[bytes, ...], lowered: bytes) -> bool:
    for word in words:  # noqa: SIM110 - a generator costs more than the searches
        if word in lowered:
            return True
    return False


def find_markers(octets: bytes, token: str = "", vendors: VendorTable = NO_VENDORS) -> Markers:
    """Return which words occur in octets of an encoding that contains ASCII, whatever their case.

    `token` is the product token whose own robots meta elements count beside those for everybody; `vendors` is
    the table of paywalls.
    """
    lowered = octets.lower()
    robots = _ROBOTS in lowered and _robots_may_restrict(lowered, _ROBOTS)
    if not robots and token:
        name = token.lower().encode()
        robots = name in lowered and _robots_may_restrict(lowered, name)
    found = (
        _ACCESSIBLE in lowered,
        _CONTENT_TIER in lowered,
        _PASSWORD in lowered and _PASSWORD_TYPE.search(lowered) is not None,
        robots,
        _RESERVATION in lowered and _TDM.search(lowered) is not None,
        _PLUS in lowered and RSL_MARKER in lowered,
        find_vendors(lowered, vendors),
        _holds_one_of(vendors.own_gate, lowered),
        _REFRESH in lowered and _REFRESH_PRAGMA.search(lowered) is not None,
        has_few_links(lowered) and _holds_one_of(_GOING_ON, lowered),
    )
    if not any(found):
        return NO_MARKERS
    accessible, content_tier, password, robots, tdm, licence, sellers, own_gate, refresh, bare = found
    return Markers(
        accessible=accessible,
        content_tier=content_tier,
        password=password,
        robots=robots,
        tdm=tdm,
        licence=licence,
        vendors=sellers,
        own_gate=own_gate,
        refresh=refresh,
        bare=bare,
    )


def is_markup(media_type: str, body: bytes) -> bool:
    """Tell whether a response is read as HTML.

    HTML and XHTML always; known media never; everything else, a missing type included, when it begins like
    markup and is not plainly another XML language.
    """
    if media_type in _HTML_TYPES:
        return True
    if media_type.startswith(_NEVER_MARKUP):
        return False
    head = body[:_SNIFF].lstrip(_MARKS).lstrip(_SPACE)
    if not head.startswith(b"<"):
        return False
    if media_type.endswith(("xml", "/rss", "/atom")) or head.startswith((b"<?xml", b"<\0?\0x")):
        return b"<html" in head.replace(b"\0", b"").lower()
    return True


def open_page(response: ResponseFacts, token: str = "", vendors: VendorTable = NO_VENDORS) -> Page | None:
    """Return the page opened for reading, or None when it is not HTML or holds none of the words.

    `token` is the product token whose own robots meta elements count beside those for everybody; `vendors` is
    the table of paywalls (`policies/paywall_vendors.py`), without which their gates are not looked for.
    """
    body = response.body
    if not body or not is_markup(response.media_type, body):
        return None
    charset = declared_charset(response.header("content-type"))
    wide = wide_codec(body, charset)
    text = decode_octets(body, wide) if wide else ""
    markers = find_markers(text.encode("utf-8", "replace"), token, vendors) if wide else NO_MARKERS
    if not markers:
        markers = find_markers(body, token, vendors)
        if not markers:
            return None
        # What claims to be wide and speaks in single octets is none, whatever its header says.
        text = decode_narrow(body, "" if wide else charset)
    tags, unread_from = read_within_budget(text)
    return Page(text=text, tags=tags, unread_from=unread_from, markers=markers)
