"""Keeps from opening what is no file where a file is named."""

from __future__ import annotations

import errno
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def refuse_endless(path: Path) -> None:
    """Raise OSError for a pipe or a device: opening one waits for its writer, the other has no end."""
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, and no file", str(path))
