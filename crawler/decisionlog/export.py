"""Turns records into what people and programs read: JSON lines, and CSV that a spreadsheet cannot be hurt by.

One record is one line. Times are RFC 3339 in UTC with microseconds. The evidence is that of the deciding
verdict in the record's basis; `rules` names every rule that was consulted, in order.
CSV is UTF-8 with a byte order mark; a cell that a spreadsheet would take for a formula (it begins with
`=`, `+`, `-`, `@`, their full-width forms, TAB, CR, LF or NUL) has an apostrophe before it (OWASP,
CSV Injection, https://owasp.org/www-community/attacks/CSV_Injection).
Pure but for reading documents from the log.
"""

from __future__ import annotations

import csv
import io
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from crawler.decisionlog.errors import IntegrityError
from policies.basis import decode_basis
from policies.console import as_jsonl
from policies.spreadsheet import BOM, spreadsheet_cell
from policies.vocabulary import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.stored import StoredRecord
    from policies.vocabulary import Assessment, Citation

ARMED_SQL: Final = (
    "SELECT DISTINCT run FROM decisions WHERE stage = 'run' AND verdict = 'note' AND reason = 'guard_armed'"
)
_BASES: Final = 20_000
_NONE: Final = Evidence(source="")  # every evidence object has the same members

COLUMNS: Final = (
    "ts", "run", "segment", "idx", "stage", "verdict", "reason", "method", "url", "host", "domain", "agent",
    "parent_url", "status", "kind", "size", "media_type", "error", "ref_idx", "attempt",
    "evidence_source", "evidence_line", "evidence_text", "evidence_sha256", "evidence_fetched_at",
    "evidence_group", "evidence_reader", "evidence_note", "citations", "rules",
    "policy_sha256", "blocklist_sha256", "basis_sha256", "body_sha256", "leaf_hash", "guarded",
)  # fmt: skip


@lru_cache(maxsize=1024)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def rfc3339(us: int) -> str:
    """Return UTC microseconds since the epoch as RFC 3339, always with six decimals and Z."""
    second, rest = divmod(us, 1_000_000)
    return f"{_second(second)}.{rest:06d}Z"


def _citation_members(citation: Citation) -> dict[str, object]:
    members: dict[str, object] = {}
    for field in fields(citation):
        value = getattr(citation, field.name)
        members[field.name] = rfc3339(value) if field.name == "fetched_at" and value is not None else value
    return members


def _evidence_members(evidence: Evidence) -> dict[str, object]:
    return {
        "source": evidence.source,
        "line": evidence.line,
        "text": evidence.text,
        "sha256": evidence.sha256,
        "fetched_at": None if evidence.fetched_at is None else rfc3339(evidence.fetched_at),
        "group": evidence.group,
        "reader": evidence.reader,
        "note": evidence.note,
        "citations": [_citation_members(citation) for citation in evidence.citations],
    }


def evidence_members(assessment: Assessment) -> dict[str, object]:
    """Return the evidence object of a decision: the deciding verdict's first, its others under `also`.

    What another rule cited stands there too: a site that lists name and that the operator freed.
    """
    deciding = assessment.deciding
    cited = tuple(
        evidence
        for verdict in assessment.verdicts
        for evidence in verdict.evidence
        if evidence.citations and verdict is not deciding
    )
    first, *others = [_evidence_members(one) for one in (*(deciding.evidence or (_NONE,)), *cited)]
    return {
        **first,
        "rule": deciding.rule,
        "also": others,
        "rules": [
            {"rule": verdict.rule, "action": verdict.action.value, "reason": verdict.reason.value}
            for verdict in assessment.verdicts
        ],
    }


class Exporter:
    """Makes export lines of one log's records. `missing` counts decisions whose basis is not in the log."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._evidence: dict[str, dict[str, object] | None] = {}
        self._asked: set[str] = set()
        self._armed: set[str] = set()
        self.missing = 0

    def evidence(self, record: StoredRecord) -> dict[str, object] | None:
        """Return the record's evidence object; None when it has no basis, or the log has lost it."""
        digest = record.basis_sha256
        if digest is None:
            return None
        if digest not in self._evidence:
            if len(self._evidence) >= _BASES:
                self._evidence.clear()
            self._evidence[digest] = self._load(digest)
        found = self._evidence[digest]
        if found is None:
            self.missing += 1
        return found

    def _load(self, digest: str) -> dict[str, object] | None:
        try:
            document = self._reader.document(digest)
            return None if document is None else evidence_members(decode_basis(document.body))
        except (IntegrityError, ValueError):
            return None

    def members(self, record: StoredRecord) -> dict[str, object]:
        """Return one decision as a JSON object."""
        return {
            "ts": rfc3339(record.ts_us),
            "run": record.run,
            "segment": str(record.segment),
            "idx": record.idx,
            "stage": record.stage.value,
            "verdict": record.verdict,
            "reason": record.reason,
            "method": record.method,
            "url": record.url,
            "host": record.host,
            "domain": record.domain,
            "agent": record.agent,
            "parent_url": record.parent_url,
            "status": record.status,
            "evidence": self.evidence(record),
            "kind": None if record.kind is None else record.kind.value,
            "size": record.size,
            "media_type": record.media_type,
            "error": record.error,
            "ref_idx": record.ref_idx,
            "attempt": record.attempt,
            "policy_sha256": record.policy_sha256,
            "blocklist_sha256": record.blocklist_sha256,
            "basis_sha256": record.basis_sha256,
            "body_sha256": record.body_sha256,
            "leaf_hash": record.leaf_hash,
            "guarded": self._guarded(record.run),
        }

    def _guarded(self, run: str) -> bool:
        """Whether a run recorded that its guard was armed; asked once for all runs that there are by now."""
        if run not in self._asked:
            self._armed = {str(name) for (name,) in self._reader.query(ARMED_SQL)}
            self._asked |= {run, *self._armed}
        return run in self._armed

    def jsonl(self, records: Iterable[StoredRecord]) -> Iterator[str]:
        """Yield one JSON line (with its line end) a record."""
        for record in records:
            yield as_jsonl([self.members(record)]) + "\n"

    def csv(self, records: Iterable[StoredRecord]) -> Iterator[str]:
        """Yield the byte order mark with the header, then one CSV line (RFC 4180) a record."""
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(COLUMNS)
        yield BOM + buffer.getvalue()
        for record in records:
            buffer.seek(0)
            buffer.truncate()
            writer.writerow([spreadsheet_cell(value) for value in self._flat(record)])
            yield buffer.getvalue()

    def _flat(self, record: StoredRecord) -> Iterator[object]:
        members = self.members(record)
        evidence = members["evidence"]
        known = evidence if isinstance(evidence, dict) else {}
        for name in COLUMNS:
            if name == "citations":
                yield _joined(known.get("citations"), ("source_id", "line", "pattern", "authority"))
            elif name == "rules":
                yield _joined(known.get("rules"), ("rule", "action", "reason"))
            elif name.startswith("evidence_"):
                yield known.get(name.removeprefix("evidence_"))
            else:
                yield members[name]


def _joined(values: object, names: tuple[str, ...]) -> str:
    """Return a list of objects as one cell."""
    rows: list[Mapping[str, object]] = values if isinstance(values, list) else []
    return "; ".join(" ".join(str(row[name]) for name in names if row.get(name)) for row in rows)
