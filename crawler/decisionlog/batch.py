"""One segment of a log as its writer sees it: opens it, appends batches in one transaction each, seals it.

Knows the tables and the tree; knows nothing of threads, queues or tickets. Used from one thread at a time.
Rows go straight to the driver (`store.appender`): what SQLAlchemy adds to a statement costs more than a row
does. What all writers of a log number together is written last, because in PostgreSQL the others wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID  # noqa: TC003 - dataclass field

from sqlalchemy import func, insert, select

from crawler.decisionlog import encoding, schema, store
from crawler.decisionlog.custody import Custody
from crawler.decisionlog.document_store import DocumentStore
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.recovery import recover_dead, seal
from crawler.decisionlog.registry import SegmentHeaded, SegmentOpened
from crawler.decisionlog.registry_store import RegistryStore
from crawler.decisionlog.segment_lock import SegmentLock, take_lock
from crawler.decisionlog.survey import pages, survey, write
from crawler.decisionlog.tree import CompactRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from crawler.decisionlog.place import LogPlace
    from crawler.decisionlog.rows import Context, Pending

HEAD_EVERY_US: Final = 1_000_000
HEAD_EVERY_LEAVES: Final = 10_000
CHECKPOINT_EVERY_US: Final = 10_000_000


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
        self,
        connection: Connection,
        path: LogPlace,
        registry: RegistryStore,
        lock: SegmentLock,
        *,
        number: int,
        segment: UUID,
        opened_us: int,
    ) -> None:
        self.path = path
        self.number = number
        self.segment = segment
        self._connection = connection
        self._registry = registry
        self._lock = lock
        self._raw = store.driver(connection)
        self._append = store.appender(connection)
        self._begin = store.begin_batch(path)
        self._keep = store.keeping(path)
        self._tree = CompactRange()
        self._last_us = opened_us
        self._head_us = opened_us
        self._head_size = 0
        self._signed_us = opened_us
        self._documents = DocumentStore(connection, path, self._number_alone)
        self._alone = False

    @classmethod
    def open(
        cls,
        path: LogPlace,
        *,
        run_id: str,
        agent: str,
        opened_us: int,
        nonce: bytes,
        lock_timeout: float,
        custody: Custody | None = None,
        retention: str = "default",
    ) -> Self:
        """Open or create the log and start a new segment in it. Raises LogError.

        The opening stands in the registry, signed, before the first record can be written. Segments that
        dead writers left are sealed first.
        """
        run_id, agent = (encoding.text_octets(text).decode() for text in (run_id, agent))
        connection = store.open_for_writing(path, lock_timeout=lock_timeout)
        lock: SegmentLock | None = None
        try:
            custody = custody or Custody.of(store.file_of(path))
            recover_dead(connection, path, custody, now_us=opened_us)
            store.begin(connection)
            # Opened anew: only so are the others held off who would number a segment, until the commit.
            registry = RegistryStore.open(connection, custody, now_us=opened_us)
            last = connection.execute(select(func.max(schema.segment.c.id))).scalar()
            number = (last or 0) + 1
            segment = encoding.derive_segment_uuid(
                number=number, run=run_id, agent=agent, opened_us=opened_us, nonce=nonce
            )
            lock = take_lock(path, connection, number)
            if lock is None:
                raise LogError(f"another process writes segment {number} of {path}: end it, then start again")  # noqa: TRY301 - one place closes
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
            event = SegmentOpened(
                segment=str(segment), number=number, run=run_id, agent=agent, retention=retention
            )
            registry.append(event, now_us=opened_us, segment_id=number)
            registry.checkpoint()
            store.commit(connection)
            registry.publish()
        except BaseException as error:
            connection.close()  # rolls back
            if lock is not None:
                lock.release(ended=True)
            if isinstance(error, store.errors()):
                raise store.explain(error, path, "open a segment in") from error
            raise
        return cls(connection, path, registry, lock, number=number, segment=segment, opened_us=opened_us)

    def explain(self, error: BaseException) -> LogError:
        """Return the one readable line for an error while writing."""
        return store.explain(error, self.path, "write")

    def commit(self, batch: Sequence[Pending]) -> None:
        """Append a batch and return when it is durable.

        Raises the database's errors; then the fate of the batch is unknown and the segment must not be used
        again.
        """
        raw = self._raw
        raw.execute(self._begin)  # with the lock of records before others, as everybody takes them
        self._alone = False
        erased = self._documents.notice()
        if erased:
            self._sign()  # what was erased may be missing for the records before this head, not behind it
        for pending in batch:
            if pending.context.id is None:
                self._store_context(pending.context)
        self._append(schema.record, [(*pending.row, pending.context.id) for pending in batch])
        openings = [pending.opening for pending in batch if pending.opening is not None]
        if openings:
            self._append(schema.opening, openings)
        self._documents.store(batch)
        self._tree.extend(pending.leaf for pending in batch)
        self._last_us = batch[-1].ts_us
        if (
            self._tree.size - self._head_size >= HEAD_EVERY_LEAVES
            or self._last_us - self._head_us >= HEAD_EVERY_US
            or self._last_us < self._head_us  # the clock was set back
        ):
            self._store_head()
        due = abs(self._last_us - self._signed_us) >= CHECKPOINT_EVERY_US
        if due:
            self._sign()
        raw.execute("COMMIT")
        if due or erased:
            self._registry.publish()

    def finish(self, *, seal: bool) -> SegmentHead:
        """Write the last head, seal the segment if asked to, close the connection.

        Raises the database's errors.
        """
        head = SegmentHead(
            segment=self.segment, size=self._tree.size, root=self._tree.root(), ts_us=self._last_us
        )
        if seal:
            self._seal()
        else:
            self._raw.execute("BEGIN IMMEDIATE")
            self._sign()
        self._raw.execute("COMMIT")
        self._registry.publish()
        self._lock.release(ended=seal)
        store.tidy(self._connection)
        self.close()
        return head

    def _seal(self) -> None:
        """Seal the segment in a transaction that is left open; what takes long is done before it."""
        connection = self._connection
        records = pages(connection, self.number)
        found = survey(connection, self.path, self.number, records, self._registry.sign)
        self._raw.execute("BEGIN IMMEDIATE")
        write(connection, found)
        segment = schema.segment
        row = connection.execute(segment.select().where(segment.c.id == self.number)).one()
        seal(connection, self._registry, row, found, self._tree, now_us=self._last_us, how="sealed")
        self._registry.checkpoint()

    def close(self) -> None:
        """Close the connection; what was not committed is rolled back."""
        self._connection.close()
        self._lock.release(ended=False)

    def _store_context(self, context: Context) -> None:
        agent = context.agent if self._keep is None else self._keep(context.agent)
        values = (agent, context.policy, context.blocklist)
        self._number_alone()
        found = self._raw.execute(
            "SELECT id FROM context WHERE agent = ? AND policy_sha256 = ? AND blocklist_sha256 = ?", values
        ).fetchone()
        if found is None:
            found = self._raw.execute("SELECT coalesce(max(id), 0) + 1 FROM context").fetchone()
            self._append(schema.context, [(found[0], *values)])
        context.id = found[0]

    def _number_alone(self) -> None:
        """Wait, once a transaction, until no other writer numbers contexts and documents."""
        if not self._alone:
            store.number_alone(self._connection)
            self._alone = True

    def _sign(self) -> None:
        """Put the present head into the registry, and sign that."""
        if self._head_size != self._tree.size or not self._tree.size:
            self._store_head()
        event = SegmentHeaded(segment=str(self.segment), size=self._tree.size, root=self._tree.root().hex())
        self._registry.append(event, now_us=self._last_us, segment_id=self.number)
        self._registry.checkpoint()
        self._signed_us = self._last_us

    def _store_head(self) -> None:
        size = self._tree.size
        if self._head_size != size or size == 0:
            self._append(schema.head, [(self.number, size, self._tree.root(), self._last_us)])
        self._head_size = size
        self._head_us = self._last_us
