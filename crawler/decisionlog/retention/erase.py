"""Erases URLs: the opening goes, the commitment stays, and the registry says which, why and by whom.

Documents in which the URL stands (the basis of a verdict about that page) go too; their digests stay in the
records. A digest has no salt: who can write the same document again, URL and all, can still confirm it.

A record's URL and that of its parent share a salt, and go together: with the salt left, a guess of either
could be confirmed. With them goes what an index of URLs says of the record's host. The octets are overwritten
in an SQLite file (`secure_delete`), and no rollback journal is left; copies (exports, backups) are somebody
else's to erase, and are named from the registry.

A run may be under way. What it recorded before is erased; what it decides afterwards is a new act, whose
evidence it stores again (`document_store`): what cannot be shown must not be fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import delete, func, insert, or_, select

from blocklists.errors import SekishoError, UsageError
from crawler.decisionlog import encoding, schema, store, url_index
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.registry import DocumentErased, Erased, Exported, PruneIntended, decode
from crawler.decisionlog.retention.documents import OwnNeeds
from crawler.decisionlog.retention.holds import held_segments, under_way
from crawler.decisionlog.retention.prune import HeldError
from crawler.decisionlog.stored import unpack_body
from policies.console import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from crawler.decisionlog.retention.acts import Actor
    from crawler.decisionlog.retention.holds import Hold

_PAGE: Final = 500
_O: Final = schema.opening.c
_DIGESTS: Final = 500
_SCHEME: Final = "://"
#: A URL goes on unless what follows ends it, such as punctuation before no character of a URL. Quotes,
#: closing brackets, what separates fields (, ;) and what rules have behind a path ($ *) end it, though they
#: may stand in one: in doubt a document is erased.
_GOES_ON: Final = re.compile(rb"[.:!?]*[A-Za-z0-9\-_~/@&(\[+=%]")
_SEARCHES: Final = 5  # a run that decides on the URL again and again would be searched for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A record whose URLs are to be erased."""

    number: int
    segment: str
    idx: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What erasing a URL means: the records, the exports with copies, and documents that mention it."""

    places: tuple[Place, ...]
    exports: tuple[str, ...]
    documents: tuple[str, ...]

    def and_also(self, other: Self) -> Self:
        """Return both."""
        return replace(
            self,
            places=self.places + other.places,
            exports=tuple(dict.fromkeys(self.exports + other.exports)),
            documents=tuple(dict.fromkeys(self.documents + other.documents)),
        )


def find(connection: Connection, url: str) -> Found:
    """Return where a URL stands: as the URL of a record or as its parent's, and in which documents.

    Exports are those of the segments of these records. What is no URL (it has no `://`, and no record has it)
    is looked for in no document, where it might be any word; nor is the empty one.
    """
    octets = encoding.url_octets(url)
    kept: tuple[str | bytes, ...] = (url,) if _is_unicode(url) else (octets,)
    names = {
        row.id: row.uuid for row in connection.execute(select(schema.segment.c.id, schema.segment.c.uuid))
    }
    rows = connection.execute(
        select(_O.segment_id, _O.idx)
        .where(or_(_O.url.in_(kept), _O.parent_url.in_(kept)))
        .order_by(_O.segment_id, _O.idx)
    )
    places = tuple(Place(number=row.segment_id, segment=names[row.segment_id], idx=row.idx) for row in rows)
    segments = {place.segment for place in places}
    named = octets and (places or _SCHEME in url)  # what is no URL stands in every document
    return Found(
        places=places,
        exports=_exports(connection, segments),
        documents=_mentioned(connection, octets) if named else (),
    )


def _is_unicode(url: str) -> bool:
    try:
        url.encode()
    except UnicodeEncodeError:
        return False
    return True


def _exports(connection: Connection, segments: set[str]) -> tuple[str, ...]:
    column = schema.registry.c
    found = []
    for row in connection.execute(
        select(column.body).where(column.kind == Exported.KIND).order_by(column.idx)
    ):
        event = decode(row.body).event
        if isinstance(event, Exported) and event.segment in segments:
            found.append(event.place)
    return tuple(dict.fromkeys(found))


def _mentioned(connection: Connection, octets: bytes) -> tuple[str, ...]:
    """Return the digests of documents in whose octets the URL stands."""
    column, last = schema.document.c, 0
    found = []
    while rows := connection.execute(
        select(column.id, column.sha256, column.size, column.codec, column.body)
        .where(column.id > last)
        .order_by(column.id)
        .limit(_PAGE)
    ).all():
        last = rows[-1].id
        for row in rows:
            try:
                body = unpack_body(row.codec, row.size, row.body)
            except ValueError:
                continue  # `sekisho log verify` tells of it
            if _stands_in(octets, body):
                found.append(row.sha256.hex())
    return tuple(found)


def _stands_in(octets: bytes, body: bytes) -> bool:
    """Whether a URL stands in a document, and not only as the beginning of another one.

    It may be a part of another one in its query. A fragment, and what ends a sentence, are none of it.
    """
    start = body.find(octets)
    while start >= 0:
        if not _GOES_ON.match(body, start + len(octets)):
            return True
        start = body.find(octets, start + 1)
    return False


def erase_everywhere(
    actor: Actor, url: str, *, basis: str, who: str, now_us: Callable[[], int], tell: Callable[[Found], None]
) -> None:
    """Erase a URL, and `tell` what was erased; whoever writes meanwhile loses nothing of what it decides by.

    Where a run was under way when the search began, or one began since, the log is searched again, until all
    that was recorded before the last search is erased. What such a run decides after that is a new act, and
    recorded like any other. Raises HeldError, UsageError, LogError; what an act before had erased stays
    erased, and is told.
    """
    erased, stopped = Found(places=(), exports=(), documents=()), None
    try:
        for _ in range(_SEARCHES):
            with actor.explained():
                newest, under_way_before = _newest(actor.connection), open_segments(actor.connection)
                found = find(actor.connection, url)
            if not found.places and not found.documents:
                break
            erased = erased.and_also(erase(actor, found, basis=basis, who=who, now_us=now_us()))
            with actor.explained():
                if not under_way_before and _newest(actor.connection) == newest:
                    break
    except SekishoError as error:
        stopped = error
        raise
    finally:
        if erased.places or erased.documents:
            try:
                tell(erased)
            finally:
                _leave_no_copy(actor, stopped)
    if not erased.places and not erased.documents:
        raise UsageError(f"no record of this log has the URL {printable(url)}")


def _leave_no_copy(actor: Actor, stopped: SekishoError | None) -> None:
    """Remove what is left of the octets. Raises LogError, or what stopped the erasure with both told."""
    try:
        with actor.explained():
            store.leave_no_copy(actor.connection)
    except LogError as error:
        if stopped is None:
            raise
        raise type(stopped)(f"{stopped}; of what was erased before: {error}") from error


def _newest(connection: Connection) -> int | None:
    """Return the number of the newest segment."""
    newest: int | None = connection.execute(select(func.max(schema.segment.c.id))).scalar()
    return newest


def open_segments(connection: Connection) -> tuple[str, ...]:
    """Return the segments that are not sealed: their runs may be under way."""
    column = schema.segment.c
    rows = connection.execute(select(column.uuid).where(column.sealed_us.is_(None)).order_by(column.id))
    return tuple(row.uuid for row in rows)


def erase(actor: Actor, found: Found, *, basis: str, who: str, now_us: int) -> Found:
    """Erase what was found and is there still, in one act, and return that, with the exports known then.

    Nobody appends records in the meantime: a writer that counts on one of the documents learns of it with its
    next batch, and stores again what it decides by. What held segments need is read before, and in the act
    only what was written since. Raises HeldError, LogError; then nothing is erased. Copies of the octets may
    be left beside the database (`store.leave_no_copy`).
    """
    store.overwrite_what_goes(actor.connection)
    digests = [bytes.fromhex(digest) for digest in found.documents]
    needs: dict[int, OwnNeeds] = {}
    with actor.explained():
        _catch_up(actor.connection, needs, held_segments(actor.connection), digests)
    with actor.signed(now_us, removing=True) as act:
        exports = _exports(act.connection, {place.segment for place in found.places})
        found = replace(_still_there(act.connection, found), exports=exports)
        held = held_segments(act.connection)
        _catch_up(act.connection, needs, held, digests)
        _refuse_what_is_held(act.connection, found, held, needs)
        for place in found.places:
            leaf = act.append(
                Erased(segment=place.segment, idx_erased=place.idx, basis=basis, actor=who),
                segment_id=place.number,
            )
            act.connection.execute(
                insert(schema.erasure).values(segment_id=place.number, idx=place.idx, registry_idx=leaf)
            )
            act.connection.execute(
                delete(schema.opening).where(_O.segment_id == place.number, _O.idx == place.idx)
            )
        url_index.forget(act.connection, sorted({place.number for place in found.places}))
        octets = [bytes.fromhex(digest) for digest in found.documents]
        named = _digests(act.connection, schema.discarding.c.sha256, octets)  # it went before, and came back
        for digest in octets:
            leaf = act.append(DocumentErased(sha256=digest.hex(), basis=basis, actor=who))
            if digest not in named:
                act.connection.execute(insert(schema.discarding).values(sha256=digest, registry_idx=leaf))
            act.connection.execute(delete(schema.document).where(schema.document.c.sha256 == digest))
    return found


def _still_there(connection: Connection, found: Found) -> Found:
    """Return what was found without what somebody else erased since."""
    wanted: dict[int, list[int]] = {}
    for place in found.places:
        wanted.setdefault(place.number, []).append(place.idx)
    there: set[tuple[int, int]] = set()
    for number, indices in wanted.items():
        for start in range(0, len(indices), _DIGESTS):
            some = _O.idx.in_(indices[start : start + _DIGESTS])
            rows = connection.execute(select(_O.idx).where(_O.segment_id == number, some)).scalars()
            there.update((number, idx) for idx in rows)
    octets = _digests(
        connection, schema.document.c.sha256, [bytes.fromhex(digest) for digest in found.documents]
    )
    return replace(
        found,
        places=tuple(place for place in found.places if (place.number, place.idx) in there),
        documents=tuple(digest for digest in found.documents if bytes.fromhex(digest) in octets),
    )


def _digests(connection: Connection, column: Any, digests: Sequence[bytes]) -> set[bytes]:  # noqa: ANN401 - of SQLAlchemy
    """Return those of the digests that a column has."""
    found: set[bytes] = set()
    for start in range(0, len(digests), _DIGESTS):
        part = digests[start : start + _DIGESTS]
        found.update(connection.execute(select(column).where(column.in_(part))).scalars())
    return found


def _catch_up(
    connection: Connection, needs: dict[int, OwnNeeds], held: Iterable[int], digests: Sequence[bytes]
) -> None:
    """Read on what held segments need of some documents."""
    for number in held:
        if number not in needs:
            needs[number] = OwnNeeds(connection, number, digests)
        needs[number].catch_up()


def _refuse_what_is_held(
    connection: Connection, found: Found, held: Mapping[int, Hold], needs: Mapping[int, OwnNeeds]
) -> None:
    """Raise HeldError when a segment that loses something is held: its URLs, or evidence that it needs.

    A segment whose pruning began needs what was announced until then, and what others would have taken along
    since: its records may be gone, which named it.
    """
    if not held:
        return
    numbers = {place.number for place in found.places}
    digests = [bytes.fromhex(digest) for digest in found.documents]
    announced = _announced(connection, digests)
    pruned = under_way(connection)
    for number, hold in held.items():
        until = pruned.get(number, -1)
        if (
            number in numbers
            or not needs[number].found.isdisjoint(digests)
            or any(leaf <= until for leaf in announced)
        ):
            raise HeldError(
                f"segment number {number} is held by {hold.name} ({hold.reason}): a hold goes before an"
                " erasure; counsel decides, and the hold must be released first"
            )


def _announced(connection: Connection, digests: Sequence[bytes]) -> set[int]:
    """Return the entries by which some of the documents were said to go; 0 for those of prunings."""
    column, entry = schema.discarding.c, schema.registry.c
    named = select(entry.idx, entry.kind).join(schema.discarding, column.registry_idx == entry.idx)
    found: set[int] = set()
    for start in range(0, len(digests), _DIGESTS):
        rows = connection.execute(named.where(column.sha256.in_(digests[start : start + _DIGESTS])))
        found.update(0 if row.kind == PruneIntended.KIND else row.idx for row in rows)
    return found
