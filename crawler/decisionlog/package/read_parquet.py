"""Reads the records and URLs of a Parquet package back as columns, for the checks of a log.

Values come as Python objects: texts and digests as octets. A file that is no whole Parquet file, or has other
columns than `parquet` writes, raises ValueError: the caller makes a finding of it. One that takes more
memory than there is raises PackageError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.package.arrow import load_pyarrow
from crawler.decisionlog.package.jsonl import DIGESTS, TEXTS
from crawler.decisionlog.package.layout import PackageError
from crawler.decisionlog.package.opened import regular
from crawler.decisionlog.package.pages import KEPT, PLAIN
from crawler.decisionlog.package.parquet_bounds import FileBounds
from crawler.decisionlog.package.read_jsonl import only_octets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from crawler.decisionlog.package.read import Openings, Records

_ROWS: Final = 4000  # each batch costs pyarrow as much as a hundred rows
_SALT: Final = 16
_OPENING: Final = ("idx", "url", "parent_url", "salt", "url_octets", "parent_url_octets")
_COMMITS: Final = ("url_commit", "parent_commit")
_REPEATING: Final = TEXTS | {"basis_sha256"}


def _batches(path: Path, names: Sequence[str]) -> Iterator[Any]:
    pa, pq = load_pyarrow()
    try:
        with pq.ParquetFile(regular(path), pre_buffer=False) as file:
            found = file.schema_arrow
            if found.names != list(names):
                raise ValueError(f"its columns are {', '.join(found.names)[:300]}")
            for name in names:
                expected = _type(pa, name)
                if found.field(name).type != expected:
                    raise ValueError(f"its column {name} is no {expected}")
            bounds = FileBounds(names)
            for number in range(file.num_row_groups):
                for batch in file.iter_batches(batch_size=_ROWS, row_groups=[number], use_threads=False):
                    batch.validate(full=True)  # such as texts that are no Unicode, where others stop reading
                    bounds.take(batch)
                    yield batch
                bounds.end_group()
        bounds.check(path)
    except pa.ArrowMemoryError as error:  # few octets may unpack to any number: that alone proves no change
        raise PackageError(
            f"{path} cannot be read in the memory that there is: {error}; verify it where there is more,"
            " or ask for the package with --format jsonl"
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it is no whole Parquet file: {error}") from error


def _type(pa: Any, name: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    if name in TEXTS or name in {"url", "parent_url"}:
        return pa.string()
    if name.endswith("_octets"):
        return pa.binary()
    if name == "salt":
        return pa.binary(_SALT)
    return pa.binary(32) if name in DIGESTS else pa.int64()


def _values(pa: Any, name: str, array: Any) -> list[Any]:  # noqa: ANN401 - pyarrow has no types
    """Return a column as Python objects, texts as octets."""
    if name in _REPEATING:
        coded = array.dictionary_encode()
        words = [*_plain(pa, coded.dictionary), None]
        return [words[code] for code in coded.indices.fill_null(len(words) - 1).to_pylist()]
    return _plain(pa, array)


def _plain(pa: Any, array: Any) -> list[Any]:  # noqa: ANN401 - pyarrow has no types
    values: list[Any] = (array.cast(pa.binary()) if pa.types.is_string(array.type) else array).to_pylist()
    return values


def records(path: Path, *, committed: bool) -> Iterator[Records]:
    """Yield the records as columns by name. Raises ValueError."""
    pa, _ = load_pyarrow()
    names = KEPT if committed else PLAIN
    for batch in _batches(path, names):
        yield {name: _values(pa, name, batch.column(at)) for at, name in enumerate(names)}


def openings(path: Path, *, committed: bool) -> Iterator[Openings]:
    """Yield idx, URL, parent URL, salt (and commitments) as columns. Raises ValueError."""
    pa, _ = load_pyarrow()
    names = _OPENING if committed else (*_OPENING, *_COMMITS)
    for batch in _batches(path, names):
        columns = {name: _values(pa, name, batch.column(at)) for at, name in enumerate(names)}
        for name in ("url", "parent_url"):
            odd = columns.pop(f"{name}_octets")
            if any(octets is not None for octets in odd):
                columns[name] = [
                    text if octets is None else only_octets(text, octets)
                    for text, octets in zip(columns[name], odd, strict=True)
                ]
        _check_withheld(columns)
        yield columns


def _check_withheld(columns: Openings) -> None:
    """See that a row has a URL with its salt, or commitments to one that was erased, and never of both.

    What stands beside is read and not verified. Raises ValueError.
    """
    salts = columns["salt"]
    if None in salts:
        for name in ("url", "parent_url"):
            if any(salt is None and url is not None for salt, url in zip(salts, columns[name], strict=True)):
                raise ValueError(f"a row has a {name}, and no salt to verify it by")
    for name in _COMMITS:
        given = columns.get(name, [])
        if any(given) and any(
            salt is not None and commit is not None for salt, commit in zip(salts, given, strict=True)
        ):
            raise ValueError(f"a row has a {name} beside the URL that it follows from")
