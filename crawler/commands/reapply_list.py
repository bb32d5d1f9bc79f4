"""The list of what is to be withdrawn: one row a record, as a table, JSON lines or CSV.

Rows are values; a spreadsheet cannot take a cell for a formula. Pure but for writing the file.
"""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING, Self

from blocklists.errors import UsageError
from crawler.decisionlog.export import rfc3339
from policies.console import as_jsonl
from policies.spreadsheet import BOM, spreadsheet_cell
from policies.vocabulary import Evidence

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from crawler.reapply import Judged
    from crawler.withdrawals import Withdrawal
    from policies.vocabulary import Verdict

#: In the order of the CSV. `segment` and `idx` name the record of the keeping; `decision` the withdrawal.
COLUMNS = (
    "outcome", "url", "body_sha256", "reason", "all_reasons", "rule",
    "evidence_source", "evidence_line", "evidence_text", "evidence_note", "evidence_sha256",
    "evidence_fetched_at", "authority", "host", "media_type", "kept_at", "run", "segment", "idx",
    "decision", "decided_at",
)  # fmt: skip
SUFFIXES = (".csv", ".jsonl")
Row = dict[str, object]


def _reasons(because: tuple[Verdict, ...]) -> list[str]:
    found: dict[str, None] = {}
    for verdict in because:
        found |= {reason.value: None for reason in (verdict.reason, *verdict.others)}
    return list(found)


def _row(outcome: str, because: tuple[Verdict, ...], members: Row) -> Row:
    deciding = because[0] if because else None
    evidence = deciding.evidence[0] if deciding is not None and deciding.evidence else Evidence(source="")
    authorities = dict.fromkeys(one.authority for one in evidence.citations if one.authority)
    row: Row = {
        "outcome": outcome,
        "reason": deciding.reason.value if deciding is not None else "",
        "all_reasons": "; ".join(_reasons(because)),
        "rule": deciding.rule if deciding is not None else "",
        "evidence_source": evidence.source,
        "evidence_line": evidence.line,
        "evidence_text": evidence.text,
        "evidence_note": evidence.note,
        "evidence_sha256": evidence.sha256,
        "evidence_fetched_at": None if evidence.fetched_at is None else rfc3339(evidence.fetched_at),
        "authority": "; ".join(authorities),
    }
    return {name: (row | members).get(name) for name in COLUMNS}


def row_of_judged(judged: Judged) -> Row:
    """Return the row of a page that was judged just now."""
    record, receipt = judged.record, judged.receipt
    return _row(
        judged.outcome.value,
        judged.because,
        {
            "url": record.url,
            "body_sha256": record.body_sha256,
            "host": record.host,
            "media_type": record.media_type,
            "kept_at": rfc3339(record.ts_us),
            "run": record.run,
            "segment": str(record.segment),
            "idx": record.idx,
            "decision": None if receipt is None else f"{receipt.segment}#{receipt.idx}",
            "decided_at": None if receipt is None else rfc3339(receipt.ts_us),
        },
    )


def row_of_withdrawal(found: Withdrawal) -> Row:
    """Return the row of a withdrawal as the log holds it."""
    record = found.record
    return _row(
        "withdraw",
        found.because,
        {
            "url": record.url,
            "body_sha256": record.body_sha256,
            "host": record.host,
            "media_type": record.media_type,
            "kept_at": None if found.kept_us is None else rfc3339(found.kept_us),
            "run": found.kept_by,
            "segment": found.segment,
            "idx": found.idx,
            "decision": f"{record.segment}#{record.idx}",
            "decided_at": rfc3339(record.ts_us),
        },
    )


class ListFile:
    """A list being written: complete under its name, or not there. A context manager; UsageError."""

    def __init__(self, path: Path) -> None:
        if path.suffix not in SUFFIXES:
            raise UsageError(f"--out {path}: name a file that ends in {' or '.join(SUFFIXES)}")
        if path.exists():
            raise UsageError(f"--out {path}: is there already; name another file, or move it away")
        self.path = path
        self.rows = 0
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")

    def __enter__(self) -> Self:
        try:
            # A cell may hold line ends of any kind; csv writes its own.
            self._file = self._partial.open("x", encoding="utf-8", errors="backslashreplace", newline="")
        except OSError as error:
            raise UsageError(f"--out {self.path}: cannot be written: {error.strerror}") from error
        if self.path.suffix == ".csv":
            self._file.write(BOM)
            self._csv = csv.writer(self._file)
            self._csv.writerow(COLUMNS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
        if kind is None:
            self._partial.rename(self.path)
        else:
            self._partial.unlink(missing_ok=True)

    def write(self, row: Row) -> None:
        """Add a row."""
        if self.path.suffix == ".csv":
            self._csv.writerow([spreadsheet_cell(row[name]) for name in COLUMNS])
        else:
            self._file.write(as_jsonl([row]) + "\n")
        self.rows += 1
