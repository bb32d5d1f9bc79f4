"""Removes old compiled snapshots, so that a folder of lists does not grow with every refresh.

Decides which stay: the one in force, the one before it, every one that a process has loaded, and the newest,
as many as the operator keeps. A loaded snapshot is held by a shared lock on its manifest, which the kernel
gives back when the process lets go of it or ends; whoever removes one takes that lock alone first.
What is removed can be built anew from its lists, and what it said of each request stays in the log.
The caller holds the folder's lock (`store.locked`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from blocklists import store
from blocklists.errors import ListError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: So many snapshots stay without a setting: ten days of daily refreshes.
USUAL_KEEP = 10
#: The one in force and the one before it are never removed.
LEAST_KEEP = 2
HOLD = "manifest.json"
_REMOVED = ".removed-"


class Fate(StrEnum):
    """Why a snapshot stays, or that it does not."""

    IN_FORCE = "in force"
    BEFORE = "before the one in force"
    NEWEST = "among the newest"
    IN_USE = "in use by a process"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One snapshot: its digest, when it was built (UTC, microseconds), its octets, and its fate."""

    sha256: str
    built_at: int
    octets: int
    fate: Fate


def hold_snapshot(path: Path) -> int | None:
    """Take a shared lock on a snapshot that is about to be loaded; the descriptor that holds it.

    None where there is nothing to hold, or where the file system knows no locks: reading goes on, since what
    a process has opened stays readable to it.
    """
    try:
        descriptor = os.open(path / HOLD, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def prune_snapshots(folder: Path, *, keep: int = USUAL_KEEP, trial: bool = False) -> tuple[Kept, ...]:
    """Remove snapshots beyond the newest `keep`; what became of each, newest first.

    With `trial` nothing is removed. A folder without compiled snapshots has none. Raises UsageError for a
    `keep` below two, and ListError when `CURRENT` cannot be read: then nobody knows which one is in force.
    """
    if keep < LEAST_KEEP:
        raise UsageError(
            f"{keep} snapshots to keep: at least {LEAST_KEEP} are needed, since the one in force and the one "
            "before it always stay"
        )
    clear_removed(folder)
    named = {store.read_current(folder): Fate.IN_FORCE}
    named = {store.read_previous(folder): Fate.BEFORE} | named
    room = keep - sum(store.snapshot_folder(folder, digest).exists() for digest in named if digest)
    found: list[Kept] = []
    for digest in reversed(store.known_snapshots(folder)):
        fate = named.get(digest)
        if fate is None and room > 0:
            fate, room = Fate.NEWEST, room - 1
        path = store.snapshot_folder(folder, digest)
        built_at, octets = path.stat().st_mtime_ns // 1000, sum(_sizes(path))
        if fate is None:
            fate = Fate.REMOVED if _remove(path, trial=trial) else Fate.IN_USE
        found.append(Kept(sha256=digest, built_at=built_at, octets=octets, fate=fate))
    return tuple(found)


def clear_removed(folder: Path) -> None:
    """Finish removals that a crash cut short."""
    for left in (folder / store.SNAPSHOTS).glob(f"{_REMOVED}*"):
        shutil.rmtree(left, ignore_errors=True)


def _remove(path: Path, *, trial: bool) -> bool:
    """Remove a snapshot that nobody has loaded; whether it was (or would be) removed."""
    try:
        descriptor = os.open(path / HOLD, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        descriptor = None  # half of one: nobody can have loaded it
    except OSError as error:
        raise ListError(f"{path}: cannot be removed ({error.strerror}); check the folder's rights") from error
    gone = path.with_name(f"{_REMOVED}{path.name}")
    try:
        if descriptor is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # somebody holds it, or nobody can say: it stays
                return False
        if not trial:
            path.rename(gone)  # in one step, so that no half of it is taken for a snapshot
    except OSError as error:
        raise ListError(f"{path}: cannot be removed ({error.strerror}); check the folder's rights") from error
    finally:
        if descriptor is not None:
            os.close(descriptor)
    if not trial:
        shutil.rmtree(gone, ignore_errors=True)
    return True


def _sizes(path: Path) -> Iterator[int]:
    for file in path.rglob("*"):
        with suppress(OSError):
            yield file.lstat().st_size if file.is_file() else 0
