"""The folder of a package that is being written: files that count and hash themselves, renamed at the end.

Everything is written into a folder beside the final one and renamed when it is complete and synced, so that
a package is there whole or not at all. Nothing is ever overwritten.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from blocklists.durable import sync
from crawler.decisionlog.package.layout import MANIFEST, SUMS, FilePart, PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_AT_ONCE: Final = 16  # files that are synced


class HashedFile:
    """A file that is written once from front to back; enough of a file object for gzip and pyarrow."""

    def __init__(self, path: Path, name: str) -> None:
        self._file: BinaryIO = path.open("xb")
        self._hash = sha256()
        self._name = name
        self.octets = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        """Write and hash."""
        view = memoryview(data)
        self._file.write(view)
        self._hash.update(view)
        self.octets += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        """Return how much was written."""
        return self.octets

    def flush(self) -> None:
        """Write what is buffered."""
        self._file.flush()

    def readable(self) -> bool:
        """Say that it is for writing."""
        return False

    def writable(self) -> bool:
        """Say that it is for writing."""
        return True

    def seekable(self) -> bool:
        """Say that it goes one way."""
        return False

    def close(self) -> None:
        """Sync and close."""
        if not self.closed:
            self.closed = True
            with self._file:
                self._file.flush()
                os.fsync(self._file.fileno())

    def discard(self) -> None:
        """Close without syncing, after a failure."""
        self.closed = True
        self._file.close()

    @property
    def part(self) -> FilePart:
        """What the manifest says of it; after closing."""
        return FilePart(path=self._name, sha256=self._hash.hexdigest(), octets=self.octets)


class PackageFolder:
    """A package under construction. A context manager: what is not `finish`ed is removed again."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._folder = target.with_name(f".{target.name}.{os.getpid()}.part")
        self._done = False
        self._made: set[str] = set()  # folders in it
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._closing: deque[Future[None]] = deque()
        self.parts: list[FilePart] = []

    def __enter__(self) -> Self:
        try:
            if self.target.exists() or self.target.is_symlink():
                raise PackageError(
                    f"{self.target} exists already, and no package is overwritten: name another folder"
                )
            if not self.target.parent.is_dir():
                raise PackageError(f"the folder {self.target.parent} does not exist: create it first")
            self._folder.mkdir(mode=0o700)
        except OSError as error:
            raise self._failed(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        if not self._done:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _failed(self, error: OSError) -> PackageError:
        return PackageError(
            f"the package {self.target} cannot be written: {error};"
            " nothing is left behind, free space or name another folder"
        )

    @contextmanager
    def file(self, name: str, *, listed: bool = True) -> Iterator[HashedFile]:
        """Write one file; `listed` in the manifest or not. Raises PackageError."""
        try:
            file = self._create(name)
            try:
                yield file
                file.close()
            except BaseException:
                file.discard()
                raise
        except OSError as error:
            raise self._failed(error) from error
        if listed:
            self.parts.append(file.part)

    def _create(self, name: str) -> HashedFile:
        path = self._folder / name
        parent = name.rpartition("/")[0]
        if parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(parent)
        return HashedFile(path, name)

    @contextmanager
    def gzipped(self, name: str) -> Iterator[gzip.GzipFile]:
        """Write one gzip file; the same content gives the same octets."""
        with (
            self.file(name) as file,
            gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as zipped,
        ):
            yield zipped

    def path(self, name: str) -> Path:
        """Return where a file of the package is while it is being written."""
        return self._folder / name

    def put(self, name: str, octets: bytes) -> FilePart:
        """Write a small file whole."""
        with self.file(name) as file:
            file.write(octets)
        return file.part

    def put_one_of_many(self, name: str, octets: bytes) -> None:
        """Write one of many small files, which the manifest does not list. Raises PackageError.

        They are synced some at a time, because a disk makes one flush of what is asked for at once.
        """
        try:
            file = self._create(name)
            file.write(octets)
            self._closing.append(self._pool.submit(file.close))
            if len(self._closing) > _AT_ONCE:
                self._closing.popleft().result()
        except OSError as error:
            raise self._failed(error) from error

    def finish(self, manifest: bytes, documents: Iterator[str]) -> None:
        """Write manifest and sums, sync, and give the package its name. `documents` are digests in hex."""
        self.put(MANIFEST, manifest)
        with self.file(SUMS, listed=False) as sums:
            for part in self.parts:
                sums.write(f"{part.sha256}  {part.path}\n".encode())
            for digest in documents:
                sums.write(f"{digest}  documents/{digest[:2]}/{digest}\n".encode())
        try:
            while self._closing:
                self._closing.popleft().result()
            for folder, _, _ in os.walk(self._folder):
                sync(folder)
            self._folder.chmod(0o755)
            if self.target.exists():
                raise FileExistsError(f"{self.target} has come into being meanwhile")
            self._folder.rename(self.target)
            sync(self.target.parent)
        except OSError as error:
            raise self._failed(error) from error
        self._done = True
