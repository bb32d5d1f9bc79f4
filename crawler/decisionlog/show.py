"""Writes what a log holds: every run, one run, or one record with its evidence. Returns text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from blocklists.errors import UsageError
from crawler.decisionlog.export import ARMED_SQL, Exporter, rfc3339
from policies.console import OutputFormat, as_json, as_jsonl, printable, render, shorten, table
from policies.reasons import explain_reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.stored import RunInfo, SegmentInfo, StoredRecord

RUNS: Final = "sekisho.log-runs/1"
RUN: Final = "sekisho.log-run/1"
RECORD: Final = "sekisho.log-record/1"

COUNTS_SQL: Final = (
    "SELECT run, stage, verdict, reason, count(*), min(ts_us), max(ts_us) FROM decisions"
    " WHERE run = ? GROUP BY run, stage, verdict, reason ORDER BY min(ts_us), min(idx)"
)
VERDICTS_SQL: Final = "SELECT run, verdict, count(*) FROM decisions GROUP BY run, verdict"


def _time(us: int | None) -> str | None:
    return None if us is None else rfc3339(us)


def _segment(info: SegmentInfo) -> dict[str, object]:
    return {
        "segment": str(info.segment),
        "opened": rfc3339(info.opened_us),
        "last": _time(info.last_us),
        "records": info.size,
        "state": "sealed" if info.sealed else "open",
        "head_size": info.head_size,
        "head_root": info.head_root,
    }


def armed_runs(reader: LogReader) -> frozenset[str]:
    """Return the runs that recorded that their guard was armed; every other one is unguarded."""
    return frozenset(str(run) for (run,) in reader.query(ARMED_SQL))


def show_log(reader: LogReader, output: OutputFormat) -> str:
    """Return one row a run, in the order in which they were opened."""
    counts: dict[str, dict[str, int]] = {}
    for run, verdict, count in reader.query(VERDICTS_SQL):
        counts.setdefault(str(run), {})[str(verdict)] = int(count or 0)
    armed = armed_runs(reader)
    rows = []
    for info in reader.runs():
        verdicts = counts.get(info.run, {})
        rows.append(
            {
                "run": info.run,
                "agent": info.segments[0].agent,
                "opened": rfc3339(info.segments[0].opened_us),
                "records": info.size,
                "fetch": verdicts.get("fetch", 0),
                "keep": verdicts.get("keep", 0),
                "skip": verdicts.get("skip", 0),
                "defer": verdicts.get("defer", 0),
                "guard": "armed" if info.run in armed else "unguarded",
                "state": "sealed" if info.sealed else "open",
                "segment": str(info.segments[-1].segment),
                "head_size": info.segments[-1].head_size,
                "head_root": info.segments[-1].head_root,
            }
        )
    columns = (
        "run",
        "agent",
        "opened",
        "records",
        "fetch",
        "keep",
        "skip",
        "guard",
        "state",
        "segment",
        "head_size",
    )
    return render(output, RUNS, "runs", columns, rows)


def _find_run(reader: LogReader, name: str) -> RunInfo:
    runs = reader.runs()
    found = [run for run in runs if run.run == name] or [run for run in runs if run.run.startswith(name)]
    found = found or [run for run in runs if any(str(part.segment).startswith(name) for part in run.segments)]
    if len(found) == 1:
        return found[0]
    newest = ", ".join(run.run for run in runs[-5:]) or "none"
    why = "several runs begin with" if found else "the log has no run or segment"
    raise UsageError(f"{why} {name!r}; its newest runs: {newest}")


def show_run(reader: LogReader, name: str, output: OutputFormat) -> str:
    """Return a run's segments and its counts. The name may be shortened. Raises UsageError."""
    run = _find_run(reader, name)
    segments = [_segment(part) for part in run.segments]
    counts = [
        {
            "stage": stage, "verdict": verdict, "reason": reason, "count": count,
            "first": _time(int(first or 0)), "last": _time(int(last or 0)),
        }
        for _, stage, verdict, reason, count, first, last in reader.query(COUNTS_SQL, (run.run,))
    ]  # fmt: skip
    if output is OutputFormat.JSONL:
        return as_jsonl(counts)
    guard = "armed" if run.run in armed_runs(reader) else "unguarded"
    if output is OutputFormat.JSON:
        members = {
            "run": run.run,
            "agent": run.segments[0].agent,
            "guard": guard,
            "segments": segments,
            "counts": counts,
        }
        return as_json(RUN, members)
    return "\n".join(
        (
            f"run {printable(run.run)}, agent {printable(run.segments[0].agent)}, guard {guard}",
            "",
            render(output, RUN, "segments", tuple(segments[0]), segments),
            "",
            render(output, RUN, "counts", ("stage", "verdict", "reason", "count", "first", "last"), counts),
        )
    )


