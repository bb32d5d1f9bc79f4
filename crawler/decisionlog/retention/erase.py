"""Erases URLs: the opening goes, the commitment stays, and the registry says which, why and by whom.

Documents in which the URL stands (the basis of a verdict about that page) go too; their digests stay in the
records. A digest has no salt: who can write the same document again, URL and all, can still confirm it.

A record's URL and that of its parent share a salt, and go together: with the salt left, a guess of either
could be confirmed. With them goes what an index of URLs says of the record's host. The octets are overwritten
in an SQLite file (`secure_delete`), and no rollback journal is left; copies (exports, backups) are somebody
else's to erase, and are named from the registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, or_, select

from blocklists.errors import UsageError
from crawler.decisionlog import encoding, schema, store, url_index
from crawler.decisionlog.registry import DocumentErased, Erased, Exported, decode
from crawler.decisionlog.retention.holds import holding, holds
from crawler.decisionlog.retention.prune import HeldError
from crawler.decisionlog.stored import unpack_body

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.retention.acts import Actor

_PAGE: Final = 500
_O: Final = schema.opening.c
_DIGESTS: Final = 500


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


def find(connection: Connection, url: str) -> Found:
    """Return where a URL stands as the URL of a record or as its parent's."""
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
    return Found(
        places=places, exports=_exports(connection, segments), documents=_mentioned(connection, octets)
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
            if octets in body:
                found.append(row.sha256.hex())
    return tuple(found)


def erase(actor: Actor, found: Found, *, basis: str, who: str, now_us: int) -> None:
    """Erase what was found. Raises HeldError, UsageError, LogError; then nothing is erased."""
    places = found.places
    if not places and not found.documents:
        raise UsageError("nothing to erase: no record of this log has that URL")
    if store.file_of(actor.place) is not None:
        store.driver(actor.connection).execute("PRAGMA secure_delete = ON")
    with actor.signed(now_us) as act:
        standing = holds(act.connection)
        for number in _touched(act.connection, found):
            held = holding(act.connection, standing, number)
            if held is not None:
                raise HeldError(
                    f"segment number {number} is held by {held.name} ({held.reason}): a hold goes before an"
                    " erasure; counsel decides, and the hold must be released first"
                )
        for place in places:
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
        url_index.forget(act.connection, sorted({place.number for place in places}))
        for digest in found.documents:
            octets = bytes.fromhex(digest)
            leaf = act.append(DocumentErased(sha256=digest, basis=basis, actor=who))
            act.connection.execute(insert(schema.discarding).values(sha256=octets, registry_idx=leaf))
            act.connection.execute(delete(schema.document).where(schema.document.c.sha256 == octets))
    _overwrite(actor)


def _touched(connection: Connection, found: Found) -> list[int]:
    """Return the numbers of the segments that lose something."""
    record = schema.record.c
    digests = [bytes.fromhex(digest) for digest in found.documents]
    by_document: set[int] = set()
    for start in range(0, len(digests), _DIGESTS):
        part = digests[start : start + _DIGESTS]
        needed = or_(record.basis_sha256.in_(part), record.body_sha256.in_(part))
        by_document.update(connection.execute(select(record.segment_id).where(needed).distinct()).scalars())
    return sorted({place.number for place in found.places} | by_document)


def _overwrite(actor: Actor) -> None:
    """Leave no copy in a write-ahead log; `Actor` removes a rollback journal when it closes."""
    if store.file_of(actor.place) is not None:
        store.driver(actor.connection).execute("PRAGMA wal_checkpoint(TRUNCATE)")
