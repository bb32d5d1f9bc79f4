"""Takes proofs from a log: reads the leaves that a proof needs, in pages, whatever the log's size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from blocklists.errors import UsageError
from blocklists.host import canonical_host
from crawler.decisionlog import encoding, schema
from crawler.decisionlog.anchors import COSIGNATURE
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.notes import parse_checkpoint, parse_note
from crawler.decisionlog.proof import Anchored, Opening, Step, host_proof, record_proof, tlog_proof
from crawler.decisionlog.registry import SegmentHeaded, SegmentSealed, decode
from crawler.decisionlog.rollup import host_key
from crawler.decisionlog.tree import CompactRange, inclusion_ranges, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.registry import Leaf
    from crawler.decisionlog.stored import StoredRecord

_PAGE: Final = 20_000
_COSIGNATURES: Final = 32  # the newest of a checkpoint: readers of notes need not take more than 16
_R: Final = schema.record.c
_G: Final = schema.registry.c


def prove_record(reader: LogReader, segment: UUID, idx: int) -> dict[str, object]:
    """Return the proof that a record is in the log. Raises UsageError; LogError when there is none yet."""
    record = reader.record(segment, idx)
    if record is None:
        raise UsageError(f"the log {reader.path} has no record {segment}#{idx}")
    leaf = _covering(reader, segment, idx)
    event = leaf.event
    if not isinstance(event, SegmentSealed | SegmentHeaded):
        raise LogError(f"entry {leaf.idx} of the registry says no root")
    number = _number(reader, segment)
    data = _leaf_data(reader, number, record)
    path = _path(event.size, idx, lambda start, end: _record_leaves(reader, number, start, end))
    opening = _opening(reader, number, record)
    return record_proof(data, Step(index=idx, size=event.size, path=path), opening, _anchored(reader, leaf))


def prove_host(reader: LogReader, host: str, segment: UUID) -> dict[str, object]:
    """Return the proof that a sealed segment has records of a host, or none. Raises UsageError, LogError."""
    canonical = canonical_host(host)
    if canonical is None:
        raise UsageError(f"{host!r} is no host: write a name such as example.org")
    leaf = _covering(reader, segment, None)
    if not isinstance(leaf.event, SegmentSealed):
        raise LogError(
            f"segment {segment} is not sealed: sums by host, and proofs of them, exist from its seal on"
        )
    key = host_key(canonical)
    rows = reader.host_sums(_number(reader, segment))
    place = next(
        (index for index, row in enumerate(rows) if row.host_key.encode() >= key.encode()), len(rows)
    )
    if place < len(rows) and rows[place].host_key == key:
        shown = [place]
    else:
        shown = [index for index in (place - 1, place) if 0 <= index < len(rows)]
    proved = []
    for index in shown:
        path = _path(len(rows), index, lambda start, end: (row.leaf for row in rows[start:end]))
        proved.append((rows[index].body, Step(index=index, size=len(rows), path=path)))
    return host_proof(key, proved, _anchored(reader, leaf))


def _number(reader: LogReader, segment: UUID) -> int:
    column = schema.segment.c
    rows = reader.rows(select(column.id).where(column.uuid == str(segment)))
    if not rows:
        raise UsageError(f"the log {reader.path} has no segment {segment}")
    return int(rows[0].id)


def _covering(reader: LogReader, segment: UUID, idx: int | None) -> Leaf:
    """Return the last entry of the registry with a root of the segment that covers the index."""
    number = _number(reader, segment)
    kinds = (SegmentSealed.KIND, SegmentHeaded.KIND)
    rows = (
        []
        if reader.format == schema.FORMAT_1
        else reader.rows(
            select(_G.body)
            .where(_G.segment_id == number, _G.kind.in_(kinds))
            .order_by(_G.idx.desc())
            .limit(1)
        )
    )
    leaf = decode(rows[0].body) if rows else None
    event = None if leaf is None else leaf.event
    covers = isinstance(event, SegmentSealed | SegmentHeaded) and (idx is None or idx < event.size)
    if leaf is None or not covers:
        raise LogError(
            f"no root of segment {segment} in the registry covers that yet: one is signed every ten seconds"
            " while a run records, and at its end; a log of format 1 has none"
        )
    return leaf


def _leaf_data(reader: LogReader, number: int, record: StoredRecord) -> bytes:
    """Return the record's leaf data, encoded anew. Raises IntegrityError when its leaf hash is another."""
    encoder = encoding.RecordEncoder(record.segment)
    context = encoding.encode_context(
        record.agent, bytes.fromhex(record.policy_sha256), bytes.fromhex(record.blocklist_sha256)
    )
    row = reader.rows(
        select(_R.url_commit, _R.parent_commit).where(_R.segment_id == number, _R.idx == record.idx)
    )[0]
    data = encoder.encode(
        record.idx, record.ts_us, record.mono_ns, context, record.stage.value, record.verdict, record.reason,
        None if record.kind is None else record.kind.value, record.method, record.host, record.domain,
        row.url_commit, row.parent_commit, _octets(record.basis_sha256), record.ref_idx, record.attempt,
        record.status, record.size, _octets(record.body_sha256), record.media_type, record.error,
    )  # fmt: skip
    if leaf_hash(data).hex() != record.leaf_hash:
        raise IntegrityError(f"record {record.segment}#{record.idx} was changed: run `sekisho log verify`")
    return data


