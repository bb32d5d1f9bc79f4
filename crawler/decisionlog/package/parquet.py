"""Records and URLs as Parquet: zstd, dictionaries for what repeats, differences for what counts up.

Integers are 64 bits, times UTC in microseconds, digests 32 octets. Two files a segment: `records` holds
nothing personal and may go to storage that never forgets; `urls` holds URL, parent URL and salt, and can be
removed. What is in them is in `arrow`.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.package.arrow import load_pyarrow
from crawler.decisionlog.package.jsonl import TEXTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crawler.decisionlog.package.arrow import ArrowPages, Chunk
    from crawler.decisionlog.package.folder import HashedFile

ROW_GROUP: Final = 131_072  # rows; the memory that writing and reading take is bounded by it
_COUNTING: Final = ("idx", "ts_us", "mono_ns", "ref_idx", "size")
_REPEATING: Final = (*sorted(TEXTS), "basis_sha256", "attempt", "status", "context_id")


class ParquetSink:
    """Writes one segment; a thread of its own encodes while the next pages are read."""

    def __init__(self, records: HashedFile, urls: HashedFile | None, arrow: ArrowPages) -> None:
        self._pa, self._pq = load_pyarrow()
        self._pool = ThreadPoolExecutor(1)
        self._running: list[Future[None]] = []
        self._records = self._writer(records, arrow.schema, _REPEATING, _COUNTING)
        self._urls = None
        try:
            self._urls = None if urls is None else self._writer(urls, arrow.url_schema, (), ("idx",))
        except BaseException:  # the first writer would write its end into a file that is closed by then
            self.abandon()
            raise
        self._chunks: list[Chunk] = []
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

    def take(self, part: Chunk) -> None:
        """Write one chunk."""
        self._chunks.append(part)
        self._rows += part.size
        if self._rows >= ROW_GROUP:
            self._hand_over()

    def _hand_over(self) -> None:
        """Have what is collected written; wait for what was handed over before."""
        self._wait()
        chunks, self._chunks = self._chunks, []
        self._rows = 0
        if chunks:
            self._running.append(self._pool.submit(self._write, chunks))

    def _write(self, chunks: list[Chunk]) -> None:
        concat = self._pa.concat_tables
        self._records.write_table(concat([each.records for each in chunks]), row_group_size=ROW_GROUP * 2)
        if self._urls is not None:
            self._urls.write_table(concat([each.urls for each in chunks]), row_group_size=ROW_GROUP * 2)

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
