"""The manifest of a list: what it is, who made it, with what authority, and how it is read.

Decides what a manifest may say; unknown keys are errors. The format is described in `blocklists/README.md`.
Reads the manifest file and nothing else.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date  # noqa: TC003 - a field that pydantic reads
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from blocklists.entry import NEEDS_AUTHORITY, Weight
from blocklists.errors import ListError
from blocklists.formats.cited import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_MANIFEST_OCTETS = 1_048_576


class Format(StrEnum):
    """List formats that can be read. Two that write the same glyph mean different things by it."""

    PLAIN = "plain"
    HOSTS = "hosts"
    ADBLOCK = "adblock"
    WILDCARD = "wildcard"
    DNSMASQ = "dnsmasq"
    UNBOUND = "unbound"
    RPZ = "rpz"
    UT1 = "ut1"
    CSV = "csv"
    NATIVE = "native"
    OVERRIDES = "overrides"


class Scope(StrEnum):
    """How far the names of a list reach."""

    SUBTREE = "subtree"
    HOST = "host"


# In these formats the syntax says how far a name reaches, so the manifest cannot say otherwise.
_OWN_SCOPE = frozenset({Format.ADBLOCK, Format.WILDCARD, Format.DNSMASQ, Format.UNBOUND, Format.RPZ})


class Manifest(BaseModel):
    """What a list is, who made it, and with what authority. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="Name of the list in every record.")
    title: str = Field(min_length=1, max_length=200)
    file: str = Field(min_length=1, description="List file or UT1 folder, relative to the manifest.")
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
    report_url: str = Field(default="", description="Where a wrong entry is reported to the publisher.")
    licence: str = ""
    fetched_at: AwareDatetime | None = Field(default=None, description="When the file was obtained.")
    reviewed_on: date | None = Field(default=None, description="When the operator went through its rows.")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", description="Pin of the list file.")
    columns: dict[str, str] | None = Field(default=None, description="CSV: our fields to its headings.")
    delimiter: str = Field(default=",", pattern=r"^[,;|]$")
    date_format: str = Field(default="%Y-%m-%d", max_length=40)

    @field_validator("file")
    @classmethod
    def _stays_in_the_folder(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\\" in value or "\x00" in value:
            raise ValueError("must be a relative path inside the folder of the manifest")
        return value

    @field_validator("columns")
    @classmethod
    def _names_our_fields(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        unknown = sorted(set(value or ()) - FIELDS)
        if unknown:
            raise ValueError(
                f"maps {unknown[0]!r}, which is no field; fields are {', '.join(sorted(FIELDS))}"
            )
        if value is not None and "pattern" not in value:
            raise ValueError('must say which column holds the names: pattern = "…"')
        return value

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.weight in NEEDS_AUTHORITY and not self.authority:
            raise ValueError(
                f"weight {self.weight.value!r} cites a decision, so `authority` must name who decided"
            )
        if self.valid_from and self.valid_until and self.valid_from > self.valid_until:
            raise ValueError("`valid_from` is later than `valid_until`")
        if self.format in _OWN_SCOPE and self.scope is not Scope.SUBTREE:
            raise ValueError(
                f"format {self.format.value!r} says itself how far a name reaches; remove `scope`"
            )
        if (self.format is Format.CSV) != (self.columns is not None):
            raise ValueError('a [columns] table belongs to format = "csv", which needs one')
        return self


Model = TypeVar("Model", bound=BaseModel)


def load_manifest(path: Path) -> Manifest:
    """Read and check a manifest. Raises ListError with file, line and key."""
    manifest = load_model(path, Manifest)
    if manifest.format is Format.OVERRIDES:
        raise ListError(f"{path}: overrides need no manifest; write them into overrides.toml in this folder")
    return manifest


def load_model(path: Path, model: type[Model]) -> Model:
    """Read a TOML file as a model. Raises ListError with file, line and key."""
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_MANIFEST_OCTETS + 1)
    except OSError as error:
        raise ListError(
            f"{path}: cannot be read ({error.strerror}); check the file and its rights"
        ) from error
    return parse_model(path, octets, model)


def parse_model(path: Path, octets: bytes, model: type[Model]) -> Model:
    """Return the model that the octets of a TOML file hold; `path` serves the messages of ListError."""
    if len(octets) > MAX_MANIFEST_OCTETS:
        raise ListError(f"{path}: is longer than {MAX_MANIFEST_OCTETS} octets; is this the list itself?")
    try:
        text = octets.decode("utf-8")
        members = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ListError(f"{path}: is not UTF-8 at octet {error.start}; save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ListError(f"{path}: is not valid TOML: {error}") from error
    try:
        return model.model_validate(members)
    except ValidationError as error:
        raise ListError("; ".join(_complaints(path, text, error, model.model_fields))) from error


def _complaints(path: Path, text: str, error: ValidationError, known: Iterable[str]) -> list[str]:
    complaints = []
    for problem in error.errors(include_url=False):
        place = problem["loc"]
        key = ".".join(str(part) for part in place)
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden" and len(place) == 1:
            message = f"is not a key of this file; known keys are {', '.join(known)}"
        elif problem["type"] == "extra_forbidden":
            message = "is not a key of this table"
        elif problem["type"] == "missing":
            message = "is missing"
        line = _line_of(text, str(place[0]) if place else "")
        complaints.append(f"{path}{line}: {f'`{key}` ' if key else ''}{message}")
    return complaints


def _line_of(text: str, key: str) -> str:
    found = (
        re.search(rf"^[ \t]*(?:\[{{1,2}}[ \t]*)?[\"']?{re.escape(key)}[\"']?[ \t]*[=.\]]", text, re.MULTILINE)
        if key
        else None
    )
    return f":{text.count(chr(10), 0, found.start()) + 1}" if found else ""
