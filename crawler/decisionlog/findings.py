"""What verifying a log can say: findings, and a report that counts what was looked at. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from blocklists.errors import ExitCode

if TYPE_CHECKING:
    from uuid import UUID


_KEPT: Final = 1000


class Problem(StrEnum):
    """Kinds of findings (closed; added to, never renamed)."""

    RECORD_CHANGED = "record_changed"
    RECORD_MISSING = "record_missing"
    RECORD_OUTSIDE = "record_outside"
    URL_CHANGED = "url_changed"
    URL_MISSING = "url_missing"
    URL_OUTSIDE = "url_outside"
    HEAD_WRONG = "head_wrong"
    HEAD_MISSING = "head_missing"
    SEAL_WRONG = "seal_wrong"
    SEGMENT_CHANGED = "segment_changed"
    SEGMENT_MISSING = "segment_missing"
    REFERENCE_WRONG = "reference_wrong"
    TIME_WRONG = "time_wrong"
    DOCUMENT_CHANGED = "document_changed"
    DOCUMENT_MISSING = "document_missing"
    FILE_DAMAGED = "file_damaged"
    FILE_MISSING = "file_missing"
    FILE_OUTSIDE = "file_outside"
    REGISTRY_CHANGED = "registry_changed"
    REGISTRY_MISSING = "registry_missing"
    CHECKPOINT_WRONG = "checkpoint_wrong"
    CHECKPOINT_MISSING = "checkpoint_missing"
    KEY_WRONG = "key_wrong"
    ROLLED_BACK = "rolled_back"
    ROLLUP_WRONG = "rollup_wrong"
    ANCHOR_WRONG = "anchor_wrong"
    INDEX_WRONG = "index_wrong"
    URL_INDEX_WRONG = "url_index_wrong"
    VIEW_CHANGED = "view_changed"
    KEPT_OTHERWISE = "kept_otherwise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as a writer leaves it; `segment` and `idx` say where, as far as is known."""

    problem: Problem
    text: str
    segment: UUID | None = None
    idx: int | None = None

    @property
    def place(self) -> str:
        """`segment#idx`, or as much of it as there is."""
        if self.segment is None:
            return ""
        return str(self.segment) if self.idx is None else f"{self.segment}#{self.idx}"


@dataclass(slots=True)
class Findings:
    """Collects findings: keeps the first thousand and counts the rest."""

    kept: list[Finding] = field(default_factory=list)
    total: int = 0

    def add(self, problem: Problem, text: str, segment: UUID | None = None, idx: int | None = None) -> None:
        """Note one."""
        self.total += 1
        if len(self.kept) < _KEPT:
            self.kept.append(Finding(problem=problem, text=text, segment=segment, idx=idx))


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReport:
    """What was verified of one segment.

    `root` is recomputed over the `records` found (64 hex characters). `uncovered` counts the records after
    the newest head: of these only the content is proved, not that none was cut off behind them. `recovered`
    says that another writer sealed it, because its own had died.
    """

    segment: UUID
    run: str
    records: int
    openings: int
    heads: int
    sealed: bool
    root: str
    uncovered: int
    recovered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The result of verifying a whole log: at most the first thousand findings, and counts of everything.

    `registry` counts the entries of the registry, `checkpoints` those signed in the log, `outside` those from
    outside that were met; `keys` are all that ever signed. `attested` counts what others attested and holds,
    `attested_unchecked` what could not be checked with the roots and keys that were given. `notes` say what
    is no finding but worth knowing; `unverifiable` says what cannot be checked here.
    """

    segments: tuple[SegmentReport, ...]
    records: int
    openings: int
    heads: int
    documents: int
    registry: int = 0
    checkpoints: int = 0
    outside: int = 0
    origin: str = ""
    keys: tuple[str, ...] = ()
    attested: int = 0
    attested_unchecked: int = 0
    findings: tuple[Finding, ...]
    findings_total: int
    notes: tuple[str, ...]
    unverifiable: tuple[str, ...]

    @property
    def unsealed(self) -> tuple[SegmentReport, ...]:
        """Segments that were never sealed: a run that is under way, or that ended without order."""
        return tuple(segment for segment in self.segments if not segment.sealed)

    @property
    def exit_code(self) -> ExitCode:
        """4 when anything was found, 6 when something could not be checked, else 0."""
        if self.findings_total:
            return ExitCode.TAMPERED
        return ExitCode.UNVERIFIABLE if self.unverifiable else ExitCode.DONE
