"""Reads `article:content_tier`, a publisher's own word for who may read a page.

An Open Graph `article:` property whose values are `free`, `metered` and `locked`; `premium`, `paid` and the
like occur. Several statements: the strictest counts.
An unknown value counts as a restriction that we cannot read. Decides nothing; pure; never raises.
"""

from __future__ import annotations

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

    from policies.signals.page_markup import Tag
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
_MOST_METAS = 500
# Mentions in such text that are looked at; the next one counts as one that cannot be read.
_MOST_MENTIONS = 1_000


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


def _in_unread(page: Page, start: int, note: str) -> Iterator[AccessStatement]:
    """Yield what a stretch says that is searched as text: at most `_REPORTED` that restrict."""
    found = 0
    position = page.lowered.find(CONTENT_TIER, start)
    for looked_at in range(_MOST_MENTIONS + 1):
        if position < 0 or found == _REPORTED:
            return
        end = position + len(CONTENT_TIER)
        said = read_tier(read_following_word(page.text, end)) or Access.UNREADABLE
        access = said if looked_at < _MOST_MENTIONS else Access.UNREADABLE
        if access is not Access.FREE:
            yield AccessStatement(
                access=access,
                carrier=Carrier.TEXT,
                line=line_at(page.text, position),
                text=snippet_around(page.text, position),
                note=note,
            )
            found += 1
        position = page.lowered.find(CONTENT_TIER, end)


def _statement(tag: Tag) -> AccessStatement | None:
    attributes = tag.attributes()
    names = (attributes.get(key, "").strip().lower() for key in ("property", "name", "itemprop"))
    if not any(name.rpartition(":")[2] == CONTENT_TIER for name in names):
        return None
    access = read_tier(attributes.get("content", "") or attributes.get("value", ""))
    if access is None:
        return None
    return AccessStatement(access=access, carrier=Carrier.META, line=tag.line, text=tag.raw[:SNIPPET])


def parse_content_tier(page: Page) -> tuple[AccessStatement, ...]:
    """Return every statement of a page about its content tier, in the order of the page."""
    return page.once(_parse) if page.markers.content_tier else ()


def _parse(page: Page) -> tuple[AccessStatement, ...]:
    found: list[AccessStatement] = []
    unread_from, note = page.unread_from, "behind the tag budget, read as text"
    asked: set[str] = set()
    for number in page.numbers_of("meta"):
        tag = page.tags[number]
        # What a page said already it says in vain.
        if (raw := tag.raw) in asked or CONTENT_TIER not in raw.lower():
            continue
        if len(asked) == _MOST_METAS:
            unread_from, note = tag.start, f"behind {_MOST_METAS} meta elements, read as text"
            break
        asked.add(raw)
        if (statement := _statement(tag)) is not None:
            found.append(statement)
    return (*found, *_in_unread(page, unread_from, note))
