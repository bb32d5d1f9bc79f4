"""What `sekisho check` says of the files that a log needs beside its database: its key, its last checkpoint.

Reads them where they are, and makes neither: the first crawl of a new log does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from crawler.commands.check_parts import Check, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PART = "log"


def check_custody(url: str, key_file: str, checkpoint_file: str) -> Iterator[Check]:
    """Check the key and the last checkpoint of the log at `url`; empty texts are not given."""
    from crawler.decisionlog.custody import Custody  # noqa: PLC0415 - 0.2 s, not needed for `--init`
    from crawler.decisionlog.errors import LogError  # noqa: PLC0415 - as above
    from crawler.decisionlog.store import file_of, log_place  # noqa: PLC0415 - as above

    try:
        place = log_place(url)
    except LogError:
        return  # `check_log` says why
    try:
        custody = Custody.of(
            file_of(place), key_file=key_file or None, checkpoint_file=checkpoint_file or None
        )
    except LogError as error:
        yield Check(status=Status.ERROR, part=_PART, place=str(place), message=str(error))
        return
    file = file_of(place)
    beside = file is not None and custody.key_file == file.parent / f"{file.name}.key"
    yield from _check_key(custody.key_file, named=not beside)
    yield from _check_checkpoint(custody.checkpoint_file, named=custody.named)


def _check_key(path: Path, *, named: bool) -> Iterator[Check]:
    from crawler.decisionlog.errors import LogError  # noqa: PLC0415 - as above
    from crawler.decisionlog.keys import load_key  # noqa: PLC0415 - as above

    if not path.exists():
        if named:
            yield _missing(
                path, "the key of the log", "a log that is signed already is not written without it"
            )
        return
    try:
        load_key(path)
    except LogError as error:
        yield Check(status=Status.ERROR, part=_PART, place=str(path), message=str(error))
    else:
        if named:
            yield Check(status=Status.OK, part=_PART, place=str(path), message="holds the key of the log")


def _check_checkpoint(path: Path, *, named: bool) -> Iterator[Check]:
    from crawler.decisionlog.custody import CheckpointFile  # noqa: PLC0415 - as above
    from crawler.decisionlog.errors import LogError  # noqa: PLC0415 - as above

    if not path.exists():
        if named:
            yield _missing(
                path, "the last checkpoint of the log", "a log that has one already is not written without it"
            )
        return
    try:
        CheckpointFile(path).read()
        problem = (
            "" if os.access(path.parent, os.W_OK | os.X_OK) else "its folder cannot be written by this user"
        )
    except LogError as error:
        problem = str(error)
    if problem:
        yield Check(status=Status.ERROR, part=_PART, place=str(path), message=problem)
    elif named:
        yield Check(status=Status.OK, part=_PART, place=str(path), message="holds the last checkpoint")


def _missing(path: Path, what: str, else_: str) -> Check:
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        problem = "does not exist" if not folder.is_dir() else "cannot be written by this user"
        message = f"{what} is not here, and its folder {problem}"
        return Check(status=Status.ERROR, part=_PART, place=str(path), message=message)
    message = f"{what} is not here: a new log makes it; {else_}"
    return Check(status=Status.WARNING, part=_PART, place=str(path), message=message)
