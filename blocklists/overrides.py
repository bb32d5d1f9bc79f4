"""The operator's overrides: sites that a list names wrongly, freed with a reason, an owner and an end.

Decides what an override has to say before it may lift the blocks of every list. It takes effect with the next
snapshot, every use of it is in the record with the entries that it suppressed, and the day after its end the
site is blocked again.
Reads `overrides.toml` in the folder of lists and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date  # noqa: TC003 - a field that pydantic reads
from hashlib import sha256
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from blocklists.entries import Entries
from blocklists.entry import Entry, EntryAction, Match, Source, Weight
from blocklists.errors import ListError
from blocklists.formats.names import NotUnderstoodError, TooWideError, parse_target, parse_url
from blocklists.manifest import MAX_MANIFEST_OCTETS, parse_model

if TYPE_CHECKING:
    from pathlib import Path

OVERRIDES_FILE = "overrides.toml"
OVERRIDES_ID = "overrides"
PARSER = "overrides/1"
_TABLE = re.compile(r"^[ \t]*\[\[[ \t]*override[ \t]*\]\]", re.MULTILINE)


class Override(BaseModel):
    """One freed site. `expires` is the last day (UTC) on which it is free."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    pattern: str = Field(min_length=1, max_length=1000)
    reason: str = Field(min_length=1, max_length=500)
    owner: str = Field(min_length=1, max_length=200)
    expires: date
    match: Match | None = None


class OverrideFile(BaseModel):
    """The whole file: one `[[override]]` table for each freed site."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    override: tuple[Override, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """The overrides of a folder as entries of a source of their own."""

    source: Source
    entries: Entries
    octets: int


def load_overrides(path: Path) -> Overrides:
    """Read the overrides file. Raises ListError, with file, line and key, for whatever is not in order."""
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_MANIFEST_OCTETS + 1)
    except OSError as error:
        raise ListError(
            f"{path}: cannot be read ({error.strerror}); check the file and its rights"
        ) from error
    tables = parse_model(path, octets, OverrideFile).override
    text = octets.decode("utf-8")
    lines = [text.count("\n", 0, found.start()) + 1 for found in _TABLE.finditer(text)]
    lines += [1] * (len(tables) - len(lines))  # tables written as an inline array share the first line
    entries = [_entry(path, line, table) for line, table in zip(lines, tables, strict=False)]
    return Overrides(
        source=Source(
            source_id=OVERRIDES_ID,
            title="Overrides of the operator",
            sha256=sha256(octets).hexdigest(),
            weight=Weight.OPERATOR,
        ),
        entries=Entries.of(entries),
        octets=len(octets),
    )


def _entry(path: Path, line: int, table: Override) -> Entry:
    try:
        pattern, match = _reach(table)
    except (NotUnderstoodError, TooWideError) as error:
        raise ListError(
            f"{path}:{line}: the override for {table.pattern[:80]!r} {error}; name the site that is meant"
        ) from error
    return Entry(
        pattern_raw=table.pattern,
        pattern=pattern,
        match=match,
        source_id=OVERRIDES_ID,
        line_no=line,
        weight=Weight.OPERATOR,
        action=EntryAction.OVERRIDE,
        authority=table.owner,
        decision_ref=table.reason,
        valid_until=table.expires,
    )


def _reach(table: Override) -> tuple[str, Match]:
    wanted = table.match or (Match.URL_PREFIX if "/" in table.pattern else Match.SUBTREE)
    if wanted is Match.URL_PREFIX:
        return parse_url(table.pattern), wanted
    pattern, match = parse_target(table.pattern, Match.SUBTREE if wanted is Match.IP else wanted)
    if table.match is not None and match is not table.match:
        raise NotUnderstoodError(f"has the match {table.match.value!r}, but is {match.value}")
    return pattern, match
