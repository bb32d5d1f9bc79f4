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
from policies.signals.page_weight import HARDLY_ANY_TEXT, LITTLE_TEXT, Weigher, weigh

if TYPE_CHECKING:
    from policies.signals.page_markup import Tag
    from policies.signals.page_opened import Page

_SNIPPET = 500
# `location = "…"`, `location.href = '…'`, `location.replace("…")`.
_SCRIPTED = re.compile(
    r"location(?:\.href)?\s{0,20}(?:=\s{0,20}|\.(?:replace|assign)\s{0,20}\(\s{0,20})[\"'`]([^\"'`\s]{1,2000})"
)
# Scripts that are read, and addresses in each; a page that goes to a login says so at once.
_SCRIPTS = 20
_ADDRESSES = 20
_NAMES_A_READER = frozenset(("username", "email", "webauthn", "username webauthn"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginForm:
    """What makes a page a login: the line, the words as written, and why, in words."""

    line: int
    text: str
    why: str


def find_login_form(page: Page) -> LoginForm | None:
    """Return the password field of a page that is a login; None when there is none, or enough to read."""
    if not page.markers.password:
        return None
    weigher = Weigher()
    outside: Tag | None = None
    inside: Tag | None = None
    position = 0
    for tag in page.tags:
        weigher.add_text(page.text[position : tag.start])
        if weigher.weight >= LITTLE_TEXT:
            return None
        position = tag.content_end
        if tag.closing:
            weigher.close(tag.name)
            continue
        if tag.name == "input" and tag.attributes().get("type", "").strip().lower() == "password":
            if weigher.furniture_at:
                inside = inside or tag
            else:
                outside = outside or tag
        weigher.open(tag)
    weigher.add_text(page.text[position : page.unread_from])
    found = outside or inside
    limit = LITTLE_TEXT if outside else HARDLY_ANY_TEXT
    if found is None or weigher.weight >= limit or page.unread_from < len(page.text):
        return None
    why = f"a password field and {round(weigher.weight)} letters of text beside it"
    return LoginForm(line=found.line, text=found.raw[:_SNIPPET], why=why)


def _posts_saml(tag: Tag) -> bool:
    return tag.name == "input" and tag.attributes().get("name", "").strip().lower() == "samlrequest"


def _asks_who(tag: Tag) -> bool:
    if tag.name != "input":
        return False
    attributes = tag.attributes()
    kind = attributes.get("type", "").strip().lower()
    return kind == "email" or attributes.get("autocomplete", "").strip().lower() in _NAMES_A_READER


def _scripted(tag: Tag, url: str) -> str:
    """Return what makes the address that a script goes to a login, or an empty text."""
    for found in islice(_SCRIPTED.finditer(tag.text, tag.end, tag.content_end), _ADDRESSES):
        if why := find_login_address(url, found[1]):
            return why
    return ""


def find_login_way(page: Page, url: str) -> LoginForm | None:
    """Return what sends the reader of a page without text to a login, or asks who they are; else None.

    `url` is the address of the page.
    """
    if not page.markers.bare or weigh(page) >= HARDLY_ANY_TEXT:
        return None
    title, asked, scripts = "", None, 0
    for tag in page.tags:
        if tag.closing:
            continue
        if tag.name == "title" and not title:
            title = tag.content
        elif tag.name == "script" and scripts < _SCRIPTS:
            scripts += 1
            if why := _scripted(tag, url):
                return LoginForm(
                    line=tag.line,
                    text=page.text[tag.start : tag.content_end][:_SNIPPET],
                    why=f"a script: {why}",
                )
        elif _posts_saml(tag):
            return LoginForm(line=tag.line, text=tag.raw[:_SNIPPET], why="a SAML request that posts itself")
        elif asked is None and _asks_who(tag):
            asked = tag
    if asked is not None and is_login_title(title):
        words = " ".join(title.split())[:100]
        return LoginForm(
            line=asked.line, text=asked.raw[:_SNIPPET], why=f"the title {words!r} and a field for a name"
        )
    return None
