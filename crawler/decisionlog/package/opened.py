"""Opens the files of a package, of which nothing is believed: only regular files, and never too much at once.

A link, a pipe or a device in the place of a file would lead out of the package, keep the reader waiting for
ever, or have no end. Files that are read whole have a limit, because a file with holes may say to have any
number of octets and take none.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_LINE: Final = 1 << 24  # octets; the longest URL that Scrapy fetches is far below


def regular(path: Path) -> Path:
    """Return the path of a regular file. Raises OSError where it is something else, or not there."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return path


def read_whole(path: Path, most: int) -> bytes:
    """Return the octets of a regular file. Raises OSError, also when there are more than `most`."""
    with regular(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        octets = b"" if size > most else file.read(size + 1)  # as much memory as that is taken at once
    if size > most or len(octets) > size:
        raise OSError(errno.EFBIG, f"it has more than {min(size, most):,} octets", str(path))
    return octets
