"""Recognises a page that is a login: a password field, or the way to one, and little else to read.

A login form in the header of an article is no wall, and a login page has some words of its own, so the text
outside headers, menus, side columns and dialogs is weighed. A page with hardly any text is a login, too, when
it posts a SAML request (SAML 2.0 bindings, section 3.5), when its script goes to a login, or when its title
says so and it asks for a name. Decides nothing; pure; linear; never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from policies.signals.login import find_login_address, is_login_title
from policies.signals.page_weight import HARDLY_ANY_TEXT, LITTLE_TEXT, weigh, weighed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.signals.page_markup import Tag
    from policies.signals.page_opened import Page
    from policies.signals.page_weight import Weight

_SNIPPET = 500
# `location = "…"`, `location.href = '…'`, `location.replace("…")`.
_SCRIPTED = re.compile(
    r"location(?:\.href)?\s{0,20}(?:=\s{0,20}|\.(?:replace|assign)\s{0,20}\(\s{0,20})[\"'`]([^\"'`\s]{1,500})"
)
# Scripts that are read, and addresses in all of them; a page that goes to a login says so at once.
_SCRIPTS = 20
_ADDRESSES = 40
# Fields that are looked at; no form that asks who its reader is has more.
_FIELDS = 200
_FIELD_WORDS = ("samlrequest", "email", "username", "webauthn")
_NAMES_A_READER = frozenset(("username", "email", "webauthn", "username webauthn"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginForm:
    """What makes a page a login: the line, the words as written, and why, in words."""

    line: int
    text: str
    why: str


def _is_password(tag: Tag) -> bool:
    return tag.attributes().get("type", "").strip().lower() == "password"


def _fields_naming(page: Page, words: tuple[str, ...]) -> Iterator[tuple[int, Tag]]:
    """Yield the fields of a form, with their numbers, whose tags hold one of these words or a reference."""
    numbers = {number for word in (*words, "&") for number in page.numbers_naming(word)}
    for number in sorted(numbers):
        tag = page.tags[number]
        if tag.name == "input" and not tag.closing:
            yield number, tag


def _password_field(page: Page, weight: Weight) -> tuple[Tag | None, bool]:
    """Return the first password field outside the furniture of a page, else the first inside; and which.

    Behind `_FIELDS` that only mention a password the next one counts as one.
    """
    inside: Tag | None = None
    for looked_at, (number, tag) in enumerate(_fields_naming(page, ("password",))):
        held = weight.holds(number)
        if (not held or inside is None) and (looked_at >= _FIELDS or _is_password(tag)):
            if not held:
                return tag, True
            inside = tag
    return inside, False


def find_login_form(page: Page) -> LoginForm | None:
    """Return the password field of a page that is a login; None when there is none, or enough to read."""
    if not page.markers.password or not page.is_read:
        return None
    weight = page.once(weighed)
    if weight.weight >= LITTLE_TEXT:
        return None
    found, outside = _password_field(page, weight)
    if found is None or (not outside and weight.weight >= HARDLY_ANY_TEXT):
        return None
    why = f"a password field and {round(weight.weight)} letters of text beside it"
    return LoginForm(line=found.line, text=found.raw[:_SNIPPET], why=why)


def _posts_saml(tag: Tag) -> bool:
    return tag.attributes().get("name", "").strip().lower() == "samlrequest"


def _asks_who(tag: Tag) -> bool:
    attributes = tag.attributes()
    kind = attributes.get("type", "").strip().lower()
    return kind == "email" or attributes.get("autocomplete", "").strip().lower() in _NAMES_A_READER


def _scripted_way(page: Page, url: str) -> tuple[Tag, str] | None:
    """Return the first script that goes to a login, and why; each address is asked about once."""
    seen: set[str] = set()
    for number in page.numbers_of("script")[:_SCRIPTS]:
        tag = page.tags[number]
        for found in islice(_SCRIPTED.finditer(tag.text, tag.end, tag.content_end), _ADDRESSES):
            address = found[1]
            if address in seen or len(seen) >= _ADDRESSES:
                continue
            seen.add(address)
            if why := find_login_address(url, address):
                return tag, f"a script: {why}"
    return None


def _asking_fields(page: Page) -> tuple[tuple[Tag, str] | None, Tag | None]:
    """Return the first field that posts a SAML request, and why; and the first that asks who its reader is.

    Behind `_FIELDS` that may do either the next one counts as the former.
    """
    asked: Tag | None = None
    for looked_at, (_, tag) in enumerate(_fields_naming(page, _FIELD_WORDS)):
        if looked_at == _FIELDS:
            return (tag, f"more than {_FIELDS} fields that ask for a name"), asked
        if _posts_saml(tag):
            return (tag, "a SAML request that posts itself"), asked
        if asked is None and _asks_who(tag):
            asked = tag
    return None, asked


def find_login_way(page: Page, url: str) -> LoginForm | None:
    """Return what sends the reader of a page without text to a login, or asks who they are; else None.

    `url` is the address of the page.
    """
    if not page.markers.bare or weigh(page) >= HARDLY_ANY_TEXT:
        return None
    scripted = _scripted_way(page, url)
    posted, asked = _asking_fields(page)
    way = min((way for way in (scripted, posted) if way is not None), key=_place, default=None)
    if way is not None:
        tag, why = way
        return LoginForm(line=tag.line, text=page.text[tag.start : tag.content_end][:_SNIPPET], why=why)
    titles = (content for number in page.numbers_of("title") if (content := page.tags[number].content))
    if asked is not None and is_login_title(title := next(titles, "")):
        words = " ".join(title.split())[:100]
        return LoginForm(
            line=asked.line, text=asked.raw[:_SNIPPET], why=f"the title {words!r} and a field for a name"
        )
    return None


def _place(way: tuple[Tag, str]) -> int:
    return way[0].start
