"""Where compiled snapshots lie, which one is in force, and who may change that.

    lists/*.toml                  the operator's lists (`source`), as in a plain folder
    lists/fetched/*.toml          lists that `refresh` accepted, in the same form
    lists/CURRENT                 the digest of the snapshot in force, replaced in one step
    lists/PREVIOUS                the one that was in force before it
    lists/snapshots/<sha256>/     one compiled state; written elsewhere first, then renamed, never changed
    lists/.lock                   held while anything of this is changed

Holds names and steps that must be atomic; what a snapshot contains is in `store_build` and `store_load`.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from blocklists.durable import sync
from blocklists.errors import ExitCode, ListError, SekishoError

if TYPE_CHECKING:
    from collections.abc import Iterator

CURRENT = "CURRENT"
PREVIOUS = "PREVIOUS"
SNAPSHOTS = "snapshots"
FETCHED = "fetched"
HELD = "held"
STATE = "state.json"
LOCK = ".lock"
#: A snapshot that is being written; what is left of one after a crash begins like this too.
UNFINISHED = ".unfinished-"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class ListsLockedError(SekishoError):
    """Somebody else is changing the lists of this folder."""

    exit_code = ExitCode.TRY_LATER


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; ListsLockedError at once when somebody else does.

    The kernel gives it back when its holder ends, however that happens; the file itself stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ListError(f"{path}: cannot be opened ({error.strerror}); check the folder's rights") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            by = f" (process {holder})" if holder else ""
            raise ListsLockedError(
                f"{folder}: another command is changing these lists{by}; try again when it has ended"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def read_current(folder: Path) -> str | None:
    """Return the digest of the snapshot in force, None for a folder without compiled snapshots.

    Raises ListError when the file is not a digest.
    """
    return _read_digest(folder / CURRENT)


def read_previous(folder: Path) -> str | None:
    """Return the digest of the snapshot that was in force before; None when it is not known."""
    try:
        return _read_digest(folder / PREVIOUS)
    except ListError:  # it decides nothing
        return None


def _read_digest(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ListError(f"{path}: cannot be read ({error}); run: sekisho blocklists build") from error
    if _DIGEST.fullmatch(text) is None:
        raise ListError(f"{path}: is not the digest of a snapshot; run: sekisho blocklists build")
    return text


def write_current(folder: Path, digest: str, *, previous: str | None) -> None:
    """Put a snapshot in force, in one step that survives a crash on either side of it."""
    if previous is not None:
        write_whole(folder / PREVIOUS, f"{previous}\n".encode("ascii"))
    write_whole(folder / CURRENT, f"{digest}\n".encode("ascii"))


def write_whole(path: Path, octets: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part. May raise ListError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
        sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        raise ListError(f"{path}: cannot be written ({error.strerror}); the old state stays") from error


def snapshot_folder(folder: Path, digest: str) -> Path:
    """Return where a snapshot lies."""
    return folder / SNAPSHOTS / digest


def known_snapshots(folder: Path) -> tuple[str, ...]:
    """Return the digests of every snapshot that is complete by name, oldest first."""
    try:
        found = [path for path in (folder / SNAPSHOTS).iterdir() if _DIGEST.fullmatch(path.name)]
    except FileNotFoundError:
        return ()
    return tuple(path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)))


def find_snapshot(folder: Path, beginning: str) -> str:
    """Return the one snapshot whose digest begins so; ListError else.

    `CURRENT` names the one in force, `PREVIOUS` the one before it.
    """
    if beginning in (CURRENT, PREVIOUS):
        named = _read_digest(folder / beginning)
        if named is None:
            before = (
                " before the one in force" if beginning == PREVIOUS else "; run: sekisho blocklists build"
            )
            raise ListError(f"{folder}: there is no compiled snapshot{before}")
        return named
    found = [digest for digest in known_snapshots(folder) if digest.startswith(beginning.lower())]
    if len(found) != 1 or not beginning:
        what = "no snapshot" if not found else f"{len(found)} snapshots"
        raise ListError(
            f"{folder / SNAPSHOTS}: {what} begin(s) with {beginning!r}; there are: "
            f"{', '.join(digest[:12] for digest in known_snapshots(folder)) or 'none'}"
        )
    return found[0]


def unfinished(folder: Path) -> tuple[Path, ...]:
    """Return what is left of snapshots whose building did not end."""
    try:
        return tuple(sorted((folder / SNAPSHOTS).glob(f"{UNFINISHED}*")))
    except OSError:
        return ()
