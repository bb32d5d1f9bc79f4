"""Which documents go with a segment: those that no record of another segment needs.

A record needs its basis and the document of its body, a basis the files that it quotes. A run that is under
way quotes what it fetched or was opened with before. What its records name, and what runs are opened with, is
kept while one is open; whatever else goes it stores again when it needs it (`document_store`). Policies and
manifests of block lists stay: contexts, which are for ever, name them.

A log is read page by page before the transaction that removes, and there only what was written since, so that
a crawl that writes is not kept waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, select

from crawler.decisionlog import schema
from crawler.decisionlog.stored import unpack_body
from policies.basis import decode_basis

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection, Row

_R: Final = schema.record.c
_D: Final = schema.document.c
_S: Final = schema.segment.c
_PAGE: Final = 20_000  # records
_PART: Final = 500  # digests
_OPENED_WITH: Final = frozenset({"policy", "blocklist", "waivers"})


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


def opened_with(connection: Connection, number: int) -> set[bytes]:
    """Return the digests of the policies and lists that a segment's records name."""
    context, named = schema.context.c, select(_R.context_id).where(_R.segment_id == number)
    rows = connection.execute(
        select(context.policy_sha256, context.blocklist_sha256).where(context.id.in_(named))
    )
    return {digest for row in rows for digest in row}


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
            self._found |= {digest for digest, kind in self._kinds.items() if kind in _OPENED_WITH}

    def _name_contexts(self) -> None:
        context = schema.context.c
        for row in self._connection.execute(select(context.policy_sha256, context.blocklist_sha256)):
            self._found |= self._kinds.keys() & set(row)

    def _take(self, rows: Sequence[Row[Any]]) -> None:
        self._found |= self._kinds.keys() & {row.body_sha256 for row in rows}
        new = {row.basis_sha256 for row in rows if row.basis_sha256 is not None} - self._bases
        self._bases |= new
        self._found |= self._kinds.keys() & new
        if any(kind != "basis" for kind in self._kinds.values()):
            self._found |= self._kinds.keys() & _quoted(self._connection, new)


def kinds_of(connection: Connection, digests: Iterable[bytes | None]) -> dict[bytes, str]:
    """Return the kinds of those of the digests that are documents."""
    kinds: dict[bytes, str] = {}
    for part in _parts(digests):
        rows = connection.execute(select(_D.sha256, _D.kind).where(_D.sha256.in_(part)))
        kinds.update((row.sha256, row.kind) for row in rows)
    return kinds


def _pages(connection: Connection, number: int, first: int) -> Iterator[Sequence[Row[Any]]]:
    """Yield what the records of a segment need, from an index on."""
    statement: Select[Any] = select(_R.idx, _R.basis_sha256, _R.body_sha256).order_by(_R.idx).limit(_PAGE)
    while rows := connection.execute(statement.where(_R.segment_id == number, _R.idx >= first)).all():
        yield rows
        first = rows[-1].idx + 1


def _parts(digests: Iterable[bytes | None]) -> Iterator[list[bytes]]:
    """Yield digests a statement's fill at a time."""
    given = sorted(digest for digest in digests if digest is not None)
    for start in range(0, len(given), _PART):
        yield given[start : start + _PART]


def _quoted(connection: Connection, bases: Iterable[bytes]) -> set[bytes]:
    """Return the digests that these bases quote."""
    quoted: set[bytes] = set()
    for part in _parts(bases):
        for row in connection.execute(
            select(_D.size, _D.codec, _D.body).where(and_(_D.sha256.in_(part), _D.kind == "basis"))
        ):
            quoted |= _digests_in(unpack_body(row.codec, row.size, row.body))
    return quoted


def _digests_in(body: bytes) -> set[bytes]:
    try:
        verdicts = decode_basis(body).verdicts
    except ValueError:
        return set()
    return {
        bytes.fromhex(evidence.sha256)
        for verdict in verdicts
        for evidence in verdict.evidence
        if evidence.sha256
    }
