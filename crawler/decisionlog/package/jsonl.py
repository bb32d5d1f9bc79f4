"""Records and URLs as gzipped JSON lines: one object a line, readable with nothing but a standard library.

Members are named as the columns of the tables; digests are hex; a member that is NULL is null. A URL that is
no valid Unicode is given as hex in `url_octets` (or `parent_url_octets`) and is null in `url`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.errors import IntegrityError

if TYPE_CHECKING:
    import gzip
    from collections.abc import Sequence

    from crawler.decisionlog.package.pages import ExportPage

DIGESTS: Final = frozenset({"url_commit", "parent_commit", "basis_sha256", "body_sha256"})
TEXTS: Final = frozenset({
    "stage", "verdict", "reason", "kind", "method", "host", "domain", "media_type", "error",
})  # fmt: skip
_compact = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def line(members: dict[str, Any]) -> bytes:
    """Return one line."""
    return _compact(members).encode() + b"\n"


def text(octets: bytes | None) -> str | None:
    """Return a text. Raises IntegrityError when the log holds something that is none."""
    if octets is None:
        return None
    try:
        return octets.decode()
    except (UnicodeDecodeError, AttributeError) as error:
        raise IntegrityError(
            f"a text in the log is none: {error}; nothing is exported, run `sekisho log verify`"
        ) from error


def split_url(octets: bytes | None) -> tuple[str | None, bytes | None]:
    """Return a URL as text, or as octets when it is no valid Unicode."""
    if octets is None:
        return None, None
    try:
        return octets.decode(), None
    except UnicodeDecodeError:
        return None, octets


def _column(name: str, values: Sequence[Any]) -> Sequence[Any]:
    if name in TEXTS:
        seen: dict[bytes | None, str | None] = {}
        return [seen[value] if value in seen else seen.setdefault(value, text(value)) for value in values]
    if name in DIGESTS:
        return [None if value is None else value.hex() for value in values]
    return values


class JsonlSink:
    """Writes one segment; the records carry their commitments."""

    def __init__(self, records: gzip.GzipFile, urls: gzip.GzipFile | None) -> None:
        self._records = records
        self._urls = urls

    def take(self, page: ExportPage) -> None:
        """Write one page."""
        names = tuple(page.records)
        columns = [_column(name, page.records[name]) for name in names]
        self._records.write(
            b"".join(line(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True))
        )
        if self._urls is not None:
            self._urls.write(b"".join(map(_opening, page.openings)))

    def close(self) -> None:
        """Do nothing: the caller owns the files."""

    def abandon(self) -> None:
        """Do nothing either."""


def _opening(row: tuple[Any, ...]) -> bytes:
    idx, url, parent, salt = row
    members = {"idx": idx, "url": None, "parent_url": None, "salt": salt.hex()}
    for name, octets in (("url", url), ("parent_url", parent)):
        members[name], odd = split_url(octets)
        if odd is not None:
            members[f"{name}_octets"] = odd.hex()
    return line(members)
