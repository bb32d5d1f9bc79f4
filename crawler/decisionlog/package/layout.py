"""What is in an export package: the names of its parts, and its manifest.

Format `sekisho.package/1`. The layout is described in crawler/decisionlog/README.md and, for whoever receives
a package, in its README.txt. The manifest is canonical JSON (RFC 8785), so that its SHA-256 names a package.
Pure; touches no files.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar
from uuid import UUID

import rfc8785

from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.schema import FORMAT as LOG_FORMAT
from crawler.decisionlog.schema import FORMAT_1

FORMAT: Final = "sekisho.package/1"
MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
README: Final = "README.txt"
VERIFIER: Final = "verify.py"
SEGMENTS: Final = "segments.jsonl"
CONTEXTS: Final = "contexts.jsonl"
HEADS: Final = "heads.jsonl"
DOCUMENTS: Final = "documents.jsonl"
REGISTRY: Final = "registry.jsonl"
CHECKPOINTS: Final = "checkpoints.jsonl"
ANCHORS: Final = "anchors.jsonl"
CHECKPOINT: Final = "checkpoint"
_DIGEST: Final = re.compile("[0-9a-f]{64}")
DATA_FOLDERS: Final = frozenset({"records", "urls", "sums", "documents"})

_Part = TypeVar("_Part", "FilePart", "SegmentPart", "Counts")


class Encoding(StrEnum):
    """How records and URLs are written: gzipped JSON lines, or Parquet."""

    JSONL = "jsonl"
    PARQUET = "parquet"

    @property
    def suffix(self) -> str:
        """The end of the file names."""
        return ".jsonl.gz" if self is Encoding.JSONL else ".parquet"


class PackageError(LogError):
    """A package cannot be written, or what is there is none (exit 5)."""


class ManifestError(IntegrityError):
    """A package's manifest is not what Sekisho writes, or names what no package may name (exit 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """One file: where it is in the package, its SHA-256 in hex, and how many octets it has."""

    path: str
    sha256: str
    octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPart:
    """One segment: what it is, and which files hold it. `root` is that over `size` records.

    `urls` is None in a package without URLs; both files are None when the segment's records were pruned.
    """

    number: int
    segment: str
    run: str
    schema: int
    size: int
    root: str
    sealed: bool
    pruned: bool
    openings: int
    records: str | None
    urls: str | None
    sums: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much of everything there is."""

    segments: int
    records: int
    openings: int
    heads: int
    contexts: int
    documents: int
    registry: int
    checkpoints: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a package says of itself.

    `whole` says that it holds every segment of the log, `urls` that it holds the URLs that were not erased,
    `committed` that the records carry the commitments to their URLs: without them, a commitment is computed
    from its URL and salt. `made_us` is UTC in microseconds. `files` are all but the manifest, the sums and
    the documents, which documents.jsonl lists.
    """

    log_format: str
    origin: str
    encoding: Encoding
    whole: bool
    urls: bool
    committed: bool
    made_us: int
    segments: tuple[SegmentPart, ...]
    counts: Counts
    files: tuple[FilePart, ...]

    def octets(self) -> bytes:
        """Return the manifest as it is written."""
        return rfc8785.dumps(
            {
                "format": FORMAT,
                "log_format": self.log_format,
                "origin": self.origin,
                "encoding": self.encoding.value,
                "whole": self.whole,
                "urls": self.urls,
                "committed": self.committed,
                "made_us": self.made_us,
                "segments": [_members(part) for part in self.segments],
                "counts": _members(self.counts),
                "files": [_members(part) for part in self.files],
            }
        )


def file_names(manifest: Manifest) -> frozenset[str]:
    """Return the paths of the files that a package with this manifest lists, and of no others."""
    names = {README, VERIFIER, SEGMENTS, CONTEXTS, HEADS, DOCUMENTS}
    if manifest.log_format != FORMAT_1:
        names |= {REGISTRY, CHECKPOINTS, ANCHORS, CHECKPOINT}
    for part in manifest.segments:
        names.update(path for path in (part.records, part.urls, part.sums) if path is not None)
    return frozenset(names)


def segment_file(kind: str, number: int, segment: UUID, suffix: str) -> str:
    """Return where a segment's records, urls or sums are."""
    return f"{kind}/{number:06d}-{segment}{suffix}"


