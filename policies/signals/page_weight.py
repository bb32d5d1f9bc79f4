"""Weighs how much there is to read on a page outside its headers, menus, side columns and dialogs.

A login page, a challenge and a page that only sends its reader elsewhere have one thing in common: hardly
any text. Letters are counted, not words, and those of scripts that write without spaces count more.
Decides nothing; pure; linear; never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policies.signals.page_markup import VOID

if TYPE_CHECKING:
    from policies.signals.page_markup import Tag
    from policies.signals.page_opened import Page

# A letter of a script that writes words without spaces says as much as two and a half of another.
_DENSE_WEIGHT = 2.5
LITTLE_TEXT = 1_000
"""Below this weight a page holds little more than what its form or its script is there for."""
HARDLY_ANY_TEXT = 200
"""Below this weight a page holds nothing to read."""

# Characters weighed at a time: one stretch of text may be a megabyte, and a thousand letters decide.
_PORTION = 4_000
_SMALLEST_PORTION = 100

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


def without_comments(stretch: str) -> str:
    """Return the text between two tags without the comments in it."""
    return _COMMENT.sub(" ", stretch) if "<!--" in stretch else stretch


def weight_of(text: str, limit: float) -> float:
    """Return the weight of a text; counting stops where the limit is reached."""
    weight = 0.0
    size = min(_PORTION, max(_SMALLEST_PORTION, 2 * int(limit)))
    for start in range(0, len(text), size):
        portion = text[start : start + size]
        weight += len(_LETTER.findall(portion))
        weight += (_DENSE_WEIGHT - 1) * len(_DENSE.findall(portion))
        if weight >= limit:
            break
    return weight


def _is_furniture(tag: Tag) -> bool:
    raw = tag.raw
    return "role" in raw and tag.attributes().get("role", "").strip().lower() in _FURNITURE_ROLES


@dataclass(slots=True, kw_only=True)
class Weigher:
    """Adds up the text outside a page's furniture, tag by tag."""

    weight: float = 0.0
    stack: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    furniture_at: int = 0

    def add_text(self, stretch: str) -> None:
        """Weigh the text between two tags."""
        if not self.furniture_at and stretch and not stretch.isspace():
            self.weight += weight_of(without_comments(stretch), LITTLE_TEXT - self.weight)

    def open(self, tag: Tag) -> None:
        """Take a start tag in."""
        name = tag.name
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


def weigh(page: Page) -> float:
    """Return the weight of a page's text, at most a little above `LITTLE_TEXT`.

    A page that was not read to its end counts as full.
    """
    if page.unread_from < len(page.text):
        return LITTLE_TEXT
    weigher = Weigher()
    position = 0
    for tag in page.tags:
        weigher.add_text(page.text[position : tag.start])
        if weigher.weight >= LITTLE_TEXT:
            return weigher.weight
        position = tag.content_end
        if tag.closing:
            weigher.close(tag.name)
        else:
            weigher.open(tag)
    weigher.add_text(page.text[position:])
    return weigher.weight
