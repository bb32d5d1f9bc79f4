"""A page in one language, before it is HTML or Markdown: sections of plain blocks, no text escaped yet.

Both renderers read these values and nothing else, so that no format can say more or less than another.
Every text passes `visible` on its way in: what a site or a list wrote can neither hide nor reorder anything.
Pure: values only.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.console import printable


def visible(text: str) -> str:
    """Return a text on one line; controls and invisible or direction-changing marks become escapes."""
    return printable(" ".join(text.split("\n")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a cell. `mono` for digests, addresses and rules; `badge` names a class of the sheet."""

    text: str
    mono: bool = False
    badge: str = ""
    refs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", visible(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a table: its lines, and whether they are numbers."""

    lines: tuple[Line, ...]
    numeric: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A paragraph; `style` is `plain`, `lead` or `note`."""

    text: str
    style: str = "plain"

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", visible(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table. `headers` are empty for a sheet of field and value; `numeric` marks columns by position."""

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[int, ...] = ()
    refs: tuple[int, ...] = ()
    sheet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of the chart. `tone` is `kept`, `after`, `before` or `failed`."""

    label: str
    value: int
    number: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Horizontal bars with their numbers written out, and a description for those who do not see them."""

    title: str
    description: str
    bars: tuple[Bar, ...]
    refs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """One number of the summary."""

    label: str
    value: str
    refs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigures:
    """The summary's numbers."""

    cells: tuple[KeyFigure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryNote:
    """One numbered query with the number of its rows."""

    number: int
    id: str
    statement: str
    rows: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """The footnotes."""

    notes: tuple[QueryNote, ...]


Block = Paragraph | Heading | Table | Chart | KeyFigures | Queries


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section; `id` is its anchor."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What stands above everything when the log contradicts a claim."""

    title: str
    body: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page. `meta` are the lines under the heading; `other` is the address of the other language."""

    language: str
    title: str
    heading: str
    brand: str
    operator: tuple[tuple[str, str], ...]
    meta: tuple[str, ...]
    lead: str
    skip: str
    contents: str
    other_language: str
    other: str
    other_label: str
    query_word: str
    alarm: Alarm | None
    sections: tuple[Section, ...]
    footer: tuple[Line, ...]
