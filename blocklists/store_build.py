"""Compiles the lists of a folder into one snapshot, and puts it in force.

Deterministic: the same lists under the same declarations give the same name and the same octets in every
file. A snapshot is written beside the others, made durable, renamed, and only then named by `CURRENT`;
whoever reads sees the old state or the new one. The caller holds the folder's lock (`store.locked`).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blocklists import index_marisa, store
from blocklists.durable import sync
from blocklists.entries import Entries
from blocklists.errors import ListError
from blocklists.index import IndexChoice, collect_names, encode_names
from blocklists.source import ListFile
from blocklists.store_folder import list_terms, read_folder, require_in_force, row_notices
from blocklists.store_load import (
    DERIVED,
    DERIVED_SCHEMA,
    ENTRIES,
    INPUTS,
    MANIFEST,
    MAPPED,
    NAMES,
    RAW,
    verify_snapshot,
)
from blocklists.store_manifest import encode_manifest
from blocklists.store_rows import host_key, write_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blocklists.entry import Match
    from blocklists.index import Names
    from blocklists.source import LoadedSource
    from blocklists.store_folder import Folder
    from blocklists.store_manifest import FetchFacts

#: Above this many names a mapped index is worth its file (a set of them takes some 40 MB in every process).
WORTH_MAPPING = 300_000
#: Above this many names the index is built in a process of its own, beside the rows.
_WORTH_A_PROCESS = 100_000
_GZIP_LEVEL = 3
#: Begins isolated, so that no file of the working folder stands before the standard library, and then finds
#: what this process finds.
_IN_A_PROCESS = (
    "import sys, json; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from blocklists.index_marisa import main; sys.exit(main(sys.argv[1:]))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A snapshot that is in force now: its digest, its folder, its entries, and whether it is a new one."""

    sha256: str
    path: Path
    entries: int
    is_new: bool
    previous: str | None


def build_snapshot(
    folder: Path,
    *,
    now_us: int,
    index: IndexChoice = IndexChoice.AUTO,
    fetched: Mapping[str, FetchFacts] | None = None,
) -> Built:
    """Compile every list of a folder and put the result in force.

    `now_us` (UTC, microseconds) only serves to refuse lists of which no entry is in force; `index` MAPPED
    writes a mapped index however few the names; `fetched` is what servers said, by list. Raises ListError
    for whatever `read_folder` refuses and when anything cannot be written: the state in force stays.
    """
    read = read_folder(folder)
    require_in_force(read, now_us=now_us)
    previous = _previous(folder)
    index = _as_before(folder, previous, index)
    manifest = encode_manifest(read.loaded, fetched)
    digest = hashlib.sha256(manifest).hexdigest()
    final = store.snapshot_folder(folder, digest)
    count = sum(len(one.entries) for one in read.loaded)
    is_new = not final.exists() or bool(verify_snapshot(folder, digest)) or _lacks_index(final, index)
    if is_new:
        _write_snapshot(read, manifest, digest, index)
    _write_inputs(read, final)
    if previous != digest:
        store.write_current(folder, digest, previous=previous)
    return Built(
        sha256=digest, path=final, entries=count, is_new=is_new or previous != digest, previous=previous
    )


def _previous(folder: Path) -> str | None:
    try:
        return store.read_current(folder)
    except ListError:  # what is built now replaces whatever stands there
        return None


def _as_before(folder: Path, previous: str | None, index: IndexChoice) -> IndexChoice:
    """Return MAPPED in place of AUTO where the state in force has such an index: somebody relies on it."""
    if index is not IndexChoice.AUTO or previous is None or not index_marisa.is_installed():
        return index
    had = (store.snapshot_folder(folder, previous) / MAPPED).exists()
    return IndexChoice.MAPPED if had else index


def _lacks_index(path: Path, index: IndexChoice) -> bool:
    return index is IndexChoice.MAPPED and not (path / MAPPED).exists()


def _write_snapshot(read: Folder, manifest: bytes, digest: str, index: IndexChoice) -> None:
    folder = read.path
    for left in store.unfinished(folder):  # nobody else can be building: the lock is ours
        shutil.rmtree(left, ignore_errors=True)
    (folder / store.SNAPSHOTS).mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=store.UNFINISHED, dir=folder / store.SNAPSHOTS))
    try:
        _fill(work, read, manifest, digest, index)
        final = store.snapshot_folder(folder, digest)
        if final.exists():  # damaged, or without the index that is wanted now
            final.rename(work.with_name(f"{store.UNFINISHED}old-{digest[:12]}-{os.getpid()}"))
        work.chmod(0o755)
        work.rename(final)
        sync(final.parent)
    except OSError as error:
        raise ListError(
            f"{work}: the snapshot cannot be written ({error.strerror or error}); the lists in force stay"
        ) from error
    finally:
        for left in store.unfinished(folder):
            shutil.rmtree(left, ignore_errors=True)


