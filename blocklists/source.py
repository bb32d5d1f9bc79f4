"""One block list: its manifest, checked, and its file, read whole or refused.

Decides whether a list can be trusted to mean what its manifest says; a list that cannot is an error, never a
shorter list. The manifest is TOML beside the list file (format: `blocklists/README.md`).
Must not fetch anything; the only files read are the manifest and the list that it names.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from blocklists.entry import Entry, Match, Source, Weight
from blocklists.errors import ListError
from blocklists.formats import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from blocklists.formats.row import ParsedList, RowProblem

MAX_LIST_OCTETS = 256 * 1024 * 1024
MAX_REJECTED_SHARE = 0.01
_SHOWN_ROWS = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEEDS_AUTHORITY = frozenset({Weight.COURT_ORDER, Weight.AUTHORITY_DECISION})
_UTF16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


class Format(StrEnum):
    """List formats that can be read."""

    PLAIN = "plain"


class Scope(StrEnum):
    """How far the names of a list reach."""

    SUBTREE = "subtree"
    HOST = "host"


_PARSERS: dict[Format, tuple[str, Callable[[bytes, Match], ParsedList]]] = {
    Format.PLAIN: (plain.PARSER, lambda octets, scope: plain.parse_plain(octets, scope=scope)),
}


class Manifest(BaseModel):
    """What a list is, who made it, and with what authority. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="Name of the list in every record.")
    title: str = Field(min_length=1, max_length=200)
    file: str = Field(min_length=1, description="List file, relative to the manifest.")
    format: Format = Format.PLAIN
    scope: Scope = Scope.SUBTREE
    weight: Weight = Field(description="Legal weight: who recognised the sites as infringing, and how.")
    category: str = ""
    authority: str = Field(
        default="", description="Court, authority or body whose decision the list carries."
    )
    jurisdiction: str = ""
    decision_ref: str = ""
    decision_date: date | None = None
    valid_from: date | None = None
    valid_until: date | None = Field(default=None, description="Last day on which the list blocks (UTC).")
    url: str = Field(default="", description="Where the list was published.")
    licence: str = ""
    fetched_at: AwareDatetime | None = Field(default=None, description="When the file was obtained.")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", description="Pin of the list file.")

    @field_validator("file")
    @classmethod
    def _stays_in_the_folder(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\\" in value or "\x00" in value:
            raise ValueError("must be a relative path inside the folder of the manifest")
        return value

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.weight in _NEEDS_AUTHORITY and not self.authority:
            raise ValueError(
                f"weight {self.weight.value!r} cites a decision, so `authority` must name who decided"
            )
        if self.valid_from and self.valid_until and self.valid_from > self.valid_until:
            raise ValueError("`valid_from` is later than `valid_until`")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSource:
    """One list, read: its manifest, what every hit cites, its entries, and the rows that did not apply."""

    manifest: Manifest
    source: Source
    parser: str
    octets: int
    entries: tuple[Entry, ...]
    rejected: tuple[RowProblem, ...]
    quarantined: tuple[RowProblem, ...]
    duplicates: int


def load_manifest(path: Path) -> Manifest:
    """Read and check a manifest. Raises ListError with file, line and key."""
    try:
        text = path.read_bytes().decode("utf-8")
        members = tomllib.loads(text)
    except OSError as error:
        raise ListError(
            f"{path}: cannot be read ({error.strerror}); check the file and its rights"
        ) from error
    except UnicodeDecodeError as error:
        raise ListError(f"{path}: is not UTF-8 at octet {error.start}; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ListError(f"{path}: is not valid TOML: {error}") from error
    try:
        return Manifest.model_validate(members)
    except ValidationError as error:
        raise ListError("; ".join(_complaints(path, text, error))) from error


def load_source(manifest_path: Path) -> LoadedSource:
    """Read a manifest and the list that it names.

    Raises ListError when either is missing, invalid or implausible: digest other than the pin, not UTF-8,
    a web page in place of a list, no entry, more than 1 % of the rows not understood.
    """
    manifest = load_manifest(manifest_path)
    path = manifest_path.parent / manifest.file
    octets = _read_list(path, manifest_path)
    digest = sha256(octets).hexdigest()
    if manifest.sha256 not in (None, digest):
        raise ListError(
            f"{path}: has SHA-256 {digest}, but {manifest_path.name} pins {manifest.sha256}; "
            "find out who changed the list, then correct one of the two"
        )
    _refuse_what_is_no_list(path, octets)
    parser, parse = _PARSERS[manifest.format]
    parsed = parse(octets, Match(manifest.scope.value))
    _refuse_the_implausible(path, parsed)
    source = Source(
        source_id=manifest.id,
        title=manifest.title,
        sha256=digest,
        weight=manifest.weight,
        url=manifest.url,
        licence=manifest.licence,
        fetched_at=_microseconds(manifest.fetched_at),
    )
    return LoadedSource(
        manifest=manifest,
        source=source,
        parser=parser,
        octets=len(octets),
        entries=_entries(manifest, parsed),
        rejected=parsed.rejected,
        quarantined=parsed.quarantined,
        duplicates=parsed.duplicates,
    )


def _entries(manifest: Manifest, parsed: ParsedList) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            pattern_raw=row.text,
            pattern=row.pattern,
            match=row.match,
            source_id=manifest.id,
            line_no=row.line_no,
            weight=manifest.weight,
            source_url=manifest.url,
            category=manifest.category,
            authority=manifest.authority,
            jurisdiction=manifest.jurisdiction,
            decision_ref=manifest.decision_ref,
            decision_date=manifest.decision_date,
            valid_from=manifest.valid_from,
            valid_until=manifest.valid_until,
        )
        for row in parsed.rows
    )


