"""A folder of lists, read whole: every manifest in it, and every file that a manifest names.

Decides which files of the folder are lists; a file that nobody would honour is an error, never a shorter
list. What one list is, and when it cannot be trusted, is decided in `source`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING

from blocklists import store
from blocklists.errors import ListError
from blocklists.matcher import DictMatcher
from blocklists.source import load_source
from blocklists.store_manifest import Snapshot, encode_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

    from blocklists.entry import Entry
    from blocklists.source import LoadedSource

# Files for people beside the lists; anything else without a manifest might be a list that nobody honours.
_FOR_PEOPLE = frozenset({".md", ".rst", ".html", ".pdf"})
_NAMES_FOR_PEOPLE = frozenset({"readme", "license", "licence", "copying", "notice", "sha256sums"})
_OUR_OWN = frozenset({store.CURRENT, store.STATE})
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
    require_in_force(folder, (entry.in_force(now_us) for one in loaded for entry in one.entries))
    sources = tuple(one.source for one in loaded)
    manifest = encode_manifest(loaded)
    return Snapshot(
        sha256=sha256(manifest).hexdigest(),
        manifest=manifest,
        sources=sources,
        matcher=DictMatcher((entry for one in loaded for entry in one.entries), sources),
        notices=tuple(
            notice for one in loaded for notice in (*row_notices(one), *_idle_notices(one, now_us))
        ),
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


def require_in_force(folder: Path, in_force: Iterable[bool]) -> None:
    """Raise ListError when not one entry is in force: such a matcher would protect nobody."""
    if not any(in_force):
        raise ListError(
            f"{folder}: every entry is outside its term; renew `valid_until` or replace the lists"
        )


def row_notices(one: LoadedSource) -> list[str]:
    """Return a sentence for every row of a list that does not apply."""
    return [
        f"list {one.manifest.id}: {one.manifest.file}:{row.line_no} {row.text[:80]!r} {kind}: {row.why}"
        for kind, rows in (("quarantined", one.quarantined), ("rejected", one.rejected))
        for row in rows
    ]


def idle_notice(
    source_id: str, count: int, valid_from: date | str | None, valid_until: date | str | None
) -> str:
    """Return the sentence for entries of a list that are outside their term."""
    term = f"{valid_from or 'always'} to {valid_until or 'always'}"
    return f"list {source_id}: {count} entries are outside their term ({term}) and do not block"


def terms(entries: Iterable[Entry]) -> dict[tuple[date | None, date | None], int]:
    """Return how many entries have each term."""
    counted: dict[tuple[date | None, date | None], int] = {}
    for entry in entries:
        term = (entry.valid_from, entry.valid_until)
        counted[term] = counted.get(term, 0) + 1
    return counted


def _idle_notices(one: LoadedSource, now_us: int) -> list[str]:
    idle = terms(entry for entry in one.entries if not entry.in_force(now_us))
    return [idle_notice(one.manifest.id, count, *term) for term, count in idle.items()]


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
