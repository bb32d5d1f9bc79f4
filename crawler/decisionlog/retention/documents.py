"""Which documents go with a segment: those that no record of another segment needs.

A record needs its basis and the document of its body, a basis the files that it quotes. A run that is under
way quotes what it fetched or was opened with before. What its records name, and what runs are opened with, is
kept while one is open; whatever else goes it stores again when it needs it (`document_store`). Policies and
manifests of block lists stay: contexts, which are for ever, name them.

A log is read page by page before the transaction that removes, and there only what was written since, so that
a crawl that writes is not kept waiting.

While a run is held whose pruning began, no pruning removes documents: its records may be gone, and with them
what told which documents are its own. They go with the pruning that comes after the hold.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, select

from crawler.decisionlog import schema
from crawler.decisionlog.document_store import OPENED_WITH
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.stored import unpack_body
from policies.basis import quoted_digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection, Row

_R: Final = schema.record.c
_D: Final = schema.document.c
_S: Final = schema.segment.c
_PAGE: Final = 20_000  # records
_PART: Final = 500  # digests
_ITS_FORMAT: Final = b'"sekisho.basis/'  # of any version


def only_of(connection: Connection, number: int) -> Needs:
    """Return the documents that a segment needs, each `unneeded` unless others need it too."""
    return Needs(connection, needed_by(connection, number), besides=number)


def needed_by(connection: Connection, number: int) -> set[bytes]:
    """Return the digests of the documents that a segment's records need, but for policies and lists."""
    bases: set[bytes] = set()
    bodies: set[bytes] = set()
    for rows in _pages(connection, number, 0):
        bases.update(row.basis_sha256 for row in rows if row.basis_sha256 is not None)
        bodies.update(kinds_of(connection, {row.body_sha256 for row in rows}))
    return bases | bodies | _quoted(connection, bases)


def announced(connection: Connection) -> Needs:
    """Return the documents that were said to be removed and are there: some because a record needed them."""
    discarding = schema.discarding.c
    there = select(_D.sha256).join(schema.discarding, discarding.sha256 == _D.sha256)
    return Needs(connection, connection.execute(there).scalars().all())


class Needs:
    """Which of some documents the records of a log need; `catch_up` takes in what was written since."""

    def __init__(
        self, connection: Connection, wanted: Iterable[bytes], *, besides: int | None = None
    ) -> None:
        self._connection = connection
        self._besides = besides
        self._kinds = kinds_of(connection, wanted)
        self._found: set[bytes] = set()
        self._bases: set[bytes] = set()
        self._next: dict[int, int] = {}  # index of the record to read next, by number of the segment
        self._done: set[int] = set()

    @property
    def unneeded(self) -> list[bytes]:
        """The digests of those that nothing needs, as far as was read."""
        return self.unneeded_of(sorted(self._kinds))

    def unneeded_of(self, digests: Iterable[bytes]) -> list[bytes]:
        """Return those of the digests that nothing needs, as far as was read."""
        return [digest for digest in digests if digest not in self._found]

    def catch_up(self) -> None:
        """Read the records that are there and were not read yet."""
        if not self._kinds:
            return
        self._name_contexts()
        running = False
        for number, sealed_us in self._connection.execute(select(_S.id, _S.sealed_us).order_by(_S.id)).all():
            if number in self._done or number == self._besides:
                continue
            for rows in _pages(self._connection, number, self._next.get(number, 0)):
                self._take(rows)
                self._next[number] = rows[-1].idx + 1
            if sealed_us is None:
                running = True
            else:
                self._done.add(number)
        if running:
            self._found |= {digest for digest, kind in self._kinds.items() if kind in OPENED_WITH}

    def _name_contexts(self) -> None:
        context = schema.context.c
        for row in self._connection.execute(select(context.policy_sha256, context.blocklist_sha256)):
            self._found |= self._kinds.keys() & set(row)

    def _take(self, rows: Sequence[Row[Any]]) -> None:
        self._found |= _named(self._connection, rows, self._kinds, self._bases)


