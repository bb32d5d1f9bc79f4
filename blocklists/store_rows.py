"""The rows behind the names: `entries.sqlite`, read when a name is hit.

What the rows of a list have in common is kept once, and a row that is nothing but a name takes its name and
its line number, fifty such rows together: a million of them are written in well under a second. Rows
stand under the host that an index finds (`key`). Written once, then opened read-only; `_TABLES` describes the
tables.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from dataclasses import fields
from datetime import date
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from blocklists.entries import Entries
from blocklists.entry import Entry, EntryAction, Match, Source, Weight
from blocklists.errors import ListError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from blocklists.formats.row import Rows as Columns

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA page_size = 8192;
CREATE TABLE source (
  n INTEGER PRIMARY KEY,
  source TEXT NOT NULL,  -- JSON of `Source`
  match TEXT NOT NULL,   -- how the plain names of this list reach
  fields TEXT NOT NULL   -- JSON of what its plain rows have in common
);
-- Names that are all that their rows say, as nearly all are, in the order of the names and many in a row; the
-- list's `fields` say the rest.
CREATE TABLE plain (
  source INTEGER NOT NULL,
  first TEXT NOT NULL,   -- the first of the names
  keys TEXT NOT NULL,    -- hosts as the index holds them, which are the patterns too, split by LF
  lines BLOB NOT NULL,   -- their line numbers, 32 bits each, little-endian
  texts TEXT,            -- the rows as read, split by LF, empty where it is the name; NULL where all are
  PRIMARY KEY (source, first)
);
CREATE TABLE special (
  source INTEGER NOT NULL,
  key TEXT NOT NULL,
  n INTEGER NOT NULL,    -- place in its list, from 0
  line INTEGER NOT NULL,
  match TEXT NOT NULL,
  pattern TEXT NOT NULL,
  text TEXT NOT NULL,
  fields TEXT NOT NULL,  -- JSON of everything else
  PRIMARY KEY (source, key, n)
) WITHOUT ROWID;
"""
_OWN = frozenset({"pattern_raw", "pattern", "match", "source_id", "line_no"})
_READ: dict[str, Callable[[Any], object]] = {
    "weight": Weight,
    "action": EntryAction,
    "decision_date": date.fromisoformat,
    "valid_from": date.fromisoformat,
    "valid_until": date.fromisoformat,
    "reviewed_on": date.fromisoformat,
}
_SHARED = tuple(field.name for field in fields(Entry) if field.name not in _OWN)
_LINE = attrgetter("line_no")

#: So many names share a row, and some six rows a page.
_TOGETHER = 50
_Plain = tuple[int, str, str, bytes, "str | None"]
_Special = tuple[int, str, int, int, str, str, str, str]


def host_key(entry: Entry) -> str:
    """Return the host under which an index finds an entry."""
    return entry.pattern.partition("/")[0] if entry.match is Match.URL_PREFIX else entry.pattern


