"""Records and URLs as Parquet: zstd, dictionaries for what repeats, differences for what counts up.

Integers are 64 bits, times UTC in microseconds, digests 32 octets. Two files a segment: `records` holds
nothing personal and may go to storage that never forgets; `urls` holds URL, parent URL and salt, and can be
removed. Where the records do not carry commitments, a record whose URL is not there has them in `urls`.
A URL that is no valid Unicode is in `url_octets` (or `parent_url_octets`) instead.

pyarrow is an extra of its own and is imported when it is needed.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.package.jsonl import DIGESTS, TEXTS, split_url
from crawler.decisionlog.package.layout import Encoding, PackageError
from crawler.decisionlog.package.pages import PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crawler.decisionlog.package.folder import HashedFile
    from crawler.decisionlog.package.pages import ExportPage

ROW_GROUP: Final = 131_072  # rows; the memory that writing and reading take is bounded by it
_COUNTING: Final = ("idx", "ts_us", "mono_ns", "ref_idx", "size")
_REPEATING: Final = (*sorted(TEXTS), "basis_sha256", "attempt", "status", "context_id")
_SALT: Final = 16


def load_pyarrow() -> tuple[Any, Any]:
    """Return the modules pyarrow and pyarrow.parquet. Raises PackageError when they are not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra: 100 MB that only exports need
        import pyarrow.parquet as pq  # noqa: PLC0415 - as above
    except ImportError as error:
        raise PackageError(
            f"Parquet needs pyarrow, which is not installed ({error}): `pip install 'sekisho[parquet]'`,"
            " or use --format jsonl"
        ) from error
    return pa, pq


def _field_type(pa: Any, name: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    if name in TEXTS:
        return pa.string()
    return pa.binary(32) if name in DIGESTS else pa.int64()


class ParquetSink:
    """Writes one segment; a thread of its own encodes while the next pages are read."""

    encoding = Encoding.PARQUET

    def __init__(
        self, records: HashedFile, urls: HashedFile | None, names: Sequence[str], *, withheld: bool
    ) -> None:
        self._pa, self._pq = pa, _ = load_pyarrow()
        self._pool = ThreadPoolExecutor(1)
        self._running: list[Future[None]] = []
        self._schema = pa.schema([(name, _field_type(pa, name)) for name in names])
        self._fields = list(self._schema)
        self._records = self._writer(records, self._schema, _REPEATING, _COUNTING)
        commits = [("url_commit", pa.binary(32)), ("parent_commit", pa.binary(32))] if withheld else []
        self._url_schema = pa.schema([
            ("idx", pa.int64()), ("url", pa.string()), ("parent_url", pa.string()),
            ("salt", pa.binary(_SALT)), ("url_octets", pa.binary()), ("parent_url_octets", pa.binary()),
            *commits,
        ])  # fmt: skip
        self._urls = None if urls is None else self._writer(urls, self._url_schema, (), ("idx",))
        self._nothing = {size: pa.nulls(PAGE, pa.binary(size)) for size in (-1, 32)}
        self._batches: list[Any] = []
        self._url_batches: list[Any] = []
        self._rows = 0

    def _writer(
        self,
        file: HashedFile,
        schema: Any,  # noqa: ANN401 - pyarrow has no types
        repeating: Sequence[str],
        counting: Sequence[str],
    ) -> Any:  # noqa: ANN401 - pyarrow has no types
        fronts = {name: "DELTA_BYTE_ARRAY" for name in ("url", "parent_url") if name in schema.names}
        return self._pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=[name for name in repeating if name in schema.names] or False,
            column_encoding={name: "DELTA_BINARY_PACKED" for name in counting if name in schema.names}
            | fronts,
        )

    def take(self, page: ExportPage) -> None:
        """Write one page. Raises IntegrityError when it holds what no writer writes."""
        pa = self._pa
        try:
            arrays = [pa.array(page.records[field.name], field.type) for field in self._fields]
            self._batches.append(pa.record_batch(arrays, schema=self._schema))
            if self._urls is not None:
                self._url_batches.append(self._openings(page))
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError) as error:
            raise IntegrityError(
                f"a record of the log is nothing that a writer writes: {error};"
                " nothing is exported, run `sekisho log verify`"
            ) from error
        self._rows += page.size
        if self._rows >= ROW_GROUP:
            self._hand_over()

    def _openings(self, page: ExportPage) -> Any:  # noqa: ANN401 - pyarrow has no types
        pa = self._pa
        rows = page.openings
        if page.withheld:
            rows = [(*row, None, None) for row in rows]
            rows += [(idx, None, None, None, url, parent) for idx, url, parent in page.withheld]
            rows.sort(key=lambda row: row[0])
        columns = list(zip(*rows, strict=True)) or [()] * 4
        idx, url, parent, salt, *commits = columns
        urls, url_octets = self._texts(url)
        parents, parent_octets = self._texts(parent)
        arrays = [
            pa.array(idx, pa.int64()),
            urls,
            parents,
            pa.array(salt, pa.binary(_SALT)),
            url_octets,
            parent_octets,
        ]
        arrays += [pa.array(commit, pa.binary(32)) for commit in commits]
        while len(arrays) < len(self._url_schema):
            arrays.append(self._nothing[32].slice(0, len(idx)))
        return pa.record_batch(arrays, schema=self._url_schema)

    def _texts(self, urls: Sequence[bytes | None]) -> tuple[Any, Any]:
        pa = self._pa
        try:
            return pa.array(urls, pa.string()), self._nothing[-1].slice(0, len(urls))
        except pa.ArrowInvalid:  # one of them is no valid Unicode
            texts, octets = zip(*map(split_url, urls), strict=True)
            return pa.array(texts, pa.string()), pa.array(octets, pa.binary())

    def _hand_over(self) -> None:
        """Have what is collected written; wait for what was handed over before."""
        self._wait()
        batches, self._batches = self._batches, []
        url_batches, self._url_batches = self._url_batches, []
        self._rows = 0
        self._running.append(self._pool.submit(self._write, batches, url_batches))

    def _write(self, batches: list[Any], url_batches: list[Any]) -> None:
        pa = self._pa
        if batches:
            self._records.write_table(pa.Table.from_batches(batches), row_group_size=ROW_GROUP * 2)
        if self._urls is not None and url_batches:
            self._urls.write_table(pa.Table.from_batches(url_batches), row_group_size=ROW_GROUP * 2)

    def _wait(self) -> None:
        while self._running:
            self._running.pop().result()

    def close(self) -> None:
        """Write what is left, and the ends of the files."""
        try:
            self._hand_over()
            self._wait()
        finally:
            self._pool.shutdown()
        self._records.close()
        if self._urls is not None:
            self._urls.close()

    def abandon(self) -> None:
        """Stop after a failure: end the thread, and let the writers go before their files are closed."""
        self._pool.shutdown(cancel_futures=True)
        for writer in (self._records, self._urls):
            if writer is not None:
                with suppress(self._pa.ArrowException, OSError, ValueError):
                    writer.close()
                writer.is_open = False
