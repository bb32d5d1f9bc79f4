"""What every list parser returns: rows that became entries, and rows that did not, each with its line.

Holds values only. A row that a parser does not understand is counted and listed, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

from blocklists.entry import Match  # noqa: TC001 - dataclass field

MAX_ROW_TEXT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One accepted row: its line (from 1), its text as read, and its canonical pattern."""

    line_no: int
    text: str
    pattern: str
    match: Match


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """One row that was not applied, and why. `text` is cut to 500 characters."""

    line_no: int
    text: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedList:
    """A list file as read.

    `rejected` rows are not understood; `quarantined` rows are, and are too wide to apply unseen;
    `duplicates` counts rows that repeat an accepted pattern.
    """

    rows: tuple[Row, ...]
    rejected: tuple[RowProblem, ...]
    quarantined: tuple[RowProblem, ...]
    duplicates: int

    @property
    def total(self) -> int:
        """The number of rows that are neither blank nor a comment."""
        return len(self.rows) + len(self.rejected) + len(self.quarantined) + self.duplicates