def find_segment(reader: LogReader, name: str) -> UUID:
    """Return the one segment whose UUID begins so. Raises UsageError."""
    segments = [part.segment for part in reader.segments() if str(part.segment).startswith(name)]
    if len(segments) != 1 or not name:
        why = "more than one segment begins" if segments and name else "no segment begins"
        raise UsageError(f"{why} with {name!r}; `sekisho log show` lists them")
    return segments[0]


def find_record(reader: LogReader, place: str) -> StoredRecord:
    """Return the record that is named `segment#idx`; the segment may be shortened. Raises UsageError."""
    name, _, number = place.partition("#")
    segment = find_segment(reader, name)
    record = reader.record(segment, int(number)) if number.isascii() and number.isdigit() else None
    if record is None:
        raise UsageError(f"segment {segment} has no record {number!r}; `sekisho log show` lists sizes")
    return record


def show_record(reader: LogReader, place: str, output: OutputFormat) -> str:
    """Return one record, named `segment#idx`; the segment may be shortened. Raises UsageError."""
    members = Exporter(reader).members(find_record(reader, place))
    if output is OutputFormat.JSON:
        return as_json(RECORD, {"record": members})
    if output is OutputFormat.JSONL:
        return as_jsonl([members])
    return "\n".join(_told(members))


def _told(members: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines that tell a record to a person."""
    explanation = explain_reason(str(members["reason"]))
    yield f"record {members['segment']}#{members['idx']} of run {_shown(members['run'])}"
    yield f"{_shown(members['verdict']).upper()} {_shown(members['reason'])} ({_shown(members['stage'])})"
    if explanation is not None:
        yield f"  {explanation.en}"
        if members["verdict"] in ("skip", "defer"):
            yield f"  {explanation.next_en}"
    evidence = members["evidence"]
    yield ""
    told = {
        name: members[name]
        for name in (
            "ts", "agent", "kind", "method", "url", "parent_url", "host", "domain", "status", "size",
            "media_type", "error", "attempt", "ref_idx",
        )
    }  # fmt: skip
    for name, value in told.items():
        if value not in (None, ""):
            yield f"  {name:<12}{_shown(value)}"
    if isinstance(evidence, dict):
        yield ""
        yield from _evidence(evidence)
    elif members["basis_sha256"] is not None:
        yield ""
        yield "Evidence: its document is missing or damaged; run `sekisho log verify`"
    yield ""
    for name in ("policy_sha256", "blocklist_sha256", "basis_sha256", "body_sha256", "leaf_hash"):
        if members[name] is not None:
            yield f"  {name:<18}{members[name]}"


def _evidence(evidence: Mapping[str, object]) -> Iterator[str]:
    also = evidence["also"]
    yield f"Evidence (rule {_shown(evidence['rule'])}):"
    for one in (evidence, *(also if isinstance(also, list) else ())):
        if not one.get("source"):
            yield "  none was needed"
            continue
        line = f" line {one['line']}" if one["line"] is not None else ""
        yield f"  {_shown(one['source'])}{line}: {_shown(one['text'])}".rstrip(": ")
        for name in ("group", "note", "sha256", "fetched_at"):
            if one[name]:
                yield f"    {name:<12}{_shown(one[name])}"
        for citation in one["citations"]:
            yield f"    cites       {_shown(citation['source_id'])} line {citation['line']}: " + _shown(
                citation["text"]
            )
    rules = evidence["rules"]
    rows = (
        [(rule["rule"], rule["action"], rule["reason"]) for rule in rules] if isinstance(rules, list) else []
    )
    yield ""
    yield "Rules consulted, in order:"
    yield "\n".join("  " + line for line in table(("RULE", "ACTION", "REASON"), rows).splitlines())


def _shown(value: object) -> str:
    return shorten(printable(str(value)), 400)
