"""An export package as a source for the checks of a log: pages of records, contexts, documents, registry.

Nothing is believed: paths lead nowhere outside, files are compared with the manifest before they are read
(`verify`), and what cannot be read is a finding that names its file.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from hashlib import sha256
from itertools import islice
from operator import lt
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.package import layout, read_jsonl, read_parquet
from crawler.decisionlog.package.layout import Encoding, Manifest, SegmentPart
from crawler.decisionlog.package.opened import LONGEST_LINE, read_whole, regular
from crawler.decisionlog.registry_state import CheckpointRow, LeafRow
from crawler.decisionlog.verify_source import NO_OPENINGS, NO_RECORDS, RECORD_COLUMNS, DocumentRow, Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from uuid import UUID


Records = dict[str, "list[Any]"]
Openings = dict[str, "list[Any]"]

UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OSError, OverflowError)
_OPENING: Final = ("idx", "url", "parent_url", "salt")
_DOCUMENT: Final = ("sha256", "kind", "size")
_DIGEST: Final = 32
_LARGEST: Final = 1 << 30  # octets of a document; no table holds more in one cell


class PackageDocuments:
    """The documents of a package."""

    def __init__(self, folder: Path, findings: Findings) -> None:
        self._folder = folder
        self._findings = findings
        # A file without a name that is gone when closed: a log may have millions of documents.
        self._kinds = sqlite3.connect("", isolation_level=None)
        self._kinds.execute("CREATE TABLE kinds (sha256 BLOB PRIMARY KEY, kind BLOB) WITHOUT ROWID")
        self._kinds.execute("BEGIN")
        self._kinds.executemany(
            "INSERT OR IGNORE INTO kinds VALUES (?, ?)", (row[:2] for row in self._rows())
        )
        self._kinds.execute("COMMIT")

    def close(self) -> None:
        """Let go of what it remembers."""
        self._kinds.close()

    def _rows(self) -> Iterator[tuple[bytes, bytes, int]]:
        path = self._folder / layout.DOCUMENTS
        try:
            for row in read_jsonl.lines(path):
                digest, kind, size = read_jsonl.unhex(row["sha256"]), row["kind"].encode(), row["size"]
                if len(row) != len(_DOCUMENT) or len(digest) != _DIGEST or type(size) is not int:
                    raise ValueError("a line names no document")
                yield digest, kind, size
        except UNREADABLE as error:
            self._findings.add(Problem.FILE_DAMAGED, f"{layout.DOCUMENTS} cannot be read: {error}")

    def kind(self, digest: bytes) -> bytes | None:
        """Return a document's kind."""
        row = self._kinds.execute("SELECT kind FROM kinds WHERE sha256 = ?", (digest,)).fetchone()
        return None if row is None else row[0]

    def documents(self) -> Iterator[DocumentRow]:
        """Yield the documents that are there; one that is not is a finding."""
        number = 0
        for digest, kind, size in self._rows():
            path = self._folder / layout.document_file(digest.hex())
            try:
                octets = b"" if regular(path).stat().st_size != size else read_whole(path, _LARGEST)
            except OSError as error:
                self._findings.add(
                    Problem.DOCUMENT_MISSING,
                    f"document {digest.hex()} is listed and cannot be read: {error.strerror}",
                )
                continue
            number += 1
            yield DocumentRow(number=number, sha256=digest, kind=kind, size=size, codec=b"raw", body=octets)

    def strangers(self) -> Iterator[str]:
        """Yield the paths of what is among the documents and is not listed."""
        top = self._folder / "documents"
        try:
            for folder in sorted(top.iterdir()) if top.is_dir() else ():
                if not folder.is_dir() or folder.is_symlink():
                    yield f"documents/{folder.name}"
                else:
                    yield from self._strangers_in(folder)
        except OSError as error:
            self._findings.add(Problem.FILE_DAMAGED, f"documents cannot be listed: {error}")

    def _strangers_in(self, folder: Path) -> Iterator[str]:
        for path in folder.iterdir():
            name = f"documents/{folder.name}/{path.name}"
            try:
                listed = self.kind(read_jsonl.unhex(path.name)) is not None
            except ValueError:
                listed = False
            if not listed or layout.document_file(path.name) != name:
                yield name

    def mentioned(self, digest: bytes) -> tuple[UUID | None, int | None]:
        """Return no record: looking for one would mean to read the whole package again."""
        del digest
        return None, None


class PackageRegistry:
    """The registry of a package: bodies and notes verbatim, and nothing that repeats them."""

    def __init__(self, folder: Path, findings: Findings) -> None:
        self._folder = folder
        self._findings = findings

    def leaves(self) -> Iterator[LeafRow]:
        """Yield the leaves."""
        try:
            with regular(self._folder / layout.REGISTRY).open("rb") as file:
                for idx, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b"")):
                    if not line.endswith(b"\n"):
                        self._damaged(layout.REGISTRY, ValueError("its last line was cut off"))
                        return
                    body = line.removesuffix(b"\n")
                    yield LeafRow(idx=idx, ts_us=None, kind=None, segment_id=None, body=body, leaf_hash=None)
        except OSError as error:
            self._damaged(layout.REGISTRY, error)

    def checkpoints(self) -> Iterator[CheckpointRow]:
        """Yield the checkpoints; a note that is none gets size 0, where none can stand."""
        try:
            for row in read_jsonl.lines(self._folder / layout.CHECKPOINTS):
                if len(row) != 1:
                    raise ValueError("a line has other members than a note")
                note = row["note"]
                size = note.split("\n")[1] if note.count("\n") > 1 else ""
                number = int(size) if size.isascii() and size.isdigit() and len(size) < 19 else 0  # noqa: PLR2004 - 63 bits
                yield CheckpointRow(size=number, ts_us=None, root=None, note=note.encode())
        except UNREADABLE as error:
            self._damaged(layout.CHECKPOINTS, error)

    def _damaged(self, name: str, error: Exception) -> None:
        self._findings.add(Problem.FILE_DAMAGED, f"{name} cannot be read: {error}")


