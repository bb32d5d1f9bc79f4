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
_FORMS = 1_500
_CONTENT = 300
# Lists of names below this length are remembered: a page says the same few again and again.
_NAMES_KEPT = 100
_MARKUP = re.compile(r"<[^>]{0,300}>")


class _Item(NamedTuple):
    """An item in which declarations stand: whether it speaks of the page, and of what kind it is."""

    of_page: bool
    speaks: bool
    holds_pointers: bool
    is_whole_work: bool


# There are few kinds, and a page may begin ten thousand items.
_ITEMS = {
    (of_page, speaks, pointers, work): _Item(of_page, speaks, pointers, work)
    for of_page in (False, True)
    for speaks in (False, True)
    for pointers in (False, True)
    for work in (False, True)
}


_NO_NAMES: frozenset[str] = frozenset()


def _names(value: str) -> frozenset[str]:
    if not value:
        return _NO_NAMES
    return _short_names(value) if len(value) < _NAMES_KEPT else _split_names(value)


def _split_names(value: str) -> frozenset[str]:
    return frozenset(local_name(word) for word in value.split())


_short_names = lru_cache(maxsize=256)(_split_names)


class _Form(NamedTuple):
    """What a tag says about items, whatever stands round it."""

    attributes: Mapping[str, str] = {}
    is_linked: bool = False
    leads_away: bool = False
    names_an_entry: bool = False
    declares: bool = False
    is_named: bool = False
    begins_item: bool = False
    is_place: bool = False
    holds_pointers: bool = False
    is_whole_work: bool = False


_SILENT = _Form()


def _read_form(tag: Tag) -> _Form:
    attributes = tag.attributes()
    linked = _names(attributes.get("itemprop", "")) | _names(attributes.get("property", ""))
    types = _names(attributes.get("itemtype", "")) | _names(attributes.get("typeof", ""))
    return _Form(
        attributes=attributes,
        is_linked=bool(linked),
        leads_away=leads_away(linked),
        names_an_entry="item" in linked,
        declares=ACCESSIBLE in linked,
        is_named=ACCESSIBLE in _names(attributes.get("name", "")),
        begins_item="itemscope" in attributes or "typeof" in attributes,
        is_place=is_place_or_event(types),
        holds_pointers=is_list(types),
        is_whole_work=is_whole_work(types),
    )


def _may_speak(raw: str) -> bool:
    """Tell by its letters whether a tag (in lower case) can say anything about items."""
    return (
        "itemprop" in raw or "itemscope" in raw or "property" in raw or "typeof" in raw or ACCESSIBLE in raw
    )


def _begin_item(form: _Form, outer: _Item | None, *, beside: bool) -> _Item:
    if form.is_linked:
        of_page = (outer is None or outer.of_page) and not form.leads_away
        if outer is not None and outer.holds_pointers and form.names_an_entry:
            of_page = False
    elif outer is not None:
        of_page = outer.of_page and not beside and not outer.holds_pointers and not outer.is_whole_work
    else:
        of_page = not beside
    return _ITEMS[of_page, of_page and not form.is_place, form.holds_pointers, form.is_whole_work]


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


def _declared(tag: Tag, form: _Form, item: _Item | None) -> Access | None:
    """Return what a tag declares about the page that stands in an item; None when it is nothing."""
    if not form.is_named and (not form.declares or (item is not None and not item.speaks)):
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


class _Found:
    """What a page declares: permissions and restrictions, as many as are handed back."""

    __slots__ = ("free", "restricting", "statements")

    def __init__(self) -> None:
        self.statements: list[AccessStatement] = []
        self.free = self.restricting = 0

    def add(self, tag: Tag, access: Access, item: _Item | None) -> bool:
        """Take a declaration in; True when there is nothing more to learn."""
        if access is Access.FREE:
            self.free += 1
            if self.free > _REPORTED:
                return False
        else:
            self.restricting += 1
        self.statements.append(_statement(tag, access, item))
        return self.restricting == _REPORTED


def find_in_tags(page: Page) -> tuple[tuple[AccessStatement, ...], int]:
    """Return what microdata and RDFa say about the page, in its order, and the offset where reading stopped.

    Behind `_REPORTED` restrictions there is nothing more to learn: the page is restricted. A permission
    says nothing more either when it is said once more. Behind `_FORMS` forms of tags that speak of items the
    page is left to be searched as text.
    """
    text, allowance, found = page.text, Allowance(_FORMS), _Found()
    forms: dict[str, _Form] = {}
    opened: dict[str, int] = {}
    # The elements that are open: name, item in which they stand, whether beside the page.
    stack: list[tuple[str, _Item | None, bool]] = [("", None, False)]
    for tag in page.tags:
        _, name, closing, start, end, _ = tag
        if closing:
            _close(name, stack, opened)
            continue
        if name in _CLOSED_BY_NEXT and stack[-1][0] == name:
            stack.pop()
            opened[name] -= 1
        _, item, beside = stack[-1]
        beside = beside or name in _BESIDE_THE_PAGE
        raw = text[start:end]
        form = forms.get(raw)
        if form is None:
            form = _SILENT
            if _may_speak(raw.lower()):
                if not allowance.takes(raw):
                    return tuple(found.statements), start
                form = _read_form(tag)
            forms[raw] = form
        if form is not _SILENT:
            access = _declared(tag, form, item)
            if access is not None and found.add(tag, access, item):
                break
            if form.begins_item:
                item = _begin_item(form, item, beside=beside)
        if name not in VOID and raw[-2:] != "/>":
            stack.append((name, item, beside))
            opened[name] = opened.get(name, 0) + 1
    return tuple(found.statements), page.unread_from


def _close(name: str, stack: list[tuple[str, _Item | None, bool]], opened: dict[str, int]) -> None:
    """Close an element and whatever was left open in it; an end tag without a start changes nothing."""
    if opened.get(name):
        while True:
            last = stack.pop()[0]
            opened[last] -= 1
            if last == name:
                break
