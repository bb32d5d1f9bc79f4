"""Writes the evidence documents of a package: all of the log's, or those that the exported records need.

A record needs its basis, its policy, the manifest of its block lists and, when it is about the run itself,
the document of its body; a basis needs the files that it quotes. Which ones are needed is kept in a temporary
database, because a log may have millions.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.package import layout
from crawler.decisionlog.package.jsonl import line, text
from crawler.decisionlog.stored import unpack_body
from policies.basis import quoted_digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from crawler.decisionlog.package.folder import PackageFolder
    from crawler.decisionlog.session import Session

_PAGE: Final = 64
_SEEN: Final = 100_000
_BODY_SQL: Final = "SELECT codec, size, body FROM document WHERE id = ? AND sha256 = ?"


class NeededDocuments:
    """Digests of the documents to export; a context manager, because they are kept on disk."""

    def __init__(self, *, all_of_them: bool) -> None:
        self.all = all_of_them
        self._seen: set[bytes] = set()
        self._database = sqlite3.connect("", isolation_level=None)  # a file without a name, gone when closed

    def __enter__(self) -> Self:
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE needed (sha256 BLOB PRIMARY KEY) WITHOUT ROWID")
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def need(self, digests: Iterable[bytes | None]) -> None:
        """Note digests; None is none."""
        new = {digest for digest in digests if digest is not None} - self._seen
        if self.all or not new:
            return
        if len(self._seen) > _SEEN:
            self._seen.clear()
        self._seen |= new
        self._database.executemany("INSERT OR IGNORE INTO needed VALUES (?)", ((digest,) for digest in new))

    def __contains__(self, digest: bytes) -> bool:
        return (
            self.all
            or self._database.execute("SELECT 1 FROM needed WHERE sha256 = ?", (digest,)).fetchone()
            is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDocuments:
    """How many documents a package has, and where they are listed."""

    count: int
    listed: Path

    def digests(self) -> Iterator[str]:
        """Yield their digests in hex, in the order of the list."""
        with self.listed.open("rb") as file:
            for each in file:
                yield json.loads(each)["sha256"]


def write_documents(session: Session, folder: PackageFolder, needed: NeededDocuments) -> WrittenDocuments:
    """Write the needed documents and their list. Raises IntegrityError when one of them was changed."""
    if not needed.all:
        for _, _, octets in _documents(session, needed, kinds=(b"basis",)):
            needed.need(_quoted(octets))
    count = 0
    with folder.file(layout.DOCUMENTS) as listed:
        for digest, kind, octets in _documents(session, needed):
            name = digest.hex()
            folder.put_one_of_many(layout.document_file(name), octets)
            listed.write(line({"sha256": name, "kind": text(kind), "size": len(octets)}))
            count += 1
    return WrittenDocuments(count=count, listed=folder.path(layout.DOCUMENTS))


def _quoted(basis: bytes) -> tuple[bytes, ...]:
    """Return the digests of all that a basis quotes."""
    try:
        return quoted_digests(basis)
    except ValueError:
        return ()  # `sekisho log verify` tells of it


def _documents(
    session: Session, needed: NeededDocuments, kinds: tuple[bytes, ...] = ()
) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield digest, kind and octets of the needed documents, page by page."""
    last = 0
    while rows := session.execute(
        "SELECT id, sha256, kind FROM document WHERE id > ? ORDER BY id LIMIT ?", (last, _PAGE)
    ).fetchall():
        last = rows[-1][0]
        for number, digest, kind in rows:
            if (kinds and kind not in kinds) or digest not in needed:
                continue
            row = session.execute(_BODY_SQL, (number, digest)).fetchone()
            if row is None:
                continue  # removed meanwhile, which the export looks for at its end
            codec, size, body = row
            try:
                octets = unpack_body(codec, size, body)
            except ValueError as error:
                raise IntegrityError(
                    f"document {digest.hex()} of the log was changed: {error}; nothing is exported,"
                    " run `sekisho log verify`"
                ) from error
            yield digest, kind, octets
