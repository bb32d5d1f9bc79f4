"""Verifies an export package, offline and without a database, with the checks of a log.

First the files are compared with the manifest and the sums; then everything is recomputed from what is in
them: leaves, roots, heads, seals, the registry, the signatures of its checkpoints, documents. A part that is
missing or was cut off is a finding that names it. That a package is a selection is a note: which segments the
log had beside those is in the registry, and cannot be left out without being found.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from crawler.decisionlog import encoding, schema
from crawler.decisionlog.findings import Findings, Problem, SegmentReport, VerifyReport
from crawler.decisionlog.notes import LONGEST_NOTE, parse_checkpoint
from crawler.decisionlog.package import layout, read_jsonl
from crawler.decisionlog.package.files import check_files, check_strangers, foreign_means
from crawler.decisionlog.package.layout import ManifestError, PackageError
from crawler.decisionlog.package.opened import read_whole
from crawler.decisionlog.package.read import UNREADABLE, PackageDocuments, PackageRegistry, SegmentSource
from crawler.decisionlog.package.read_anchors import anchors_of
from crawler.decisionlog.package.rows import Rows, claim_of, sum_row
from crawler.decisionlog.package.stated import check_counts, check_openings, check_part, check_rows
from crawler.decisionlog.registry_state import RegistryState, octets_of
from crawler.decisionlog.verify_anchors import Checked, check_anchors
from crawler.decisionlog.verify_documents import DocumentCheck
from crawler.decisionlog.verify_registry import RegistryCheck, check_without_registry
from crawler.decisionlog.verify_segment import SegmentCheck
from crawler.decisionlog.verify_sums import HostSums, compare_sums
from crawler.decisionlog.verify_told import compare, with_told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from uuid import UUID

    from cryptography.x509 import Certificate

    from crawler.decisionlog.notes import VerifierKey
    from crawler.decisionlog.package.layout import Manifest, SegmentPart
    from crawler.decisionlog.registry_state import KnownCheckpoint, Told
    from crawler.decisionlog.rollup import SumRow
    from crawler.decisionlog.verify_segment import SegmentClaim

_LONGEST_MANIFEST: Final = 1 << 28  # octets: a million segments
_NAMED: Final = 20  # as many as a line holds


def verify_package(
    folder: Path,
    progress: Callable[[int], None] | None = None,
    *,
    known: Sequence[KnownCheckpoint] = (),
    trusted: Sequence[VerifierKey] = (),
    roots: Sequence[Certificate] = (),
    witnesses: Sequence[VerifierKey] = (),
) -> VerifyReport:
    """Verify a package and return what was found. `progress` gets the number of records so far.

    `known` are checkpoints of the log that somebody else has kept; `trusted` are keys of which one must have
    signed; `roots` and `witnesses` are those against which timestamps and cosignatures are checked. Raises
    PackageError when the folder is no package, or one of a newer format, or Parquet cannot be read here.
    """
    try:
        if not folder.is_dir():
            raise PackageError(f"there is no folder {folder}: name the folder of an export package")
    except OSError as error:
        raise PackageError(f"the folder {folder} cannot be opened: {error.strerror}") from error
    findings = Findings()
    verification = _Verification(folder, findings)
    try:
        octets = read_whole(folder / layout.MANIFEST, _LONGEST_MANIFEST)
        manifest = layout.parse_manifest(octets)
    except FileNotFoundError:
        findings.add(
            Problem.FILE_MISSING, f"{layout.MANIFEST} is missing: {folder} is no package, or not all of one"
        )
    except ManifestError as error:
        findings.add(Problem.FILE_DAMAGED, str(error))
    except PermissionError as error:
        raise PackageError(f"{folder / layout.MANIFEST} cannot be read: {error.strerror}") from error
    except OSError as error:
        findings.add(Problem.FILE_DAMAGED, f"{layout.MANIFEST} cannot be read: {error}")
    else:
        check_files(folder, manifest, octets, findings)
        verification.run(manifest, progress, known, trusted)
        if manifest.log_format != schema.FORMAT_1:
            verification.check_anchors(roots, witnesses)
    return verification.report()


class _Verification:
    """What a verification has found so far."""

    def __init__(self, folder: Path, findings: Findings) -> None:
        self._folder = folder
        self._findings = findings
        self._reports: list[SegmentReport] = []
        self._notes: list[str] = []
        self._unverifiable: list[str] = []
        self._state = RegistryState()
        self._attested = Checked()
        self._documents = 0
        self._done = 0

    def run(
        self,
        manifest: Manifest,
        progress: Callable[[int], None] | None,
        known: Sequence[KnownCheckpoint],
        trusted: Sequence[VerifierKey],
    ) -> None:
        """Verify registry, segments and documents."""
        self._notes.extend(check_strangers(self._folder, manifest, self._findings))
        self._notes.extend(foreign_means(self._folder, manifest))
        documents = PackageDocuments(self._folder, self._findings)
        try:
            check = DocumentCheck(documents, self._findings)
            rows = self._rows(manifest)
            claims = [
                claim
                for part in manifest.segments
                if (claim := self._claim(manifest, part, rows)) is not None
            ]
            if manifest.log_format == schema.FORMAT_1:
                self._unverifiable.append(check_without_registry(known, trusted, self._findings))
            else:
                self._registry(manifest, claims, known, trusted)
                check.discarded = {octets_of(digest) for digest in self._state.erased_documents}
                check.may_lack = self._state.may_lack
            for claim in claims:
                self._segment(manifest, claim, rows, check, progress)
            check.run()
            self._documents = check.count
            self._notes.extend(check.notes)
            for name in documents.strangers():
                self._find(Problem.FILE_OUTSIDE, f"{name} is no part of the package")
            found = {"documents": check.count, "checkpoints": self._state.checkpoints}
            check_counts(manifest, rows, found, self._findings)
            if not manifest.urls and self._done:
                self._unverifiable.append(
                    "the package was made without URLs: which URLs its records are about is not in it"
                )
        finally:
            documents.close()

    def check_anchors(self, roots: Sequence[Certificate], witnesses: Sequence[VerifierKey]) -> None:
        """Check what others attested of the checkpoints in the package."""
        rows = anchors_of(self._folder, self._findings)
        self._attested = check_anchors(rows, roots, witnesses, self._findings)
        self._notes.extend(self._attested.notes)
        self._unverifiable.extend(self._attested.unverifiable)

    def _registry(
        self,
        manifest: Manifest,
        claims: list[SegmentClaim],
        known: Sequence[KnownCheckpoint],
        trusted: Sequence[VerifierKey],
    ) -> None:
        source = PackageRegistry(self._folder, self._findings)
        known = self._not_newer(manifest, known)
        self._state = state = RegistryCheck(source, self._findings, known=known, trusted=trusted).run()
        told = state.told
        if not manifest.whole:
            there = {part.segment for part in manifest.segments}
            absent = [one for one in told.values() if one.segment not in there]
            told = {name: one for name, one in told.items() if name in there}
            if absent:
                numbers = ", ".join(str(one.number) for one in absent[:_NAMED])
                self._notes.append(
                    f"the package is a selection: {len(absent)} segments of the log are not in it"
                    f" (number {numbers}{' …' if len(absent) > _NAMED else ''})"
                )
        compare(claims, replace(state, told=told), self._findings)
        if manifest.origin != state.origin:
            self._find(Problem.FILE_DAMAGED, f"{layout.MANIFEST} names another log than the registry")
        if manifest.counts.registry != state.size:
            self._find(
                Problem.REGISTRY_MISSING,
                f"{layout.REGISTRY} has {state.size} entries instead of {manifest.counts.registry}",
            )
        self._check_newest()
        self._say_what_is_proved()

    def _not_newer(self, manifest: Manifest, known: Sequence[KnownCheckpoint]) -> list[KnownCheckpoint]:
        """Return the checkpoints that a package of this age can be compared with."""
        size, older = manifest.counts.registry, []
        for one in known:
            covered = parse_checkpoint(one.note).size
            if covered <= size:
                older.append(one)
            else:
                self._unverifiable.append(
                    f"the checkpoint {one.place} is newer than the package ({covered} entries of its"
                    f" registry, not {size}): give an older one, or have a new package made"
                )
        return older

    def _check_newest(self) -> None:
        try:
            newest = read_whole(self._folder / layout.CHECKPOINT, LONGEST_NOTE).decode()
        except (OSError, ValueError):
            newest = ""
        if self._state.newest is not None and newest != str(self._state.newest):
            self._find(Problem.CHECKPOINT_WRONG, f"{layout.CHECKPOINT} is not the newest of the checkpoints")

    def _say_what_is_proved(self) -> None:
        state = self._state
        if not state.outside:
            self._unverifiable.append(
                "no checkpoint from outside the package was compared: give one with --known-checkpoint FILE"
            )
        elif state.unproved:
            self._notes.append(
                f"{state.unproved} entries of the registry are newer than any checkpoint from outside"
            )
        if state.jumps:
            self._notes.append(f"the clock of a writer went back {state.jumps} times")

    def _find(self, problem: Problem, text: str, segment: UUID | None = None) -> None:
        self._findings.add(problem, text, segment)

    def _rows(self, manifest: Manifest) -> Rows:
        rows = Rows({part.number: part for part in manifest.segments})
        for name, take in (
            (layout.SEGMENTS, rows.take_segment),
            (layout.HEADS, rows.take_head),
            (layout.CONTEXTS, rows.take_context),
        ):
            try:
                for row in read_jsonl.lines(self._folder / name):
                    take(row)
            except UNREADABLE as error:
                self._find(Problem.FILE_DAMAGED, f"{name} cannot be read: {error}")
        check_rows(manifest, rows, self._findings)
        return rows

    def _claim(self, manifest: Manifest, part: SegmentPart, rows: Rows) -> SegmentClaim | None:
        """Return what the package claims of a segment; None, and a finding, when that is nothing."""
        row = rows.segments.get(part.number)
        if row is None:
            self._find(Problem.SEGMENT_MISSING, f"segment number {part.number} is not in {layout.SEGMENTS}")
            return None
        try:
            claim = claim_of(part, row, tuple(sorted(rows.heads.get(part.number, ()))))
        except UNREADABLE as error:
            self._find(
                Problem.SEGMENT_CHANGED, f"segment number {part.number} is nothing that was written: {error}"
            )
            return None
        check_part(part, claim, self._findings)
        return replace(claim, withheld=not manifest.urls)

    def _segment(
        self,
        manifest: Manifest,
        claim: SegmentClaim,
        rows: Rows,
        documents: DocumentCheck,
        progress: Callable[[int], None] | None,
    ) -> None:
        part = rows.parts[claim.number]
        told = self._state.told.get(part.segment)
        claim = with_told(claim, told)
        has_sums = manifest.log_format != schema.FORMAT_1
        if part.pruned:
            if has_sums:
                self._compare_sums(part, claim, told, None)
            self._pruned(claim, told)
            return
        source = SegmentSource(self._folder, manifest, part, rows.contexts, claim.erased)
        seal = None if told is None else told.seal
        sums = None if seal is None else HostSums()
        check = SegmentCheck(source, claim, self._findings, documents, sums)
        if check.is_of_another_version():
            self._unverifiable.append(
                f"segment {claim.uuid} has record schema {claim.schema!r}; this version knows"
                f" {encoding.SCHEMA_VERSION}: verify it with the Sekisho version that wrote it"
            )
            return
        before = self._done
        report = check.run(None if progress is None else lambda count: progress(before + count))
        self._done += report.records
        check_openings(part, report, self._findings)
        if has_sums:
            self._compare_sums(part, claim, told, None if source.problem else check.sums)
        self._reports.append(replace(report, recovered=seal is not None and seal.how == "recovered"))
        self._notes.extend(check.notes)
        for idx in source.unerased:
            self._findings.add(Problem.URL_OUTSIDE, "its URL was erased, and is there", claim.uuid, idx)
        if source.leftover():
            self._find(Problem.RECORD_OUTSIDE, f"its files go on behind record {claim.end - 1}", claim.uuid)
        if source.problem:
            named = " or ".join(name for name in (part.records, part.urls) if name is not None)
            self._find(Problem.FILE_DAMAGED, f"{named} cannot be read: {source.problem}", claim.uuid)
        elif report.root != part.root:
            self._find(
                Problem.RECORD_CHANGED,
                f"its records do not give the root {part.root} that the manifest says",
                claim.uuid,
            )

    def _pruned(self, claim: SegmentClaim, told: Told | None) -> None:
        if told is None or not told.intents:
            self._find(
                Problem.SEGMENT_MISSING,
                "its records are not in the package, and the registry does not say that they were pruned",
                claim.uuid,
            )
            return
        rule = next(iter(told.intents.values())).rule
        self._unverifiable.append(
            f"segment {claim.uuid} of run {told.run} was pruned under {rule}: its records are not here"
        )

    def _compare_sums(
        self, part: SegmentPart, claim: SegmentClaim, told: Told | None, computed: HostSums | None
    ) -> None:
        """Compare the sums in the package with the seal, and with those of the records that are here."""
        rows: list[SumRow] = []
        if part.sums is not None:
            try:
                rows = [sum_row(row) for row in read_jsonl.lines(self._folder / part.sums)]
            except UNREADABLE as error:
                self._find(Problem.ROLLUP_WRONG, f"{part.sums} cannot be read: {error}", claim.uuid)
        compare_sums(claim, told, rows, computed, self._findings)

    def report(self) -> VerifyReport:
        """Return what was found."""
        state = self._state
        return VerifyReport(
            segments=tuple(self._reports),
            records=sum(report.records for report in self._reports),
            openings=sum(report.openings for report in self._reports),
            heads=sum(report.heads for report in self._reports),
            documents=self._documents,
            registry=state.size,
            checkpoints=state.checkpoints,
            outside=state.outside,
            origin=state.origin,
            keys=tuple(state.keys),
            attested=self._attested.held,
            attested_unchecked=self._attested.unchecked,
            findings=tuple(self._findings.kept),
            findings_total=self._findings.total,
            notes=tuple(self._notes),
            unverifiable=tuple(self._unverifiable),
        )