def write_rows(path: Path, sources: Sequence[Source], entries: Sequence[Sequence[Entry]]) -> None:
    """Write the entries of each source, which come in the same order. The file must not exist."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.executescript(_TABLES)
        database.execute("BEGIN")
        for number, (source, own) in enumerate(zip(sources, entries, strict=True)):
            common, plain, special = _split(number, own)
            database.execute(
                "INSERT INTO source VALUES (?, ?, ?, ?)",
                (number, _json(_encoded(_source_members(source))), *common),
            )
            database.executemany("INSERT INTO plain VALUES (?, ?, ?, ?, ?)", plain)
            database.executemany("INSERT INTO special VALUES (?, ?, ?, ?, ?, ?, ?, ?)", special)
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise ListError(f"{path}: cannot be written ({error}); check the disk") from error
    finally:
        database.close()


class Rows:
    """The rows of a compiled snapshot, read-only."""

    def __init__(self, path: Path) -> None:
        try:
            # Nobody changes a snapshot, so SQLite needs no lock; the matcher is built in one thread and asked
            # in another, never in two at once.
            self._database = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            listed = self._database.execute("SELECT source, match, fields FROM source ORDER BY n").fetchall()
        except sqlite3.Error as error:
            raise ListError(f"{path}: cannot be read ({error}); build the snapshot anew") from error
        self._path = path
        self.sources = tuple(Source(**_decoded(json.loads(source))) for source, _, _ in listed)
        self._common = [(Match(match), _decoded(json.loads(fields))) for _, match, fields in listed]

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def of(self, names: Iterable[str]) -> tuple[Entry, ...]:
        """Return every entry of names that an index lists; ListError when one has none."""
        found: list[Entry] = []
        for name in names:
            entries: list[Entry] = []
            for number in range(len(self.sources)):
                entries += self._of(number, name)
            if not entries:
                raise ListError(
                    f"{self._path}: the index lists {name!r}, the rows do not; build the snapshot anew"
                )
            found += entries
        return tuple(found)

    def every(self) -> list[Entry]:
        """Return every entry, by source and line."""
        return [entry for source in self.sources for entry in self.of_source(source.source_id)]

    def of_source(self, source_id: str) -> list[Entry]:
        """Return every entry of one source, by line."""
        number = next(n for n, source in enumerate(self.sources) if source.source_id == source_id)
        plain = self._select("SELECT * FROM plain WHERE source = ?", (number,))
        special = self._select("SELECT * FROM special WHERE source = ? ORDER BY n", (number,))
        made = [entry for row in plain for entry in self._plain(row, None)]
        made += [self._special(row) for row in special]
        return sorted(made, key=_LINE)

    def _of(self, number: int, name: str) -> list[Entry]:
        """Return the entries of a name in one source, by line."""
        plain = self._select(
            "SELECT * FROM plain WHERE source = ? AND first <= ? ORDER BY first DESC LIMIT 1", (number, name)
        )
        special = self._select(
            "SELECT * FROM special WHERE source = ? AND key = ? ORDER BY n", (number, name)
        )
        made = [entry for row in plain for entry in self._plain(row, name)]
        made += [self._special(row) for row in special]
        return sorted(made, key=_LINE)

    def _select(self, query: str, values: tuple[str | int, ...]) -> list[Any]:
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise ListError(f"{self._path}: cannot be read ({error}); build the snapshot anew") from error

    def _plain(self, row: _Plain, wanted: str | None) -> list[Entry]:
        """Return the entries of a row of names, or those of one name in it."""
        number, _, joined, octets, texts = row
        keys = joined.split("\n")
        lines = _read_lines(octets)
        said = texts.split("\n") if texts is not None else [""] * len(keys)
        if not len(keys) == len(lines) == len(said):
            raise ListError(f"{self._path}: names and lines do not fit; build the snapshot anew")
        match, shared = self._common[number]
        source_id = self.sources[number].source_id
        return [
            Entry(
                pattern_raw=text or key, pattern=key, match=match, source_id=source_id, line_no=line, **shared
            )
            for key, line, text in zip(keys, lines, said, strict=True)
            if wanted in (None, key)
        ]

    def _special(self, row: _Special) -> Entry:
        source, _, _, line, match, pattern, text, said = row
        return Entry(
            pattern_raw=text,
            pattern=pattern,
            match=Match(match),
            source_id=self.sources[source].source_id,
            line_no=line,
            **_decoded(json.loads(said)),
        )


def _split(
    number: int, entries: Sequence[Entry]
) -> tuple[tuple[str, str], Iterable[_Plain], Iterable[_Special]]:
    """Return what the plain rows of a source have in common, those rows by key, and the rest."""
    if not isinstance(entries, Entries):
        made = [_row(number, place, entry) for place, entry in enumerate(entries)]
        return (Match.SUBTREE.value, "{}"), (), made
    rows = entries.rows
    special = [_row(number, place, entries[place]) for place in sorted(rows.special)]
    places: Sequence[int] = range(len(rows))
    if special:
        places = [place for place in places if place not in rows.special]
    if not places:
        return (Match.SUBTREE.value, "{}"), (), special
    common = (rows.scope.value, _json(_fields(entries[places[0]])))
    return common, _together(number, rows, sorted(places, key=rows.patterns.__getitem__)), special


def _together(number: int, rows: Columns, order: Sequence[int]) -> Iterator[_Plain]:
    """Yield names with their lines, many in a row; a name that is there twice is not split."""
    patterns, line_nos, raw = rows.patterns, rows.line_nos, rows.raw
    # In the order of the file, since a line is found by reading on from the one before.
    texts = None if raw is None else {place: raw.text(line_nos[place]) for place in sorted(order)}
    start = 0
    while start < len(order):
        end = min(start + _TOGETHER, len(order))
        while end < len(order) and patterns[order[end]] == patterns[order[end - 1]]:
            end += 1
        places = order[start:end]
        keys = [patterns[place] for place in places]
        said = None
        if texts is not None:
            own = [texts[place] for place in places]
            said = "\n".join("" if text == key else text for key, text in zip(keys, own, strict=True))
        yield number, keys[0], "\n".join(keys), _write_lines([line_nos[place] for place in places]), said
        start = end


def _write_lines(lines: list[int]) -> bytes:
    return struct.pack(f"<{len(lines)}I", *lines)


def _read_lines(octets: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(octets) // 4}I", octets[: len(octets) // 4 * 4])


def _row(number: int, place: int, entry: Entry) -> _Special:
    return (
        number,
        host_key(entry),
        place,
        entry.line_no,
        entry.match.value,
        entry.pattern,
        entry.pattern_raw,
        _json(_fields(entry)),
    )


def _fields(entry: Entry) -> dict[str, object]:
    return _encoded({name: getattr(entry, name) for name in _SHARED})


def _encoded(members: dict[str, object]) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in members.items()}


def _decoded(members: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _READ[name](value) if name in _READ and value is not None else value
        for name, value in members.items()
    }


def _source_members(source: Source) -> dict[str, object]:
    return {field.name: getattr(source, field.name) for field in fields(Source)}


def _json(members: dict[str, object]) -> str:
    return json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
