"""One signed act on a log: open it, check it against its last checkpoint, do something, sign, publish."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from crawler.decisionlog import store
from crawler.decisionlog.location import custody_of
from crawler.decisionlog.registry_store import RegistryStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from crawler.decisionlog.place import LogPlace
    from crawler.decisionlog.registry import Event

BATCH: Final = 5000  # rows deleted in one transaction, so that a crawl that writes is not kept waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A transaction of somebody who acts on a log."""

    connection: Connection
    registry: RegistryStore
    now_us: int

    def append(self, event: Event, *, segment_id: int | None = None) -> int:
        """Append an entry to the registry."""
        return self.registry.append(event, now_us=self.now_us, segment_id=segment_id)


class Actor:
    """A log that is open for acts of retention. A context manager. Raises LogError."""

    def __init__(self, url: str, *, pruning: bool = False) -> None:
        self.place: LogPlace = store.log_place(url)
        self._custody = custody_of(url)
        opener = store.open_for_pruning if pruning else store.open_for_writing
        self.connection = opener(self.place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(*store.errors()):  # an interrupt in mid-statement leaves no connection to tidy up with
            store.tidy(self.connection)
        self.connection.close()

    @contextmanager
    def signed(self, now_us: int, *, removing: bool = False) -> Iterator[Act]:
        """Begin a transaction whose entries are signed, unless they are, and published when it ends well.

        While one lasts that removes documents nobody appends records.
        """
        try:
            store.begin(self.connection)
            if removing:
                store.keep_records(self.connection)
            store.number_alone(self.connection)
            registry = RegistryStore.open(self.connection, self._custody, now_us=now_us)
            yield Act(connection=self.connection, registry=registry, now_us=now_us)
            if registry.unsigned:
                registry.checkpoint()
            store.commit(self.connection)
            registry.publish()
        except BaseException as error:
            self._roll_back(error)
            raise

    def explained(self) -> AbstractContextManager[None]:
        """Turn a database's errors into one readable line, where no transaction is open."""
        return store.explained(self.place, "act on")

    @contextmanager
    def plain(self) -> Iterator[Connection]:
        """Begin a transaction without entries."""
        try:
            store.begin(self.connection)
            yield self.connection
            store.commit(self.connection)
        except BaseException as error:
            self._roll_back(error)
            raise

    def _roll_back(self, error: BaseException) -> None:
        """Undo what is not committed; raise a database's error as one readable line."""
        with suppress(*store.errors()):
            store.driver(self.connection).execute("ROLLBACK")
        if isinstance(error, store.errors()):
            raise store.explain(error, self.place, "act on") from error
