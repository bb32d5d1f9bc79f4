"""One state of the block lists as a value, and the document that it is named after.

The document (`sekisho.blocklists/1`, canonical JSON, RFC 8785) holds, for every list, what was declared, the
digest and the counts of what was read, and what its server said of it; every override; and the parsers'
world: Public Suffix List and IDNA tables. The same octets under the same declarations give the same name on
every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import idna
import rfc8785

from blocklists.domain import psl_version
from blocklists.entry import Source  # noqa: TC001 - dataclass field
from blocklists.manifest import Format
from blocklists.matcher import Matcher  # noqa: TC001 - dataclass field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blocklists.source import LoadedSource

SCHEMA = "sekisho.blocklists/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One immutable state of all lists, ready to be asked.

    `manifest` is canonical JSON (RFC 8785, schema `sekisho.blocklists/1`) with the digest and the counts of
    every list; `sha256` is its hex digest. `notices` are sentences for the operator: rows that were
    quarantined or rejected, and entries that are outside their term.
    """

    sha256: str
    manifest: bytes
    sources: tuple[Source, ...]
    matcher: Matcher
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFacts:
    """What a server said of the list that it sent; texts as sent, empty when it said nothing."""

    etag: str = ""
    last_modified: str = ""
    header_version: str = ""
    header_expires: str = ""
    header_modified: str = ""


def encode_manifest(loaded: Sequence[LoadedSource], fetched: Mapping[str, FetchFacts] | None = None) -> bytes:
    """Return the canonical document that a snapshot is named after.

    `loaded` comes in order of id; `fetched` holds what servers said, by id.
    """
    facts = fetched or {}
    return rfc8785.dumps(
        {
            "schema": SCHEMA,
            "public_suffix_list": psl_version(),
            "idna": idna.__version__,
            "sources": [_members(one, facts.get(one.manifest.id)) for one in loaded],
        }
    )


def _members(one: LoadedSource, facts: FetchFacts | None) -> dict[str, Any]:
    members: dict[str, Any] = {
        "declared": one.manifest.model_dump(mode="json", exclude_none=True),
        "sha256": one.source.sha256,
        "octets": one.octets,
        "parser": one.parser,
        "entries": len(one.entries),
        "duplicates": one.duplicates,
        "rejected": len(one.rejected),
        "quarantined": len(one.quarantined),
    }
    if one.manifest.format is Format.OVERRIDES:  # the owner stays in the file and in the record of each use
        members["overrides"] = [
            {
                "pattern": entry.pattern,
                "match": entry.match.value,
                "reason": entry.decision_ref,
                "expires": entry.valid_until.isoformat() if entry.valid_until else "",
            }
            for entry in one.entries
        ]
    said = {name: value for name, value in _texts(facts).items() if value} if facts else {}
    return members | {"fetched": said} if said else members


def _texts(facts: FetchFacts) -> dict[str, str]:
    return {field.name: getattr(facts, field.name) for field in fields(facts)}
