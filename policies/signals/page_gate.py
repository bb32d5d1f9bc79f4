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
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from policies.signals.gate_words import folded_blocks, place_of, place_of_pair
from policies.signals.page_markup import VOID
from policies.signals.page_weight import weight_of, without_comments

if TYPE_CHECKING:
    from policies.signals.gate_words import VendorTable
    from policies.signals.page_markup import Tag
    from policies.signals.page_opened import Page

_SNIPPET = 300
# Characters in which phrases are looked for: of one block, and of all at the beginning and again at the end.
_BLOCK = 2_000
_READ = 30_000
_ATTRIBUTES_READ = 4_000

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
_MAY_HIDE = ("hid", "none", "role", "invisible", "sr-only", "aria")

_ARTICLE = re.compile(r"[\"']og:type[\"'][^>]{0,100}content\s{0,9}=\s{0,9}[\"']article", re.IGNORECASE)
_TYPE = re.compile(r"[\"']og:type[\"']", re.IGNORECASE)
_TYPES = 64  # mentions of a type that are looked at; a page has one
_WORD_COUNT = re.compile(r"\"wordCount\"\s{0,20}:\s{0,20}\"?(\d{1,6})")
_WORD = re.compile(r"\w+")
_ENDS_IN_DOTS = re.compile(r"(?:…|\.\.\.|\[…\]|\[\.\.\.\])\s*\Z")
_PARAGRAPH = 60  # letters from which a block is a paragraph of the text
_BROKEN_OFF = 1_500  # weight above which a text that ends in dots is one that ends so
_DECLARED_WORDS = 200  # word counts below this say nothing


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Text between two block elements, and the tag that it begins behind."""

    tag: Tag | None
    text: str


@dataclass(slots=True)
class _Reader:
    """Follows the open elements of a page and collects the blocks that a reader meets."""

    stack: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    hidden_at: int = 0
    blocks: list[_Block] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    begins: Tag | None = None

    def text(self, stretch: str) -> None:
        if not self.hidden_at and stretch and not stretch.isspace():
            self.parts.append(without_comments(stretch))

    def end_block(self, tag: Tag | None) -> None:
        if self.parts:
            self.blocks.append(_Block(tag=self.begins, text="".join(self.parts)[: _BLOCK * 4]))
            self.parts = []
        self.begins = tag

    def open(self, tag: Tag) -> None:
        name = tag.name
        if name not in _INLINE:
            self.end_block(tag)
        elif name == "br":
            self.parts.append(" ")
        if name in VOID or tag.raw.endswith("/>"):
            return
        self.stack.append(name)
        self.counts[name] = self.counts.get(name, 0) + 1
        if not self.hidden_at and (name in _NOT_MET or _is_hidden(tag)):
            self.hidden_at = len(self.stack)

    def close(self, tag: Tag) -> None:
        name = tag.name
        if name not in _INLINE:
            self.end_block(None)
        if not self.counts.get(name):
            return
        while True:
            last = self.stack.pop()
            self.counts[last] -= 1
            if last == name:
                break
        if len(self.stack) < self.hidden_at:
            self.hidden_at = 0


def _is_hidden(tag: Tag) -> bool:
    if tag.name == "dialog":
        return "open" not in tag.attributes()
    if tag.end - tag.start < len(tag.name) + len("<  x>"):
        return False
    raw = tag.raw[:_ATTRIBUTES_READ].lower()
    if not any(word in raw for word in _MAY_HIDE):
        return False
    attributes = tag.attributes()
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden", "").strip().lower() == "true"
        or attributes.get("role", "").strip().lower() in _NOT_MET_ROLES
        or not _HIDING_CLASSES.isdisjoint(attributes.get("class", "").lower().split())
        or _HIDING_STYLE.search(attributes.get("style", "")[:_ATTRIBUTES_READ]) is not None
    )


def _blocks(page: Page) -> list[_Block]:
    reader = _Reader()
    position = 0
    for tag in page.tags:
        reader.text(page.text[position : tag.start])
        position = tag.content_end
        if tag.closing:
            reader.close(tag)
        else:
            reader.open(tag)
    reader.text(page.text[position : page.unread_from][:_READ])
    reader.end_block(None)
    return reader.blocks


def _own_mark(page: Page, table: VendorTable) -> str:
    """Return the attribute that names a home-made gate, or an empty text."""
    words = tuple(word.decode() for word in table.own_gate)
    for tag in page.tags:
        if tag.closing or tag.name in {"script", "meta", "body", "html"}:
            continue
        raw = tag.raw[:_ATTRIBUTES_READ].lower()
        if any(word in raw for word in words):
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
    return _Block(tag=block.tag, text=" ".join(block.text.split()))


def _met(blocks: list[_Block]) -> list[_Block]:
    """Return the blocks in which phrases are looked for, as seen: those at the beginning and at the end."""
    beginning: list[_Block] = []
    length = 0
    while len(beginning) < len(blocks) and length < _READ:
        beginning.append(_as_seen(blocks[len(beginning)]))
        length += min(len(beginning[-1].text), _BLOCK)
    ending: list[_Block] = []
    length = 0
    while len(beginning) + len(ending) < len(blocks) and length < _READ:
        ending.append(_as_seen(blocks[-1 - len(ending)]))
        length += min(len(ending[-1].text), _BLOCK)
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


def _broken_off(page: Page, blocks: list[_Block]) -> _Block | None:
    """Return the last paragraph of an article that breaks off, or None."""
    mentions = islice(_TYPE.finditer(page.text), _TYPES)
    if not any(_ARTICLE.match(page.text, mention.start()) for mention in mentions):
        return None
    paragraphs = [block for block in blocks if weight_of(block.text, _PARAGRAPH) >= _PARAGRAPH]
    if not paragraphs:
        return None
    last = _as_seen(paragraphs[-1])
    found = _WORD_COUNT.search(page.text)
    declared = int(found[1]) if found else 0
    if declared >= _DECLARED_WORDS and 1 <= _words(blocks, declared) < declared / 2:
        return last
    weight = weight_of(" ".join(block.text for block in blocks), _BROKEN_OFF)
    short = weight < _BROKEN_OFF and len(paragraphs) > 1
    return last if short and _ENDS_IN_DOTS.search(last.text) else None


def _words(blocks: list[_Block], enough: int) -> int:
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
