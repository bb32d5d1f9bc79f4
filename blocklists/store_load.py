"""Reads one compiled snapshot: checked against its digests, then asked through an index.

Decides nothing about a host by itself: the index says which listed names a host stands under, the rows of
those names are read, and `DictMatcher` judges them, so that a compiled snapshot and a plain folder cannot
come to different decisions.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blocklists import index_marisa, store
from blocklists.errors import ListError
from blocklists.index import IndexChoice, NameIndex, SetIndex, decode_names
from blocklists.matcher import DictMatcher
from blocklists.source import ListFile
from blocklists.store_folder import Term, manifest_files, raise_nothing_in_force
from blocklists.store_manifest import Snapshot
from blocklists.store_prune import hold_snapshot
from blocklists.store_rows import Rows

if TYPE_CHECKING:
    from pathlib import Path

    from blocklists.matcher import Hit

DERIVED = "derived.json"
DERIVED_SCHEMA = "sekisho.blocklists-derived/1"
INPUTS = "inputs.json"
MANIFEST = "manifest.json"
NAMES = "names"
ENTRIES = "entries.sqlite"
MAPPED = "index.marisa"
RAW = "raw"
_ANEW = "run: sekisho blocklists build"
_REMEMBERED = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What was computed from the lists: `files` maps a name to digest and octets."""

    entries: int
    has_hosts: bool
    files: dict[str, tuple[str, int]]
    terms: tuple[Term, ...]
    notices: tuple[str, ...]


