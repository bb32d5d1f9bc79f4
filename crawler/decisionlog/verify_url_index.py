"""Compares the indexes of URLs with the records, when `sekisho log verify --url-index` asks for it.

They are no evidence, so that a log is intact without them; but a look-up that trusts one says that a URL has
no record when the index names none. Each is made anew, under its own key, from the URLs of its host, and must
be the same to the octet, signed by a key of the log. It needs 8 octets a record of those hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func, select

from crawler.decisionlog import schema, store
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.log_keys import LogKeys, opened_and_sealed
from crawler.decisionlog.registry import Pruned
from crawler.decisionlog.url_index import FEWEST, KEY_SIZE, UrlKey, buckets_for, made_anew, signed_payload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection, Row

    from crawler.decisionlog.findings import Findings
    from crawler.decisionlog.reader import LogReader

_S, _R, _L = schema.segment.c, schema.record.c, schema.registry.c
_KEY, _POSTING = schema.url_key.c, schema.url_posting.c
_PRUNED = select(schema.pruning.c.segment_id)


def check_url_indexes(reader: LogReader, findings: Findings) -> str:
    """Compare all indexes of URLs with the records; return what was done. Raises the database's errors."""
    if not reader.has_url_index():
        return "this log has no indexes of URLs"
    connection = store.open_for_reading(reader.path)
    try:
        check = _Check(connection, LogKeys.of(reader), findings)
        count = 0
        for row in connection.execute(_sealed()).all():
            try:
                count += check.segment(row)
            except ValueError as error:
                text = f"the indexes of URLs of segment number {row.id} cannot be compared: {error}"
                findings.add(Problem.URL_INDEX_WRONG, text)
        check.strays()
    finally:
        connection.close()
    return f"{count:,} indexes of URLs were compared with the records"


def _sealed() -> Any:  # noqa: ANN401 - SQLAlchemy's type of a statement is longer than the statement
    return (
        select(_S.id, _S.uuid, _S.size)
        .where(_S.sealed_us.is_not(None), _S.size.is_not(None), _S.id.not_in(_PRUNED))
        .order_by(_S.id)
    )


class _Check:
    """The comparison of all indexes of a log."""

    def __init__(self, connection: Connection, log_keys: LogKeys, findings: Findings) -> None:
        self._connection = connection
        self._log_keys = log_keys
        self._findings = findings

    def segment(self, row: Row[Any]) -> int:
        """Compare the indexes of a segment, and return how many it has."""
        stored = self._connection.execute(select(schema.url_key).where(_KEY.segment_id == row.id)).all()
        if not stored:
            return 0
        uuid, leaves = UUID(row.uuid), opened_and_sealed(self._connection.execute, [row.id]).get(row.id)
        counts = dict(self._counts(row.id))
        keys = {}
        for one in stored:
            records = counts.get(one.host, 0)
            try:
                key = UrlKey(segment=uuid, size=row.size, host=one.host, key=one.key, buckets=one.buckets)
            except ValueError as error:
                self._wrong(row.id, uuid, one.host, str(error))
                continue
            if key.buckets == buckets_for(records) and len(key.key) == KEY_SIZE:
                keys[key] = records
            else:
                self._wrong(
                    row.id, uuid, one.host, "it has another key, or was made for another number of records"
                )
        for key, payloads in made_anew(self._connection, row.id, row.size, keys):
            if payloads is None:
                self._wrong(row.id, uuid, key.host, "a URL of that host is missing, and may stand in it")
            else:
                self._host(row.id, key, payloads, leaves)
        return len(stored)

    def _host(
        self, number: int, key: UrlKey, payloads: Iterator[bytes], leaves: tuple[int, int] | None
    ) -> None:
        own = select(_POSTING.body).where(_POSTING.segment_id == number, _POSTING.host == key.host)
        for bucket, payload in enumerate(payloads):
            body = self._connection.execute(own.where(_POSTING.bucket == bucket)).scalar()
            if body is None:
                self._wrong(number, key.segment, key.host, f"its part {bucket} is gone")
            elif signed_payload(key, bucket, body, self._log_keys, leaves) != payload:
                self._wrong(
                    number,
                    key.segment,
                    key.host,
                    f"its part {bucket} is not what the records give, or not signed",
                )

    def strays(self) -> None:
        """Find parts of indexes that have no key, and indexes of segments that are pruned or not sealed."""
        held = schema.url_posting.outerjoin(
            schema.url_key, (_KEY.segment_id == _POSTING.segment_id) & (_KEY.host == _POSTING.host)
        )
        gone = select(_L.segment_id).where(_L.kind == Pruned.KIND)
        sealed = select(_S.id).where(_S.sealed_us.is_not(None))
        for statement in (
            select(_POSTING.segment_id, _POSTING.host)
            .select_from(held)
            .where(_KEY.key.is_(None), _POSTING.segment_id.not_in(_PRUNED) | _POSTING.segment_id.in_(gone)),
            select(_KEY.segment_id, _KEY.host).where(
                _KEY.segment_id.not_in(sealed) | _KEY.segment_id.in_(gone)
            ),
        ):
            for row in self._connection.execute(statement.distinct()):
                text = f"an index of URLs of {row.host} is left of segment number {row.segment_id}"
                self._findings.add(Problem.URL_INDEX_WRONG, text)

    def _counts(self, number: int) -> Iterator[tuple[str, int]]:
        count = func.count()
        rows = self._connection.execute(
            select(_R.host, count).where(_R.segment_id == number).group_by(_R.host).having(count >= FEWEST)
        )
        for host, records in rows:
            if host is not None:
                yield host, records

    def _wrong(self, number: int, segment: UUID, host: str, what: str) -> None:
        """Note what is wrong, unless the index went meanwhile: with an erased URL, or a pruned segment."""
        key = select(_KEY.host).where(_KEY.segment_id == number, _KEY.host == host)
        if self._connection.execute(key).first() is not None:
            self._findings.add(Problem.URL_INDEX_WRONG, f"the index of URLs of {host}: {what}", segment)
