"""Verifies a whole page of records at once, column by column, which costs less than row by row.

It only ever answers "every record of this page is as a writer leaves it" or "look closer". Who looks closer
is the loop in `verify_segment`, which goes through the page again, record by record, and says what is wrong
and where. So this file needs no words for what it finds, and whatever it does not understand it leaves alone.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.encoding import DIGEST_SIZE, SALT_SIZE, encode_start, field_octets, field_text
from crawler.decisionlog.encoding_words import Word, Words
from crawler.decisionlog.verify_documents import BASIS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from crawler.decisionlog.verify_documents import DocumentCheck
    from crawler.decisionlog.verify_source import PackedPage
    from crawler.decisionlog.verify_sums import HostSums

_NULL: Final = field_octets(None)
_DIGEST: Final = field_octets(bytes(DIGEST_SIZE))[:-DIGEST_SIZE]
_TEXT_HEADS: Final = tuple(field_text(bytes(length))[:5] for length in range(256))
_pack_one = struct.Struct(">Bq").pack
_pack_three = struct.Struct(">BqBqBq").pack
_UNOPENED: Final = (None, None, None, None)

# Hashes begun: to copy one costs less than to begin another.
_url = sha256(b"url\x00").copy
_parent = sha256(b"parent_url\x00").copy


class _OddError(ValueError):
    """Something is not as a writer leaves it, or needs more than a quick look."""


class PageCheck:
    """The quick look at the pages of one segment; `requests` says of each index whether it is a request."""

    def __init__(
        self,
        segment: UUID,
        requests: bytearray,
        contexts: Mapping[int, tuple[bytes, bytes, bytes]],
        documents: DocumentCheck,
        sums: HostSums | None,
    ) -> None:
        self._start = sha256(encode_start(segment, b"\x00")).copy
        self._requests = requests
        self._words = Words(contexts, None if sums is None else sums.group)
        self._documents = documents
        self._sums = sums

    def leaves(
        self, page: PackedPage, last_us: int, last_ns: int
    ) -> tuple[list[bytes], list[int], int] | None:
        """Return leaf hashes, times and context if all is well, having counted the records.

        Else None, and nothing is counted. `last_us` and `last_ns` are the times of the record before the
        page. A page of several contexts needs more than a quick look.
        """
        first, rows = len(self._requests), page.rows
        idx = [row[0] for row in rows]
        try:
            if idx != list(range(first, first + len(rows))):
                return None
            _see_commitments(page)
            digests, words = self._hash(page, last_us, last_ns)
            context = self._see_references(page, words)
        except (TypeError, ValueError, IndexError, struct.error):
            del self._requests[first:]
            return None
        times = [row[1] for row in rows]
        if self._sums is not None:
            self._sums.take(idx, times, [row[4] for row in rows], [word.hosts for word in words])
        return digests, times, context

    def _hash(self, page: PackedPage, last_us: int, last_ns: int) -> tuple[list[bytes], list[Word]]:
        """Return leaf hashes and words, having compared what is in the rows themselves. Raises _OddError."""
        known, begin, requests = self._words, self._start, self._requests
        hashed, join = page.hashed, b"".join
        digests, words = [], []
        for (
            idx, ts_us, mono_ns, key, host, domain, url_commit, parent_commit, basis, ref_idx, size, body,
            leaf,
        ) in page.rows:  # fmt: skip
            word = known[key]
            begun = begin()
            begun.update(
                join(
                    (
                        _pack_three(1, idx, 1, ts_us, 1, mono_ns),
                        word.head,
                        _NULL if host is None else _TEXT_HEADS[len(host)] + host,
                        _NULL if domain is None else _TEXT_HEADS[len(domain)] + domain,
                        _NULL if url_commit is None else _DIGEST + url_commit,
                        _NULL if parent_commit is None else _DIGEST + parent_commit,
                        _NULL if basis is None else _DIGEST + basis,
                        _NULL if ref_idx is None else _pack_one(1, ref_idx),
                        word.middle,
                        _NULL if size is None else _pack_one(1, size),
                        _NULL if body is None else _DIGEST + body,
                        word.tail,
                    )
                )
            )
            digest = begun.digest()
            if (
                (hashed and digest != leaf)
                or ts_us < last_us
                or mono_ns < last_ns
                or (ref_idx is not None and not (0 <= ref_idx < idx and requests[ref_idx]))
            ):
                raise _OddError
            last_us, last_ns = ts_us, mono_ns
            requests.append(word.is_request)
            digests.append(digest)
            words.append(word)
        return digests, words

    def _see_references(self, page: PackedPage, words: Sequence[Word]) -> int:
        """Return the page's context, having seen that what its records refer to is there.

        Raises _OddError, or ValueError where there are several contexts.
        """
        kinds = self._documents.kinds
        for digest in {row[8] for row in page.rows} - {None}:
            if kinds.get(digest) != b"basis" and not self._documents.has(digest, BASIS):
                raise _OddError
        if not {len(row[11]) for row in page.rows if row[11] is not None} <= {DIGEST_SIZE}:
            raise _OddError
        different = set(words)
        if any(word.is_run for word in different):
            raise _OddError
        (context,) = {word.context for word in different}
        return context


def _see_commitments(page: PackedPage) -> None:
    """See that each record that commits to a URL has its opening, each opening its record, and that they fit.

    Raises _OddError, or TypeError on what is no URL.
    """
    derived = page.derived
    # What a salt were longer by would be taken from the URL, and the digest were the same.
    if not {len(salt) for *_, salt in page.openings} <= {SALT_SIZE}:
        raise _OddError
    alike = len(page.openings) == len(page.rows)
    if derived and alike and None not in [row[6] for row in page.rows]:
        if [row[0] for row in page.rows] != [row[0] for row in page.openings]:
            raise _OddError
        return
    beside = page.openings if alike else _beside(page)
    for row, (idx, url, parent, salt) in zip(page.rows, beside, strict=True):
        url_commit, parent_commit = row[6], row[7]
        if idx != row[0] and (idx is not None or url_commit is not None or parent_commit is not None):
            raise _OddError
        if derived:
            continue
        made = None
        if url is not None:
            begun = _url()
            begun.update(salt + url)
            made = begun.digest()
        parents = None
        if parent is not None:
            begun = _parent()
            begun.update(salt + parent)
            parents = begun.digest()
        if (
            made != url_commit
            or parents != parent_commit
            or (url is None and parent is None and idx is not None)
        ):
            raise _OddError


def _beside(page: PackedPage) -> Iterator[tuple[Any, ...]]:
    """Yield for each record its opening, or nothing at all. Raises _OddError for one that has no record."""
    waiting = iter(page.openings)
    opening = next(waiting, _UNOPENED)
    for row in page.rows:
        if opening[0] == row[0]:
            yield opening
            opening = next(waiting, _UNOPENED)
        else:
            yield _UNOPENED
    if opening is not _UNOPENED:
        raise _OddError


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
    if len(salt) != SALT_SIZE:  # octets moved between salt and URL give the same digest
        return False
    if url_commit is not None:
        if url is None or sha256(b"url\x00" + salt + url).digest() != url_commit:
            return False
    elif url is not None or parent_commit is None:
        return False
    if parent_commit is None:
        return parent is None
    return parent is not None and sha256(b"parent_url\x00" + salt + parent).digest() == parent_commit


def see_integers(*numbers: object) -> None:
    """Raise TypeError on a number that is equal to an integer, and is none."""
    if float in set(map(type, numbers)):
        raise TypeError("a number is no integer")