def _octets(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _opening(reader: LogReader, number: int, record: StoredRecord) -> Opening | None:
    column = schema.opening.c
    rows = reader.rows(select(column.salt).where(column.segment_id == number, column.idx == record.idx))
    if not rows:
        return None
    url, parent = record.url, record.parent_url
    return Opening(
        url=None if url is None else encoding.url_octets(url),
        parent_url=None if parent is None else encoding.url_octets(parent),
        salt=rows[0].salt,
    )


def _record_leaves(reader: LogReader, number: int, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        rows = reader.rows(
            select(_R.leaf_hash)
            .where(_R.segment_id == number, _R.idx >= start, _R.idx < end)
            .order_by(_R.idx)
            .limit(_PAGE)
        )
        if not rows:
            raise IntegrityError(f"{reader.path}: record {start} is gone; run `sekisho log verify`")
        yield from (row.leaf_hash for row in rows)
        start += len(rows)


def _registry_leaves(reader: LogReader, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        rows = reader.rows(
            select(_G.leaf_hash).where(_G.idx >= start, _G.idx < end).order_by(_G.idx).limit(_PAGE)
        )
        if not rows:
            raise IntegrityError(
                f"{reader.path}: entry {start} of the registry is gone; run `sekisho log verify`"
            )
        yield from (row.leaf_hash for row in rows)
        start += len(rows)


def _path(size: int, index: int, leaves: Callable[[int, int], Iterator[bytes]]) -> tuple[bytes, ...]:
    return tuple(CompactRange(leaves(start, end)).root() for start, end in inclusion_ranges(size, index))


def _anchored(reader: LogReader, leaf: Leaf) -> Anchored:
    """Return the entry with its proof in the newest checkpoint."""
    note = reader.newest_checkpoint()
    size = 0 if note is None else parse_checkpoint(parse_note(note.encode())).size
    entries = reader.rows(select(func.count()).select_from(schema.registry))[0][0]
    if note is None or size <= leaf.idx or size > entries:
        raise IntegrityError(
            f"{reader.path}: no checkpoint covers entry {leaf.idx}; run `sekisho log verify`"
        )
    path = _path(size, leaf.idx, lambda start, end: _registry_leaves(reader, start, end))
    return Anchored(body=leaf.body, tlog_proof=tlog_proof(leaf.idx, path, note + _cosignatures(reader, size)))


def _cosignatures(reader: LogReader, size: int) -> str:
    """Return the newest line of each witness that cosigned the checkpoint of this size."""
    column = schema.anchor.c
    rows = reader.rows(
        select(column.id, column.body)
        .where(column.size == size, column.kind == COSIGNATURE)
        .order_by(column.id.desc())
        .limit(_COSIGNATURES)
    )
    newest: dict[tuple[str, bytes], str] = {}
    for row in rows:
        try:
            (signature,) = parse_note(f"{size}\n\n".encode() + bytes(row.body)).signatures
        except ValueError as error:
            raise IntegrityError(
                f"{reader.path}: attestation {row.id} was changed: {error}; run `sekisho log verify`"
            ) from error
        newest.setdefault((signature.name, signature.id), signature.line)
    return "".join(newest.values())
