"""Recognises the gate of a paywall by what its reader would meet, on a page that carries a vendor's mark.

The mark alone is no restriction, because a vendor's script stands on free pages of its customers too.
It counts with words of a gate that are visible, or with a text that breaks off: an article that ends
in dots after little text, or with less than half of the words that it says it has. Words of a gate that a
site made itself count only where a class, an id or a data attribute names a wall.
Hidden elements, quotations, headers, menus and footers are not what a reader meets in place of the text.
Decides nothing; pure; linear; never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from policies.signals.gate_words import folded_blocks, place_of, place_of_pair
from policies.signals.page_elements import element_ends
from policies.signals.page_weight import weight_of, without_comments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policies.signals.gate_words import VendorTable
    from policies.signals.page_markup import Tag
    from policies.signals.page_opened import Page

_SNIPPET = 300
# Characters in which phrases are looked for: of one block, and of all at the beginning and again at the end.
_BLOCK = 2_000
_READ = 30_000
# Characters, markup included, behind the tag budget: the first and the last.
_REST = 15_000
_LONGEST_BLOCK = 8_000
_ATTRIBUTES_READ = 4_000
# Forms of tags of which it is asked whether they hide, and tags that mention a gate.
_HIDING = 2_000
_MARKS = 500

_INLINE = frozenset(
    (
        *("a", "abbr", "b", "bdi", "bdo", "br", "button", "cite", "em", "font", "i", "img", "input", "label"),
        *("mark", "path", "small", "span", "strong", "sub", "sup", "svg", "time", "u", "use", "wbr"),
    )
)
_NOT_MET = frozenset(
    (
        *(
            "blockquote",
            "code",
            "footer",
            "head",
            "header",
            "kbd",
            "menu",
            "nav",
            "noscript",
            "pre",
            "q",
            "samp",
        ),
        *("select", "svg", "template", "title"),
    )
)
_NOT_MET_ROLES = frozenset(("banner", "navigation", "contentinfo", "menu", "search"))
_HIDING_CLASSES = frozenset(
    ("hidden", "hide", "d-none", "is-hidden", "invisible", "u-hidden", "visually-hidden", "sr-only")
)
_HIDING_STYLE = re.compile(r"display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden", re.IGNORECASE)

_ARTICLE = re.compile(r"[\"']og:type[\"'][^>]{0,100}content\s{0,9}=\s{0,9}[\"']article", re.IGNORECASE)
_TYPE = "og:type"
_TYPES = 64  # mentions of a type that are looked at; a page has one
_WORD_COUNT = re.compile(r"\"wordCount\"\s{0,20}:\s{0,20}\"?(\d{1,6})")
_WORD = re.compile(r"\w+")
_ENDS_IN_DOTS = re.compile(r"(?:…|\.\.\.|\[…\]|\[\.\.\.\])\s*\Z")
_PARAGRAPH = 60  # letters from which a block is a paragraph of the text
_SHORTEST_PARAGRAPH = 24  # characters, where each is a whole syllable or word
_BROKEN_OFF = 1_500  # weight above which a text that ends in dots is one that ends so
_DECLARED_WORDS = 200  # word counts below this say nothing
_MOST_WORDS = 100_000  # word counts above this are read as this; no article has so many
_MARKUP = re.compile(r"<[^<>]*+>?")


class GateKind(StrEnum):
    """What the reader meets: a gate, a meter that counts down, or a text that breaks off."""

    GATE = "gate"
    METER = "meter"
    BROKEN_OFF = "broken_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What closes a page: its kind, line and words, and whose mark it corroborates, in words."""

    kind: GateKind
    line: int
    text: str
    marks: str


class _Block(NamedTuple):
    """Text between two block elements, and the tag that it begins behind. A page may hold ten thousand."""

    tag: Tag | None
    text: str


