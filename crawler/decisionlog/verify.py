"""Recomputes a log: every leaf from its columns, every root from its leaves, every digest from its octets.

Checks for every segment (`verify_segment`): indices 0 to n-1 without a hole, each leaf hash, each URL against
its commitment, references to earlier request records, a monotonic clock that never goes back, every head's
root and time, the seal, and the segment's row against its UUID; for the log: segment numbers without a hole,
nothing that belongs to no segment, and all documents (`verify_documents`). An unsealed segment is reported,
not failed. What this proves, and what it does not, is in README.md.

Rows are read in pages as plain tuples: a crawl that is writing is not kept waiting, and what it appends after
the start is left for the next time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from crawler.decisionlog import encoding, schema, store
from crawler.decisionlog.custody import CheckpointFile
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.findings import Findings, Problem, VerifyReport
from crawler.decisionlog.location import last_checkpoint
from crawler.decisionlog.registry_state import KnownCheckpoint, RegistryState
from crawler.decisionlog.verify_anchors import Checked, anchors_of, check_anchors
from crawler.decisionlog.verify_claims import newest_removal, read_claims, sealed_since
from crawler.decisionlog.verify_documents import DocumentCheck
from crawler.decisionlog.verify_kept import check_kept
from crawler.decisionlog.verify_postings import PostingCheck
from crawler.decisionlog.verify_registry import RegistryCheck, check_without_registry
from crawler.decisionlog.verify_segment import SegmentCheck, SegmentClaim
from crawler.decisionlog.verify_shape import check_shape
from crawler.decisionlog.verify_source import DatabaseSource
from crawler.decisionlog.verify_sums import HostSums, compare_sums
from crawler.decisionlog.verify_told import (
    DatabaseRegistry,
    compare,
    compare_retention,
    lacking_quotes,
    with_told,
)
from crawler.decisionlog.verify_url_index import check_url_indexes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cryptography.x509 import Certificate

    from crawler.decisionlog.findings import SegmentReport
    from crawler.decisionlog.notes import VerifierKey
    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.registry_state import Told
    from crawler.decisionlog.session import Session

_ATTEMPTS: Final = 4


def verify_log(
    reader: LogReader,
    progress: Callable[[int], None] | None = None,
    *,
    known: Sequence[KnownCheckpoint] = (),
    trusted: Sequence[VerifierKey] = (),
    roots: Sequence[Certificate] = (),
    witnesses: Sequence[VerifierKey] = (),
    url_index: bool = False,
) -> VerifyReport:
    """Verify the whole log and return what was found. `progress` gets the number of records so far.

    `known` are checkpoints that were kept outside, beside the one that the log's writers keep themselves.
    `trusted` are keys of which one must have signed; `roots` and `witnesses` are those against which
    timestamps and cosignatures in the log are checked. With `url_index` the indexes of URLs are compared with
    the records. Damage that keeps the database itself from reading on becomes a finding too. When something
    was lawfully removed in the meantime, and is missing, the log is verified again. Raises LogError when the
    log cannot be opened or stays locked.
    """
    known = (*known, *checkpoints_beside(reader))
    for _ in range(_ATTEMPTS):
        verification = _verify(reader, progress, (known, trusted), (roots, witnesses), url_index=url_index)
        if not verification.overtaken:
            break
    return verification.report()


def _verify(
    reader: LogReader,
    progress: Callable[[int], None] | None,
    signed: tuple[Sequence[KnownCheckpoint], Sequence[VerifierKey]],
    attested: tuple[Sequence[Certificate], Sequence[VerifierKey]],
    *,
    url_index: bool,
) -> _Verification:
    findings = Findings()
    # A connection of its own, which returns texts as their UTF-8: no decoding, and no failing on broken text.
    connection = store.open_for_reading(reader.path)
    raw = store.octets(connection)
    verification = _Verification(reader, raw, findings)
    try:
        verification.run(progress, *signed)
        verification.check_anchors(*attested)
        if url_index:
            verification.check_url_indexes()
        verification.see_whether_overtaken()
    except store.errors() as error:
        explained = store.explain(error, reader.path, "read")
        if not isinstance(explained, IntegrityError):
            raise explained from error
        findings.add(Problem.FILE_DAMAGED, str(explained))
    except IntegrityError as error:  # of what is read by other ways than `raw`
        findings.add(Problem.FILE_DAMAGED, str(error))
    finally:
        connection.close()
    return verification


def checkpoints_beside(reader: LogReader) -> list[KnownCheckpoint]:
    """Return the last checkpoint that the log's writers keep outside it, if it is there. Raises LogError."""
    path = last_checkpoint(reader.path)
    if path is None:
        return []
    file = CheckpointFile(path)
    note = file.read()
    return [] if note is None else [KnownCheckpoint(place=str(file.path), note=note)]


