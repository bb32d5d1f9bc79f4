"""Source definitions: where a published list is fetched, under which licence, and what it must look like.

Decides whether a list may be asked for at all: only when the operator accepted its licence, and only from
hosts that the definition pins. The well-known ones ship with the package (`sources/*.toml`), switched off; a
copy in `lists/sources/` with `licence_accepted = true` switches one on, and may be stricter.
Reads TOML files; opens no connection.
"""

from __future__ import annotations

from datetime import date  # noqa: TC003 - a field that pydantic reads
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from blocklists.canaries import MUST_NOT_HAVE
from blocklists.entry import NEEDS_AUTHORITY, Weight
from blocklists.errors import ListError, UsageError
from blocklists.host import canonical_host
from blocklists.manifest import Format, Scope, load_model, parse_model
from blocklists.refresh_judge import MOST_GROWTH, MOST_SHRINK, Demands, is_pinned
from blocklists.refresh_minisign import parse_public_key

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCES = "sources"


class Definition(BaseModel):
    """One list that can be fetched. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="Name of the list in every record.")
    title: str = Field(min_length=1, max_length=200)
    urls: tuple[str, ...] = Field(min_length=1, max_length=8, description="Addresses, tried in this order.")
    pinned_hosts: tuple[str, ...] = Field(min_length=1, description="The only hosts that may be asked.")
    format: Format
    scope: Scope = Scope.SUBTREE
    weight: Weight
    licence: str = Field(min_length=1, max_length=300)
    licence_accepted: bool = Field(default=False, description="Whether the operator accepted the licence.")
    expires: int = Field(default=24, ge=1, le=24 * 366, description="Hours, where the list does not say.")
    must_have: tuple[str, ...] = Field(default=(), description="Names that every honest copy lists.")
    must_not_have: tuple[str, ...] = Field(default=(), description="Names that none lists, beside the usual.")
    max_shrink: float = Field(default=MOST_SHRINK, ge=0, lt=1)
    max_growth: float = Field(default=MOST_GROWTH, ge=0, le=10)
    sha256: str = Field(default="", pattern=r"^(?:[0-9a-f]{64})?$", description="Pin of exactly one state.")
    minisign_key: str = Field(default="", description="Public key; URL.minisig is asked for beside URL.")
    report_url: str = Field(default="", description="Where a wrong entry is reported to the publisher.")
    category: str = ""
    authority: str = ""
    jurisdiction: str = ""
    decision_ref: str = ""
    reviewed_on: date | None = None
    columns: dict[str, str] | None = None
    delimiter: str = Field(default=",", pattern=r"^[,;|]$")
    date_format: str = Field(default="%Y-%m-%d", max_length=40)

    @field_validator("pinned_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if canonical_host(host) != host:
                raise ValueError(f"{host!r} is not a host name in its usual spelling")
        return value

    @field_validator("minisign_key")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        if value:
            parse_public_key(value)
        return value

    @model_validator(mode="after")
    def _asks_pinned_hosts_only(self) -> Self:
        pins = frozenset(self.pinned_hosts)
        for url in self.urls:
            if not is_pinned(url, pins):
                raise ValueError(f"`urls` holds {url!r}, whose host is not among `pinned_hosts`")
            parts = urlsplit(url)
            if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
                raise ValueError(f"`urls` holds {url!r}; a list is fetched over https")
        if self.weight in NEEDS_AUTHORITY and not self.authority:
            raise ValueError(
                f"weight {self.weight.value!r} cites a decision: `authority` must name who decided"
            )
        return self

    def demands(self) -> Demands:
        """Return what an answer has to meet."""
        return Demands(
            pinned_hosts=frozenset(self.pinned_hosts),
            sha256=self.sha256,
            minisign_key=self.minisign_key,
            most_shrink=self.max_shrink,
            most_growth=self.max_growth,
        )

    def unwanted(self, own: Iterable[str] = ()) -> tuple[str, ...]:
        """Return every name that no honest copy lists; `own` are the operator's."""
        return tuple(sorted({*MUST_NOT_HAVE, *self.must_not_have, *own}))


def load_definitions(folder: Path) -> dict[str, Definition]:
    """Return the definitions of a folder of lists by id; ListError names file, line and key."""
    found: dict[str, Definition] = {}
    for path in sorted((folder / SOURCES).glob("*.toml")):
        definition = load_model(path, Definition)
        if definition.id in found:
            raise ListError(f"{path}: the id {definition.id!r} is taken by another file of this folder")
        if path.stem != definition.id:
            raise ListError(f"{path}: defines {definition.id!r}; name the file {definition.id}.toml")
        found[definition.id] = definition
    return found


def known_definitions() -> dict[str, tuple[Definition, bytes]]:
    """Return the definitions that ship with the package by id, with the text of each."""
    found = {}
    for item in files("blocklists").joinpath(SOURCES).iterdir():
        if item.name.endswith(".toml"):
            octets = item.read_bytes()
            definition = parse_model(Path(item.name), octets, Definition)
            found[definition.id] = (definition, octets)
    return dict(sorted(found.items()))


def wanted_definitions(folder: Path, ids: Iterable[str]) -> list[Definition]:
    """Return the definitions that may be fetched, of the given ids or all.

    Raises UsageError for an id that is not defined, and ListError for one whose licence was not accepted.
    """
    definitions = load_definitions(folder)
    chosen = list(ids)
    for name in chosen:
        if name not in definitions:
            there = ", ".join(definitions) or "none; see: sekisho blocklists add"
            raise UsageError(f"no list {name!r} is defined in {folder / SOURCES}; there are: {there}")
        if not definitions[name].licence_accepted:
            raise ListError(
                f"{folder / SOURCES / name}.toml: the licence was not accepted: "
                f"{definitions[name].licence}; read it, then set licence_accepted = true"
            )
    return [one for name, one in definitions.items() if one.licence_accepted and name in (chosen or (name,))]


def pins_of(folder: Path) -> frozenset[str]:
    """Return every host that may be asked for a list: those that accepted definitions pin."""
    return frozenset(
        host for one in load_definitions(folder).values() if one.licence_accepted for host in one.pinned_hosts
    )


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost") or host.startswith("127.") or host == "::1"
