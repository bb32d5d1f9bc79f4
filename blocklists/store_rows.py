"""The rows behind the names: `entries.sqlite`, one row an entry, read when a name is hit.

A row keeps only what differs from its list's first entry, so that a million rows of one list cost one copy of
authority, weight and address. Rows stand under the host that an index finds (`key`), in the order of their
list. Written once, then opened read-only; the tables are described by `_TABLES`.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields
from datetime import date
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from blocklists.entry import Entry, EntryAction, Match, Source, Weight
from blocklists.errors import ListError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA page_size = 8192;
CREATE TABLE source (n INTEGER PRIMARY KEY, source TEXT NOT NULL, template TEXT NOT NULL);
CREATE TABLE entry (
  key TEXT NOT NULL,     -- the host, as the index holds it
  source INTEGER NOT NULL,
  n INTEGER NOT NULL,    -- place in its list, from 0
  line INTEGER NOT NULL,
  match TEXT NOT NULL,
  pattern TEXT,          -- NULL where it is the key
  text TEXT,             -- the row as read; NULL where it is the pattern
  extra TEXT,            -- JSON of the fields that differ from the list's template; NULL where none does
  PRIMARY KEY (key, source, n)
) WITHOUT ROWID;
"""
_OWN = frozenset({"pattern_raw", "pattern", "match", "source_id", "line_no"})
_READ: dict[str, Callable[[Any], object]] = {
    "weight": Weight,
    "action": EntryAction,
    "decision_date": date.fromisoformat,
    "valid_from": date.fromisoformat,
    "valid_until": date.fromisoformat,
}
_SHARED = tuple(field.name for field in fields(Entry) if field.name not in _OWN)
_shared: Callable[[Entry], tuple[object, ...]] = attrgetter(*_SHARED)

Row = tuple[str, int, int, int, str, "str | None", "str | None", "str | None"]


def host_key(entry: Entry) -> str:
    """Return the host under which an index finds an entry."""
    return entry.pattern.partition("/")[0] if entry.match is Match.URL_PREFIX else entry.pattern


def write_rows(path: Path, sources: Sequence[Source], entries: Sequence[Sequence[Entry]]) -> None:
    """Write the entries of each source, which come in the same order. The file must not exist."""
    rows: list[Row] = []
    templates = []
    for number, own in enumerate(entries):
        templates.append(_encoded(dict(zip(_SHARED, _shared(own[0]), strict=True))) if own else {})
        rows.extend(_rows(number, own))
    rows.sort(key=lambda row: row[:3])
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.executescript(_TABLES)
        database.execute("BEGIN")
        database.executemany(
            "INSERT INTO source VALUES (?, ?, ?)",
            [
                (number, _json(_source_members(source)), _json(template))
                for number, (source, template) in enumerate(zip(sources, templates, strict=True))
            ],
        )
        database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
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
            listed = self._database.execute("SELECT source, template FROM source ORDER BY n").fetchall()
        except sqlite3.Error as error:
            raise ListError(f"{path}: cannot be read ({error}); build the snapshot anew") from error
        self._path = path
        self.sources = tuple(Source(**json.loads(one) | _weight(one)) for one, _ in listed)
        self._templates = [_decoded(json.loads(template)) for _, template in listed]

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def of(self, names: Iterable[str]) -> tuple[Entry, ...]:
        """Return every entry of names that an index lists; ListError when one has none."""
        found: list[Entry] = []
        for name in names:
            try:
                rows = self._database.execute(
                    "SELECT * FROM entry WHERE key = ? ORDER BY source, n", (name,)
                ).fetchall()
            except sqlite3.Error as error:
                raise ListError(f"{self._path}: cannot be read ({error}); build the snapshot anew") from error
            if not rows:
                raise ListError(
                    f"{self._path}: the index lists {name!r}, the rows do not; build the snapshot anew"
                )
            found.extend(self._entry(row) for row in rows)
        return tuple(found)

    def every(self) -> Iterator[Entry]:
        """Yield every entry, by source and place in its list."""
        for row in self._database.execute("SELECT * FROM entry ORDER BY source, n"):
            yield self._entry(row)

    def _entry(self, row: Row) -> Entry:
        key, source, _, line, match, pattern, text, extra = row
        shared = self._templates[source]
        if extra:
            shared = shared | _decoded(json.loads(extra))
        pattern = key if pattern is None else pattern
        return Entry(
            pattern_raw=pattern if text is None else text,
            pattern=pattern,
            match=Match(match),
            source_id=self.sources[source].source_id,
            line_no=line,
            **shared,
        )


def _rows(number: int, entries: Sequence[Entry]) -> Iterator[Row]:
    template = _shared(entries[0]) if entries else ()
    for place, entry in enumerate(entries):
        pattern = entry.pattern
        key = host_key(entry)
        shared = _shared(entry)
        yield (
            key,
            number,
            place,
            entry.line_no,
            entry.match.value,
            None if pattern == key else pattern,
            None if entry.pattern_raw == pattern else entry.pattern_raw,
            None if shared == template else _differences(shared, template),
        )


def _differences(shared: tuple[object, ...], template: tuple[object, ...]) -> str:
    pairs = zip(_SHARED, shared, template, strict=True)
    return _json(_encoded({name: value for name, value, usual in pairs if value != usual}))


def _encoded(members: dict[str, object]) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in members.items()}


def _decoded(members: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _READ[name](value) if name in _READ and value is not None else value
        for name, value in members.items()
    }


def _source_members(source: Source) -> dict[str, object]:
    return {field.name: getattr(source, field.name) for field in fields(Source)}


def _weight(members: str) -> dict[str, Weight]:
    return {"weight": Weight(json.loads(members)["weight"])}


def _json(members: dict[str, object]) -> str:
    return json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
