"""What every section of a page is composed with: the document, the words, and the numbers of its queries.

Computes nothing; a number without a figure cannot be referred to, and raises KeyError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.disclosure.lines import fact_lines
from exporters.disclosure.page import Block, Cell, Line, Section

if TYPE_CHECKING:
    from exporters.disclosure.document import Disclosure
    from exporters.disclosure.figures import Figure, Scalar
    from exporters.disclosure.wording import Wording


def whole(value: Scalar) -> int:
    """Return a cell as a whole number; 0 for NULL and text."""
    return value if isinstance(value, int) else 0


class Composer:
    """One document in one language."""

    def __init__(self, document: Disclosure, words: Wording) -> None:
        self.document = document
        self.words = words
        self.numbers = {figure.id: number for number, figure in enumerate(document.all_figures, 1)}

    def refs(self, *figures: Figure) -> tuple[int, ...]:
        """Return the numbers of the queries behind some figures."""
        return tuple(self.numbers[figure.id] for figure in figures)

    def text(self, text: str, *, mono: bool = False) -> Cell:
        """Return a cell of one line."""
        return Cell(lines=(Line(text=text, mono=mono),))

    def number(self, value: Scalar) -> Cell:
        """Return a cell that holds a number."""
        return Cell(lines=(Line(text=self.words.number(whole(value))),), numeric=True)

    def section(self, identity: str, *blocks: Block) -> Section:
        """Return a section with its title from the wording."""
        return Section(id=identity, title=self.words(f"section.{identity}"), blocks=blocks)

    def fact(self, name: str) -> tuple[Line, ...]:
        """Return the lines of a fact, with its queries on the last one; or the words for nothing recorded."""
        fact = self.document.facts[name]
        lines = fact_lines(fact, self.words)
        if not lines:
            why = "page.withheld" if name in self.document.withheld else "page.not_recorded"
            return (Line(text=self.words(why), badge="missing"),)
        refs = tuple(self.numbers[identity] for identity in fact.figures if identity in self.numbers)
        last = lines[-1]
        return (*lines[:-1], Line(text=last.text, mono=last.mono, refs=refs))
