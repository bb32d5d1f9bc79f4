"""Turns an entry into what the tables take: the row, its leaf hash, its opening and its documents.

Runs in the caller's thread, so that an entry that cannot be a record is refused where it was made, and never
reaches the writer's thread. Touches no database.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from crawler.decisionlog import encoding
from crawler.decisionlog.record import Document

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from crawler.decisionlog.clock import Clock
    from crawler.decisionlog.record import Entry

Value = int | str | bytes | None
Digested = tuple[bytes, Document]  # a document with its SHA-256: what `digested` returns

_SALT_POOL: Final = encoding.SALT_SIZE * 256
_HEX_SIZE: Final = 2 * encoding.DIGEST_SIZE
_REMEMBERED_BASES: Final = 1_024
_LARGEST_REMEMBERED: Final = 8_192  # octets, so that all of them together stay small


class Context:
    """Agent, policy and block lists of a record, encoded once; `id` is set when its row exists."""

    __slots__ = ("agent", "blocklist", "fragment", "id", "policy")

    def __init__(self, agent: str, policy: bytes, blocklist: bytes) -> None:
        self.agent = agent
        self.policy = policy
        self.blocklist = blocklist
        self.fragment = encoding.encode_context(agent, policy, blocklist)
        self.id: int | None = None


class Pending:
    """A record that is ready to be written: `row` is its columns without the last one, the context's id."""

    __slots__ = ("context", "documents", "idx", "leaf", "opening", "row", "ts_us")

    context: Context
    row: tuple[Value, ...]
    leaf: bytes
    idx: int
    ts_us: int

    def __init__(self) -> None:
        self.opening: tuple[Value, ...] | None = None
        self.documents: tuple[tuple[bytes, Document], ...] = ()


def digested(document: Document) -> Digested:
    """Return a document with its SHA-256."""
    return sha256(document.body).digest(), document


def _digest(text: str, name: str) -> bytes:
    """Return the octets of a hex digest. Raises ValueError when it is none."""
    if len(text) == _HEX_SIZE:
        octets = bytes.fromhex(text)
        if len(octets) == encoding.DIGEST_SIZE:
            return octets
    raise ValueError(f"{name} {text[:80]!r} is not a SHA-256 digest in 64 hex characters")


@lru_cache(maxsize=256)
def _kept(url: str) -> tuple[bytes, str | bytes]:
    """Return the octets of a URL, and what the table keeps of it: its octets when it is no valid Unicode.

    Remembered, since a page has three records and a parent has many pages.
    """
    octets = encoding.url_octets(url)
    try:
        octets.decode()
    except UnicodeDecodeError:
        return octets, octets
    return octets, url


def _regular(value: Value, keep: Callable[[str], str] | None) -> Value:
    if not isinstance(value, str):
        return value
    text = encoding.text_octets(value).decode()
    return text if keep is None else keep(text)


class RowMaker:
    """Makes the rows of one segment, in order of index. Not thread-safe: its caller holds a lock."""

    def __init__(
        self,
        number: int,
        segment: UUID,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes],
        keep: Callable[[str], str] | None = None,
    ) -> None:
        self._number = number
        self._clock = clock
        self._entropy = entropy
        self._keep = keep  # what a text becomes where not every text can be stored
        self._encoder = encoding.RecordEncoder(segment, lead=b"\x00")  # as a leaf is hashed
        self._contexts: dict[tuple[str, str, str], Context] = {}
        self._bases: dict[bytes, tuple[tuple[bytes, Document], ...]] = {}
        self._salts = b""
        self._salt_at = 0

    def fill(self, pending: Pending, entry: Entry, idx: int) -> None:
        """Make the entry a row with its leaf hash, at this index and the present time.

        Raises ValueError when the entry cannot be a record; then nothing was used up.
        """
        pending.idx = idx
        ref_idx, basis, kind, body = entry.ref_idx, entry.basis, entry.kind, entry.body_sha256
        if ref_idx is not None and not 0 <= ref_idx < idx:
            raise ValueError(f"ref_idx {ref_idx} names no record before {idx}")
        context = pending.context = self._context(entry)
        url_commit, parent_commit = self._commit_to_urls(pending, entry)
        basis_digest = None
        if basis is not None:
            known = pending.documents = self._basis(basis)
            basis_digest = known[0][0]
        ts_us = pending.ts_us = self._clock.now_us()
        times = (idx, ts_us, self._clock.mono_ns())
        fields: tuple[Value, ...] = (
            entry.stage.value, entry.verdict, entry.reason, None if kind is None else kind.value,
            entry.method, entry.host, entry.domain, url_commit, parent_commit, basis_digest, ref_idx,
            entry.attempt, entry.status, entry.size, None if body is None else _digest(body, "body_sha256"),
            entry.media_type, entry.error,
        )  # fmt: skip
        try:
            data = self._encoder.encode(*times, context.fragment, *fields)  # type: ignore[arg-type]
        except struct.error as error:
            raise ValueError(f"a number of the entry does not fit in 64 bits: {error}") from error
        if self._encoder.texts.irregular:
            fields = tuple(_regular(value, self._keep) for value in fields)
            self._encoder.texts.irregular = False
        pending.leaf = sha256(data).digest()
        pending.row = (self._number, *times, *fields, pending.leaf)

    def _basis(self, basis: bytes) -> tuple[tuple[bytes, Document], ...]:
        """Return a basis as a document with its digest; most decisions of a site have one in common."""
        known = self._bases.get(basis)
        if known is None:
            known = (digested(Document(kind="basis", body=basis)),)
            if len(basis) <= _LARGEST_REMEMBERED:
                if len(self._bases) >= _REMEMBERED_BASES:
                    self._bases.clear()
                self._bases[basis] = known
        return known

    def _context(self, entry: Entry) -> Context:
        key = (entry.agent, entry.policy_sha256, entry.blocklist_sha256)
        context = self._contexts.get(key)
        if context is None:
            context = Context(
                encoding.text_octets(entry.agent).decode(),
                _digest(entry.policy_sha256, "policy_sha256"),
                _digest(entry.blocklist_sha256, "blocklist_sha256"),
            )
            self._contexts[key] = context
        return context

    def _salt(self) -> bytes:
        """Return 16 fresh random octets, drawn from the system 256 records at a time."""
        at = self._salt_at
        if at >= len(self._salts):
            self._salts, at = self._entropy(_SALT_POOL), 0
        self._salt_at = at + encoding.SALT_SIZE
        return self._salts[at : self._salt_at]

    def _commit_to_urls(self, pending: Pending, entry: Entry) -> tuple[bytes | None, bytes | None]:
        """Set the opening and return the commitments to URL and parent URL."""
        url, parent = entry.url, entry.parent_url
        if url is None and parent is None:
            return None, None
        salt = self._salt()
        url_commit = parent_commit = kept_url = kept_parent = None
        if url is not None:
            octets, kept_url = _kept(url)
            url_commit = encoding.url_commitment(salt, octets)
        if parent is not None:
            octets, kept_parent = _kept(parent)
            parent_commit = encoding.parent_commitment(salt, octets)
        pending.opening = (self._number, pending.idx, kept_url, kept_parent, salt)
        return url_commit, parent_commit
