"""The statements that read records: whole ones, and what is looked at to find those of a URL.

Records that an index names are asked for by segment and index in one statement, whatever segments they are
in. They stand in it as rows of a table: given as pairs in a condition, SQLite would read the whole log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Integer, Select, and_, bindparam, case, column, or_, select, text

from crawler.decisionlog import schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import TextualSelect

_R, _O, _C = schema.record.c, schema.opening.c, schema.context.c
_OPENED: Final = schema.record.outerjoin(
    schema.opening, and_(_O.segment_id == _R.segment_id, _O.idx == _R.idx)
)
_WHOLE: Final = (
    *(each for each in schema.record.columns if each.name != "context_id"),
    _O.url, _O.parent_url, _O.salt, _C.agent, _C.policy_sha256, _C.blocklist_sha256,
)  # fmt: skip
_LOOKED_AT: Final = (_R.segment_id, _R.idx, _R.host, _R.stage, _R.verdict, _O.url, _O.salt)
_COMMITS: Final = or_(_R.url_commit.is_not(None), _R.parent_commit.is_not(None))

RECORDS: Final[Select[Any]] = select(*_WHOLE).select_from(
    _OPENED.join(schema.context, _C.id == _R.context_id)
)
URLS: Final[Select[Any]] = select(*_LOOKED_AT, case((_COMMITS, 1), else_=0).label("committed")).select_from(
    _OPENED
)


def _sql(names: Iterable[str], joins: str = "") -> str:
    return (
        f") SELECT {', '.join(names)} FROM place"  # noqa: S608 - names of the schema
        " JOIN record ON record.segment_id = place.segment_id AND record.idx = place.idx"
        f"{joins}"
        " LEFT JOIN opening ON opening.segment_id = record.segment_id AND opening.idx = record.idx"
    )


_WHOLE_SQL: Final = _sql(map(str, _WHOLE), " JOIN context ON context.id = record.context_id")
_LOOKED_AT_SQL: Final = _sql((
    *map(str, _LOOKED_AT),
    "CASE WHEN record.url_commit IS NOT NULL OR record.parent_commit IS NOT NULL THEN 1 ELSE 0 END",
))  # fmt: skip


def _places(places: Iterable[tuple[int, int]]) -> str:
    rows = ",".join(f"({int(segment)},{int(idx)})" for segment, idx in places)
    return f"WITH place(segment_id, idx) AS (VALUES {rows}"


_BUCKETS_SQL: Final = (
    ") SELECT url_posting.segment_id, url_posting.bucket, url_posting.body FROM place"
    " JOIN url_posting ON url_posting.segment_id = place.segment_id AND url_posting.host = :host"
    " AND url_posting.bucket = place.idx"
)


def buckets_at(places: Iterable[tuple[int, int]], host: str) -> TextualSelect:
    """Return the statement for these buckets of a host's indexes of URLs: segments and buckets."""
    posting = schema.url_posting.c
    return (
        text(_places(places) + _BUCKETS_SQL)
        .bindparams(bindparam("host", host, type_=posting.host.type))
        .columns(posting.segment_id, posting.bucket, posting.body)
    )


def records_at(places: Iterable[tuple[int, int]]) -> TextualSelect:
    """Return the statement for the whole records at these segments and indices, in any order."""
    return text(_places(places) + _WHOLE_SQL).columns(*_WHOLE)


def urls_at(places: Iterable[tuple[int, int]]) -> TextualSelect:
    """Return the statement for host, stage, verdict and URL of these records, in any order."""
    return text(_places(places) + _LOOKED_AT_SQL).columns(*_LOOKED_AT, column("committed", Integer))


def url_text(value: str | bytes | None) -> str | None:
    """Return a URL as it was when it was decided on."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value
