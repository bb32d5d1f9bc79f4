"""What of a log is kept outside its database: the key that signs, and the last checkpoint.

Beside an SQLite file unless named: `sekisho.db.key` and `sekisho.db.checkpoint`. There they guard against
accidents and a restored database; against people they help where those who can change the database cannot
write. A log in PostgreSQL has no folder: both files must be named.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blocklists.durable import sync
from crawler.decisionlog.endless import refuse_endless
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.notes import LONGEST_NOTE, Note, NoteError, parse_checkpoint, parse_note

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_SETTING: Final = "SEKISHO_LOG_KEY_FILE"
CHECKPOINT_SETTING: Final = "SEKISHO_LOG_CHECKPOINT_FILE"
ORIGIN_SETTING: Final = "SEKISHO_LOG_ORIGIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """Where key and last checkpoint of a log are.

    `named` says that the checkpoint's file was named by the operator: then a log that has checkpoints is not
    written without it. `origin` names a new log (a URL without its scheme); None takes a random name.
    """

    key_file: Path
    checkpoint_file: Path
    named: bool = False
    origin: str | None = None

    @classmethod
    def of(
        cls,
        database: Path | None,
        *,
        key_file: str | None = None,
        checkpoint_file: str | None = None,
        origin: str | None = None,
    ) -> Custody:
        """Return the custody of the log in `database` (None: not in a file). Raises LogError.

        What is not given is taken from the environment, then from beside the database.
        """
        key = key_file or os.environ.get(KEY_SETTING)
        last = checkpoint_file or os.environ.get(CHECKPOINT_SETTING)
        if database is None and (not key or not last):
            raise LogError(
                f"a log in PostgreSQL needs {KEY_SETTING} and {CHECKPOINT_SETTING}: name two files"
                " that those who can change the database cannot write"
            )
        return cls(
            key_file=Path(key).expanduser().absolute() if key else _beside(database, ".key"),
            checkpoint_file=Path(last).expanduser().absolute() if last else _beside(database, ".checkpoint"),
            named=bool(last),
            origin=origin or os.environ.get(ORIGIN_SETTING) or None,
        )


def _beside(database: Path | None, suffix: str) -> Path:
    if database is None:
        raise LogError("a log in PostgreSQL has no folder")  # `of` says what to do, before
    return database.parent / f"{database.name}{suffix}"


class CheckpointFile:
    """The file with the last checkpoint. It only ever moves forward."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Note | None:
        """Return the note in the file, unverified; None without a file. Raises LogError."""
        try:
            refuse_endless(self.path)
            with self.path.open("rb") as file:
                octets = file.read(LONGEST_NOTE + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable("read", error) from error
        try:
            note = parse_note(octets)
            parse_checkpoint(note)
        except NoteError as error:
            raise IntegrityError(
                f"{self.path} holds no checkpoint of a log: {error}; restore it from its copy"
            ) from error
        return note

    def publish(self, note: Note) -> None:
        """Write a newer checkpoint, durably and whole. Raises LogError, IntegrityError for a fork.

        Several writers of one log share the file: one that comes late with an older checkpoint changes
        nothing.
        """
        new = parse_checkpoint(note)
        try:
            with self._locked():
                before = self.read()
                old = None if before is None else parse_checkpoint(before)
                if old is not None and old.origin != new.origin:
                    raise IntegrityError(
                        f"{self.path} holds the checkpoint of another log, {old.origin}:"
                        f" name another file with {CHECKPOINT_SETTING}"
                    )
                if old is not None and old.size == new.size and old.root != new.root:
                    raise IntegrityError(f"{self.path} holds another checkpoint of size {old.size}: a fork")
                if old is None or old.size < new.size:
                    self._replace(str(note).encode())
        except OSError as error:
            raise self._unusable("written", error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _replace(self, octets: bytes) -> None:
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        sync(self.path.parent)

    def _unusable(self, what: str, error: OSError) -> LogError:
        return LogError(
            f"the last checkpoint {self.path} cannot be {what}: {error.strerror or error};"
            f" give this user access, or name another file with {CHECKPOINT_SETTING}"
        )
