"""Appends to the registry and signs its checkpoints, inside the transaction of whoever acts on the log.

A writer that opens the log recomputes the whole registry and compares it with the last checkpoint outside
the database: a registry that is smaller, or has another root at that size, was rolled back or forked, and
nothing is written to it. After that only what others appended is read again.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy import func, insert, select

from crawler.decisionlog import schema
from crawler.decisionlog.cosignatures import LONGEST_NAME
from crawler.decisionlog.custody import CHECKPOINT_SETTING, KEY_SETTING, CheckpointFile
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.keys import load_key, load_or_create_key
from crawler.decisionlog.notes import (
    Checkpoint,
    Note,
    NoteError,
    VerifierKey,
    checked_name,
    parse_checkpoint,
    parse_vkey,
    sign,
    signers,
    verifier_key,
)
from crawler.decisionlog.registry import (
    CheckpointMissing,
    ClockJumped,
    Event,
    KeyAdded,
    KeyRetired,
    LogOpened,
    decode,
    encode,
    leaf_hash,
)
from crawler.decisionlog.store import number_alone
from crawler.decisionlog.tree import CompactRange

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.custody import Custody

_PAGE: Final = 10_000
_JUMP_US: Final = 1_000_000  # a clock that is behind by less is not worth a leaf
_KEYED: Final = (b'"kind":"key_', b'"kind":"log_open"')


class RegistryStore:
    """The registry of a log that is open for writing. Make it with `open`, within a write transaction."""

    def __init__(self, connection: Connection, custody: Custody) -> None:
        self._connection = connection
        self._custody = custody
        self._file = CheckpointFile(custody.checkpoint_file)
        self._tree = CompactRange()
        self._last_us = 0
        self._key: Ed25519PrivateKey
        self._active: dict[str, VerifierKey] = {}  # by their text
        self._known: dict[str, VerifierKey] = {}
        self._unpublished: Note | None = None
        self.unsigned = False  # whether leaves were appended after the last checkpoint made here
        self.origin = ""

    @classmethod
    def open(cls, connection: Connection, custody: Custody, *, now_us: int) -> Self:
        """Check the registry against the checkpoint outside, or begin it in a new log.

        The caller holds a write transaction that no other writer of the registry can interleave with.
        Raises LogError; IntegrityError when the log was rolled back, forked or changed.
        """
        registry = cls(connection, custody)
        number_alone(connection)
        last = registry._file.read()
        registry._load(parse_checkpoint(last) if last is not None else None)
        if not registry.size:
            registry._begin(now_us, last)
        else:
            registry._check_key()
            registry._compare(last, now_us)
        return registry

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._tree.size

    @property
    def vkey(self) -> VerifierKey:
        """The verifier key of the key that signs."""
        return verifier_key(self.origin, self._key)

    def sign(self, octets: bytes) -> bytes:
        """Return the signature of something that is no checkpoint, and begins with a label that says so."""
        return self._key.sign(octets)

    def append(self, event: Event, *, now_us: int, segment_id: int | None = None) -> int:
        """Append a leaf in the present transaction and return its index. Raises SQLAlchemy's errors."""
        self._catch_up()
        if now_us < self._last_us - _JUMP_US and not isinstance(event, ClockJumped):
            self.append(ClockJumped(behind_us=self._last_us - now_us), now_us=now_us)
        leaf = encode(event, idx=self.size, ts_us=max(now_us, self._last_us))
        self._connection.execute(
            insert(schema.registry).values(
                idx=leaf.idx,
                ts_us=leaf.ts_us,
                kind=event.KIND,
                segment_id=segment_id,
                body=leaf.body,
                leaf_hash=leaf.hash,
            )
        )
        self._add(leaf.body, leaf.hash, leaf.ts_us)
        self.unsigned = True
        return leaf.idx

    def checkpoint(self, *, key: Ed25519PrivateKey | None = None) -> Note:
        """Sign the registry as it is, and store the note in the present transaction.

        Call `publish` when the transaction is committed. `key` signs instead of the log's own, which is for
        changing keys.
        """
        self._catch_up()
        if str(verifier_key(self.origin, key or self._key)) not in self._active:
            raise LogError(
                f"the key {self._custody.key_file} was retired while this log was being written:"
                f" name the new file with {KEY_SETTING}, and start again"
            )
        head = Checkpoint(origin=self.origin, size=self.size, root=self._tree.root())
        note = sign(head.text, self.origin, key or self._key)
        self._connection.execute(
            insert(schema.checkpoint).values(
                size=head.size, ts_us=self._last_us, root=head.root, note=str(note)
            )
        )
        self._unpublished = note
        self.unsigned = False
        return note

    def publish(self) -> None:
        """Write the last signed checkpoint outside the database. Raises LogError."""
        if self._unpublished is not None:
            note, self._unpublished = self._unpublished, None
            self._file.publish(note)

    def _load(self, last: Checkpoint | None) -> None:
        """Read every leaf; see on the way that the registry was as `last` says at its size."""
        while True:
            before = self._tree.size
            self._read_page(last)
            if self._tree.size - before < _PAGE:
                break
        if last is None or not self._tree.size:
            return
        if last.size > self._tree.size:
            raise IntegrityError(
                f"the log was rolled back: {self._file.path} holds a checkpoint of {last.size:,} entries of"
                f" its registry, the database has {self._tree.size:,}."
                " Restore the newest copy, or begin a new log"
            )

    def _read_page(self, last: Checkpoint | None) -> None:
        column = schema.registry.c
        rows = self._connection.execute(
            select(column.idx, column.body, column.ts_us)
            .where(column.idx >= self._tree.size)
            .order_by(column.idx)
            .limit(_PAGE)
        ).all()
        for idx, body, ts_us in rows:
            if idx != self._tree.size:
                raise IntegrityError(
                    f"entry {self._tree.size} of the log's registry is gone: run `sekisho log verify`"
                )
            if not isinstance(body, bytes) or not isinstance(ts_us, int):  # pages of a damaged file
                raise IntegrityError(
                    f"entry {idx} of the log's registry was changed: run `sekisho log verify`"
                )
            self._add(body, leaf_hash(body), ts_us)
            if last is not None and idx == 0 and last.origin != self.origin:
                raise IntegrityError(
                    f"{self._file.path} holds a checkpoint of another log, {last.origin};"
                    f" this one is {self.origin}: name the right file with {CHECKPOINT_SETTING}"
                )
            if last is not None and last.size == self._tree.size and last.root != self._tree.root():
                raise IntegrityError(
                    f"the log was changed or forked: its registry is not the one of {self._file.path}"
                    f" at size {last.size:,}. Run `sekisho log verify`"
                )

    def _catch_up(self) -> None:
        """Take in what other writers appended since, and keep them from appending more."""
        number_alone(self._connection)
        column = schema.registry.c
        newest = self._connection.execute(select(func.max(column.idx))).scalar()
        if newest is not None and newest >= self._tree.size:
            self._load(None)

    def _add(self, body: bytes, leaf: bytes, ts_us: int) -> None:
        self._tree.extend((leaf,))
        self._last_us = ts_us
        if any(mark in body for mark in _KEYED):
            event = self._decoded(body)
            if isinstance(event, LogOpened):
                self.origin = event.origin
            elif isinstance(event, KeyAdded):
                self._known[event.vkey] = self._active[event.vkey] = parse_vkey(event.vkey)
            elif isinstance(event, KeyRetired):
                self._active.pop(event.vkey, None)

    def _decoded(self, body: bytes) -> Event:
        try:
            return decode(body).event
        except ValueError as error:
            raise IntegrityError(
                f"entry {self._tree.size - 1} of the log's registry was changed: {error};"
                " run `sekisho log verify`"
            ) from error

    def _begin(self, now_us: int, last: Note | None) -> None:
        if last is not None:
            raise IntegrityError(
                f"{self._file.path} holds a checkpoint of the log {parse_checkpoint(last).origin}, but this"
                " log is new: restore the log that was here, or move that file away to begin another"
            )
        self._key = load_or_create_key(self._custody.key_file)
        try:
            origin = checked_name(self._custody.origin or f"sekisho-log-{secrets.token_hex(16)}")
        except NoteError as error:
            raise LogError(f"SEKISHO_LOG_ORIGIN: {error}") from error
        if len(origin.encode()) > LONGEST_NAME:
            raise LogError(
                f"SEKISHO_LOG_ORIGIN has {len(origin.encode())} octets, and witnesses cosign names of up to"
                f" {LONGEST_NAME}: choose a shorter one"
            )
        opened = LogOpened(origin=origin, format=schema.FORMAT, nonce=secrets.token_hex(16))
        self.append(opened, now_us=now_us)
        self.append(KeyAdded(vkey=str(verifier_key(origin, self._key))), now_us=now_us)

    def _check_key(self) -> None:
        self._key = load_key(self._custody.key_file)
        if str(self.vkey) not in self._active:
            known = ", ".join(key.id.hex() for key in self._active.values())
            raise LogError(
                f"{self._custody.key_file} holds the key {self.vkey.id.hex()}, and this log is signed with"
                f" {known or 'none'}: name the right file with {KEY_SETTING}, or change keys with"
                " `sekisho log key rotate`"
            )

    def _compare(self, last: Note | None, now_us: int) -> None:
        if last is None:
            if self._custody.named:
                raise LogError(
                    f"the last checkpoint {self._file.path} is not there, and this log has checkpoints:"
                    f" restore it, or run `sekisho log head > {self._file.path}`"
                    " once you know that the log is whole"
                )
            self.append(CheckpointMissing(file=str(self._file.path)), now_us=now_us)
            return
        try:
            signers(last, self._known.values())
        except NoteError as error:
            raise IntegrityError(f"{self._file.path}: {error}") from error
