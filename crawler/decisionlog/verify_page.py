"""Verifies a whole page of records at once, column by column, which costs less than row by row.

It only ever answers "every record of this page is as a writer leaves it" or "look closer". Who looks closer
is the loop in `verify_segment`, which goes through the page again, record by record, and says what is wrong
and where. So this file needs no words for what it finds, and whatever it does not understand it leaves alone.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog import encoding
from crawler.decisionlog.encoding_columns import ColumnEncoder
from crawler.decisionlog.verify_documents import BASIS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from crawler.decisionlog.verify_documents import DocumentCheck
    from crawler.decisionlog.verify_source import Page
    from crawler.decisionlog.verify_sums import HostSums

_DIGEST_SIZES: Final = {encoding.DIGEST_SIZE}


class PageCheck:
    """The quick look at the pages of one segment; `requests` says of each index whether it is a request."""

    def __init__(
        self, segment: UUID, requests: bytearray, documents: DocumentCheck, sums: HostSums | None
    ) -> None:
        self._encode = ColumnEncoder(segment, lead=b"\x00").encode
        self._requests = requests
        self._documents = documents
        self._sums = sums

    def leaves(
        self, page: Page, context: tuple[bytes, bytes], last_us: int, last_ns: int
    ) -> list[bytes] | None:
        """Return the leaf hashes if all is well, having counted the records; else None, and nothing counted.

        `context` is that of every record of the page, encoded, and its policy; the times are those of the
        record before it.
        """
        first = len(self._requests)
        columns = page.columns
        idx, ts_us, mono_ns, stage = columns[:4]
        leaf = columns[20]
        fragment, policy = context
        try:
            if list(idx) != list(range(first, first + len(idx))):
                return None
            encoded, fields = self._encode(columns, fragment)
            digests = [sha256(data).digest() for data in encoded]
            if leaf is not None and digests != list(leaf):
                return None
            if not (_rises(ts_us, last_us) and _rises(mono_ns, last_ns) and _opened(page)):
                return None
            if not self._refers(idx, stage, basis=columns[12], ref_idx=columns[13], body=columns[17]):
                del self._requests[first:]
                return None
        except (TypeError, ValueError, struct.error):
            del self._requests[first:]
            return None
        if self._sums is not None:
            self._sums.take(policy, fields, idx, ts_us)
        return digests

    def _refers(
        self,
        idx: Sequence[int],
        stage: Sequence[bytes],
        *,
        basis: Sequence[bytes | None],
        ref_idx: Sequence[int | None],
        body: Sequence[bytes | None],
    ) -> bool:
        """Whether all that the records refer to is there."""
        kinds, requests = self._documents.kinds, self._requests
        for digest in set(basis):
            if (
                digest is not None
                and kinds.get(digest) != b"basis"
                and not self._documents.has(digest, BASIS)
            ):
                return False
        lengths = set(map(len, [each for each in body if each is not None]))
        if b"run" in set(stage) or not lengths <= _DIGEST_SIZES:
            return False
        requests.extend([value == b"request" for value in stage])
        return all(
            0 <= ref < here and requests[ref]
            for here, ref in zip(idx, ref_idx, strict=True)
            if ref is not None
        )


def _rises(values: Sequence[int], last: int) -> bool:
    """Whether no value is below the one before it."""
    listed = list(values)
    return not listed or (listed[0] >= last and listed == sorted(listed))


def _opened(page: Page) -> bool:
    """Whether every record that commits to a URL has its opening, every opening its record, and all fit."""
    url_commits: Sequence[Any] = page.columns[10]
    parent_commits: Sequence[Any] = page.columns[11]
    idx, urls, parents, salts = page.openings
    committed = list(page.columns[0])
    if None in url_commits:
        kept = [
            (here, url, parent)
            for here, url, parent in zip(committed, url_commits, parent_commits, strict=True)
            if url is not None or parent is not None
        ]
        if not kept:
            return not idx
        committed, url_commits, parent_commits = map(list, zip(*kept, strict=True))
    if list(idx) != committed:
        return False
    return page.derived or (
        [
            None if url is None else sha256(b"url\x00" + salt + url).digest()
            for salt, url in zip(salts, urls, strict=True)
        ]
        == list(url_commits)
        and [
            None if parent is None else sha256(b"parent_url\x00" + salt + parent).digest()
            for salt, parent in zip(salts, parents, strict=True)
        ]
        == list(parent_commits)
    )


def opens(
    salt: bytes | None,
    url: bytes | None,
    url_commit: bytes | None,
    parent: bytes | None,
    parent_commit: bytes | None,
) -> bool:
    """Whether salt and URLs are what the record commits to. Raises TypeError on what is no URL."""
    if salt is None:
        return url_commit is None and parent_commit is None
    if url_commit is not None:
        if url is None or sha256(b"url\x00" + salt + url).digest() != url_commit:
            return False
    elif url is not None or parent_commit is None:
        return False
    if parent_commit is None:
        return parent is None
    return parent is not None and sha256(b"parent_url\x00" + salt + parent).digest() == parent_commit