def _microseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    elapsed = moment - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


def _read_list(path: Path, manifest_path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_LIST_OCTETS:
            raise ListError(f"{path}: has {size} octets; a list may have {MAX_LIST_OCTETS}, so split it")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ListError(
            f"{path}: does not exist, but {manifest_path.name} names it; "
            "put the list there or remove the manifest"
        ) from error
    except OSError as error:
        raise ListError(
            f"{path}: cannot be read ({error.strerror}); check the file and its rights"
        ) from error


def _refuse_what_is_no_list(path: Path, octets: bytes) -> None:
    if octets.startswith(_UTF16_OR_32):
        raise ListError(f"{path}: is UTF-16 or UTF-32; save it as UTF-8")
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ListError(f"{path}:{line}: is not UTF-8 at octet {error.start}; save it as UTF-8") from error
    if octets.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        raise ListError(f"{path}: looks like a web page, not a list; fetch the raw file")


def _refuse_the_implausible(path: Path, parsed: ParsedList) -> None:
    if len(parsed.rejected) > MAX_REJECTED_SHARE * parsed.total:
        shown = "; ".join(
            f"line {row.line_no}: {row.text[:60]!r} {row.why}" for row in parsed.rejected[:_SHOWN_ROWS]
        )
        raise ListError(
            f"{path}: {len(parsed.rejected)} of {parsed.total} rows are not understood, more than "
            f"{MAX_REJECTED_SHARE:.0%}; correct or remove them ({shown})"
        )
    if not parsed.rows:
        raise ListError(
            f"{path}: holds no entry that can be applied ({len(parsed.quarantined)} rows are too wide); "
            "a list without entries would protect nobody, so fill it or remove its manifest"
        )


def _complaints(path: Path, text: str, error: ValidationError) -> list[str]:
    complaints = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"is not a key of a manifest; known keys are {', '.join(Manifest.model_fields)}"
        elif problem["type"] == "missing":
            message = "is missing"
        complaints.append(f"{path}{_line_of(text, key)}: {f'`{key}` ' if key else ''}{message}")
    return complaints


def _line_of(text: str, key: str) -> str:
    found = (
        re.search(rf"^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*[=.\]]", text, re.MULTILINE) if key else None
    )
    return f":{text.count(chr(10), 0, found.start()) + 1}" if found else ""
