"""Where a verification reads from: pages of rows, contexts and documents, whatever keeps them.

The checks (`verify_segment`, `verify_documents`) know these protocols and nothing of databases or files, so
that a log and a package exported from it are verified by the same code. Texts are UTF-8 octets as they are
kept, undecoded, so that a broken one is a finding and no crash.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from itertools import repeat
from math import floor
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

from crawler.decisionlog import encoding, schema
from crawler.decisionlog.encoding_words import WORDS
from crawler.decisionlog.verify_kept import odd, records_kept_otherwise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crawler.decisionlog.session import Session

_PAGE: Final = 300  # as many rows as the processor's cache holds: larger pages are slower
_DOCUMENTS: Final = 256

RECORD_COLUMNS: Final = (
    "idx", "ts_us", "mono_ns", "stage", "verdict", "reason", "kind", "method", "host", "domain",
    "url_commit", "parent_commit", "basis_sha256", "ref_idx", "attempt", "status", "size", "body_sha256",
    "media_type", "error", "leaf_hash", "context_id",
)  # fmt: skip
RECORDS_SQL: Final = (
    f"SELECT {', '.join(RECORD_COLUMNS)} FROM record"  # noqa: S608 - names of this file
    " WHERE segment_id = ? AND idx >= ? AND idx < ? ORDER BY idx LIMIT ?"
)
_ODD: Final = ("host", "domain", "url_commit", "parent_commit", "basis_sha256", "body_sha256", "leaf_hash")
_TAKES_JSONB: Final = (3, 45)


def _packed_sql(version: tuple[int, ...]) -> str:
    """Return the query for a version of SQLite: the words of `encoding_words` are one cell.

    A cell costs more than what SQLite does for it. `json_array` tells texts, integers, reals and NULL apart,
    and refuses octets; from 3.45 on not those that are JSONB, which it takes for what they say
    (https://www.sqlite.org/json1.html section 3), so that they are refused here. An index that is NULL says
    that a value of the row is kept as another type (`verify_kept`).
    """
    columns = _ODD if version < _TAKES_JSONB else (*WORDS, *_ODD)
    return (
        f"SELECT CASE WHEN {odd(schema.record, columns)} THEN NULL ELSE idx END, ts_us, mono_ns,"  # noqa: S608 - names of this file
        f" json_array({', '.join(WORDS)}), host, domain, url_commit, parent_commit,"
        " basis_sha256, ref_idx, size, body_sha256, leaf_hash FROM record"
        " WHERE segment_id = ? AND idx >= ? AND idx < ? ORDER BY record.idx LIMIT ?"
    )


_PACKED_SQL: Final = _packed_sql(sqlite3.sqlite_version_info)
OPENINGS_SQL: Final = (
    "SELECT idx, url, parent_url, salt FROM opening"
    " WHERE segment_id = ? AND idx >= ? AND idx < ? ORDER BY idx"
)
_PACKED_OPENINGS_SQL: Final = (
    f"SELECT CASE WHEN {odd(schema.opening)} THEN NULL ELSE idx END, url, parent_url, salt FROM opening"  # noqa: S608 - as above
    " WHERE segment_id = ? AND idx >= ? AND idx < ? ORDER BY opening.idx"
)
_DOCUMENTS_SQL: Final = (
    "SELECT id, sha256, kind, size, codec, body FROM document WHERE id {0} ? ORDER BY id LIMIT ?"
)

NO_RECORDS: Final[tuple[tuple[Any, ...], ...]] = ((),) * len(RECORD_COLUMNS)
NO_OPENINGS: Final[tuple[tuple[Any, ...], ...]] = ((),) * 4
_WORDS_AT: Final = tuple(map(RECORD_COLUMNS.index, WORDS))
_OTHERS_AT: Final = tuple(
    map(
        RECORD_COLUMNS.index,
        (
            "host", "domain", "url_commit", "parent_commit", "basis_sha256", "ref_idx", "size", "body_sha256",
        ),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRow:
    """A document as it is kept; `number` counts from 1 without gaps."""

    number: int
    sha256: bytes
    kind: bytes
    size: int
    codec: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Records in order of index, and the openings of the same range, as columns; `after` is the index behind.

    `columns` are RECORD_COLUMNS; that of the leaf hashes is None where they are not kept. `openings` are idx,
    url, parent_url and salt. `derived` says that the commitments were computed from these openings because
    they are not kept: then the leaf hashes cover them, and there is nothing to compare them with.
    """

    columns: Sequence[Any]
    openings: Sequence[Sequence[Any]]
    after: int
    derived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPage:
    """A page as rows with few cells, for the quick look of `verify_page`.

    Of a record: idx, ts_us, mono_ns, key of `encoding_words`, host, domain, url_commit, parent_commit,
    basis_sha256, ref_idx, size, body_sha256, leaf_hash. Of an opening: idx, url, parent_url, salt. `hashed`
    says that leaf hashes are kept, and `derived` what it says of a page.
    """

    rows: Sequence[tuple[Any, ...]]
    openings: Sequence[tuple[Any, ...]]
    after: int
    hashed: bool = True
    derived: bool = False


def packed(page: Page) -> PackedPage:
    """Return a page as the quick look wants it."""
    columns = page.columns
    words = zip(*[columns[at] for at in _WORDS_AT], strict=True)
    others = [columns[at] for at in _OTHERS_AT]
    hashed = columns[20] is not None
    leaves = columns[20] if hashed else repeat(None, len(columns[0]))
    return PackedPage(
        rows=list(zip(*columns[:3], words, *others, leaves, strict=True)),
        openings=list(zip(*page.openings, strict=True)),
        after=page.after,
        hashed=hashed,
        derived=page.derived,
    )


class RecordSource(Protocol):
    """Records and what they refer to."""

    def page(self, number: int, first: int, end: int) -> Page:
        """Return the next records of a segment from index `first` on, before `end`; some at least, if any."""

    def packed(self, number: int, first: int, end: int) -> PackedPage | None:
        """Return what `page` would, for the quick look; None where only `page` can be asked."""

    def kept_otherwise(self, number: int, first: int, end: int) -> Iterator[tuple[int, str]]:
        """Yield index and words for each record of which a value is kept as another type."""

    def context(self, number: int) -> tuple[bytes, bytes, bytes] | None:
        """Return agent, policy digest and block list digest of a context, or None."""


class DocumentSource(Protocol):
    """Documents by digest."""

    def kind(self, digest: bytes) -> bytes | None:
        """Return the kind of the document with this digest, or None when there is none."""

    def documents(self) -> Iterator[DocumentRow]:
        """Yield every document in order of its number."""

    def mentioned(self, digest: bytes) -> tuple[UUID | None, int | None]:
        """Return a record that refers to the document as its basis or body; looked up for a finding only."""


class Contexts(dict[int, tuple[bytes, bytes, bytes]]):
    """Encoded context, policy digest and block list digest by number, read when first needed."""

    def __init__(self, source: RecordSource) -> None:
        super().__init__()
        self._source = source

    def __missing__(self, number: int) -> tuple[bytes, bytes, bytes]:
        row = self._source.context(number)
        if row is None:
            raise ValueError(f"its context {number} is gone")
        self[number] = encoding.encode_context(*row), row[1], row[2]
        return self[number]


class DatabaseSource:
    """A log in a database, on a session that gives texts as octets (`store.octets`).

    One page is one read transaction, so that a crawl that is writing is not kept waiting.
    """

    def __init__(self, raw: Session) -> None:
        self._raw = raw

    def page(self, number: int, first: int, end: int) -> Page:
        """Return the next 300 records. Two scans cost less than a join that looks each opening up."""
        raw = self._raw
        raw.execute("BEGIN")
        rows = raw.execute(RECORDS_SQL, (number, first, end, _PAGE)).fetchall()
        after = floor(rows[-1][0]) + 1 if len(rows) == _PAGE else end
        openings = raw.execute(OPENINGS_SQL, (number, first, after)).fetchall()
        raw.execute("COMMIT")
        return Page(
            columns=tuple(zip(*rows, strict=True)) or NO_RECORDS,
            openings=tuple(zip(*openings, strict=True)) or NO_OPENINGS,
            after=after,
        )

    def packed(self, number: int, first: int, end: int) -> PackedPage | None:
        """Return the same as `page`, for less; None where the engine cannot, or not these records."""
        raw = self._raw
        if not isinstance(raw, sqlite3.Connection):
            return None
        raw.execute("BEGIN")
        try:
            rows = raw.execute(_PACKED_SQL, (number, first, end, _PAGE)).fetchall()
            if rows and rows[-1][0] is None:
                return None
            after = rows[-1][0] + 1 if len(rows) == _PAGE else end
            openings = raw.execute(_PACKED_OPENINGS_SQL, (number, first, after)).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            return None  # octets among the words, or an SQLite without JSON
        finally:
            if raw.in_transaction:
                raw.execute("COMMIT")
        return PackedPage(rows=rows, openings=openings, after=after)

    def kept_otherwise(self, number: int, first: int, end: int) -> Iterator[tuple[int, str]]:
        """Yield index and words for each record of which a value is kept as another type."""
        return records_kept_otherwise(self._raw, number, first, end)

    def context(self, number: int) -> tuple[bytes, bytes, bytes] | None:
        """Return a context's columns."""
        row: tuple[bytes, bytes, bytes] | None = self._raw.execute(
            "SELECT agent, policy_sha256, blocklist_sha256 FROM context WHERE id = ?", (number,)
        ).fetchone()
        return row

    def kind(self, digest: bytes) -> bytes | None:
        """Return a document's kind."""
        row = self._raw.execute("SELECT kind FROM document WHERE sha256 = ?", (digest,)).fetchone()
        return None if row is None else row[0]

    def documents(self) -> Iterator[DocumentRow]:
        """Yield the documents, a page at a time."""
        sql = _DOCUMENTS_SQL.format(">=")
        (last,) = self._raw.execute(
            "SELECT min(id) FROM document"
        ).fetchone()  # whoever forges one may take 0
        while rows := self._raw.execute(sql, (last, _DOCUMENTS)).fetchall():
            for number, digest, kind, size, codec, body in rows:
                yield DocumentRow(number=number, sha256=digest, kind=kind, size=size, codec=codec, body=body)
            sql, last = _DOCUMENTS_SQL.format(">"), rows[-1][0]

    def mentioned(self, digest: bytes) -> tuple[UUID | None, int | None]:
        """Return the first record that refers to the document."""
        row = self._raw.execute(
            "SELECT s.uuid, r.idx FROM record r JOIN segment s ON s.id = r.segment_id"
            " WHERE r.basis_sha256 = ? OR r.body_sha256 = ? LIMIT 1",
            (digest, digest),
        ).fetchone()
        try:
            return (None, None) if row is None else (UUID(row[0].decode("ascii")), row[1])
        except (ValueError, AttributeError):
            return None, None  # the segment's row was changed as well, which is a finding of its own