class OwnNeeds:
    """Which of some documents one segment needs, policies and lists too; `catch_up` as in `Needs`."""

    def __init__(self, connection: Connection, number: int, wanted: Iterable[bytes]) -> None:
        self._connection = connection
        self._number = number
        self._kinds = dict.fromkeys(wanted, "") | kinds_of(connection, wanted)  # "": may be stored again
        self._next = 0
        self.found: set[bytes] = set()

    def catch_up(self) -> None:
        """Read the records that are there and were not read yet. Raises IntegrityError."""
        if not self._kinds:
            return
        bases: set[bytes] = set()
        context = schema.context.c
        for rows in _pages(self._connection, self._number, self._next):
            self.found |= _named(self._connection, rows, self._kinds, bases)
            named = context.id.in_({row.context_id for row in rows})
            for row in self._connection.execute(
                select(context.policy_sha256, context.blocklist_sha256).where(named)
            ):
                self.found |= self._kinds.keys() & set(row)
            self._next = rows[-1].idx + 1


def _named(
    connection: Connection, rows: Sequence[Row[Any]], kinds: dict[bytes, str], seen: set[bytes]
) -> set[bytes]:
    """Return which of these documents records name, or their bases quote; take note of bases not seen yet."""
    new = {row.basis_sha256 for row in rows if row.basis_sha256 is not None} - seen
    seen |= new
    found = kinds.keys() & (new | {row.body_sha256 for row in rows})
    if any(kind != "basis" for kind in kinds.values()):
        found |= kinds.keys() & _quoted(connection, new)
    return found


def kinds_of(connection: Connection, digests: Iterable[bytes | None]) -> dict[bytes, str]:
    """Return the kinds of those of the digests that are documents."""
    kinds: dict[bytes, str] = {}
    for part in _parts(digests):
        rows = connection.execute(select(_D.sha256, _D.kind).where(_D.sha256.in_(part)))
        kinds.update((row.sha256, row.kind) for row in rows)
    return kinds


def _pages(connection: Connection, number: int, first: int) -> Iterator[Sequence[Row[Any]]]:
    """Yield what the records of a segment need, from an index on."""
    columns = (_R.idx, _R.basis_sha256, _R.body_sha256, _R.context_id)
    statement: Select[Any] = select(*columns).order_by(_R.idx).limit(_PAGE)
    while rows := connection.execute(statement.where(_R.segment_id == number, _R.idx >= first)).all():
        yield rows
        first = rows[-1].idx + 1


def _parts(digests: Iterable[bytes | None]) -> Iterator[list[bytes]]:
    """Yield digests a statement's fill at a time."""
    given = sorted(digest for digest in digests if digest is not None)
    for start in range(0, len(given), _PART):
        yield given[start : start + _PART]


def _quoted(connection: Connection, bases: Iterable[bytes]) -> set[bytes]:
    """Return the digests that these bases quote. Raises IntegrityError for one that cannot be read.

    To pass over it would let go what it quotes. What is whole and no basis of ours quotes nothing.
    """
    quoted: set[bytes] = set()
    for part in _parts(bases):
        for row in connection.execute(
            select(_D.sha256, _D.size, _D.codec, _D.body).where(and_(_D.sha256.in_(part), _D.kind == "basis"))
        ):
            try:
                body = unpack_body(row.codec, row.size, row.body)
                if sha256(body).digest() != row.sha256:
                    raise ValueError("its octets have another SHA-256")  # noqa: TRY301 - as the others
                if _ITS_FORMAT in body:
                    quoted.update(quoted_digests(body))
            except ValueError as error:
                raise IntegrityError(
                    f"document {row.sha256.hex()} of the log cannot be read: {error}; what it quotes is not"
                    " known, and nothing is removed: run `sekisho log verify`"
                ) from error
    return quoted
