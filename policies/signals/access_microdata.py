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
from policies.signals.page_opened import Allowance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.signals.page_opened import Page

# Restrictions that are handed back of one page.
_REPORTED = 20
# Elements whose own end is often left out: opening the same one again closes it.
_CLOSED_BY_NEXT = frozenset(("p", "li", "dt", "dd", "tr", "td", "th", "option"))
_BESIDE_THE_PAGE = frozenset(("aside", "nav", "footer"))
# Forms of tags that speak of items and are looked at; what lies behind is searched as text.
_FORMS = 3_000
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


class _Form(NamedTuple):
    """What a tag says about items, whatever stands round it."""

    attributes: Mapping[str, str]
    linked: frozenset[str]
    named: bool
    begins_item: bool
    types: frozenset[str]


def _read_form(tag: Tag) -> _Form:
    attributes = tag.attributes()
    return _Form(
        attributes=attributes,
        linked=_names(attributes.get("itemprop", "")) | _names(attributes.get("property", "")),
        named=ACCESSIBLE in _names(attributes.get("name", "")),
        begins_item="itemscope" in attributes or "typeof" in attributes,
        types=_names(attributes.get("itemtype", "")) | _names(attributes.get("typeof", "")),
    )


def _may_speak(raw: str) -> bool:
    """Tell by its letters whether a tag (in lower case) can say anything about items."""
    return (
        "itemprop" in raw or "itemscope" in raw or "property" in raw or "typeof" in raw or ACCESSIBLE in raw
    )


def _declared(tag: Tag, form: _Form, item: _Item | None) -> Access | None:
    """Return what a tag declares about the page that stands in an item; None when it is nothing."""
    if not form.named and (ACCESSIBLE not in form.linked or (item is not None and not item.speaks)):
        return None
    return read_boolean(_value(tag, form.attributes))


def _statement(tag: Tag, access: Access, item: _Item | None) -> AccessStatement:
    return AccessStatement(
        access=access,
        carrier=Carrier.MICRODATA,
        line=tag.line,
        text=tag.text[tag.start : tag.end + 40][:SNIPPET].split("\n\n", 1)[0].strip(),
        note="a declaration outside every item" if item is None else "",
    )


class _Elements:
    """The elements that are open while a page is read, and the item that each stands in."""

    __slots__ = ("_counts", "_open")

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._counts: dict[str, int] = {}

    def _pop(self) -> None:
        self._counts[self._open.pop().name] -= 1

    def close(self, name: str) -> None:
        """Close an element and whatever was left open in it; an end tag without a start changes nothing."""
        if self._counts.get(name):
            while self._open[-1].name != name:
                self._pop()
            self._pop()

    def around(self, name: str) -> _Open:
        """Return the element in which one of this name begins, once what it closes is closed."""
        if self._open and self._open[-1].name == name and name in _CLOSED_BY_NEXT:
            self._pop()
        return self._open[-1] if self._open else _NOWHERE

    def push(self, element: _Open) -> None:
        """Open an element."""
        self._open.append(element)
        self._counts[element.name] = self._counts.get(element.name, 0) + 1


_NOWHERE = _Open(name="", item=None, beside=False)


def find_in_tags(page: Page) -> tuple[tuple[AccessStatement, ...], int]:
    """Return what microdata and RDFa say about the page, in its order, and the offset where reading stopped.

    Behind `_REPORTED` restrictions there is nothing more to learn: the page is restricted. A permission
    says nothing more either when it is said once more. Behind `_FORMS` forms of tags that speak of items the
    page is left to be searched as text.
    """
    text, lowered, allowance = page.text, page.lowered, Allowance(_FORMS)
    elements, forms = _Elements(), dict[str, _Form]()
    found: list[AccessStatement] = []
    free = restricting = 0
    for tag in page.tags:
        _, name, closing, start, end, _ = tag
        if closing:
            elements.close(name)
            continue
        _, item, beside = elements.around(name)
        beside = beside or name in _BESIDE_THE_PAGE
        outer = item
        raw = lowered[start:end]
        if _may_speak(raw):
            raw = text[start:end]
            if not allowance.knows(raw):
                if not allowance.takes(raw):
                    return tuple(found), start
                forms[raw] = _read_form(tag)
            form = forms[raw]
            access = _declared(tag, form, outer)
            free += access is Access.FREE
            if access is not None and (access is not Access.FREE or free <= _REPORTED):
                found.append(_statement(tag, access, outer))
                restricting += found[-1].restricts
                if restricting == _REPORTED:
                    return tuple(found), page.unread_from
            if form.begins_item:
                item = _begin_item(outer, beside=beside, linked=form.linked, types=form.types)
        if name not in VOID and not text.endswith("/>", start, end):
            elements.push(_Open(name, item, beside))
    return tuple(found), page.unread_from