class StoredMatcher:
    """A compiled snapshot that can be asked (`blocklists.matcher.Matcher`)."""

    def __init__(self, index: NameIndex, rows: Rows, count: int) -> None:
        self._find = index.find
        self._rows = rows
        self._count = count
        self._judges: OrderedDict[tuple[str, ...], DictMatcher] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of entries."""
        return self._count

    def match(self, host: str, *, now_us: int, url: str = "") -> tuple[Hit, ...]:
        """Return every entry in force that names a canonical host (see `Matcher.match`).

        Raises ListError when the rows of a listed name cannot be read: a name that is listed is never passed.
        """
        names = self._find(host)
        if not names:
            return ()
        judge = self._judges.get(names)
        if judge is None:
            judge = self._judges[names] = DictMatcher(self._rows.of(names), self._rows.sources)
            if len(self._judges) > _REMEMBERED:
                self._judges.popitem(last=False)
        return judge.match(host, now_us=now_us, url=url)


def load_compiled(folder: Path, digest: str, *, now_us: int, index: IndexChoice) -> Snapshot:
    """Return a compiled snapshot of a folder, ready to be asked.

    Raises ListError when it is missing or half written, when a file is not the one that its digest names,
    when the operator's lists were changed since, and when no entry is in force.
    """
    refuse_changed_inputs(folder, store.snapshot_folder(folder, digest))
    return load_past(folder, digest, now_us=now_us, index=index)


def load_past(folder: Path, digest: str, *, now_us: int, index: IndexChoice) -> Snapshot:
    """Return any snapshot that lies in a folder, to be asked what it said; else as `load_compiled`."""
    path = store.snapshot_folder(folder, digest)
    hold = hold_snapshot(path)
    try:
        snapshot = _load(folder, path, digest, now_us=now_us, index=index)
    except BaseException:
        if hold is not None:
            os.close(hold)
        raise
    if hold is not None:  # nobody removes what is asked, until nobody asks it any more
        weakref.finalize(snapshot.matcher, os.close, hold).atexit = False
    return snapshot


def _load(folder: Path, path: Path, digest: str, *, now_us: int, index: IndexChoice) -> Snapshot:
    manifest = read_manifest(path, digest)
    derived = read_derived(path, digest)
    mapped = _is_mapped(index, derived, path)
    if mapped:
        # The rows are only measured: they decide nothing by themselves, and a row that is not the one which
        # the index lists is an error when it is asked for.
        _check(path, derived, (MAPPED,))
        _measure(path, derived)
        names: NameIndex = index_marisa.MappedIndex(path / MAPPED, has_hosts=derived.has_hosts)
    else:
        _check(path, derived, (name for name in derived.files if name != MAPPED))
        names = SetIndex(decode_names((path / NAMES).read_bytes()))
    if not any(term.blocks and term.in_force(now_us) for term in derived.terms):
        raise_nothing_in_force(folder)
    rows = Rows(path / ENTRIES)
    leftovers = tuple(
        f"{left}: a snapshot that was not finished; it is ignored and may be removed"
        for left in store.unfinished(folder)
    )
    return Snapshot(
        sha256=digest,
        manifest=manifest,
        sources=rows.sources,
        matcher=StoredMatcher(names, rows, derived.entries),
        notices=(
            *derived.notices,
            *(term.notice() for term in derived.terms if not term.in_force(now_us)),
            *leftovers,
        ),
    )


def read_manifest(path: Path, digest: str) -> bytes:
    """Return the manifest of a snapshot folder; ListError unless it gave the folder its name."""
    octets = _read(path / MANIFEST)
    if hashlib.sha256(octets).hexdigest() != digest:
        raise ListError(f"{path / MANIFEST}: is not the manifest that gave this snapshot its name; {_ANEW}")
    return octets


def read_derived(path: Path, digest: str) -> Derived:
    """Return what was computed from the lists of a snapshot; ListError when it is damaged."""
    try:
        members: dict[str, Any] = json.loads(_read(path / DERIVED))
        if members["schema"] != DERIVED_SCHEMA:
            raise ListError(f"{path / DERIVED}: is of another version ({members['schema']!r}); {_ANEW}")
        if members["snapshot"] != digest:
            raise ListError(f"{path / DERIVED}: belongs to snapshot {members['snapshot']!r}; {_ANEW}")
        return Derived(
            entries=int(members["entries"]),
            has_hosts=bool(members["has_hosts"]),
            files={name: (str(one[0]), int(one[1])) for name, one in members["files"].items()},
            terms=tuple(map(Term.of, members["terms"])),
            notices=tuple(map(str, members["notices"])),
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ListError(f"{path / DERIVED}: is damaged ({error!r}); {_ANEW}") from error


def verify_snapshot(folder: Path, digest: str) -> tuple[str, ...]:
    """Return what is wrong with a snapshot, reading every octet of it; () when nothing is."""
    path = store.snapshot_folder(folder, digest)
    wrong: list[str] = []
    try:
        manifest = json.loads(read_manifest(path, digest))
        derived = read_derived(path, digest)
    except ListError as error:
        return (str(error),)
    for name in derived.files:
        try:
            _check(path, derived, (name,))
        except ListError as error:
            wrong.append(str(error))
    for source in manifest["sources"]:
        wrong += _wrong_with_raw(path, source)
    return tuple(wrong)


def read_raw(path: Path, *, octets: int) -> bytes:
    """Return a stored list as it was read; never more than the `octets` that its manifest states."""
    try:
        with gzip.open(path, "rb") as file:
            return file.read(octets + 1)
    except (OSError, EOFError) as error:
        raise ListError(f"{path}: cannot be read ({error}); {_ANEW}") from error


def read_list(path: Path, source_id: str, *, octets: int) -> ListFile:
    """Return a list as it was read, from a snapshot folder; ListError when it cannot be."""
    whole = path / RAW / f"{source_id}.gz"
    if whole.exists():
        return ListFile(octets=read_raw(whole, octets=octets))
    domains, urls = (
        read_raw(path / RAW / f"{source_id}.{name}.gz", octets=octets) for name in ("domains", "urls")
    )
    return ListFile(octets=domains, urls=urls)


def _wrong_with_raw(path: Path, source: dict[str, Any]) -> list[str]:
    source_id = str(source["declared"]["id"])
    try:
        same = read_list(path, source_id, octets=int(source["octets"])).sha256 == source["sha256"]
    except ListError as error:
        return [str(error)]
    return [] if same else [f"{path / RAW}: list {source_id} is not the one that the manifest names; {_ANEW}"]


def refuse_changed_inputs(folder: Path, path: Path) -> None:
    """Raise ListError when one of the operator's own files was changed after it was compiled.

    Lists that `refresh` fetches are compiled by it, in the same step; they are not looked at here.
    """
    try:
        inputs: dict[str, list[Any]] = json.loads(_read(path / INPUTS))
        known = {name: (str(one[0]), int(one[1]), int(one[2])) for name, one in inputs.items()}
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise ListError(f"{path / INPUTS}: is damaged ({error!r}); {_ANEW}") from error
    for name, (digest, size, mtime_ns) in known.items():
        file = folder / name
        try:
            now = file.stat()
            same = (now.st_size, now.st_mtime_ns) == (size, mtime_ns)
            if not same and (now.st_size != size or hashlib.sha256(file.read_bytes()).hexdigest() != digest):
                raise ListError(f"{file}: was changed after the lists were compiled; {_ANEW}")
        except OSError as error:
            raise ListError(
                f"{file}: was there when the lists were compiled ({error.strerror}); {_ANEW}"
            ) from error
    for manifest in manifest_files(folder):
        if manifest.parent == folder and manifest.name not in known:
            raise ListError(f"{manifest}: was added after the lists were compiled; {_ANEW}")


def _is_mapped(index: IndexChoice, derived: Derived, path: Path) -> bool:
    if index is IndexChoice.MEMORY:
        return False
    if index is IndexChoice.AUTO:
        return MAPPED in derived.files and index_marisa.is_installed()
    if MAPPED not in derived.files:
        raise ListError(f"{path}: has no mapped index; run: sekisho blocklists build --index mapped")
    return True


def _check(path: Path, derived: Derived, names: Any) -> None:  # noqa: ANN401 - any iterable of names
    """Raise ListError for a file that is not the one which was written."""
    for name in names:
        digest, octets = derived.files[name]
        try:
            with (path / name).open("rb") as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == digest
        except OSError as error:
            raise ListError(f"{path / name}: cannot be read ({error.strerror}); {_ANEW}") from error
        if not same:
            raise ListError(f"{path / name}: is not the file of {octets} octets that was written; {_ANEW}")


def _measure(path: Path, derived: Derived) -> None:
    for name, (_, octets) in derived.files.items():
        try:
            size = (path / name).stat().st_size
        except OSError as error:
            raise ListError(f"{path / name}: cannot be read ({error.strerror}); {_ANEW}") from error
        if size != octets:
            raise ListError(f"{path / name}: has {size} octets, {octets} were written; {_ANEW}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ListError(
            f"{path}: does not exist, so this snapshot is half written or removed; {_ANEW}"
        ) from error
    except OSError as error:
        raise ListError(f"{path}: cannot be read ({error.strerror}); {_ANEW}") from error
