"""All block lists of a folder as one immutable, content-addressed state.

Decides which lists a run honours: every one in the folder, or none and the crawl does not start.
Two folders with the same octets give the same `sha256`, which every decision of a run cites.
Reads files; fetches nothing; the clock is an argument and never part of the digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path  # noqa: TC003 - kept importable for type hints of callers
from typing import TYPE_CHECKING, Any

import idna
import rfc8785

from blocklists.domain import psl_version
from blocklists.errors import ListError
from blocklists.matcher import DictMatcher, Matcher
from blocklists.source import LoadedSource, load_source

if TYPE_CHECKING:
    from blocklists.entry import Source

SCHEMA = "sekisho.blocklists/1"
_HOW_TO = "create it with one manifest (NAME.toml) and one list file for each list; see blocklists/README.md"
# Beside manifests and the lists that they name, a folder may hold only texts for people.
_FOR_PEOPLE = (".md", ".rst", ".html", ".pdf")
_NAMES_FOR_PEOPLE = ("readme", "licence", "license", "copying", "notice", "sha256sums")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One state of the block lists.

    `manifest` is canonical JSON (RFC 8785, schema `sekisho.blocklists/1`) with the digest and the counts of
    every list; `sha256` is its hex digest. `notices` are sentences for the operator: rows that were
    quarantined or rejected, and entries that are outside their term.
    """

    sha256: str
    manifest: bytes
    sources: tuple[Source, ...]
    matcher: Matcher
    notices: tuple[str, ...]


def load_snapshot(folder: Path, *, now_us: int) -> Snapshot:
    """Read every list of a folder: each `*.toml` is a manifest that names its list file.

    `now_us` (UTC, microseconds) only serves to report entries outside their term. Raises ListError for a
    folder that is missing or holds no manifest, for a list that cannot be trusted (`load_source`), for two
    lists of one id, for a file that no manifest names, and when no entry at all is in force.
    """
    loaded = [load_source(path) for path in _manifests(folder)]
    loaded.sort(key=lambda one: one.manifest.id)
    _refuse_shared_ids(folder, loaded)
    _refuse_strays(folder, loaded)
    entries = [entry for one in loaded for entry in one.entries]
    if not any(entry.in_force(now_us) for entry in entries):
        raise ListError(
            f"{folder}: every entry is outside its term; renew `valid_until` or replace the lists"
        )
    sources = tuple(one.source for one in loaded)
    manifest = encode_manifest(loaded)
    return Snapshot(
        sha256=sha256(manifest).hexdigest(),
        manifest=manifest,
        sources=sources,
        matcher=DictMatcher(entries, sources),
        notices=tuple(notice for one in loaded for notice in _notices(one, now_us)),
    )


def encode_manifest(loaded: list[LoadedSource]) -> bytes:
    """Return the canonical document that a snapshot is named after; `loaded` in order of id."""
    return rfc8785.dumps(
        {
            "schema": SCHEMA,
            "public_suffix_list": psl_version(),
            "idna": idna.__version__,
            "sources": [_members(one) for one in loaded],
        }
    )


def _members(one: LoadedSource) -> dict[str, Any]:
    return {
        "declared": one.manifest.model_dump(mode="json", exclude_none=True),
        "sha256": one.source.sha256,
        "octets": one.octets,
        "parser": one.parser,
        "entries": len(one.entries),
        "duplicates": one.duplicates,
        "rejected": len(one.rejected),
        "quarantined": len(one.quarantined),
    }


def _manifests(folder: Path) -> list[Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not _is_hidden(path))
    except FileNotFoundError as error:
        raise ListError(f"{folder}: the block-list folder does not exist; {_HOW_TO}") from error
    except OSError as error:
        raise ListError(f"{folder}: the block-list folder cannot be read ({error.strerror})") from error
    if not paths:
        raise ListError(f"{folder}: the block-list folder holds no manifest; {_HOW_TO}")
    return paths


def _refuse_shared_ids(folder: Path, loaded: list[LoadedSource]) -> None:
    for one, other in pairwise(loaded):
        if one.manifest.id == other.manifest.id:
            raise ListError(
                f"{folder}: two manifests have the id {one.manifest.id!r} (lists {one.manifest.file} and "
                f"{other.manifest.file}); give each list its own"
            )


def _refuse_strays(folder: Path, loaded: list[LoadedSource]) -> None:
    """Refuse a file that looks like a list and would silently not be honoured."""
    named = {folder / one.manifest.file for one in loaded}
    for path in sorted(folder.iterdir()):
        for_people = path.suffix.lower() in _FOR_PEOPLE or path.stem.lower() in _NAMES_FOR_PEOPLE
        if path.is_dir() or path.suffix == ".toml" or _is_hidden(path) or for_people or path in named:
            continue
        raise ListError(
            f"{path}: no manifest names this file, so nobody would honour it; write one or move it away"
        )


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _notices(one: LoadedSource, now_us: int) -> list[str]:
    notices = [
        f"list {one.manifest.id}: {one.manifest.file}:{row.line_no} {row.text[:80]!r} {kind}: {row.why}"
        for kind, rows in (("quarantined", one.quarantined), ("rejected", one.rejected))
        for row in rows
    ]
    idle = sum(not entry.in_force(now_us) for entry in one.entries)
    if idle:
        term = f"{one.manifest.valid_from or 'always'} to {one.manifest.valid_until or 'always'}"
        notices.append(
            f"list {one.manifest.id}: {idle} entries are outside their term ({term}) and do not block"
        )
    return notices
