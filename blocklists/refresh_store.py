"""Puts a fetched list where it is compiled from, and what is held where a person can review it.

    fetched/<id>.toml          the manifest, with the digest of exactly these octets
    fetched/<id>-<sha12>.list  the octets as they were fetched
    held/<id>-<sha12>.list     octets that were held back, with <id>-<sha12>.txt saying why

A manifest is replaced after its list is in place, so that a crash leaves the old pair or the new one.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from blocklists import store
from blocklists.canaries import judge_canaries
from blocklists.errors import ListError
from blocklists.formats.header import read_header
from blocklists.index import IndexChoice
from blocklists.list_file import ListFile, parse_list
from blocklists.manifest import Manifest
from blocklists.refresh_judge import LastGood, Reading
from blocklists.refresh_state import load_states
from blocklists.source import load_source
from blocklists.store_build import build_snapshot
from blocklists.store_manifest import FetchFacts
from blocklists.store_prune import USUAL_KEEP, prune_snapshots
from blocklists.unpack import unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from blocklists.refresh_judge import Decision
    from blocklists.refresh_plan import SourceState
    from blocklists.refresh_sources import Definition
    from blocklists.store_build import Built

_COPIED = (
    "id", "title", "format", "scope", "weight", "category", "authority", "jurisdiction", "decision_ref",
    "licence", "report_url", "reviewed_on", "columns", "delimiter", "date_format",
)  # fmt: skip
_UNICODE_LIMIT = 0x7F


def manifest_of(definition: Definition, *, digest: str, address: str, fetched_at: int) -> Manifest:
    """Return the manifest of a fetched list; `fetched_at` is UTC in microseconds."""
    members = {name: getattr(definition, name) for name in _COPIED}
    return Manifest(
        **members,
        file=f"{definition.id}-{digest[:12]}.list",
        url=address,
        fetched_at=datetime.fromtimestamp(fetched_at // 1_000_000, UTC),
        sha256=digest,
    )


def read_answer(definition: Definition, octets: bytes, own: Iterable[str] = ()) -> Reading:
    """Return what a parser makes of fetched octets; `own` are names of the operator that no list may hold."""
    manifest = manifest_of(definition, digest="0" * 64, address=definition.urls[0], fetched_at=0)
    try:
        parsed = parse_list(manifest, ListFile(octets=octets), where=definition.id)
    except ListError as error:
        problem = str(error)
        if "its header says" in problem:
            return Reading(miscounted=problem)
        return Reading(problem=problem)
    return Reading(
        entries=len(parsed.rows),
        canaries=judge_canaries(
            parsed.rows, must_have=definition.must_have, must_not_have=definition.unwanted(own)
        ),
    )


def last_good(folder: Path, source_id: str) -> LastGood | None:
    """Return the fetched list that is in force, None when there is none or it cannot be read any more."""
    path = folder / store.FETCHED / f"{source_id}.toml"
    if not path.exists():
        return None
    try:
        loaded = load_source(path)
    except ListError:
        return None
    return LastGood(sha256=loaded.source.sha256, entries=len(loaded.entries) + len(loaded.quarantined))


def put_fetched(folder: Path, manifest: Manifest, octets: bytes) -> None:
    """Put a list and its manifest in place of the earlier ones. Raises ListError when that fails."""
    target = folder / store.FETCHED
    store.write_whole(target / manifest.file, octets)
    store.write_whole(target / f"{manifest.id}.toml", encode_toml(manifest).encode("utf-8"))
    for path in target.glob(f"{manifest.id}-????????????.list"):
        if path.name != manifest.file:
            with suppress(OSError):
                path.unlink()


def put_held(folder: Path, source_id: str, octets: bytes, decision: Decision) -> Path:
    """Keep octets that were held back, with the concerns, for review; only the newest of a list is kept."""
    target = folder / store.HELD
    name = f"{source_id}-{decision.sha256[:12]}"
    store.write_whole(target / f"{name}.list", octets)
    words = "".join(f"{concern.value}: {words}\n" for concern, words in decision.concerns)
    store.write_whole(target / f"{name}.txt", f"{decision.sha256}\n{words}".encode())
    drop_held(folder, source_id, keep=name)
    return target / f"{name}.list"


def held_octets(folder: Path, source_id: str, digest: str) -> bytes | None:
    """Return the octets of a list that are held under a digest, None when they are not (any more)."""
    try:
        octets = (folder / store.HELD / f"{source_id}-{digest[:12]}.list").read_bytes()
    except OSError:
        return None
    return octets if sha256(octets).hexdigest() == digest else None


def drop_held(folder: Path, source_id: str, keep: str = "") -> None:
    """Remove what was held of a list, but one."""
    for path in (folder / store.HELD).glob(f"{source_id}-????????????.*"):
        if path.stem != keep:
            with suppress(OSError):
                path.unlink()


def fetch_facts(folder: Path, states: Mapping[str, SourceState]) -> dict[str, FetchFacts]:
    """Return what servers and headers said of the lists in force, for the manifest of a snapshot."""
    facts = {}
    for source_id, state in states.items():
        paths = sorted((folder / store.FETCHED).glob(f"{source_id}-{state.sha256[:12]}.list"))
        if not state.sha256 or not paths:
            continue
        with suppress(ListError):
            head = read_header(unpack(paths[0].read_bytes(), str(paths[0]))[:16_384])
            facts[source_id] = FetchFacts(
                etag=state.etag,
                last_modified=state.last_modified,
                header_version=head.version,
                header_expires="" if head.expires_hours is None else f"{head.expires_hours} hours",
                header_modified="" if head.last_modified is None else _iso(head.last_modified),
            )
    return facts


def compile_lists(
    folder: Path, *, now_us: int, index: IndexChoice = IndexChoice.AUTO, keep: int = USUAL_KEEP
) -> Built:
    """Compile a folder with what is known of its fetched lists (see `store_build.build_snapshot`).

    Afterwards snapshots beyond the newest `keep` are removed (see `store_prune`).
    """
    facts = fetch_facts(folder, load_states(folder))
    built = build_snapshot(folder, now_us=now_us, index=index, fetched=facts)
    with suppress(ListError):  # what is in force now is in force; `sekisho blocklists prune` says why
        prune_snapshots(folder, keep=keep)
    return built


def encode_toml(manifest: Manifest) -> str:
    """Return a manifest as TOML (https://toml.io/en/v1.0.0); what equals its default is left out."""
    lines = ["# Written by `sekisho blocklists refresh`; changes are lost with the next one."]
    members = manifest.model_dump(exclude_defaults=True)
    tables = {name: value for name, value in members.items() if isinstance(value, dict)}
    lines += [f"{name} = {_toml(value)}" for name, value in members.items() if name not in tables]
    for name, table in tables.items():
        lines += [f"\n[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(str(value), ensure_ascii=False).replace(chr(_UNICODE_LIMIT), "\\u007f")


def _iso(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
