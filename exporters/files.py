"""Writing what is published: a file appears whole or not at all.

Decides nothing about content. The only place in `exporters` that writes files; imports no log and no policy.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blocklists.errors import ExitCode, SekishoError


class PublishError(SekishoError):
    """A published file cannot be written; what stood there before still stands."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """One file as it was written: `name` relative to its folder, `size` in octets, `sha256` in hex."""

    name: str
    size: int
    sha256: str


def _require_plain(name: str) -> None:
    if name in ("", ".", "..") or Path(name).name != name:
        raise ValueError(f"not a plain file name: {name!r}")


def publish_file(folder: Path, name: str, body: bytes) -> PublishedFile:
    """Write `body` to `folder/name` through a temporary file in the same folder, synced, then renamed.

    `name` is a plain file name; anything with a separator is a ValueError. PublishError when the disk or the
    folder refuses; the temporary file is removed then, and an older file of that name is untouched.
    """
    _require_plain(name)
    temporary = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        with os.fdopen(handle, "wb") as stream:
            stream.write(body)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(folder / name)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        raise PublishError(
            f"cannot write {folder / name}: {error.strerror or error}; choose another folder with --out"
        ) from error
    return PublishedFile(name=name, size=len(body), sha256=hashlib.sha256(body).hexdigest())


def withdraw_file(folder: Path, name: str) -> bool:
    """Remove a file that an earlier publication left; return whether there was one.

    PublishError when it cannot be removed: what is withheld must not stay published by accident.
    """
    _require_plain(name)
    try:
        (folder / name).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise PublishError(
            f"cannot remove the earlier {folder / name}: {error.strerror or error}; remove it by hand"
        ) from error
    return True