class SegmentSource:
    """The records of one segment of a package, from front to back."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        part: SegmentPart,
        contexts: dict[int, tuple[bytes, bytes, bytes]],
        erased: frozenset[int] = frozenset(),
    ) -> None:
        self._manifest = manifest
        self._contexts = contexts
        parquet = manifest.encoding is Encoding.PARQUET
        committed = manifest.committed
        path = folder / (part.records or "")
        self._records = (
            read_parquet.records(path, committed=committed) if parquet else read_jsonl.records(path)
        )
        self._openings: Iterator[Openings] = iter(())
        if part.urls is not None:
            beside = folder / part.urls
            self._openings = (
                read_parquet.openings(beside, committed=committed) if parquet else read_jsonl.openings(beside)
            )
        self._erased = erased
        self._seen: list[int] = []
        self._ahead: Openings = {}
        self._next = 0
        self.problem = ""

    def context(self, number: int) -> tuple[bytes, bytes, bytes] | None:
        """Return a context's columns."""
        return self._contexts.get(number)

    def packed(self, number: int, first: int, end: int) -> None:
        """Return None: the file is read as pages."""

    def kept_otherwise(self, number: int, first: int, end: int) -> Iterator[tuple[int, str]]:
        """Yield nothing: a column of the file has one type."""
        del number, first, end
        yield from ()

    def page(self, number: int, first: int, end: int) -> Page:
        """Return the next records; when the file cannot be read on, none, and `problem` says why."""
        del number
        try:
            return self._page(first, end)
        except UNREADABLE as error:
            self.problem = str(error) or type(error).__name__
            return Page(columns=NO_RECORDS, openings=NO_OPENINGS, after=end)

    def _page(self, first: int, end: int) -> Page:
        columns = next(self._records, None)
        if columns is None:
            return Page(columns=NO_RECORDS, openings=self._opened(end), after=end)
        idx = columns["idx"]
        if idx[0] < first or idx[-1] >= end or not _ascending(idx):
            raise ValueError("its records are not in order, or more than the manifest says")
        after = idx[-1] + 1
        beside = self._take(after)
        if not self._manifest.committed:
            columns |= _commitments(idx, beside)
        withheld = None in beside["salt"]
        openings = [beside[name] for name in _OPENING]
        if withheld:
            rows = [row for row in zip(*openings, strict=True) if row[3] is not None]
            openings = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
        if self._erased:
            self._seen.extend(self._erased.intersection(openings[0]))
        return Page(
            columns=[columns.get(name) for name in RECORD_COLUMNS],
            openings=openings,
            after=after,
            derived=not self._manifest.committed,
        )

    def _opened(self, before: int) -> Sequence[Sequence[Any]]:
        beside = self._take(before)
        return [beside[name] for name in _OPENING]

    def _take(self, before: int) -> Openings:
        """Return the openings of records before an index, which were not taken yet."""
        taken: Openings = {name: [] for name in (*_OPENING, "url_commit", "parent_commit")}
        while True:
            if not self._ahead:
                self._ahead = next(self._openings, {})
                if not self._ahead:
                    return taken
                idx = self._ahead["idx"]
                if idx[0] < self._next or not _ascending(idx):
                    raise ValueError("its URLs are not in order")
                self._next = idx[-1] + 1
            cut = bisect_left(self._ahead["idx"], before)
            for name, column in self._ahead.items():
                taken[name].extend(column[:cut])
            if cut < len(self._ahead["idx"]):
                self._ahead = {name: column[cut:] for name, column in self._ahead.items()}
                return taken
            self._ahead = {}

    @property
    def unerased(self) -> list[int]:
        """Which records have a URL that the registry says to be erased."""
        return self._seen

    def leftover(self) -> bool:
        """Whether the files go on behind the end of the segment, or cannot be read there."""
        try:
            if self._ahead or next(self._openings, {}):
                return True
            return next(self._records, None) is not None
        except UNREADABLE as error:
            self.problem = self.problem or str(error)
            return False


def _ascending(values: list[int]) -> bool:
    return all(map(lt, values, islice(values, 1, None)))


def _commitments(idx: list[int], beside: Openings) -> dict[str, list[bytes | None]]:
    """Return the commitments of the records: computed from the openings, or given where one is withheld."""
    salts = beside["salt"]
    given: list[list[bytes | None]] = []
    for name, label in (("url", b"url\x00"), ("parent_url", b"parent_url\x00")):
        begin = sha256(label).copy  # to copy a hash costs less than to begin one
        made: list[bytes | None] = []
        for text, salt in zip(beside[name], salts, strict=True):
            if text is None or salt is None:
                made.append(None)
            else:
                begun = begin()
                begun.update(salt + text)
                made.append(begun.digest())
        given.append(made)
    urls, parents = given
    if None in salts:
        for at, salt in enumerate(salts):
            if salt is None:
                urls[at], parents[at] = beside["url_commit"][at], beside["parent_commit"][at]
    if beside["idx"] == idx:
        return {"url_commit": urls, "parent_commit": parents}
    by_idx = dict(zip(beside["idx"], zip(urls, parents, strict=True), strict=True))
    nothing = (None, None)
    pairs = [by_idx.get(each, nothing) for each in idx]
    return {"url_commit": [url for url, _ in pairs], "parent_commit": [parent for _, parent in pairs]}
