"""The meta elements of a page that speak to robots or about mining, and whether they stand where they count.

HTML puts them into the head (https://html.spec.whatwg.org/#the-meta-element); crawlers differ about others,
so an element in the body, in `noscript` or in `template` is handed back with a word about its place, for its
restrictions to count. Comments, scripts and other raw text hold no elements. Pure; linear; never raises.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policies.signals.page_markup import first_tag
from policies.signals.page_text import line_at
from policies.signals.statement import TEXT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.signals.page_markup import Tag
    from policies.signals.page_opened import Page

MOST_METAS = 500
"""Meta elements of one page that are looked at: of the wanted ones, and again behind the tag budget."""

_TAG_WINDOW = 8_192

_IN_HEAD = frozenset(
    ("html", "head", "meta", "link", "title", "script", "style", "base", "noscript", "template", "object")
)
_NAMED_BY = ("name", "property", "http-equiv", "itemprop")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMeta:
    """One meta element: a name that it goes by (lower case), its content, its line and its tag as written.

    `misplaced` is "" in the head, else words that say where it stands.
    """

    name: str
    content: str
    line: int
    text: str
    misplaced: str = ""


@dataclass(slots=True)
class _Place:
    """Where in the page the reading is: the head ends with `</head>`, `<body>` or an element of the body."""

    in_body: bool = False
    depth: int = 0
    inside: str = ""

    def take(self, tag: Tag) -> None:
        """Take a tag in."""
        if tag.name in {"noscript", "template"}:
            self.depth = max(0, self.depth + (-1 if tag.closing else 1))
            self.inside = tag.name if self.depth else ""
        elif (tag.name == "head" and tag.closing) or (not tag.closing and tag.name not in _IN_HEAD):
            self.in_body = True

    @property
    def words(self) -> str:
        """Say where an element stands that stands wrongly."""
        if self.inside:
            return f"inside {self.inside}"
        return "outside the head" if self.in_body else ""


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


def _could_be_wanted(tag: Tag, wanted: frozenset[str]) -> bool:
    raw = tag.raw.lower()
    return any(name in raw for name in wanted) or "&" in raw


def find_metas(page: Page, wanted: frozenset[str]) -> tuple[PageMeta, ...]:
    """Return the meta elements with one of these names (lower case), in the order of the page.

    What lies behind the tag budget of `open_page` is read for them as well, and counts as misplaced.
    """
    found: list[PageMeta] = []
    place = _Place()
    for tag in page.tags:
        if tag.name != "meta":
            place.take(tag)
        elif not tag.closing and len(found) < MOST_METAS and _could_be_wanted(tag, wanted):
            found += _metas_of(tag, wanted, place.words)
    if page.unread_from < len(page.text):
        found += _in_unread(page, wanted)
    return tuple(found)


def _in_unread(page: Page, wanted: frozenset[str]) -> Iterator[PageMeta]:
    """Look for meta elements where the tags were not read: from one `<meta` to the next."""
    text, position = page.text.lower(), page.unread_from
    if len(text) != len(page.text):
        text = page.text  # a character whose lower case is longer: then only lower-case tags are found
    for _ in range(MOST_METAS):
        position = text.find("<meta", position)
        if position < 0:
            return
        # A window bounds the work: every tag of a hostile page may end at the end of the page.
        tag = first_tag(page.text[position : position + _TAG_WINDOW])
        if tag is not None:
            for meta in _metas_of(tag, wanted, "behind the tag budget"):
                yield replace(meta, line=line_at(page.text, position))
        position += len("<meta")
