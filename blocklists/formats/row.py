"""What every list parser returns: rows that became entries, and rows that did not, each with its line.

Holds values only. A row that a parser does not understand is counted and listed, never guessed.
A million rows have to fit beside a crawl, so `Rows` keeps columns and makes a `Row` when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from blocklists.entry import EntryAction, Match

if TYPE_CHECKING:
    from array import array
    from datetime import date

    from blocklists.entry import Weight
    from blocklists.formats.lines import RawLines

MAX_ROW_TEXT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDetails:
    """What a row says of itself in formats that cite an authority a row; None means: as the manifest says."""

    weight: Weight | None = None
    authority: str | None = None
    jurisdiction: str | None = None
    decision_ref: str | None = None
    decision_date: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    source_url: str | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One accepted row: its line (from 1), its text as read, and its canonical pattern."""

    line_no: int
    text: str
    pattern: str
    match: Match
    action: EntryAction = EntryAction.BLOCK
    important: bool = False
    details: RowDetails | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """One row that was not applied, and why. `text` is cut to 500 characters."""

    line_no: int
    text: str
    why: str


class Rows(Sequence[Row]):
    """Accepted rows in the order of the file, as columns.

    `patterns` and `line_nos` have one member a row; rows other than a plain block of `scope` stand in
    `special` by their place. `raw` finds the text of a line; None means that every text is its pattern.
    """

    __slots__ = ("line_nos", "patterns", "raw", "scope", "special")

    def __init__(
        self,
        *,
        scope: Match,
        patterns: list[str],
        line_nos: array[int],
        special: dict[int, Row],
        raw: RawLines | None,
    ) -> None:
        self.scope = scope
        self.patterns = patterns
        self.line_nos = line_nos
        self.special = special
        self.raw = raw

    def __len__(self) -> int:
        return len(self.patterns)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, at: int | slice) -> Row | tuple[Row, ...]:
        if isinstance(at, slice):
            return tuple(self[place] for place in range(*at.indices(len(self))))
        pattern = self.patterns[at]
        special = self.special.get(at if at >= 0 else at + len(self.patterns))
        if special is not None:
            return special
        line_no = self.line_nos[at]
        text = pattern if self.raw is None else self.raw.text(line_no)
        return Row(line_no=line_no, text=text, pattern=pattern, match=self.scope)

    def without(self, places: frozenset[int]) -> Rows:
        """Return the rows but those at some places."""
        kept = [place for place in range(len(self.patterns)) if place not in places]
        line_nos = self.line_nos[:0]
        line_nos.extend(self.line_nos[place] for place in kept)
        return Rows(
            scope=self.scope,
            patterns=[self.patterns[place] for place in kept],
            line_nos=line_nos,
            special={now: self.special[before] for now, before in enumerate(kept) if before in self.special},
            raw=self.raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedList:
    """A list file as read.

    `rejected` rows are not understood; `quarantined` rows are, and are too wide to apply unseen;
    `duplicates` counts rows that repeat an accepted pattern. `records` is what a header counts, where that is
    not the number of rows (RPZ). `fault` says in words why the file as a whole is refused and was not read
    to its end; empty otherwise.
    """

    rows: Rows
    rejected: tuple[RowProblem, ...]
    quarantined: tuple[RowProblem, ...]
    duplicates: int
    records: int | None = None
    fault: str = ""

    @property
    def total(self) -> int:
        """The number of rows that are neither blank, a comment, nor part of the format's frame."""
        return len(self.rows) + len(self.rejected) + len(self.quarantined) + self.duplicates
