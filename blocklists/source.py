"""One block list: its manifest and its file, read whole or refused.

Decides whether a list can be trusted to mean what its manifest says; a list that cannot is an error, never a
shorter list. What octets are plausible is decided in `list_file`.
Must not fetch anything; the only files read are the manifest and the list that it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from blocklists.entries import Entries
from blocklists.entry import Entry, EntryAction, Match, Source, Weight
from blocklists.errors import ListError
from blocklists.known_good import spare_known_good
from blocklists.list_file import ListFile, parse_list, parser_of
from blocklists.manifest import Format, Manifest, Scope, load_manifest
from blocklists.overrides import OVERRIDES_FILE, PARSER, load_overrides
from blocklists.unpack import MAX_LIST_OCTETS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from blocklists.formats.row import ParsedList, RowProblem

__all__ = [
    "MAX_LIST_OCTETS",
    "Format",
    "ListFile",
    "LoadedSource",
    "Manifest",
    "Scope",
    "build_source",
    "load_manifest",
    "load_source",
    "parse_list",
]

_SHOWN_TERMS = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSource:
    """One list, read: its manifest, what every hit cites, its entries, and the rows that did not apply."""

    manifest: Manifest
    source: Source
    parser: str
    octets: int
    entries: Sequence[Entry]
    rejected: tuple[RowProblem, ...]
    quarantined: tuple[RowProblem, ...]
    duplicates: int

    def notices(self, now_us: int) -> tuple[str, ...]:
        """Return a sentence for each thing that the operator has to know of a list that is in use."""
        name = f"list {self.manifest.id}: {self.manifest.file}"
        notices = [
            f"{name}:{row.line_no} {row.text[:80]!r} {kind}: {row.why}"
            for kind, rows in (("quarantined", self.quarantined), ("rejected", self.rejected))
            for row in rows
        ]
        if isinstance(self.entries, Entries) and not self.entries.has_terms:
            return tuple(notices)
        idle = [entry for entry in self.entries if not entry.in_force(now_us)]
        ended = [entry for entry in idle if entry.action is EntryAction.OVERRIDE]
        notices.extend(
            f"{name}:{entry.line_no} the override for {entry.pattern!r} ended on {entry.valid_until}, so "
            f"what it lifted blocks again; {entry.authority} has to renew or remove it"
            for entry in ended
        )
        if len(idle) > len(ended):
            terms = {f"{entry.valid_from or 'always'} to {entry.valid_until or 'always'}" for entry in idle}
            shown = ", ".join(sorted(terms)[:_SHOWN_TERMS])
            notices.append(
                f"list {self.manifest.id}: {len(idle) - len(ended)} entries are outside their term ({shown}) "
                "and do not block"
            )
        return tuple(notices)


def load_source(manifest_path: Path) -> LoadedSource:
    """Read a manifest and the list that it names; `overrides.toml` is both in one.

    Raises ListError when either is missing, invalid or implausible: digest other than the pin, not UTF-8,
    a web page in place of a list, another number of entries than its header says, no entry, more than 1 % of
    the rows not understood.
    """
    if manifest_path.name == OVERRIDES_FILE:
        return _overrides(manifest_path)
    manifest = load_manifest(manifest_path)
    path = manifest_path.parent / manifest.file
    file = _read_list(path, manifest_path, manifest)
    if manifest.sha256 not in (None, file.sha256):
        raise ListError(
            f"{path}: has SHA-256 {file.sha256}, but {manifest_path.name} pins {manifest.sha256}; "
            "find out who changed the list, then correct one of the two"
        )
    return build_source(manifest, file, parse_list(manifest, file, where=str(path)))


def build_source(manifest: Manifest, file: ListFile, parsed: ParsedList) -> LoadedSource:
    """Return a list that was read with the manifest that describes it.

    A list of community weight loses the rows that name a site known to be listed wrongly; they are reported
    as quarantined.
    """
    rows, quarantined = parsed.rows, parsed.quarantined
    if manifest.weight is Weight.COMMUNITY:
        rows, spared = spare_known_good(rows)
        quarantined += spared
    source = Source(
        source_id=manifest.id,
        title=manifest.title,
        sha256=file.sha256,
        weight=manifest.weight,
        url=manifest.url,
        licence=manifest.licence,
        fetched_at=_microseconds(manifest.fetched_at),
        reviewed_on=manifest.reviewed_on,
        report_url=manifest.report_url,
    )
    return LoadedSource(
        manifest=manifest,
        source=source,
        parser=parser_of(manifest.format),
        octets=file.size,
        entries=Entries(rows, _template(manifest)),
        rejected=parsed.rejected,
        quarantined=quarantined,
        duplicates=parsed.duplicates,
    )


def _template(manifest: Manifest) -> Entry:
    """Return what all entries of a list have in common; the rest is filled in row by row."""
    return Entry(
        pattern_raw="",
        pattern="",
        match=Match(manifest.scope.value),
        source_id=manifest.id,
        line_no=0,
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


def _overrides(path: Path) -> LoadedSource:
    overrides = load_overrides(path)
    manifest = Manifest(
        id=overrides.source.source_id,
        title=overrides.source.title,
        file=OVERRIDES_FILE,
        format=Format.OVERRIDES,
        weight=overrides.source.weight,
    )
    return LoadedSource(
        manifest=manifest,
        source=overrides.source,
        parser=PARSER,
        octets=overrides.octets,
        entries=overrides.entries,
        rejected=(),
        quarantined=(),
        duplicates=0,
    )


def _microseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    elapsed = moment - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


def _read_list(path: Path, manifest_path: Path, manifest: Manifest) -> ListFile:
    if manifest.format is not Format.UT1 or not path.is_dir():
        return ListFile(octets=_read_file(path, manifest_path))
    parts = [path / "domains", path / "urls"]
    if not any(part.exists() for part in parts):
        raise ListError(f"{path}: holds neither `domains` nor `urls`; is this a UT1 folder?")
    domains, urls = (_read_file(part, manifest_path) if part.exists() else b"" for part in parts)
    return ListFile(octets=domains, urls=urls)


def _read_file(path: Path, manifest_path: Path) -> bytes:
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
