"""The meta elements of a page that speak to robots or about mining, and whether they stand where they count.

HTML puts them into the head (https://html.spec.whatwg.org/#the-meta-element); crawlers differ about others,
so an element in the body, in `noscript` or in `template` is handed back with a word about its place, for its
restrictions to count. Comments, scripts and other raw text hold no elements. Pure; linear; never raises.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policies.signals.page_markup import first_tag
from policies.signals.page_opened import Allowance
from policies.signals.page_text import line_at
from policies.signals.statement import TEXT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.signals.page_markup import Tag
    from policies.signals.page_opened import Page

MOST_METAS = 500
"""Meta elements of one page that are looked at, of those that mention what is wanted."""

_TAG_WINDOW = 8_192
_NAME_WINDOW = 4_096
# Mentions behind the tag budget that are looked at, and characters of the tags round them.
_MOST_MENTIONS = 1_000
_MOST_CHARACTERS = 200_000

_IN_HEAD = frozenset(
    ("html", "head", "meta", "link", "title", "script", "style", "base", "noscript", "template", "object")
)
_NAMED_BY = ("name", "property", "http-equiv", "itemprop")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMeta:
    """One meta element: a name that it goes by (lower case), its content, its line and its tag as written.

    `misplaced` is "" in the head, else words that say where it stands. `unread` marks one that stands for all
    those behind it, which nobody read: it says whatever an element of its name can refuse.
    """

    name: str
    content: str
    line: int
    text: str
    misplaced: str = ""
    unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where in a page the head ends, and where `noscript` and `template` begin and end, by number of tag."""

    body_from: int
    changes: tuple[int, ...]
    inside: tuple[str, ...]

    def words(self, number: int) -> str:
        """Say where an element stands that stands wrongly; "" in the head."""
        at = bisect_left(self.changes, number) - 1
        if at >= 0 and self.inside[at]:
            return f"inside {self.inside[at]}"
        return "outside the head" if number > self.body_from else ""


def _places(page: Page) -> _Places:
    body_from, depth = len(page.tags), 0
    changes: list[int] = []
    inside: list[str] = []
    for number, (_, name, closing, *_) in enumerate(page.tags):
        if name == "noscript" or name == "template":  # noqa: PLR1714 - asked of every tag: no set is looked up
            depth = max(0, depth + (-1 if closing else 1))
            changes.append(number)
            inside.append(name if depth else "")
        elif body_from > number and (name == "head" if closing else name not in _IN_HEAD):
            body_from = number
    return _Places(body_from=body_from, changes=tuple(changes), inside=tuple(inside))


def _metas_of(tag: Tag, wanted: frozenset[str], misplaced: str) -> Iterator[PageMeta]:
    attributes = tag.attributes()
    names = dict.fromkeys(attributes.get(key, "").strip().lower() for key in _NAMED_BY)
    for name in names:
        if name in wanted:
            yield PageMeta(
                name=name,
                content=attributes.get("content", ""),
                line=tag.line,
                text=tag.raw[:TEXT_LIMIT],
                misplaced=misplaced,
            )


def find_metas(page: Page, wanted: frozenset[str]) -> tuple[PageMeta, ...]:
    """Return the meta elements with one of these names (lower case) in the order of the page, each form once.

    What lies behind the tag budget of `open_page` is read for them as well, and counts as misplaced. Of a
    page with more than `MOST_METAS` the next one stands for all the others, and is marked as unread.
    """
    return page.once(_find, wanted)


def _find(page: Page, wanted: frozenset[str]) -> tuple[PageMeta, ...]:
    found: list[PageMeta] = []
    lowered, tags, allowance = page.lowered, page.tags, Allowance(MOST_METAS)
    # A name that holds another one is found by it.
    stems = tuple(name for name in wanted if not any(other in name for other in wanted - {name}))
    places = page.once(_places)
    known: dict[str, str] = {}
    for number in page.numbers_of("meta"):
        tag = tags[number]
        raw = lowered[tag.start : tag.end]
        # What a page says again it says in vain, unless it now stands where it counts and did not before.
        if (before := known.get(raw)) is not None and (not before or number > places.body_from):
            continue
        if not _mentions(raw, stems):
            continue
        misplaced = places.words(number)
        if before == misplaced:
            continue
        if not allowance.takes(raw):
            return (*found, *_unread(page, wanted, tag.start))
        known[raw] = misplaced
        found += _metas_of(tag, wanted, misplaced)
    if not page.is_read:
        found += sorted(_behind_the_tags(page, wanted, stems, allowance), key=_line_of)
    return tuple(found)


def _mentions(raw: str, stems: tuple[str, ...]) -> bool:
    for stem in stems:
        if stem in raw:
            return True
    return "&" in raw


def _line_of(meta: PageMeta) -> int:
    return meta.line


def _unread(page: Page, wanted: frozenset[str], start: int) -> Iterator[PageMeta]:
    """Yield one element for each name, in place of all those that nobody reads one by one."""
    text = page.text[start : start + TEXT_LIMIT]
    for name in sorted(wanted):
        yield PageMeta(
            name=name,
            content="",
            line=line_at(page.text, start),
            text=text,
            misplaced=f"behind more than {MOST_METAS} meta elements",
            unread=True,
        )


def _behind_the_tags(
    page: Page, wanted: frozenset[str], stems: tuple[str, ...], allowance: Allowance
) -> Iterator[PageMeta]:
    """Look for meta elements where the tags were not read: round each mention of a name."""
    lowered, length = page.lowered, 0
    mentions = 0
    for stem in stems:
        position = lowered.find(stem, page.unread_from)
        while position >= 0:
            mentions += 1
            if mentions > _MOST_MENTIONS or length > _MOST_CHARACTERS:
                if lowered.find("<meta", max(page.unread_from, position - _NAME_WINDOW)) >= 0:
                    yield from _unread(page, wanted, position)
                return
            begin = lowered.rfind("<meta", max(page.unread_from, position - _NAME_WINDOW), position)
            # A window bounds the work: every tag of a hostile page may end at the end of the page.
            tag = first_tag(page.text[begin : begin + _TAG_WINDOW]) if begin >= 0 else None
            end = position + len(stem)
            if tag is not None and begin + tag.end >= end:
                length += tag.end
                end = max(end, begin + tag.end)
                if not allowance.knows(raw := tag.raw.lower()):
                    if not allowance.takes(raw):
                        yield from _unread(page, wanted, begin)
                        return
                    for meta in _metas_of(tag, wanted, "behind the tag budget"):
                        yield replace(meta, line=line_at(page.text, begin))
            position = lowered.find(stem, end)
