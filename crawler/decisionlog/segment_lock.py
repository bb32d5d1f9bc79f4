"""Says of a segment that its writer lives: a lock that goes with the writer, however that ends.

In an SQLite log it is an exclusive flock(2) on a small file beside it, `sekisho.db.writer-7` for segment
number 7; in PostgreSQL an advisory lock of the writer's session. It is taken before the segment's row can be
seen: a segment that is not sealed and not locked has no writer any more.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from crawler.decisionlog import store, store_postgres
from crawler.decisionlog.errors import LogError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.place import LogPlace


class SegmentLock(Protocol):
    """A held lock."""

    def release(self, *, ended: bool) -> None:
        """Let go; `ended` says that no writer will ask for this segment again."""


def take_lock(place: LogPlace, connection: Connection, number: int) -> SegmentLock | None:
    """Lock a segment, or return None when its writer lives. Raises LogError."""
    if isinstance(place, Path):
        return _FileLock.take(place, number)
    return _SessionLock(connection, number) if store_postgres.take_segment(connection, number) else None


class _SessionLock:
    """A lock of a PostgreSQL session."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self._number = number

    def release(self, *, ended: bool) -> None:  # noqa: ARG002 - nothing stays that could be removed
        """Let go, unless the session is over, and the lock with it."""
        if not self._connection.closed:
            with suppress(*store.errors()):
                store_postgres.release_segment(self._connection, self._number)


class _FileLock:
    """A lock on a file. Make it with `take`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, database: Path, number: int) -> Self | None:
        """Lock a segment, or return None when its writer lives. Raises LogError."""
        path = database.with_name(f"{database.name}.writer-{number}")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LogError(
                f"{path} cannot be made: {error.strerror or error}; give this user write access to its folder"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    def release(self, *, ended: bool) -> None:
        """Let go; the file is removed when the segment has ended, because no other writer will ask for it."""
        if self._descriptor < 0:
            return
        if ended:
            with suppress(OSError):
                self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1
