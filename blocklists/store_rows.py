"""The rows behind the names: `entries.sqlite`, one row an entry, read when a name is hit.

What the rows of a list have in common is kept once, so that a million of them cost one copy of authority,
weight and address. Rows stand under the host that an index finds (`key`). Written once, then
opened read-only; the tables are described by `_TABLES`.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields
from datetime import date
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from blocklists.entries import Entries
from blocklists.entry import Entry, EntryAction, Match, Source, Weight
from blocklists.errors import ListError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

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
-- A name that is all that its row says, as nearly all are; the list's `plain` says the rest.
CREATE TABLE plain (
  source INTEGER NOT NULL,
  key TEXT NOT NULL,     -- the host, as the index holds it, which is the pattern too
  line INTEGER NOT NULL,
  text TEXT,             -- the row as read; NULL where it is the key
  PRIMARY KEY (source, key, line)
) WITHOUT ROWID;
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
_PLACE = itemgetter(0, 1, 2)

_Plain = tuple[int, str, int, "str | None"]
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
            database.executemany("INSERT INTO plain VALUES (?, ?, ?, ?)", plain)
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
            entries = self._select("WHERE source IN (SELECT n FROM source) AND key = ?", (name,))
            if not entries:
                raise ListError(
                    f"{self._path}: the index lists {name!r}, the rows do not; build the snapshot anew"
                )
            found.extend(entries)
        return tuple(found)

    def every(self) -> list[Entry]:
        """Return every entry, by source and line."""
        return self._select("", ())

    def of_source(self, source_id: str) -> list[Entry]:
        """Return every entry of one source, by line."""
        numbers = [n for n, source in enumerate(self.sources) if source.source_id == source_id]
        return [entry for n in numbers for entry in self._select("WHERE source = ?", (n,))]

    def _select(self, where: str, values: tuple[str | int, ...]) -> list[Entry]:
        try:
            plain = self._database.execute(f"SELECT * FROM plain {where}", values).fetchall()  # noqa: S608 - ours
            special = self._database.execute(f"SELECT * FROM special {where}", values).fetchall()  # noqa: S608
        except sqlite3.Error as error:
            raise ListError(f"{self._path}: cannot be read ({error}); build the snapshot anew") from error
        made = [(row[0], row[2], -1, self._plain(row)) for row in plain]
        made += [(row[0], row[3], row[2], self._special(row)) for row in special]
        made.sort(key=_PLACE)
        return [one[3] for one in made]

    def _plain(self, row: _Plain) -> Entry:
        source, key, line, text = row
        match, fields_ = self._common[source]
        return Entry(
            pattern_raw=key if text is None else text,
            pattern=key,
            match=match,
            source_id=self.sources[source].source_id,
            line_no=line,
            **fields_,
        )

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
    first = entries[places[0]]
    keys, lines = rows.patterns, rows.line_nos
    order = sorted(places, key=keys.__getitem__)
    texts: Iterable[str | None] = repeat(None)
    if rows.raw is not None:
        read = {place: rows.raw.text(lines[place]) for place in places}
        texts = (None if read[place] == keys[place] else read[place] for place in order)
    plain = zip(
        repeat(number), map(keys.__getitem__, order), map(lines.__getitem__, order), texts, strict=False
    )
    return (first.match.value, _json(_fields(first))), plain, special


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
