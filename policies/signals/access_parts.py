"""Finds the closed parts of a page that is free otherwise, and the page without them.

Source: https://developers.google.com/search/docs/appearance/structured-data/paywalled-content, of a work
that declares itself free and a `WebPageElement` in its `hasPart` not, with a `cssSelector` for a class.
What lies outside such elements is free. Only the plain form is taken at its word: valid JSON-LD, one class a
selector, an element for each. Of everything else the whole page counts as closed.
Decides nothing; pure; linear; never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.signals.access_jsonld import Members, json_ld_scripts, read_value
from policies.signals.access_scope import local_name
from policies.signals.access_statement import Access
from policies.signals.page_markers import ACCESSIBLE
from policies.signals.page_markup import VOID
from policies.signals.page_opened import Allowance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.signals.access_jsonld import Json
    from policies.signals.page_opened import Page

_JSON_LD = "ld+json"
_CLASS = re.compile(r"\.(-?[A-Za-z_][A-Za-z0-9_-]{0,100})")
_SELECTORS = 20
# Works of one page, and forms of tags that may name a class, that are looked at; more cannot be told apart.
_WORKS = 1_000
_FORMS = 4_000
# A copy of what is closed may stand here; none of it is text of the page.
_COPIES = frozenset(("script", "template", "noscript"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedParts:
    """The classes whose elements are closed, and how many statements said so."""

    classes: tuple[str, ...]
    statements: int


def _member(members: Members, wanted: str) -> list[Json]:
    return [value for name, value in members if local_name(name) == wanted]


def _objects(value: Json) -> Iterator[Members]:
    """Yield the objects of a member that holds one or a list of them; what is no object is not plain."""
    if isinstance(value, Members):
        yield value
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, Members):
                yield item


def _classes(part: Members) -> list[str]:
    """Return the classes that a part's selectors name; empty when any selector is not one class."""
    found: list[str] = []
    for value in _member(part, "cssselector"):
        for selector in value if isinstance(value, list) and not isinstance(value, Members) else [value]:
            if not isinstance(selector, str):
                return []
            for one in selector.split(","):
                named = _CLASS.fullmatch(one.strip())
                if named is None:
                    return []
                found.append(named[1])
    return found


def _parts_of(work: Members) -> ClosedParts | None:
    """Return the closed parts of a work that says it is free; None unless all of it is plain."""
    said = [read_value(value) for value in _member(work, ACCESSIBLE)]
    if said != [Access.FREE]:
        return None
    classes: list[str] = []
    statements = 0
    for value in _member(work, "haspart"):
        for part in _objects(value):
            values = _member(part, ACCESSIBLE)
            if not values or [read_value(one) for one in values] == [Access.FREE]:
                continue
            named = _classes(part)
            if [read_value(one) for one in values] != [Access.RESTRICTED] or not named:
                return None
            statements += 1
            classes += named
    return ClosedParts(classes=tuple(dict.fromkeys(classes)), statements=statements) if statements else None


def _works(documents: list[Json]) -> Iterator[Members]:
    """Yield the objects at the top, in arrays and in `@graph`."""
    for document in documents:
        for one in _objects(document):
            yield one
            for graph in _member(one, "@graph"):
                yield from _objects(graph)


def find_closed_parts(page: Page) -> ClosedParts | None:
    """Return the closed parts of a page that is free otherwise; None when there are none to be told.

    The caller compares `statements` with all restrictions of the page: one more closes the whole of it.
    """
    found: list[ClosedParts] = []
    works = 0
    parsed: dict[str, list[Json] | None] = {}
    for script in page.once(json_ld_scripts):
        if _JSON_LD not in script.kind:
            continue
        if script.beyond:
            return None  # what is not parsed closes the whole page
        if not script.again:
            parsed[script.tag.content] = None if script.note else script.documents
        for work in _works(parsed.get(script.tag.content) or []):
            works += 1
            if works > _WORKS:
                return None
            if (parts := _parts_of(work)) is not None:
                found.append(parts)
    classes = tuple(dict.fromkeys(name for parts in found for name in parts.classes))
    if not classes or len(classes) > _SELECTORS:
        return None
    return ClosedParts(classes=classes, statements=sum(parts.statements for parts in found))


def _end_of(page: Page, number: int) -> tuple[int, int]:
    """Return where an element ends that begins with a tag: the offset, and the number of the next tag.

    One whose end is missing ends with the page.
    """
    tags = page.tags
    first = tags[number]
    if first.name in VOID:
        return first.end, number + 1
    depth = 0
    for at in range(number, len(tags)):
        tag = tags[at]
        if tag.name == first.name:
            depth += -1 if tag.closing else 1
            if depth == 0:
                return tag.end, at + 1
    return len(page.text), len(tags)


def without_closed_parts(page: Page, parts: ClosedParts) -> str | None:
    """Return the text of a page without its closed parts and its scripts; None when it cannot be told.

    Each class must be that of an element, and the page must have been read to its end.
    """
    if page.unread_from < len(page.text):
        return None
    named_at = _classes_at(page, frozenset(parts.classes))
    if named_at is None:
        return None
    seen = set[str]()
    pieces: list[str] = []
    position = number = 0
    while number < len(page.tags):
        tag = page.tags[number]
        named = named_at.get(number)
        if tag.closing or not (named or tag.name in _COPIES):
            number += 1
            continue
        seen.update(named or ())
        pieces.append(page.text[position : tag.start])
        position, number = _end_of(page, number)
    pieces.append(page.text[position:])
    return "".join(pieces) if seen == set(parts.classes) else None


def _classes_at(page: Page, wanted: frozenset[str]) -> dict[int, frozenset[str]] | None:
    """Return which of these classes each tag names, by number; None where that are too many to be told."""
    allowance = Allowance(_FORMS)
    forms: dict[str, frozenset[str]] = {}
    found: dict[int, frozenset[str]] = {}
    numbers = {number for word in {*map(str.lower, wanted), "&"} for number in page.numbers_naming(word)}
    for number in sorted(numbers):
        tag = page.tags[number]
        raw = tag.raw
        if tag.closing or "class" not in raw.lower():
            continue
        if not allowance.knows(raw):
            if not allowance.takes(raw):
                return None
            forms[raw] = wanted.intersection(tag.attributes().get("class", "").split())
        if forms[raw]:
            found[number] = forms[raw]
    return found
