"""Reads a log, page by page, so that a crawl that is writing it is never kept waiting.

A read transaction spans one page. `query` runs a caller's SELECT, usually against the view `decisions`,
as one transaction: keep it short while a crawl is running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from crawler.decisionlog import rollup, schema, store
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.record import Document
from crawler.decisionlog.record_query import RECORDS, URLS, buckets_at, records_at, url_text, urls_at
from crawler.decisionlog.registry import decode
from crawler.decisionlog.stored import RunInfo, SegmentInfo, StoredRecord, unpack_body
from policies.vocabulary import RequestKind, Stage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy import TextualSelect
    from sqlalchemy.engine import Connection, Row

    from crawler.decisionlog.place import LogPlace
    from crawler.decisionlog.registry import Leaf
    from crawler.decisionlog.rollup import Group, HostSum, SumRow
    from crawler.decisionlog.session import Value

    Params = Mapping[str, Value | Collection[int]]

PAGE: Final = 5000


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


_R: Final = schema.record.c
_UNCACHED: Final = {"compiled_cache": None}  # no statement is asked twice


def _stored(segment: UUID, run: str, row: Row[Any]) -> StoredRecord:
    committed = row.url_commit is not None or row.parent_commit is not None
    return StoredRecord(
        segment=segment,
        idx=row.idx,
        run=run,
        ts_us=row.ts_us,
        mono_ns=row.mono_ns,
        stage=Stage(row.stage),
        verdict=row.verdict,
        reason=row.reason,
        kind=None if row.kind is None else RequestKind(row.kind),
        method=row.method,
        url=url_text(row.url),
        parent_url=url_text(row.parent_url),
        host=row.host,
        domain=row.domain,
        agent=row.agent,
        policy_sha256=row.policy_sha256.hex(),
        blocklist_sha256=row.blocklist_sha256.hex(),
        basis_sha256=_hex(row.basis_sha256),
        ref_idx=row.ref_idx,
        attempt=row.attempt,
        status=row.status,
        size=row.size,
        body_sha256=_hex(row.body_sha256),
        media_type=row.media_type,
        error=row.error,
        leaf_hash=row.leaf_hash.hex(),
        opened=not committed or row.salt is not None,
    )


def _segment_info(row: Row[Any], ends: Sequence[Row[Any]], heads: Sequence[Row[Any]]) -> SegmentInfo:
    """Return a segment's row with its first and last record, and its newest head."""
    return SegmentInfo(
        number=row.id,
        segment=UUID(row.uuid),
        run=row.run_id,
        agent=row.agent,
        schema_version=row.schema_ver,
        opened_us=row.opened_us,
        size=ends[-1].idx + 1 if ends else 0,
        first_us=ends[0].ts_us if ends else None,
        last_us=ends[-1].ts_us if ends else None,
        sealed=row.sealed_us is not None,
        root=_hex(row.root),
        head_size=heads[0].size if heads else 0,
        head_root=heads[0].root.hex() if heads else None,
    )


