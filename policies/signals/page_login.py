"""Recognises a page that is a login: a password field, and little else to read.

A login form in the header of an article is no wall, and a login page has some words of its own, so the text
outside headers, menus, side columns and dialogs is weighed. Decides nothing; pure; linear; never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policies.signals.page_markup import VOID

if TYPE_CHECKING:
    from policies.signals.page_markers import Page
    from policies.signals.page_markup import Tag

# A letter of a script that writes words without spaces says as much as two and a half of another.
_DENSE_WEIGHT = 2.5
# Below this weight a page whose password field stands in its own content is a login and nothing else.
LITTLE_TEXT = 1_000
# Below this weight even a page whose password field stands in a header or a dialog holds nothing else.
HARDLY_ANY_TEXT = 200

# Characters weighed at a time: one stretch of text may be a megabyte, and a thousand letters decide.
_PORTION = 4_000

_FURNITURE = frozenset(("header", "nav", "aside", "footer", "dialog", "template", "menu"))
_FURNITURE_ROLES = frozenset(
    ("banner", "navigation", "complementary", "contentinfo", "dialog", "alertdialog", "menu", "search")
)
_NO_TEXT = frozenset(("head", "noscript", "select", "button", "label", "svg", "legend"))
_DENSE = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)
# The last comment of a page may have no end; it then hides the rest.
_COMMENT = re.compile(r"<!--.*?(?:--!?>|\Z)", re.DOTALL)
_LETTER = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginForm:
    """The first password field of a page that is a login: its line, its tag, the letters beside it."""

    line: int
    text: str
    weight: int


@dataclass(slots=True, kw_only=True)
class _Weigher:
    """Adds up the text outside a page's furniture, and keeps the first password field in and out of it."""

    weight: float = 0.0
    stack: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    furniture_at: int = 0
    outside: Tag | None = None
    inside: Tag | None = None

    def add_text(self, stretch: str) -> None:
        """Weigh the text between two tags."""
        if not self.furniture_at and stretch and not stretch.isspace():
            if "<!--" in stretch:
                stretch = _COMMENT.sub(" ", stretch)
            for start in range(0, len(stretch), _PORTION):
                portion = stretch[start : start + _PORTION]
                self.weight += len(_LETTER.findall(portion))
                self.weight += (_DENSE_WEIGHT - 1) * len(_DENSE.findall(portion))
                if self.weight >= LITTLE_TEXT:
                    return

    def open(self, tag: Tag) -> None:
        """Take a start tag in."""
        name = tag.name
        if name == "input":
            attributes = tag.attributes()
            if attributes.get("type", "").strip().lower() == "password":
                if self.furniture_at:
                    self.inside = self.inside or tag
                else:
                    self.outside = self.outside or tag
        if name in VOID or tag.raw.endswith("/>"):
            return
        self.stack.append(name)
        self.counts[name] = self.counts.get(name, 0) + 1
        if not self.furniture_at and (name in _FURNITURE or name in _NO_TEXT or _is_furniture(tag)):
            self.furniture_at = len(self.stack)

    def close(self, name: str) -> None:
        """Close an element and whatever was left open in it."""
        if not self.counts.get(name):
            return
        while True:
            last = self.stack.pop()
            self.counts[last] -= 1
            if last == name:
                break
        if len(self.stack) < self.furniture_at:
            self.furniture_at = 0


def _is_furniture(tag: Tag) -> bool:
    raw = tag.raw
    return "role" in raw and tag.attributes().get("role", "").strip().lower() in _FURNITURE_ROLES


def find_login_form(page: Page) -> LoginForm | None:
    """Return the password field of a page that is a login; None when there is none, or enough to read."""
    if not page.markers.password:
        return None
    weigher = _Weigher()
    position = 0
    for tag in page.tags:
        weigher.add_text(page.text[position : tag.start])
        if weigher.weight >= LITTLE_TEXT:
            return None
        position = tag.content_end
        if tag.closing:
            weigher.close(tag.name)
        else:
            weigher.open(tag)
    weigher.add_text(page.text[position : page.unread_from])
    found = weigher.outside or weigher.inside
    limit = LITTLE_TEXT if weigher.outside else HARDLY_ANY_TEXT
    if found is None or weigher.weight >= limit or page.unread_from < len(page.text):
        return None
    return LoginForm(line=found.line, text=found.raw[:500], weight=round(weigher.weight))
