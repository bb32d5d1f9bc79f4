"""One segment of a log as its writer sees it: opens it, appends batches in one transaction each, seals it.

Knows the tables and the tree; knows nothing of threads, queues or tickets. Used from one thread at a time.
Rows go straight to the driver's `executemany`: what SQLAlchemy adds to a statement costs more
than a row does.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID  # noqa: TC003 - dataclass field
from zlib import compress

from sqlalchemy import func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from crawler.decisionlog import encoding, schema, store
from crawler.decisionlog.tree import CompactRange

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.errors import LogError
    from crawler.decisionlog.record import Document
    from crawler.decisionlog.rows import Context, Pending

HEAD_EVERY_US: Final = 1_000_000
HEAD_EVERY_LEAVES: Final = 10_000
_COMPRESS_FROM: Final = 1024  # octets; below, zlib costs more time than it saves space
_KNOWN_DOCUMENTS: Final = 100_000


def _insert(table: Table) -> str:
    return f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})"  # noqa: S608 - of the schema


_RECORD: Final = _insert(schema.record)
_OPENING: Final = _insert(schema.opening)
_HEAD: Final = _insert(schema.head)
_CONTEXT: Final = _insert(schema.context)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHead:
    """The state of a segment at a size: what it will be compared with ever after.

    `ts_us` is the time of the last record that it covers (of the opening when there is none).
    """

    segment: UUID
    size: int
    root: bytes
    ts_us: int


class SegmentStore:
    """An open segment and the connection that it is written through. Make it with `open`."""

    def __init__(
        self, connection: Connection, path: Path, *, number: int, segment: UUID, opened_us: int
    ) -> None:
        self.path = path
        self.number = number
        self.segment = segment
        self._connection = connection
        self._raw = store.driver(connection)
        self._tree = CompactRange()
        self._last_us = opened_us
        self._head_us = opened_us
        self._head_size = 0
        self._known: set[bytes] = set()

    @classmethod
    def open(
        cls, path: Path, *, run_id: str, agent: str, opened_us: int, nonce: bytes, lock_timeout: float
    ) -> Self:
        """Open or create the log and start a new segment in it. Raises LogError."""
        run_id, agent = (encoding.text_octets(text).decode() for text in (run_id, agent))
        connection = store.open_for_writing(path, lock_timeout=lock_timeout)
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            last = connection.execute(select(func.max(schema.segment.c.id))).scalar()
            number = (last or 0) + 1
            segment = encoding.derive_segment_uuid(
                number=number, run=run_id, agent=agent, opened_us=opened_us, nonce=nonce
            )
            connection.execute(
                insert(schema.segment).values(
                    id=number,
                    uuid=str(segment),
                    run_id=run_id,
                    agent=agent,
                    schema_ver=encoding.SCHEMA_VERSION,
                    opened_us=opened_us,
                    nonce=nonce,
                )
            )
            connection.exec_driver_sql("COMMIT")
        except (SQLAlchemyError, sqlite3.Error) as error:
            connection.close()
            raise store.explain(error, path, "open a segment in") from error
        return cls(connection, path, number=number, segment=segment, opened_us=opened_us)

    def explain(self, error: BaseException) -> LogError:
        """Return the one readable line for an error while writing."""
        return store.explain(error, self.path, "write")

    def commit(self, batch: Sequence[Pending]) -> None:
        """Append a batch and return when it is durable.

        Raises sqlite3.Error; then the fate of the batch is unknown and the segment must not be used again.
        """
        raw = self._raw
        raw.execute("BEGIN IMMEDIATE")
        for pending in batch:
            if pending.context.id is None:
                self._store_context(pending.context)
            for digest, document in pending.documents:
                if digest not in self._known:
                    self._store_document(digest, document)
        raw.executemany(_RECORD, [(*pending.row, pending.context.id) for pending in batch])
        raw.executemany(_OPENING, [pending.opening for pending in batch if pending.opening is not None])
        self._tree.extend(pending.leaf for pending in batch)
        self._last_us = batch[-1].ts_us
        if (
            self._tree.size - self._head_size >= HEAD_EVERY_LEAVES
            or self._last_us - self._head_us >= HEAD_EVERY_US
            or self._last_us < self._head_us  # the clock was set back
        ):
            self._store_head()
        raw.execute("COMMIT")

    def finish(self, *, seal: bool) -> SegmentHead:
        """Write the last head, seal the segment if asked to, close the connection. Raises sqlite3.Error."""
        head = SegmentHead(
            segment=self.segment, size=self._tree.size, root=self._tree.root(), ts_us=self._last_us
        )
        self._raw.execute("BEGIN IMMEDIATE")
        if seal or self._head_size != head.size:
            self._store_head()
        if seal:
            self._raw.execute(
                "UPDATE segment SET sealed_us = ?, size = ?, root = ? WHERE id = ?",
                (head.ts_us, head.size, head.root, self.number),
            )
        self._raw.execute("COMMIT")
        store.tidy(self._raw)
        self.close()
        return head

    def close(self) -> None:
        """Close the connection; what was not committed is rolled back."""
        self._connection.close()

    def _store_context(self, context: Context) -> None:
        values = (context.agent, context.policy, context.blocklist)
        found = self._raw.execute(
            "SELECT id FROM context WHERE agent = ? AND policy_sha256 = ? AND blocklist_sha256 = ?", values
        ).fetchone()
        if found is None:
            found = self._raw.execute("SELECT coalesce(max(id), 0) + 1 FROM context").fetchone()
            self._raw.execute(_CONTEXT, (found[0], *values))
        context.id = found[0]

    def _store_document(self, digest: bytes, document: Document) -> None:
        body, codec = document.body, "raw"
        if not self._raw.execute("SELECT 1 FROM document WHERE sha256 = ?", (digest,)).fetchone():
            if len(body) >= _COMPRESS_FROM:
                packed = compress(body)
                if len(packed) < len(body):
                    body, codec = packed, "zlib"
            self._raw.execute(
                "INSERT INTO document (sha256, kind, size, codec, body) VALUES (?, ?, ?, ?, ?)",
                (digest, document.kind, len(document.body), codec, body),
            )
        if len(self._known) >= _KNOWN_DOCUMENTS:
            self._known.clear()
        self._known.add(digest)

    def _store_head(self) -> None:
        size = self._tree.size
        if self._head_size != size or size == 0:
            self._raw.execute(_HEAD, (self.number, size, self._tree.root(), self._last_us))
        self._head_size = size
        self._head_us = self._last_us