class _Verification:
    """What a verification has found so far."""

    def __init__(self, reader: LogReader, raw: Session, findings: Findings) -> None:
        self._reader = reader
        self._raw = raw
        self._findings = findings
        self._source = DatabaseSource(raw)
        self._documents = DocumentCheck(self._source, findings)
        self._postings = PostingCheck(reader, findings)
        self._reports: list[SegmentReport] = []
        self._notes: list[str] = []
        self._unverifiable: list[str] = []
        self._state = RegistryState()
        self._size = 0  # of the registry when it was read
        self._attested = Checked()
        self.overtaken = False

    def see_whether_overtaken(self) -> None:
        """If anything was found, see whether something was lawfully removed since the registry was read."""
        if self._findings.total and self._state.size:
            self.overtaken = newest_removal(self._raw) >= self._state.size

    def run(
        self,
        progress: Callable[[int], None] | None,
        known: Sequence[KnownCheckpoint],
        trusted: Sequence[VerifierKey],
    ) -> None:
        """Verify registry, segments and documents. Raises the database's errors."""
        claims, self._size = read_claims(self._raw, self._findings)
        is_file = store.file_of(self._reader.path) is not None
        if is_file:
            check_shape(self._raw, self._findings)
        if self._reader.format != schema.FORMAT_1:
            registry = DatabaseRegistry(self._raw, self._size)
            check = RegistryCheck(registry, self._findings, known=known, trusted=trusted)
            self._state = check.run()
            compare(claims, self._state, self._findings)
            numbers = {claim.number for claim in claims}
            self._documents.discarded = compare_retention(self._raw, self._state, numbers, self._findings)
            self._documents.unquoted = lacking_quotes(self._state, self._documents.discarded)
            self._documents.may_lack = self._state.may_lack
        else:
            self._unverifiable.append(check_without_registry(known, trusted, self._findings))
        for claim in claims:
            self._segment(claim, progress)
        self._documents.run()
        if is_file:
            check_kept(self._raw, self._findings)
        if self._reader.format != schema.FORMAT_1:
            self._postings.strays(lambda number: sealed_since(self._raw, number, self._size))
        if self._state.origin:
            self._say_what_is_proved()
        elif self._reader.format != schema.FORMAT_1:
            self._unverifiable.append(
                "the log has no entry: nothing was ever written to it, or everything was removed;"
                " a checkpoint that somebody kept tells, with --known-checkpoint FILE"
            )

    def check_anchors(self, roots: Sequence[Certificate], witnesses: Sequence[VerifierKey]) -> None:
        """Check what others attested of the log's checkpoints."""
        if self._reader.format == schema.FORMAT_1:
            return
        self._attested = check_anchors(anchors_of(self._reader), roots, witnesses, self._findings)
        self._notes.extend(self._attested.notes)
        self._unverifiable.extend(self._attested.unverifiable)

    def check_url_indexes(self) -> None:
        """Compare the indexes of URLs with the records."""
        self._notes.append(check_url_indexes(self._reader, self._findings))

    def _say_what_is_proved(self) -> None:
        state = self._state
        if not state.outside:
            self._unverifiable.append(
                "no checkpoint from outside the log was compared: give one with --known-checkpoint FILE"
            )
        elif state.unproved:
            self._notes.append(
                f"{state.unproved} entries of the registry are newer than any checkpoint from outside"
            )
        if state.jumps:
            self._notes.append(f"the clock of a writer went back {state.jumps} times")

    def _segment(self, claim: SegmentClaim, progress: Callable[[int], None] | None) -> None:
        told = self._state.told.get(str(claim.uuid))
        if told is not None and told.intents:
            self._pruned(claim, told)
            return
        claim = with_told(claim, told)
        seal = None if told is None else told.seal
        sums = None if seal is None else HostSums()
        check = SegmentCheck(self._source, claim, self._findings, self._documents, sums)
        if check.is_of_another_version():
            self._postings.uncompared.add(claim.number)
            self._unverifiable.append(
                f"segment {claim.uuid} has record schema {claim.schema!r}; this version knows"
                f" {encoding.SCHEMA_VERSION}: verify it with the Sekisho version that wrote it"
            )
            return
        recovered = seal is not None and seal.how == "recovered"
        self._reports.append(replace(check.run(progress), recovered=recovered))
        self._notes.extend(check.notes)
        if self._reader.format != schema.FORMAT_1:
            self._rollup(claim, check.sums)

    def _pruned(self, claim: SegmentClaim, told: Told) -> None:
        """Say that a segment's records were lawfully removed; verify what stays of it."""
        rule = next(iter(told.intents.values())).rule
        if told.pruned and (claim.end or claim.start or claim.opening_end or claim.heads):
            self._findings.add(
                Problem.RECORD_OUTSIDE, "it was pruned, and has records, URLs or heads", claim.uuid, 0
            )
        state = "was pruned" if told.pruned else "is being pruned"
        self._unverifiable.append(
            f"segment {claim.uuid} of run {told.run} {state} under {rule}: its records are not here;"
            " an export of it is verified with --export"
        )
        self._rollup(claim, None)

    def _rollup(self, claim: SegmentClaim, computed: HostSums | None) -> None:
        try:
            stored = self._reader.sum_rows(claim.number)
        except (ValueError, TypeError, AttributeError, IntegrityError) as error:
            self._postings.uncompared.add(claim.number)
            self._findings.add(
                Problem.ROLLUP_WRONG, f"its sums by host are not what a writer writes: {error}", claim.uuid
            )
            return
        told = self._state.told.get(str(claim.uuid))
        if (told is None or told.seal is None) and sealed_since(self._raw, claim.number, self._size):
            return  # a run that ended after the registry was read: its sums are for the next verification
        same = compare_sums(claim, told, stored, computed, self._findings)
        if same and computed is not None:
            self._postings.segment(claim, computed)
        elif told is not None and told.seal is not None and not told.pruned:
            self._postings.uncompared.add(claim.number)  # found already, or its records go

    def report(self) -> VerifyReport:
        """Return what was found."""
        return VerifyReport(
            segments=tuple(self._reports),
            records=sum(report.records for report in self._reports),
            openings=sum(report.openings for report in self._reports),
            heads=sum(report.heads for report in self._reports),
            documents=self._documents.count,
            registry=self._state.size,
            checkpoints=self._state.checkpoints,
            outside=self._state.outside,
            origin=self._state.origin,
            keys=tuple(self._state.keys),
            attested=self._attested.held,
            attested_unchecked=self._attested.unchecked,
            findings=tuple(self._findings.kept),
            findings_total=self._findings.total,
            notes=(*self._notes, *self._documents.notes),
            unverifiable=tuple(self._unverifiable),
        )
