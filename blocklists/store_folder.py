"""A folder of lists, read whole: every manifest in it, and every file that a manifest names.

Decides which files of the folder are lists; a file that nobody would honour is an error, never a shorter
list. What one list is, and when it cannot be trusted, is decided in `source`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING

from blocklists import store
from blocklists.entries import Entries
from blocklists.entry import Entry, EntryAction, Match, Weight
from blocklists.errors import ListError
from blocklists.matcher import DictMatcher
from blocklists.source import load_source
from blocklists.store_manifest import Snapshot, encode_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import NoReturn

    from blocklists.source import LoadedSource

# Files for people beside the lists; anything else without a manifest might be a list that nobody honours.
_FOR_PEOPLE = frozenset({".md", ".rst", ".html", ".pdf"})
_NAMES_FOR_PEOPLE = frozenset({"readme", "license", "licence", "copying", "notice", "sha256sums"})
_OUR_OWN = frozenset({store.CURRENT, store.PREVIOUS, store.STATE})
_HOW_TO = (
    "create it with one manifest (NAME.toml) for each list, as blocklists/README.md describes, "
    "or correct SEKISHO_BLOCKLISTS"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Every list of a folder in order of id, and the manifest file of each."""

    path: Path
    loaded: tuple[LoadedSource, ...]
    manifests: tuple[Path, ...]


def load_folder(folder: Path, *, now_us: int) -> Snapshot:
    """Read every list of a folder into one state, in memory (see `snapshot.load_snapshot`)."""
    read = read_folder(folder)
    loaded = read.loaded
    require_in_force(read, now_us=now_us)
    sources = tuple(one.source for one in loaded)
    manifest = encode_manifest(loaded)
    return Snapshot(
        sha256=sha256(manifest).hexdigest(),
        manifest=manifest,
        sources=sources,
        matcher=DictMatcher.of([_columns(one) for one in loaded], sources),
        notices=tuple(notice for one in loaded for notice in one.notices(now_us)),
    )


def read_folder(folder: Path) -> Folder:
    """Read every manifest of a folder, and of the folder of fetched lists below it, with its list.

    Raises ListError for a folder that is missing or holds no manifest, for a list that cannot be trusted
    (`load_source`), for two lists of one id, and for a file that no manifest names.
    """
    pairs = sorted(
        ((load_source(path), path) for path in manifest_files(folder)), key=lambda pair: pair[0].manifest.id
    )
    loaded = tuple(one for one, _ in pairs)
    paths = tuple(path for _, path in pairs)
    for one, other in pairwise(loaded):
        if one.manifest.id == other.manifest.id:
            raise ListError(
                f"{folder}: two manifests have the id {one.manifest.id!r} (lists {one.manifest.file} and "
                f"{other.manifest.file}); give each list its own"
            )
    _refuse_strays(folder, {path.parent / one.manifest.file for one, path in pairs})
    return Folder(path=folder, loaded=loaded, manifests=paths)