class LogReader:
    """A log, opened for reading only. A context manager; raises LogError, never writes."""

    def __init__(self, connection: Connection, path: LogPlace) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, url: str, *, lock_timeout: float = store.LOCK_TIMEOUT_S) -> Self:
        """Open the log at `url`. Raises LogError when there is none or it has another format."""
        path = store.log_place(url)
        return cls(store.open_for_reading(path, lock_timeout=lock_timeout), path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _rows(self, statement: Select[Any], params: Params | None = None) -> Sequence[Row[Any]]:
        with store.explained(self.path, "read"):
            return self._connection.execute(statement, params).all()

    def segments(self) -> list[SegmentInfo]:
        """Return every segment in the order of opening, without reading its records."""
        found = []
        for row in self._rows(select(schema.segment).order_by(schema.segment.c.id)):
            # Two look-ups: asked for together, SQLite would read the whole segment for the two.
            own = select(_R.idx, _R.ts_us).where(_R.segment_id == row.id).limit(1)
            ends = [*self._rows(own.order_by(_R.idx)), *self._rows(own.order_by(_R.idx.desc()))]
            heads = self._rows(
                select(schema.head.c.size, schema.head.c.root)
                .where(schema.head.c.segment_id == row.id)
                .order_by(schema.head.c.size.desc())
                .limit(1)
            )
            try:
                found.append(_segment_info(row, ends, heads))
            except (ValueError, TypeError, AttributeError) as error:
                raise IntegrityError(
                    f"{self.path}: the row of segment {row.id} is not what a writer writes: {error};"
                    " run `sekisho log verify`"
                ) from error
        return found

    @property
    def format(self) -> str:
        """The format of the log, such as `sekisho.log/2`."""
        return str(self._rows(select(schema.meta.c.value).where(schema.meta.c.key == "format"))[0][0])

    def newest_checkpoint(self) -> str | None:
        """Return the newest signed checkpoint of the registry, verbatim; None without one."""
        if self.format == schema.FORMAT_1:
            return None
        column = schema.checkpoint.c
        rows = self._rows(select(column.note).order_by(column.size.desc()).limit(1))
        return str(rows[0].note) if rows else None

    def leaves(self, kinds: Collection[str] | None = None) -> Iterator[Leaf]:
        """Yield the entries of the registry in order, all or those of some kinds. Raises IntegrityError."""
        if self.format == schema.FORMAT_1:
            return
        column, last = schema.registry.c, -1
        conditions = () if kinds is None else (column.kind.in_(kinds),)
        while True:
            rows = self._rows(
                select(column.idx, column.body)
                .where(column.idx > last, *conditions)
                .order_by(column.idx)
                .limit(PAGE)
            )
            for row in rows:
                try:
                    yield decode(row.body)
                except (ValueError, TypeError) as error:
                    raise IntegrityError(
                        f"{self.path}: entry {row.idx} of the registry was changed: {error};"
                        " run `sekisho log verify`"
                    ) from error
            if len(rows) < PAGE:
                return
            last = rows[-1].idx

    def rows(self, statement: Select[Any], params: Params | None = None) -> Sequence[Row[Any]]:
        """Return the rows of a statement on the tables. Raises LogError."""
        return self._rows(statement, params)

    def groups(self, numbers: Collection[int], *where: ColumnElement[bool]) -> dict[int, list[Group]]:
        """Return the records of segments by host and verdict, all or those of some. Raises LogError."""
        with store.explained(self.path, "read"):
            return rollup.grouped(self._connection, numbers, *where)

    def at(
        self, places: Sequence[tuple[int, int]], named: Mapping[int, tuple[UUID, str]]
    ) -> Iterator[StoredRecord]:
        """Yield the records at these segment numbers and indices, in any order. Raises IntegrityError.

        `named` says of each number which segment and run it is.
        """
        for row in self._rows_at(records_at(places)):
            yield self._checked(*named[row.segment_id], row)

    def urls_at(self, places: Sequence[tuple[int, int]]) -> Sequence[Row[Any]]:
        """Return segment_id, idx, host, stage, verdict, url, salt, committed of records, in any order."""
        return self._rows_at(urls_at(places))

    def has_url_index(self) -> bool:
        """Whether the log has tables for indexes of URLs."""
        with store.explained(self.path, "read"):
            return store.has_url_index(self._connection)

    def buckets_at(self, places: Sequence[tuple[int, int]], host: str) -> Sequence[Row[Any]]:
        """Return segment_id, bucket, body of these buckets (segment, bucket) of a host's indexes of URLs."""
        return self._rows_at(buckets_at(places, host))

    def urls_of(self, number: int, host: str) -> Iterator[Row[Any]]:
        """Yield the same of a host's records in a segment, in order, without an index."""
        own, last = URLS.where(_R.segment_id == number, _R.host == host).order_by(_R.idx).limit(PAGE), -1
        while rows := self._rows(own.where(_R.idx > last)):
            yield from rows
            last = rows[-1].idx

    def _rows_at(self, statement: TextualSelect) -> Sequence[Row[Any]]:
        with store.explained(self.path, "read"):
            return self._connection.execute(statement, execution_options=_UNCACHED).all()

    def _checked(self, segment: UUID, run: str, row: Row[Any]) -> StoredRecord:
        try:
            return _stored(segment, run, row)
        except (ValueError, TypeError, AttributeError) as error:
            raise IntegrityError(
                f"{self.path}: record {segment}#{row.idx} is not what a writer writes:"
                f" {error}; run `sekisho log verify`"
            ) from error

    def host_sums(self, number: int) -> list[HostSum]:
        """Return a segment's sums by host as they are stored. Raises ValueError on what no writer wrote."""
        with store.explained(self.path, "read"):
            return rollup.stored(self._connection, number)

    def sum_rows(self, number: int) -> list[SumRow]:
        """Return the same as rows of the table, in order. Raises ValueError on what no writer wrote."""
        with store.explained(self.path, "read"):
            return rollup.stored_rows(self._connection, number)

    def runs(self) -> list[RunInfo]:
        """Return every run in the order of its first segment."""
        by_run: dict[str, list[SegmentInfo]] = {}
        for info in self.segments():
            by_run.setdefault(info.run, []).append(info)
        return [RunInfo(run=run, segments=tuple(segments)) for run, segments in by_run.items()]

    def records(
        self,
        segment: UUID | None = None,
        run: str | None = None,
        stages: Collection[Stage] | None = None,
        *,
        where: Sequence[ColumnElement[bool]] = (),
        page: int = PAGE,
    ) -> Iterator[StoredRecord]:
        """Yield records in order of segment and index; `where` narrows by columns of `schema.record`.

        What is appended while this runs may or may not be among them. Raises IntegrityError on a row that
        no writer wrote.
        """
        conditions = list(where)
        if stages is not None:
            conditions.append(_R.stage.in_([stage.value for stage in stages]))
        for info in self.segments():
            if (segment is not None and info.segment != segment) or (run is not None and info.run != run):
                continue
            last = -1
            while True:
                rows = self._rows(
                    RECORDS.where(_R.segment_id == info.number, _R.idx > last, *conditions)
                    .order_by(_R.idx)
                    .limit(page)
                )
                for row in rows:
                    yield self._checked(info.segment, info.run, row)
                if len(rows) < page:
                    break
                last = rows[-1].idx

    def record(self, segment: UUID, idx: int) -> StoredRecord | None:
        """Return one record, or None when there is none."""
        return next(iter(self.records(segment=segment, where=(_R.idx == idx,), page=1)), None)

    def document(self, sha256: str) -> Document | None:
        """Return the document with this digest (64 hex characters), or None. Raises IntegrityError."""
        column = schema.document.c
        rows = self._rows(
            select(column.kind, column.size, column.codec, column.body).where(
                column.sha256 == bytes.fromhex(sha256)
            )
        )
        if not rows:
            return None
        row = rows[0]
        try:
            return Document(kind=row.kind, body=unpack_body(row.codec, row.size, row.body))
        except ValueError as error:
            raise IntegrityError(
                f"{self.path}: document {sha256} was changed: {error}; run `sekisho log verify`"
            ) from error

    def query(self, sql: str, params: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Return the rows of one SELECT, usually on the view `decisions`. Raises LogError on all else."""
        try:
            return store.select(self._connection, sql, params)
        except store.errors() as error:
            detail = " ".join(str(getattr(error, "orig", None) or error).split())
            raise LogError(f"{self.path}: the query failed: {detail}: {' '.join(sql.split())}") from error
