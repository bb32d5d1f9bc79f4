"""The entries of one list, made when they are asked for: a million rows are columns, not a million objects.

Holds values only. What all rows of a list have in common comes from its manifest and stands in `template`.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from blocklists.entry import Entry, Match
from blocklists.formats.row import Row, RowDetails, Rows

if TYPE_CHECKING:
    from collections.abc import Iterable

_NO_DETAILS = RowDetails()


class Entries(Sequence[Entry]):
    """Entries of one source in the order of its file.

    `rows` are the columns, for whoever goes through all of them; indexing and iterating make `Entry` values.
    """

    __slots__ = ("_given", "_template", "has_terms", "rows", "source_id")

    def __init__(self, rows: Rows, template: Entry) -> None:
        self.rows = rows
        self.source_id = template.source_id
        self._template = template
        self._given: dict[int, Entry] = {}
        self.has_terms = (
            template.valid_from is not None
            or template.valid_until is not None
            or any(
                row.details and (row.details.valid_from or row.details.valid_until)
                for row in rows.special.values()
            )
        )

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Entries:
        """Hold entries of one source that exist already, at least one."""
        given = tuple(entries)
        rows = Rows(
            scope=Match.SUBTREE,
            patterns=[entry.pattern for entry in given],
            line_nos=array("I", (entry.line_no for entry in given)),
            special={at: _row(entry) for at, entry in enumerate(given)},
            raw=None,
        )
        made = cls(rows, given[0])
        made._given = dict(enumerate(given))
        made.has_terms = any(entry.valid_from or entry.valid_until for entry in given)
        return made

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Entry, ...]: ...
    def __getitem__(self, at: int | slice) -> Entry | tuple[Entry, ...]:
        if isinstance(at, slice):
            return tuple(self[place] for place in range(*at.indices(len(self))))
        given = self._given.get(at)
        return given if given is not None else self._make(self.rows[at])

    def _make(self, row: Row) -> Entry:
        common = self._template
        said = row.details or _NO_DETAILS
        return Entry(
            pattern_raw=row.text,
            pattern=row.pattern,
            match=row.match,
            source_id=common.source_id,
            line_no=row.line_no,
            weight=said.weight or common.weight,
            action=row.action,
            source_url=said.source_url or common.source_url,
            category=said.category or common.category,
            authority=said.authority or common.authority,
            jurisdiction=said.jurisdiction or common.jurisdiction,
            decision_ref=said.decision_ref or common.decision_ref,
            decision_date=said.decision_date or common.decision_date,
            valid_from=said.valid_from or common.valid_from,
            valid_until=said.valid_until or common.valid_until,
            important=row.important,
        )


def _row(entry: Entry) -> Row:
    return Row(
        line_no=entry.line_no,
        text=entry.pattern_raw,
        pattern=entry.pattern,
        match=entry.match,
        action=entry.action,
        important=entry.important,
    )
