"""Writes a verification's report for people, as JSON, or as JSON lines (one finding a line). Returns text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.console import OutputFormat, as_json, as_jsonl, printable, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crawler.decisionlog.findings import Finding, SegmentReport, VerifyReport
    from crawler.decisionlog.place import LogPlace

SCHEMA = "sekisho.verify/1"


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "problem": finding.problem.value,
        "segment": None if finding.segment is None else str(finding.segment),
        "idx": finding.idx,
        "text": finding.text,
    }


def _segment(segment: SegmentReport) -> dict[str, object]:
    return {
        "segment": str(segment.segment),
        "run": segment.run,
        "records": segment.records,
        "heads": segment.heads,
        "sealed": segment.sealed,
        "recovered": segment.recovered,
        "root": segment.root,
        "uncovered": segment.uncovered,
    }


def _state(segment: SegmentReport) -> str:
    if segment.recovered:
        return "recovered"
    return "sealed" if segment.sealed else "open"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _lines(path: LogPlace, report: VerifyReport) -> Iterator[str]:
    rows = [
        (
            part.segment,
            part.run,
            f"{part.records:,}",
            part.heads,
            _state(part),
            part.root,
        )
        for part in report.segments
    ]
    if rows:
        yield table(("SEGMENT", "RUN", "RECORDS", "HEADS", "STATE", "ROOT"), rows)
        yield ""
    parts = (
        _counted(report.records, "record", "records") + " in " + _counted(len(rows), "segment", "segments"),
        _counted(report.openings, "URL", "URLs"),
        _counted(report.heads, "head", "heads"),
        _counted(report.documents, "document", "documents"),
        _counted(report.registry, "entry of the registry", "entries of the registry"),
        _counted(report.checkpoints, "checkpoint", "checkpoints"),
    )
    yield f"{printable(str(path))}: recomputed {', '.join(parts)}."
    if report.origin:
        met = _counted(report.outside, "checkpoint", "checkpoints") + " from outside"
        yield f"Log {printable(report.origin)}, signed with {printable(', '.join(report.keys))}; {met} met."
    for segment in report.unsealed:
        behind = f"; {segment.uncovered:,} records are behind its newest head" if segment.uncovered else ""
        yield f"Not sealed: {segment.segment} (the run is under way, or ended without order){behind}."
    for note in report.notes:
        yield f"Note: {printable(note)}."
    for sentence in report.unverifiable:
        yield f"Not verifiable here: {printable(sentence)}."
    for finding in report.findings:
        place = f" {finding.place}" if finding.place else ""
        yield f"FOUND {finding.problem.value}{place}: {printable(finding.text)}"
    if report.findings_total > len(report.findings):
        yield f"… and {report.findings_total - len(report.findings):,} findings more."
    if report.findings_total:
        found = _counted(report.findings_total, "finding", "findings")
        yield f"Something was changed or is missing: {found}."
    elif report.unverifiable:
        yield "Nothing wrong was found, but not everything could be verified."
    else:
        yield "Nothing was changed, and nothing is missing."


def verify_output(path: LogPlace, report: VerifyReport, output: OutputFormat) -> str:
    """Return the report as text without a last line end."""
    if output is OutputFormat.JSONL:
        return as_jsonl(_finding(finding) for finding in report.findings)
    if output is OutputFormat.TABLE:
        return "\n".join(_lines(path, report))
    return as_json(
        SCHEMA,
        {
            "log": str(path),
            "intact": not report.findings_total,
            "exit_code": int(report.exit_code),
            "records": report.records,
            "urls": report.openings,
            "heads": report.heads,
            "documents": report.documents,
            "origin": report.origin,
            "keys": list(report.keys),
            "registry": report.registry,
            "checkpoints": report.checkpoints,
            "checkpoints_from_outside": report.outside,
            "attestations": report.attested,
            "attestations_not_checked": report.attested_unchecked,
            "segments": [_segment(segment) for segment in report.segments],
            "findings": [_finding(finding) for finding in report.findings],
            "findings_total": report.findings_total,
            "notes": list(report.notes),
            "unverifiable": list(report.unverifiable),
        },
    )