def document_file(digest: str) -> str:
    """Return where the document with this digest (64 hex characters) is."""
    return f"documents/{digest[:2]}/{digest}"


def _members(part: FilePart | SegmentPart | Counts) -> dict[str, Any]:
    return {field.name: getattr(part, field.name) for field in fields(part)}


def parse_manifest(octets: bytes) -> Manifest:
    """Return the manifest that the octets are. Raises ManifestError, also for one of a newer format."""
    try:
        members = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{MANIFEST} is no JSON: {error}; ask for the package again") from error
    if not isinstance(members, dict):
        raise ManifestError(f"{MANIFEST} is no JSON object; ask for the package again")
    if members.get("format") != FORMAT:
        found = str(members.get("format"))[:60]
        raise PackageError(
            f"the package has format {found!r}, and this version knows {FORMAT!r}:"
            " use the Sekisho version that wrote it, or its own verify.py"
        )
    try:
        manifest = _manifest(members)
        canonical = manifest.octets()
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestError(f"{MANIFEST} is not what Sekisho writes: {error!r}") from error
    if manifest.log_format not in {LOG_FORMAT, FORMAT_1}:
        raise PackageError(
            f"the log in the package has format {manifest.log_format[:60]!r}: use the Sekisho version that"
            " wrote it, or its own verify.py"
        )
    if canonical != octets:
        raise ManifestError(f"{MANIFEST} is not canonical JSON, or has members that it does not have")
    return manifest


def _manifest(members: dict[str, Any]) -> Manifest:
    for name, expected in (
        ("log_format", str), ("origin", str), ("whole", bool), ("urls", bool), ("committed", bool),
        ("made_us", int),
    ):  # fmt: skip
        if type(members[name]) is not expected:
            raise ValueError(f"{name} is no {expected.__name__}")
    segments = tuple(_part(SegmentPart, each) for each in members["segments"])
    for part in segments:
        UUID(part.segment)
        bytes.fromhex(part.root)
        if not part.pruned and (part.urls is not None) != members["urls"]:
            raise ValueError("it does not say whether it has URLs")
        if part.pruned and (part.records, part.urls) != (None, None):
            raise ValueError("a segment was pruned, and has files")
    numbers = [part.number for part in segments]
    if numbers != sorted(set(numbers)):
        raise ValueError("its segments are not in order")
    files = tuple(_part(FilePart, each) for each in members["files"])
    if len({part.path for part in files}) != len(files):
        raise ValueError("it lists a file twice")
    for file in files:
        checked_digest(file.sha256)
    for path in (
        *(file.path for file in files),
        *(path for part in segments for path in (part.records, part.urls, part.sums) if path is not None),
    ):
        checked_path(path)
    encoding = Encoding(members["encoding"])
    if not members["committed"] and (encoding is Encoding.JSONL or not members["urls"]):
        raise ValueError("its records have no commitments, and need them")
    return Manifest(
        log_format=members["log_format"],
        origin=members["origin"],
        encoding=encoding,
        whole=members["whole"],
        urls=members["urls"],
        committed=members["committed"],
        made_us=members["made_us"],
        segments=segments,
        counts=_part(Counts, members["counts"]),
        files=files,
    )


_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "str | None": (str, type(None)),
}


def _part(kind: type[_Part], members: dict[str, Any]) -> _Part:
    given = {}
    for field in fields(kind):
        value = members[field.name]
        if type(value) not in _TYPES[str(field.type)]:
            raise ValueError(f"{field.name} is no {field.type}")
        given[field.name] = value
    return kind(**given)


def checked_digest(digest: str) -> str:
    """Return a SHA-256 of 64 hex characters. Raises ValueError and TypeError for anything else."""
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest[:80]!r} is no SHA-256")
    return digest


def checked_path(path: str) -> str:
    """Return a path within the package. Raises ValueError when it leads out of it."""
    pure = PurePosixPath(path)
    if (
        pure.is_absolute()
        or ".." in pure.parts
        or str(pure) != path
        or "\\" in path
        or not path.isprintable()
        or path in {"", "."}
    ):
        raise ValueError(f"{path[:120]!r} is no path within a package")
    return path
