"""Reads everything that a page's structured data says about free access to it.

Sources: https://schema.org/isAccessibleForFree and
https://developers.google.com/search/docs/appearance/structured-data/paywalled-content, in JSON-LD, microdata
and RDFa. A page that says "free" of itself and "not free" of one of its parts restricts: any declared
restriction counts. Decides nothing; pure; never raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.signals.access_jsonld import find_in_scripts, find_in_text
from policies.signals.access_microdata import find_in_tags
from policies.signals.page_markers import ACCESSIBLE

if TYPE_CHECKING:
    from policies.signals.access_statement import AccessStatement
    from policies.signals.page_opened import Page


def parse_free_access(page: Page) -> tuple[AccessStatement, ...]:
    """Return what a page's structured data says about itself, JSON-LD first, each in the order of the page.

    Of a page with more tags than are read the rest is searched as text.
    """
    return page.once(_parse) if page.markers.accessible else ()


def _parse(page: Page) -> tuple[AccessStatement, ...]:
    in_tags: tuple[AccessStatement, ...] = ()
    unread_from = page.unread_from
    # Most pages name the property in scripts only.
    if next(page.numbers_naming(ACCESSIBLE), None) is not None:
        in_tags, unread_from = find_in_tags(page)
    rest = find_in_text(page, unread_from, "behind the tag budget, read as text")
    return (*find_in_scripts(page), *in_tags, *rest)
