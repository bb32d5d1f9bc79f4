"""Verifies the documents of a log: their digests, that none is gone, and that every one referred to is there.

A record needs its basis, its agent policy, and the manifest of its block lists; a record about the run itself
the document whose digest it carries; a basis that quotes a line of a robots.txt needs that file.
Octets that a basis only names by digest (a page that was dropped, a list) are not kept, by design.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from crawler.decisionlog.findings import Problem
from crawler.decisionlog.stored import unpack_body
from policies.basis import decode_basis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from crawler.decisionlog.findings import Findings
    from crawler.decisionlog.verify_source import DocumentSource

_KNOWN: Final = 200_000
_TYPES: Final = (int, bytes, int, bytes, bytes)  # of number, digest, size, codec and body

BASIS: Final = frozenset({b"basis"})
POLICY: Final = frozenset({b"policy"})
BLOCKLIST: Final = frozenset({b"blocklist"})
_ROBOTS: Final = frozenset(
    {b"robots", b"site_file"}
)  # the same octets are stored once, under their first kind


def _quoted_robots(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield URL and digest of every robots.txt that a basis quotes a line of.

    Raises ValueError, or TypeError or AttributeError where something in it is of another type than it says.
    """
    for verdict in decode_basis(body).verdicts:
        for evidence in verdict.evidence:
            if evidence.line is not None and evidence.sha256 and _is_robots(evidence.source):
                yield evidence.source, bytes.fromhex(evidence.sha256)


def _is_robots(source: str) -> bool:
    try:
        return urlsplit(source).path == "/robots.txt"
    except ValueError:
        return False


class DocumentCheck:
    """Knows which documents exist, remembers what was asked, and verifies them all in `run`."""

    def __init__(self, source: DocumentSource, findings: Findings) -> None:
        self._source = source
        self._findings = findings
        self.kinds: dict[bytes, bytes] = {}  # of documents asked for: digest to kind
        self._unread = 0
        self.discarded: set[bytes] = set()  # those that were lawfully removed
        self.unquoted: set[bytes] | None = None  # of these, those that a basis may quote; None: all
        self.may_lack: Callable[[bytes, UUID, int], bool] = lambda *_: False  # see RegistryState
        self.count = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What is no finding but worth knowing."""
        if not self._unread:
            return ()
        return (f"{self._unread} basis documents are not in the format sekisho.basis/1: digest checked only",)

    def has(self, digest: bytes, kinds: frozenset[bytes] | None = None) -> bool:
        """Whether there is a document with this digest, of one of these kinds."""
        kind = self.kinds.get(digest)
        if kind is None:
            kind = self._source.kind(digest)
            if kind is None:
                return False
            if len(self.kinds) >= _KNOWN:
                self.kinds.clear()
            self.kinds[digest] = kind
        return kinds is None or kind in kinds

    def need(
        self, digest: bytes, what: str, segment: UUID, idx: int, kinds: frozenset[bytes] | None = None
    ) -> None:
        """Note a finding unless the record's document is there."""
        if not self.has(digest, kinds) and not self.may_lack(digest, segment, idx):
            self._findings.add(
                Problem.DOCUMENT_MISSING,
                f"{what} {digest.hex()} is not among the documents",
                segment,
                idx,
            )

    def run(self) -> None:
        """Verify every document."""
        last = gone = 0
        gaps = []
        allowed = sum(self._source.kind(digest) is None for digest in self.discarded)
        for row in self._source.documents():
            self.count += 1
            if (
                tuple(map(type, (row.number, row.sha256, row.size, row.codec, row.body))) != _TYPES
                or row.size < 0
            ):
                self._findings.add(
                    Problem.DOCUMENT_CHANGED,
                    f"document number {row.number!a} is nothing that a writer writes",
                )
                continue
            if row.number < 1:
                self._findings.add(
                    Problem.DOCUMENT_CHANGED, f"document {row.sha256.hex()} has the number {row.number}"
                )
            elif row.number != last + 1:
                gone += row.number - last - 1
                gaps.append(f"documents number {last + 1} to {row.number - 1} are gone")
            last = max(row.number, 0)
            self._check(row.sha256, row.kind, row.size, row.codec, row.body)
        if gone > allowed:
            for gap in gaps:
                self._findings.add(Problem.DOCUMENT_MISSING, gap)

    def _check(self, digest: bytes, kind: bytes, size: int, codec: bytes, body: bytes) -> None:
        try:
            octets = unpack_body(codec, size, body)
        except ValueError as error:
            self._changed(digest, str(error))
            return
        if sha256(octets).digest() != digest:
            self._changed(digest, "its octets have another SHA-256")
        elif kind == b"basis":
            self._check_basis(digest, octets)

    def _changed(self, digest: bytes, why: str) -> None:
        segment, idx = self._source.mentioned(digest)
        self._findings.add(
            Problem.DOCUMENT_CHANGED, f"document {digest.hex()} was changed: {why}", segment, idx
        )

    def _check_basis(self, digest: bytes, octets: bytes) -> None:
        try:
            quoted = list(_quoted_robots(octets))
        except (ValueError, TypeError, AttributeError):
            self._unread += 1
            return
        unquoted = self.discarded if self.unquoted is None else self.unquoted
        for source, sha in quoted:
            if not self.has(sha, _ROBOTS) and sha not in unquoted:
                segment, idx = self._source.mentioned(digest)
                self._findings.add(
                    Problem.DOCUMENT_MISSING,
                    f"{source} ({sha.hex()}), which basis {digest.hex()} quotes, is not among the documents",
                    segment,
                    idx,
                )
