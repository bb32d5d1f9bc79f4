"""Weighs how much there is to read on a page outside its headers, menus, side columns and dialogs.

A login page, a challenge and a page that only sends its reader elsewhere have one thing in common: hardly
any text. Letters are counted, not words, and those of scripts that write without spaces count more.
Decides nothing; pure; linear; never raises.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.signals.page_elements import element_ends

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
_LEFT_OUT = _FURNITURE | {"head", "noscript", "select", "button", "label", "svg", "legend"}
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
        if not portion.isascii():
            weight += (_DENSE_WEIGHT - 1) * len(_DENSE.findall(portion))
        if weight >= limit:
            break
    return weight


def _is_furniture(tag: Tag) -> bool:
    return tag.attributes().get("role", "").strip().lower() in _FURNITURE_ROLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """How much there is to read on a page, at most a little above `LITTLE_TEXT`, and where its furniture is.

    `furniture` holds the numbers of the tags at which each piece begins and ends. Where there is enough to
    read, the page was looked at no further.
    """

    weight: float
    furniture: tuple[tuple[int, int], ...] = ()

    def holds(self, number: int) -> bool:
        """Tell whether the tag of this number stands inside furniture."""
        at = bisect_right(self.furniture, (number, -1)) - 1
        return at >= 0 and number < self.furniture[at][1]


def weighed(page: Page) -> Weight:
    """Return the weight of a page that was read to its end; asked by `page.once(weighed)`."""
    text, tags, ends = page.text, page.tags, page.once(element_ends)
    roles = frozenset(page.numbers_naming("role"))
    furniture: list[tuple[int, int]] = []
    weight, position, number, count = 0.0, 0, 0, len(tags)
    has_letter = _LETTER.search
    while number < count:
        _, name, _, start, _, content_end = tags[number]
        # Most stretches between tags are empty or blank, and all of them may be.
        if start > position and has_letter(text, position, start):
            weight += weight_of(without_comments(text[position:start]), LITTLE_TEXT - weight)
            if weight >= LITTLE_TEXT:
                return Weight(weight=weight)
        position = content_end
        until = ends[number]
        if until > number and (name in _LEFT_OUT or (number in roles and _is_furniture(tags[number]))):
            furniture.append((number, until))
            if until == count:
                return Weight(weight=weight, furniture=tuple(furniture))
            position, number = tags[until].content_end, until
        number += 1
    weight += weight_of(without_comments(text[position:]), LITTLE_TEXT - weight)
    return Weight(weight=weight, furniture=tuple(furniture))


def weigh(page: Page) -> float:
    """Return the weight of a page's text, at most a little above `LITTLE_TEXT`.

    A page that was not read to its end counts as full.
    """
    return page.once(weighed).weight if page.is_read else LITTLE_TEXT
