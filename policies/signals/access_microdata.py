"""Reads `isAccessibleForFree` in microdata and RDFa: `itemprop`/`property` with the item that it belongs to.

Sources: https://html.spec.whatwg.org/multipage/microdata.html#names:-the-itemprop-attribute,
https://www.w3.org/TR/rdfa-lite/ and https://schema.org/isAccessibleForFree.
An item that another item names as related, and one inside an article (or a side column) that no property ties
to the page, speak about something else. A declaration outside every item, or as `<meta name>`, counts and is
flagged: misplaced words are still the site's words.
Pure; linear in the number of tags; never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from policies.signals.access_scope import is_list, is_place_or_event, is_whole_work, leads_away, local_name
from policies.signals.access_statement import SNIPPET, Access, AccessStatement, Carrier, read_boolean
from policies.signals.page_markers import ACCESSIBLE
from policies.signals.page_markup import VOID, Tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Restrictions that are handed back of one page.
_REPORTED = 20
# Elements whose own end is often left out: opening the same one again closes it.
_CLOSED_BY_NEXT = frozenset(("p", "li", "dt", "dd", "tr", "td", "th", "option"))
_BESIDE_THE_PAGE = frozenset(("aside", "nav", "footer"))
_ATTRIBUTES_OF_INTEREST = ("itemprop", "itemscope", "property", "typeof", ACCESSIBLE)
_SELDOM_LONGER = 4_000
_CONTENT = 300
# Lists of names below this length are remembered: a page says the same few again and again.
_NAMES_KEPT = 100
_MARKUP = re.compile(r"<[^>]{0,300}>")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """An item in which declarations stand: whether it speaks of the page, and of what kind it is."""

    of_page: bool
    speaks: bool
    types: frozenset[str]


class _Open(NamedTuple):
    """An element that is not closed yet. A named tuple, as tags are: a page makes thousands."""

    name: str
    item: _Item | None
    beside: bool


_NO_NAMES: frozenset[str] = frozenset()


def _names(value: str) -> frozenset[str]:
    if not value:
        return _NO_NAMES
    return _short_names(value) if len(value) < _NAMES_KEPT else _split_names(value)


def _split_names(value: str) -> frozenset[str]:
    return frozenset(local_name(word) for word in value.split())


_short_names = lru_cache(maxsize=256)(_split_names)


def _begin_item(outer: _Item | None, *, beside: bool, linked: frozenset[str], types: frozenset[str]) -> _Item:
    if linked:
        of_page = (outer is None or outer.of_page) and not leads_away(linked)
        if outer is not None and is_list(outer.types) and "item" in linked:
            of_page = False
    elif outer is not None:
        of_page = outer.of_page and not beside and not is_list(outer.types) and not is_whole_work(outer.types)
    else:
        of_page = not beside
    return _Item(of_page=of_page, speaks=of_page and not is_place_or_event(types), types=types)


def _value(tag: Tag, attributes: Mapping[str, str]) -> str:
    """Return the property's value as microdata defines it, leniently: content, then link, then text."""
    for name in ("content", "href", "value", "src", "datetime"):
        if attributes.get(name, "").strip():
            return attributes[name][:_CONTENT]
    if tag.name in VOID:
        return ""
    following = tag.text[tag.end : tag.end + _CONTENT]
    closed = following.lower().find(f"</{tag.name}")
    words = _MARKUP.sub(" ", following if closed < 0 else following[:closed]).split(None, 1)
    return words[0] if words else ""


class _Reader:
    """Follows the open elements through a page and collects what they declare."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._counts: dict[str, int] = {}
        self._free = 0

    def _pop(self) -> None:
        self._counts[self._open.pop().name] -= 1

    def close(self, name: str) -> None:
        """Close an element and whatever was left open in it; an end tag without a start changes nothing."""
        if self._counts.get(name):
            while self._open[-1].name != name:
                self._pop()
            self._pop()

    def enter(self, tag: Tag) -> AccessStatement | None:
        """Take a start tag in, and return what it declares about the page."""
        name = tag.name
        if self._open and self._open[-1].name == name and name in _CLOSED_BY_NEXT:
            self._pop()
        top = self._open[-1] if self._open else None
        outer = top.item if top else None
        beside = (top.beside if top else False) or name in _BESIDE_THE_PAGE
        item = outer
        statement = None
        raw = tag.raw[:_SELDOM_LONGER].lower() if tag.end - tag.start < _SELDOM_LONGER else tag.raw.lower()
        if any(word in raw for word in _ATTRIBUTES_OF_INTEREST):
            attributes = tag.attributes()
            linked = _names(attributes.get("itemprop", "")) | _names(attributes.get("property", ""))
            named = _names(attributes.get("name", ""))
            if ACCESSIBLE in linked or ACCESSIBLE in named:
                statement = self._declared(tag, attributes, outer, named=ACCESSIBLE in named)
            if "itemscope" in attributes or "typeof" in attributes:
                types = _names(attributes.get("itemtype", "")) | _names(attributes.get("typeof", ""))
                item = _begin_item(outer, beside=beside, linked=linked, types=types)
        if name not in VOID and not tag.raw.endswith("/>"):
            self._open.append(_Open(name=name, item=item, beside=beside))
            self._counts[name] = self._counts.get(name, 0) + 1
        return statement

    def _declared(
        self, tag: Tag, attributes: Mapping[str, str], item: _Item | None, *, named: bool
    ) -> AccessStatement | None:
        if item is not None and not item.speaks and not named:
            return None
        access = read_boolean(_value(tag, attributes))
        if access is None:
            return None
        if access is Access.FREE:
            self._free += 1
            if self._free > _REPORTED:
                return None
        return AccessStatement(
            access=access,
            carrier=Carrier.MICRODATA,
            line=tag.line,
            text=tag.text[tag.start : tag.end + 40][:SNIPPET].split("\n\n", 1)[0].strip(),
            note="a declaration outside every item" if item is None else "",
        )


def find_in_tags(tags: Sequence[Tag]) -> Iterator[AccessStatement]:
    """Yield what microdata and RDFa say about the page, in the order of the page.

    Behind `_REPORTED` restrictions there is nothing more to learn: the page is restricted. A permission
    says nothing more either when it is said once more.
    """
    reader = _Reader()
    reported = 0
    for tag in tags:
        if tag.closing:
            reader.close(tag.name)
        elif (statement := reader.enter(tag)) is not None:
            yield statement
            reported += statement.restricts
            if reported == _REPORTED:
                return