def manifest_files(folder: Path) -> list[Path]:
    """Return the manifests of a folder, the fetched lists' included; ListError when there is none."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not _is_hidden(path))
    except FileNotFoundError as error:
        raise ListError(f"{folder}: the block-list folder does not exist; {_HOW_TO}") from error
    except OSError as error:
        raise ListError(f"{folder}: the block-list folder cannot be read ({error.strerror})") from error
    paths += sorted(path for path in (folder / store.FETCHED).glob("*.toml") if not _is_hidden(path))
    if not paths:
        raise ListError(f"{folder}: the block-list folder holds no manifest; {_HOW_TO}")
    return paths


def require_in_force(read: Folder, *, now_us: int) -> None:
    """Raise ListError when not one block is in force: such a matcher would protect nobody."""
    if not any(term.blocks and term.in_force(now_us) for one in read.loaded for term in list_terms(one)):
        raise_nothing_in_force(read.path)


def raise_nothing_in_force(folder: Path) -> NoReturn:
    """Say that a folder protects nobody."""
    raise ListError(f"{folder}: every entry is outside its term; renew `valid_until` or replace the lists")


def row_notices(one: LoadedSource) -> list[str]:
    """Return a sentence for every row of a list that does not apply, whatever the day."""
    return [
        f"list {one.manifest.id}: {one.manifest.file}:{row.line_no} {row.text[:80]!r} {kind}: {row.why}"
        for kind, rows in (("quarantined", one.quarantined), ("rejected", one.rejected))
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """The entries of a list that have one term; `override` names the one override and its owner."""

    source_id: str
    valid_from: date | None
    valid_until: date | None
    count: int
    override: str = ""

    @property
    def blocks(self) -> bool:
        """Whether these entries block anything."""
        return not self.override

    def in_force(self, now_us: int) -> bool:
        """Whether the term covers a moment; decided where it is for an entry."""
        return Entry(
            pattern_raw="",
            pattern="",
            match=Match.HOST,
            source_id=self.source_id,
            line_no=0,
            weight=Weight.OPERATOR,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
        ).in_force(now_us)

    def notice(self) -> str:
        """Return the sentence for entries that are outside their term."""
        if self.override:
            what, _, owner = self.override.partition("\n")
            ended = f"ended on {self.valid_until}, so what it lifted blocks again"
            return f"list {self.source_id}: {what} {ended}; {owner} has to renew or remove it"
        term = f"{self.valid_from or 'always'} to {self.valid_until or 'always'}"
        return f"list {self.source_id}: {self.count} entries are outside their term ({term}) and do not block"

    def members(self) -> list[str | int | None]:
        """Return the term as JSON holds it."""
        first, last = (day.isoformat() if day else None for day in (self.valid_from, self.valid_until))
        return [self.source_id, first, last, self.count, self.override]

    @classmethod
    def of(cls, members: Sequence[str | int | None]) -> Term:
        """Return the term that `members` gave; ValueError, TypeError or IndexError when it is none."""
        source_id, first, last, count, override = members
        return cls(
            source_id=str(source_id),
            valid_from=date.fromisoformat(str(first)) if first else None,
            valid_until=date.fromisoformat(str(last)) if last else None,
            count=int(str(count)),
            override=str(override),
        )


def list_terms(one: LoadedSource) -> list[Term]:
    """Return the terms of a list's entries; overrides one by one, since each is named when it ends."""
    entries = one.entries
    if isinstance(entries, Entries) and not entries.has_terms:
        return [Term(source_id=one.manifest.id, valid_from=None, valid_until=None, count=len(entries))]
    counted: dict[tuple[date | None, date | None, str], int] = {}
    for entry in entries:
        override = ""
        if entry.action is EntryAction.OVERRIDE:
            where = f"{one.manifest.file}:{entry.line_no}"
            override = f"{where} the override for {entry.pattern!r}\n{entry.authority}"
        key = (entry.valid_from, entry.valid_until, override)
        counted[key] = counted.get(key, 0) + 1
    return [
        Term(source_id=one.manifest.id, valid_from=first, valid_until=last, count=count, override=override)
        for (first, last, override), count in counted.items()
    ]


def _columns(one: LoadedSource) -> Entries:
    return one.entries if isinstance(one.entries, Entries) else Entries.of(one.entries)


def _refuse_strays(folder: Path, named: set[Path]) -> None:
    """Refuse a file that looks like a list and would silently not be honoured."""
    for path in sorted(folder.iterdir()):
        for_people = path.suffix.lower() in _FOR_PEOPLE or path.stem.lower() in _NAMES_FOR_PEOPLE
        if path.is_dir() or path.suffix == ".toml" or _is_hidden(path) or for_people or path in named:
            continue
        if path.name in _OUR_OWN:
            continue
        raise ListError(
            f"{path}: no manifest names this file, so nobody would honour it; write one or move it away"
        )


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")