def _fill(work: Path, read: Folder, manifest: bytes, digest: str, index: IndexChoice) -> None:
    loaded = read.loaded
    (work / MANIFEST).write_bytes(manifest)
    names = _names(loaded)
    (work / NAMES).write_bytes(encode_names(names))
    indexing = _start_index(work, names, index)
    try:
        (work / RAW).mkdir()
        for one, path in zip(loaded, read.manifests, strict=True):
            for name, octets in raw_files(one, path).items():
                (work / RAW / name).write_bytes(gzip.compress(octets, _GZIP_LEVEL, mtime=0))
        write_rows(work / ENTRIES, [one.source for one in loaded], [one.entries for one in loaded])
    finally:
        _end_index(indexing)
    members = {
        "schema": DERIVED_SCHEMA,
        "snapshot": digest,
        "entries": sum(len(one.entries) for one in loaded),
        "has_hosts": bool(names.exact or names.prefix),
        "files": _digests(work),
        "terms": [term.members() for one in loaded for term in list_terms(one)],
        "notices": [notice for one in loaded for notice in row_notices(one)],
    }
    (work / DERIVED).write_text(json.dumps(members, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for path in sorted(work.rglob("*")):
        sync(path)


def _names(loaded: Sequence[LoadedSource]) -> Names:
    """Return every listed name; columns are taken whole, a row at a time only where rows differ."""
    keys: list[tuple[str, Match]] = []
    columns: list[tuple[Match, Sequence[str]]] = []
    for one in loaded:
        entries = one.entries
        if isinstance(entries, Entries):
            special = entries.rows.special
            keys += [(host_key(entries[place]), entries[place].match) for place in special]
            patterns: Sequence[str] = entries.rows.patterns
            if special:
                patterns = [name for place, name in enumerate(patterns) if place not in special]
            columns.append((entries.rows.scope, patterns))
        else:
            keys += [(host_key(entry), entry.match) for entry in entries]
    return collect_names(keys, columns)


def raw_files(one: LoadedSource, manifest_path: Path) -> dict[str, bytes]:
    """Return the octets of a list as it was read, under the names that they have in a snapshot."""
    path = manifest_path.parent / one.manifest.file
    if path.is_dir():
        parts = {name: path / name for name in ("domains", "urls")}
        octets = {name: part.read_bytes() if part.exists() else b"" for name, part in parts.items()}
        digest = ListFile(octets=octets["domains"], urls=octets["urls"]).sha256
        found = {f"{one.manifest.id}.{name}.gz": part for name, part in octets.items()}
    else:
        whole = path.read_bytes()
        digest = hashlib.sha256(whole).hexdigest()
        found = {f"{one.manifest.id}.gz": whole}
    if digest != one.source.sha256:
        raise ListError(f"{path}: changed while it was read; try again")
    return found


def _start_index(work: Path, names: Names, index: IndexChoice) -> subprocess.Popen[bytes] | None:
    """Build the mapped index when it is wanted, in a process of its own when that saves time."""
    count = len(names.subtree) + len(names.exact) + len(names.prefix)
    if index is IndexChoice.MEMORY:
        return None
    if index is IndexChoice.AUTO and (count < WORTH_MAPPING or not index_marisa.is_installed()):
        return None
    if count < _WORTH_A_PROCESS:
        index_marisa.build_index(names, work / MAPPED)
        return None
    files = (str(work / NAMES), str(work / MAPPED))
    return subprocess.Popen(  # noqa: S603 - our own module and our own paths
        [sys.executable, "-I", "-c", _IN_A_PROCESS, json.dumps(sys.path), *files],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _end_index(indexing: subprocess.Popen[bytes] | None) -> None:
    if indexing is not None and indexing.wait() != 0:
        raise ListError("the mapped index could not be built (see above); --index memory does without it")


def _digests(work: Path) -> dict[str, list[object]]:
    files = sorted(path for path in work.rglob("*") if path.is_file() and path.name != MANIFEST)
    found: dict[str, list[object]] = {}
    for path in files:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found[path.relative_to(work).as_posix()] = [digest, path.stat().st_size]
    return found


def _write_inputs(read: Folder, final: Path) -> None:
    """Remember the operator's own files as they were read, so that a change is seen and not ignored."""
    inputs: dict[str, list[object]] = {}
    for one, manifest in zip(read.loaded, read.manifests, strict=True):
        if manifest.parent != read.path:
            continue  # a fetched list: whoever fetches it compiles it
        path = manifest.parent / one.manifest.file
        for file in {manifest, *(sorted(path.iterdir()) if path.is_dir() else (path,))}:
            state = file.stat()
            inputs[file.relative_to(read.path).as_posix()] = [
                hashlib.sha256(file.read_bytes()).hexdigest(),
                state.st_size,
                state.st_mtime_ns,
            ]
    store.write_whole(final / INPUTS, json.dumps(inputs, indent=1, sort_keys=True).encode())
