"""Reads everything that a page's structured data says about free access to it.

Sources: https://schema.org/isAccessibleForFree and
https://developers.google.com/search/docs/appearance/structured-data/paywalled-content, in JSON-LD, microdata
and RDFa. A page that says "free" of itself and "not free" of one of its parts restricts: any declared
restriction counts. Decides nothing; pure; never raises.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from policies.signals.access_jsonld import (
    PARSED_CHARACTERS,
    PARSED_SCRIPTS,
    find_in_script,
    find_in_text,
    names_property,
)
from policies.signals.access_microdata import find_in_tags
from policies.signals.page_markers import ACCESSIBLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.signals.access_statement import AccessStatement
    from policies.signals.page_opened import Page

_NAME = re.compile(ACCESSIBLE, re.IGNORECASE)
_JSON_LD = ("ld+json", "json+ld", "jsonld")


def _in_scripts(page: Page) -> Iterator[AccessStatement]:
    """Yield what the scripts of a page say; one that repeats another word for word is read once."""
    read: set[str] = set()
    characters = 0
    for tag in page.tags:
        if tag.name == "script" and not tag.closing and tag.content_end > tag.end:
            kind = tag.attributes().get("type", "").lower()
            if not any(word in kind for word in _JSON_LD) or tag.content in read:
                continue
            if not names_property(tag.text, tag.end, tag.content_end):
                continue
            read.add(tag.content)
            characters += tag.content_end - tag.end
            parsing = characters <= PARSED_CHARACTERS and len(read) <= PARSED_SCRIPTS
            yield from find_in_script(tag.text, tag.end, tag.content_end, parsing=parsing)


def _is_in_a_tag(page: Page) -> bool:
    """Tell whether a tag itself names the property; most pages name it in scripts only."""
    starts = [tag.start for tag in page.tags]
    for mention in _NAME.finditer(page.text, 0, page.unread_from):
        number = bisect_right(starts, mention.start()) - 1
        if number >= 0 and page.tags[number].end > mention.start():
            return True
    return False


def parse_free_access(page: Page) -> tuple[AccessStatement, ...]:
    """Return what a page's structured data says about itself, JSON-LD first, each in the order of the page.

    Of a page with more tags than the budget the unread rest is searched as text.
    """
    if not page.markers.accessible:
        return ()
    return (
        *_in_scripts(page),
        *(find_in_tags(page.tags) if _is_in_a_tag(page) else ()),
        *find_in_text(page.text, page.unread_from, len(page.text), "behind the tag budget, read as text"),
    )
