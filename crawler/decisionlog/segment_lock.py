"""Says of a segment in an SQLite log that its writer lives: an exclusive flock(2) on a small file beside it.

The file is `sekisho.db.writer-7` for segment number 7. It is taken before the segment's row can be seen, and
goes with the writer, however that ends: a segment that is not sealed and not locked has no writer any more.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from crawler.decisionlog.errors import LogError

if TYPE_CHECKING:
    from pathlib import Path


class SegmentLock:
    """A held lock. Make it with `take`."""

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
