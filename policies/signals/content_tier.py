"""Reads `article:content_tier`, a publisher's own word for who may read a page.

An Open Graph `article:` property whose values are `free`, `metered` and `locked`; `premium`, `paid` and the
like occur. Several statements: the strictest counts.
An unknown value counts as a restriction that we cannot read. Decides nothing; pure; never raises.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policies.signals.access_statement import (
    SNIPPET,
    Access,
    AccessStatement,
    Carrier,
    read_following_word,
    snippet_around,
)
from policies.signals.page_markers import CONTENT_TIER
from policies.signals.page_text import line_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.signals.page_opened import Page

_FREE = frozenset(("free", "open", "public", "unlocked", "none", "gratis", "0"))
_METERED = frozenset(("metered", "meter"))
_LOCKED = frozenset(
    (
        "locked",
        "premium",
        "paid",
        "paywall",
        "paywalled",
        "subscriber",
        "subscribers",
        "subscription",
        "registered",
    )
)
_REPORTED = 20
# Elements that are read one by one; what lies behind is searched as text.
_MOST_METAS = 1_000
_NAME = re.compile(CONTENT_TIER, re.IGNORECASE)


def read_tier(value: str) -> Access | None:
    """Return what a tier says about access; None when it is empty."""
    word = value.strip().strip("\"'").lower()
    if not word:
        return None
    if word in _FREE:
        return Access.FREE
    if word in _METERED:
        return Access.METERED
    return Access.RESTRICTED if word in _LOCKED else Access.UNREADABLE


def _in_unread(page: Page, start: int) -> Iterator[AccessStatement]:
    found = 0
    for mention in _NAME.finditer(page.text, start):
        access = read_tier(read_following_word(page.text, mention.end())) or Access.UNREADABLE
        if access is Access.FREE:
            continue
        yield AccessStatement(
            access=access,
            carrier=Carrier.TEXT,
            line=line_at(page.text, mention.start()),
            text=snippet_around(page.text, mention.start()),
            note="behind the tag budget, read as text",
        )
        found += 1
        if found == _REPORTED:
            return


def parse_content_tier(page: Page) -> tuple[AccessStatement, ...]:
    """Return every statement of a page about its content tier, in the order of the page."""
    if not page.markers.content_tier:
        return ()
    found: list[AccessStatement] = []
    unread_from = page.unread_from
    looked_at = 0
    for tag in page.tags:
        if tag.name != "meta" or tag.closing or _NAME.search(tag.text, tag.start, tag.end) is None:
            continue
        looked_at += 1
        if looked_at > _MOST_METAS:
            unread_from = tag.start
            break
        attributes = tag.attributes()
        names = (attributes.get(key, "").strip().lower() for key in ("property", "name", "itemprop"))
        if not any(name.rpartition(":")[2] == CONTENT_TIER for name in names):
            continue
        access = read_tier(attributes.get("content", "") or attributes.get("value", ""))
        if access is not None:
            found.append(
                AccessStatement(access=access, carrier=Carrier.META, line=tag.line, text=tag.raw[:SNIPPET])
            )
    return (*found, *_in_unread(page, unread_from))