def _says_hidden(tag: Tag) -> bool:
    attributes = tag.attributes()
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden", "").strip().lower() == "true"
        or attributes.get("role", "").strip().lower() in _NOT_MET_ROLES
        or not _HIDING_CLASSES.isdisjoint(attributes.get("class", "").lower().split())
        or _HIDING_STYLE.search(attributes.get("style", "")[:_ATTRIBUTES_READ]) is not None
    )


class _Hidden:
    """Tells which elements of a page its reader does not see, each form of a tag asked once.

    Behind `_HIDING` forms everything counts as seen.
    """

    __slots__ = ("_asked", "_lowered")

    def __init__(self, page: Page) -> None:
        self._lowered = page.lowered
        self._asked: dict[str, bool] = {}

    def __call__(self, tag: Tag) -> bool:
        """Tell whether a start tag hides its element."""
        if tag.name == "dialog":
            return "open" not in tag.attributes()
        raw = self._lowered[tag.start : tag.end]
        if not (
            "hid" in raw
            or "none" in raw
            or "role" in raw
            or "aria" in raw
            or "invisible" in raw
            or "sr-only" in raw
        ):
            return False
        said = self._asked.get(raw)
        if said is None:
            said = self._asked[raw] = len(self._asked) < _HIDING and _says_hidden(tag)
        return said


def _blocks(page: Page) -> list[_Block]:
    """Return the blocks of text that a reader of the page meets, in order."""
    text, ends, hides, new = page.text, page.once(element_ends), _Hidden(page), tuple.__new__
    blocks: list[_Block] = []
    parts: list[str] = []
    begins: Tag | None = None
    position, hidden_until = 0, -1
    for number, tag in enumerate(page.tags):
        _, name, closing, start, end, content_end = tag
        if start > position and number > hidden_until:
            stretch = text[position:start]
            if not stretch.isspace():
                parts.append(without_comments(stretch))
        position = content_end
        if name not in _INLINE:
            if parts:
                blocks.append(new(_Block, (begins, "".join(parts)[:_LONGEST_BLOCK])))
                parts = []
            begins = None if closing else tag
        elif name == "br" and not closing:
            parts.append(" ")
        if number > hidden_until and ends[number] > number:
            bare = end - start == len(name) + 2 and name != "dialog"
            if name in _NOT_MET or (not bare and hides(tag)):
                hidden_until = ends[number]
    if hidden_until < len(page.tags):
        parts.append(without_comments(text[position : page.unread_from][:_READ]))
    blocks.append(_Block(begins, "".join(parts)[:_LONGEST_BLOCK]))
    if not page.is_read:
        rest = (text[page.unread_from :][:_REST], text[page.unread_from :][_REST:][-_REST:])
        blocks += (_Block(page.tags[-1], stretch) for part in rest for stretch in _MARKUP.split(part))
    return [block for block in blocks if block.text and not block.text.isspace()]


def _own_mark(page: Page, table: VendorTable) -> str:
    """Return the attribute that names a home-made gate, or an empty text."""
    words = tuple(word.decode() for word in table.own_gate)
    for looked_at, tag in enumerate(page.naming(words)):
        if looked_at == _MARKS:
            return f"more than {_MARKS} tags that mention a gate"
        if tag.name in {"script", "meta", "body", "html"}:
            continue
        for name, value in tag.attributes().items():
            named = value if name in {"class", "id", "href", "src"} else name
            if (name in {"class", "id", "href", "src"} or name.startswith("data-")) and any(
                word in named.lower() for word in words
            ):
                return f'{name}="{value[:100]}"'
    return ""


def _line(block: _Block) -> int:
    return block.tag.line if block.tag is not None else 1


def _as_seen(block: _Block) -> _Block:
    """Return a block with its blanks as its reader sees them."""
    return _Block(block.tag, " ".join(block.text.split()))


def _beginning(blocks: Iterable[_Block]) -> Iterator[_Block]:
    """Yield blocks as seen until they hold as much as is looked at."""
    length = 0
    for tag, text in blocks:
        seen = " ".join(text.split())
        yield _Block(tag, seen)
        length += min(len(seen), _BLOCK)
        if length >= _READ:
            return


