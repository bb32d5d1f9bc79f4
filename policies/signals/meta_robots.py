"""Robots meta elements: `<meta name="robots" content="noindex, noai">`, for everybody or for our own token.

Implements https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag, `noai` and `noimageai`
of DeviantArt and Spawning, and reads `http-equiv="X-Robots-Tag"`, which occurs. Elements for everybody and
for our token (by equality, without regard to case) add up; those of other crawlers say nothing here. A
restriction outside the head counts and is marked as misplaced, one in a comment is no element at all.
Pure: the time is an argument; linear; never raises.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policies.signals.page_metas import find_metas
from policies.signals.robots_directives import (
    RESTRICTIONS,
    Place,
    beyond_limit,
    distinct,
    parse_directives,
)
from policies.signals.statement import Family, Problem, Source, Statement

if TYPE_CHECKING:
    from policies.signals.page_metas import PageMeta
    from policies.signals.page_opened import Page

NAMES = frozenset(("robots", "x-robots-tag", "robots-tag"))
CONTENT_LIMIT = 8_192
"""Characters of a page's elements that are read word for word; behind them restrictions count by letters."""
# What an element that nobody read is taken to say.
_EVERYTHING = ", ".join(sorted(RESTRICTIONS))


def meta_names(token: str) -> frozenset[str]:
    """Return the names of the elements that speak to a token, in lower case."""
    return NAMES | {token.lower()} if token else NAMES


def parse_meta_robots(metas: tuple[PageMeta, ...], token: str, *, now_us: int) -> tuple[Statement, ...]:
    """Return what robots meta elements say to a token, each statement once."""
    names = meta_names(token)
    found: list[Statement] = []
    left = CONTENT_LIMIT
    for meta in metas:
        if meta.name not in names:
            continue
        place = Place(
            family=Family.ROBOTS_META,
            source=Source.PAGE,
            text=meta.text,
            line=meta.line,
            problem=Problem.MISPLACED if meta.misplaced else Problem.NONE,
        )
        if meta.unread:
            found += beyond_limit(_EVERYTHING, replace(place, problem=Problem.BEYOND_LIMIT))
        found += parse_directives(meta.content[:left], place, now_us=now_us)
        if len(meta.content) > left:
            found += beyond_limit(meta.content[left:], replace(place, problem=Problem.NONE))
        left = max(0, left - len(meta.content))
    return distinct(found)


def read_meta_robots(page: Page, token: str, *, now_us: int) -> tuple[Statement, ...]:
    """Return what the robots meta elements of an opened page say to a token."""
    return page.once(_read, token, now_us) if page.markers.robots else ()


def _read(page: Page, token: str, now_us: int) -> tuple[Statement, ...]:
    return parse_meta_robots(find_metas(page, meta_names(token)), token, now_us=now_us)
