"""Pages of a segment as Arrow batches: what a Parquet file holds, and all that reading costs.

Records and URLs are apart. A URL that is no valid Unicode is in `url_octets` (or `parent_url_octets`)
instead. Where the records do not carry commitments, a record whose URL is not there has them beside the URLs.

pyarrow is an extra of its own and is imported when it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.package.jsonl import DIGESTS, TEXTS, split_url
from crawler.decisionlog.package.layout import PackageError
from crawler.decisionlog.package.pages import KEPT, PAGE, PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from crawler.decisionlog.package.pages import ExportPage, PageReader

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Records of a segment in a row, and their URLs, as pyarrow tables; `urls` is None where none are kept.

    `contexts` are the numbers of their contexts, `needs` the digests of documents that they need.
    """

    records: Any
    urls: Any
    contexts: frozenset[int]
    needs: frozenset[bytes]

    @property
    def size(self) -> int:
        """How many records there are."""
        return int(self.records.num_rows)

    @property
    def opened(self) -> int:
        """How many URLs there are with their salt."""
        return 0 if self.urls is None else len(self.urls) - self.urls["salt"].null_count


class ArrowPages:
    """Turns pages into batches; `committed` and `urls` as `PageReader` was told."""

    def __init__(self, *, committed: bool, urls: bool) -> None:
        self._pa, _ = load_pyarrow()
        self._urls = urls
        self._nothing = {size: self._pa.nulls(PAGE, self._pa.binary(size)) for size in (-1, 32)}
        self.schema = self._pa.schema([
            (name, self._type(name)) for name in (KEPT if committed else PLAIN)
        ])  # fmt: skip
        self.url_schema = self._url_schema(withheld=not committed)
        self._fields = list(self.schema)

    def _type(self, name: str) -> Any:  # noqa: ANN401 - pyarrow has no types
        if name in TEXTS:
            return self._pa.string()
        return self._pa.binary(32) if name in DIGESTS else self._pa.int64()

    def _url_schema(self, *, withheld: bool) -> Any:  # noqa: ANN401 - pyarrow has no types
        pa = self._pa
        commits = [("url_commit", pa.binary(32)), ("parent_commit", pa.binary(32))] if withheld else []
        return pa.schema([
            ("idx", pa.int64()), ("url", pa.string()), ("parent_url", pa.string()),
            ("salt", pa.binary(_SALT)), ("url_octets", pa.binary()), ("parent_url_octets", pa.binary()),
            *commits,
        ])  # fmt: skip

    def chunk(self, pages: Iterable[ExportPage]) -> Chunk:
        """Return pages as one chunk. Raises IntegrityError when they hold what no writer writes."""
        pa = self._pa
        batches, url_batches = [], []
        contexts: set[int] = set()
        needs: set[bytes] = set()
        for page in pages:
            try:
                arrays = [pa.array(page.records[field.name], field.type) for field in self._fields]
                batches.append(pa.record_batch(arrays, schema=self.schema))
                if self._urls:
                    url_batches.append(self._openings(page))
            except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError) as error:
                raise IntegrityError(
                    f"a record of the log is nothing that a writer writes: {error};"
                    " nothing is exported, run `sekisho log verify`"
                ) from error
            contexts |= page.contexts
            needs |= page.needs
        return Chunk(
            records=pa.Table.from_batches(batches, self.schema),
            urls=pa.Table.from_batches(url_batches, self.url_schema) if self._urls else None,
            contexts=frozenset(contexts),
            needs=frozenset(needs),
        )

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
        while len(arrays) < len(self.url_schema):
            arrays.append(self._nothing[32].slice(0, len(idx)))
        return pa.record_batch(arrays, schema=self.url_schema)

    def _texts(self, urls: Sequence[bytes | None]) -> tuple[Any, Any]:
        pa = self._pa
        try:
            return pa.array(urls, pa.string()), self._nothing[-1].slice(0, len(urls))
        except pa.ArrowInvalid:  # one of them is no valid Unicode
            texts, octets = zip(*map(split_url, urls), strict=True)
            return pa.array(texts, pa.string()), pa.array(octets, pa.binary())


class ChunkReader:
    """Reads chunks in this process."""

    def __init__(self, pages: PageReader, arrow: ArrowPages) -> None:
        self._pages = pages
        self._arrow = arrow

    def chunk(self, number: int, first: int, end: int) -> Chunk:
        """Return the records of a segment from an index to another (excluded). Raises IntegrityError."""
        return self._arrow.chunk(self._pages.pages(number, first, end))

    def parts(self, number: int, end: int) -> Iterator[Chunk]:
        """Yield the records of a segment up to an index (excluded)."""
        for first, behind in spans(end):
            yield self.chunk(number, first, behind)


CHUNK: Final = 65_536  # records: some 20 MB


def spans(end: int) -> Iterator[tuple[int, int]]:
    """Yield the first index of each chunk of a segment, and the one behind it."""
    for first in range(0, end, CHUNK):
        yield first, min(end, first + CHUNK)