def _met(blocks: list[_Block]) -> list[_Block]:
    """Return the blocks in which phrases are looked for, as seen: those at the beginning and at the end."""
    beginning = list(_beginning(blocks))
    ending = list(_beginning(reversed(blocks[len(beginning) :])))
    return beginning + ending[::-1]


def _phrase(blocks: list[_Block], text: str, phrases: tuple[tuple[str, ...], ...]) -> _Block | None:
    """Return the block with the first phrase that is found in the folded text of the blocks, or None."""
    for parts in phrases:
        position = place_of(text, parts)
        if position >= 0:
            return blocks[min(text.count("\n", 0, position), len(blocks) - 1)]
    return None


def _pair(blocks: list[_Block], text: str, table: VendorTable) -> _Block | None:
    """Return the first short block that says how to go on and needs a key for it, or None."""
    for going_on, keys in table.pairs:
        position = place_of_pair(text, going_on, keys)
        if position >= 0:
            return blocks[min(text.count("\n", 0, position), len(blocks) - 1)]
    return None


def _is_article(page: Page) -> bool:
    """Tell whether a page says that it is an article."""
    position = page.lowered.find(_TYPE)
    for _ in range(_TYPES):
        if position < 0:
            return False
        if _ARTICLE.match(page.text, max(0, position - 1)):
            return True
        position = page.lowered.find(_TYPE, position + 1)
    return False


def _paragraphs_from_the_end(blocks: list[_Block]) -> Iterator[_Block]:
    for block in reversed(blocks):
        if len(block.text) >= _SHORTEST_PARAGRAPH and weight_of(block.text, _PARAGRAPH) >= _PARAGRAPH:
            yield block


def _broken_off(page: Page, blocks: list[_Block]) -> _Block | None:
    """Return the last paragraph of an article that breaks off, or None."""
    if not _is_article(page):
        return None
    last_two = list(islice(_paragraphs_from_the_end(blocks), 2))
    if not last_two:
        return None
    last = _as_seen(last_two[0])
    found = _WORD_COUNT.search(page.text)
    half = min(int(found[1]), _MOST_WORDS) / 2 if found else 0
    if half >= _DECLARED_WORDS / 2 and 1 <= _words(blocks, half) < half:
        return last
    if len(last_two) == 1 or not _ENDS_IN_DOTS.search(last.text):
        return None
    weight = weight_of(" ".join(block.text for block in blocks), _BROKEN_OFF)
    return last if weight < _BROKEN_OFF else None


def _words(blocks: list[_Block], enough: float) -> int:
    """Return how many words blocks hold; counting stops where there are enough."""
    words = 0
    for block in blocks:
        words += len(_WORD.findall(block.text))
        if words >= enough:
            break
    return words


def find_gate(page: Page, table: VendorTable) -> Gate | None:
    """Return what closes a page that carries a mark of a paywall; None where nothing corroborates it."""
    markers = page.markers
    if not markers.vendors and not markers.own_gate:
        return None
    own = _own_mark(page, table) if markers.own_gate else ""
    marks = ", ".join((*markers.vendors, *((own,) if own else ())))
    if not marks:
        return None
    blocks = _blocks(page)
    met = _met(blocks)
    text = folded_blocks(block.text[:_BLOCK] for block in met)
    found = (
        (GateKind.GATE, _phrase(met, text, table.gates)),
        (GateKind.METER, _phrase(met, text, table.meters)),
        (GateKind.GATE, _pair(met, text, table)),
    )
    for kind, block in found:
        if block is not None:
            return Gate(kind=kind, line=_line(block), text=block.text[:_SNIPPET], marks=marks)
    if markers.vendors and (block := _broken_off(page, blocks)) is not None:
        return Gate(kind=GateKind.BROKEN_OFF, line=_line(block), text=block.text[-_SNIPPET:], marks=marks)
    return None
