"""`sekisho log lookup`: what the log holds of a host, a domain with its subdomains, or one URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from blocklists.errors import UsageError
from crawler.decisionlog.export import rfc3339
from crawler.decisionlog.lookup import Answer, HostAnswer, lookup, parse_target
from policies.console import OutputFormat, as_json, as_jsonl, printable, table
from policies.reasons import explain_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.stored import StoredRecord

SCHEMA: Final = "sekisho.log-lookup/1"
_SHOWN: Final = 200  # rows for people; the other formats leave nothing out


def show_lookup(reader: LogReader, text: str, output: OutputFormat, *, exhaustive: bool = False) -> str:
    """Return the answer about a host, domain or URL. Raises UsageError for what is neither."""
    target = parse_target(text)
    if exhaustive and target.url is None:
        raise UsageError(f"--exhaustive is for a URL, and {text!r} is none: write it with its scheme")
    answer = lookup(reader, target, exhaustive=exhaustive)
    if output is OutputFormat.TABLE:
        return "\n".join(_lines(answer))
    hosts = [_host(one) for one in answer.hosts]
    records = [_record(one) for one in answer.records]
    if output is OutputFormat.JSONL:
        return as_jsonl(records if answer.target.url is not None else hosts)
    return as_json(
        SCHEMA,
        {
            "host": answer.target.host,
            "url": answer.target.url,
            "segments_searched": answer.segments,
            "hosts": hosts,
            "records": records,
            "erased_urls_of_the_host": answer.unopened,
            "segments_by_url_index": answer.by_url_index,
        },
    )


def _host(answer: HostAnswer) -> dict[str, object]:
    found, pruning = answer.found, answer.pruning
    return {
        "host": answer.host,
        "run": answer.run,
        "segment": answer.segment,
        "agent": answer.agent,
        "state": answer.state,
        "fetch": found.n_fetch,
        "skip": found.n_skip,
        "defer": found.n_defer,
        "keep": found.n_keep,
        "drop": found.n_drop,
        "reasons": dict(found.reasons),
        "policies": list(found.policies),
        "first": rfc3339(found.first_us),
        "last": rfc3339(found.last_us),
        "pruned": None if pruning is None or not pruning.done else rfc3339(pruning.ts_us),
        "pruned_under": None if pruning is None else pruning.rule,
    }


def _record(record: StoredRecord) -> dict[str, object]:
    explanation = explain_reason(record.reason)
    return {
        "ts": rfc3339(record.ts_us),
        "stage": record.stage.value,
        "verdict": record.verdict,
        "reason": record.reason,
        "why": None if explanation is None else explanation.en,
        "method": record.method,
        "status": record.status,
        "agent": record.agent,
        "policy_sha256": record.policy_sha256,
        "blocklist_sha256": record.blocklist_sha256,
        "basis_sha256": record.basis_sha256,
        "run": record.run,
        "place": f"{record.segment}#{record.idx}",
    }


def _lines(answer: Answer) -> Iterator[str]:
    target, hosts = answer.target, answer.hosts
    what = printable(target.url or target.host)
    searched = f"{answer.segments:,} segment{'s' if answer.segments != 1 else ''} searched"
    if not hosts:
        yield f"This log has no decision about {printable(target.host)} or a host below it ({searched})."
        return
    if target.url is not None:
        yield from _url_lines(answer, what)
        return
    sums = [one.found for one in hosts]
    yield (
        f"{what} and hosts below it ({searched}): fetched {sum(one.n_fetch for one in sums):,},"
        f" skipped {sum(one.n_skip for one in sums):,}, deferred {sum(one.n_defer for one in sums):,};"
        f" kept {sum(one.n_keep for one in sums):,}, dropped {sum(one.n_drop for one in sums):,};"
        f" from {rfc3339(min(one.first_us for one in sums))} to {rfc3339(max(one.last_us for one in sums))}."
    )
    yield ""
    names = ("HOST", "RUN", "STATE", "FETCH", "SKIP", "KEEP", "DROP", "FIRST", "LAST", "REASONS")
    rows = [
        (
            printable(one.host), printable(one.run), one.state, one.found.n_fetch, one.found.n_skip,
            one.found.n_keep, one.found.n_drop, rfc3339(one.found.first_us)[:19],
            rfc3339(one.found.last_us)[:19],
            ", ".join(f"{reason} {count}" for reason, count in one.found.reasons),
        )
        for one in hosts[:_SHOWN]
    ]  # fmt: skip
    yield table(names, rows)
    if len(hosts) > _SHOWN:
        yield f"… and {len(hosts) - _SHOWN:,} rows more: --format jsonl gives all."
    yield ""
    policies = sorted({digest for one in sums for digest in one.policies})
    yield "Policies: " + ", ".join(policies)
    yield from _pruned(hosts)


def _url_lines(answer: Answer, what: str) -> Iterator[str]:
    if answer.records:
        yield f"{what}: {len(answer.records):,} records."
        yield ""
        rows = [
            (rfc3339(one.ts_us), one.stage, one.verdict, one.reason, one.status, f"{one.segment}#{one.idx}")
            for one in answer.records[:_SHOWN]
        ]
        yield table(("TIME", "STAGE", "VERDICT", "REASON", "STATUS", "RECORD"), rows)
        if len(answer.records) > _SHOWN:
            yield f"… and {len(answer.records) - _SHOWN:,} rows more: --format jsonl gives all."
        yield ""
        policies = sorted({one.policy_sha256 for one in answer.records})
        yield "Policies: " + ", ".join(policies)
        yield f"Evidence of a record: sekisho log show {answer.records[0].segment}#{answer.records[0].idx}"
    else:
        yield f"No record of {what} is left; of its host {printable(answer.target.host)} there are some:"
        yield f"  sekisho log lookup {printable(answer.target.host)}"
    if answer.unopened:
        yield f"The URLs of {answer.unopened:,} records of this host were erased: one may be this one."
    if answer.by_url_index:
        yield (
            f"In {answer.by_url_index:,} segments the log's signed index of URLs was asked;"
            " --exhaustive reads every record of the host, and needs no index."
        )
    yield from _pruned(answer.hosts)


def _pruned(hosts: tuple[HostAnswer, ...]) -> Iterator[str]:
    """Say of every pruned segment when and why, once."""
    seen = set()
    for one in hosts:
        if one.pruning is not None and one.segment not in seen:
            seen.add(one.segment)
            when = rfc3339(one.pruning.ts_us)
            verb = "was pruned on" if one.pruning.done else "is being pruned since"
            yield (
                f"Segment {one.segment} (run {printable(one.run)}) {verb} {when} under rule"
                f" {printable(one.pruning.rule)}: its sums remain, its records are gone."
            )
