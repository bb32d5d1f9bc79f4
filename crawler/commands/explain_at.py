"""`sekisho explain --at TIME`: what was decided then, replayed from the log's evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrapy import Request

from blocklists.errors import ExitCode, UsageError
from crawler.commands import explain_sites
from crawler.commands.explain import page_facts
from crawler.commands.explain_families import Unasked, families_members, families_text, said_by_families
from crawler.commands.explain_text import (
    explanation_members,
    explanation_text,
    utc_text,
    verdict_lines,
    verdict_members,
)
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.location import log_url
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.selection import parse_time
from crawler.past import Decided, Past, Replayed
from policies.console import OutputFormat, as_json, as_jsonl, printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from crawler.commands.explain_families import Said
    from crawler.recorded_sites import Source
    from policies.facts import RequestFacts

SCHEMA = "sekisho.explain-at/1"
_DAY_US = 86_400_000_000  # a date stands for its end, which may lie ahead


def _moment(text: str) -> int:
    """Return the last moment that a time means: of a date its day, of a time to the second that second.

    Times are shown to the second, so that one that was shown finds what happened in it. UsageError.
    """
    end_us = parse_time(text, end=True)
    if len(text) == len("2026-11-21"):
        return end_us - 1
    return end_us if "." in text or "," in text else end_us + 999_999


def run(arguments: Namespace, urls: Sequence[str]) -> int:
    """Replay each URL and print what was found. Exit code 3 with --exit-code on a skip or a difference."""
    if arguments.robots is not None:
        raise UsageError("--at replays from the log, and --robots judges a file: choose one of them")
    at_us = _moment(arguments.at)
    if at_us > SystemClock().now_us() + _DAY_US:
        raise UsageError(
            f"--at {arguments.at} lies ahead; without --at the command says what would happen today"
        )
    log = log_url(arguments.log)
    site = explain_sites.load_site(arguments, log)
    findings = 0
    collected: list[dict[str, object]] = []
    with LogReader.open(log) as reader:
        past = Past(
            reader,
            site.standing,
            config=site.config,
            snapshot=site.snapshot,
            purposes=arguments.purpose or (),
        )
        if past.begins_later(at_us):
            raise UsageError(
                f"the log holds nothing of {site.standing.token} up to {utc_text(at_us)}; "
                "`sekisho log show` lists its runs"
            )
        for url in urls:
            facts = page_facts(_as_sent(url), site.user_agent)
            replayed, decided = past.at(facts, at_us), past.decisions(facts, at_us)
            said = () if arguments.brief else _families(facts, replayed, at_us)
            findings += not replayed.assessment.passes or any(one.same is False for one in decided)
            if arguments.format is OutputFormat.TABLE:
                print(_text(url, at_us, replayed, decided, said))
                continue
            members = _members(url, at_us, replayed, decided, said)
            if arguments.format is OutputFormat.JSONL:
                print(as_jsonl([members]))
            else:
                collected.append(members)
    if arguments.format is OutputFormat.JSON:
        print(as_json(SCHEMA, {"urls": collected}))
    return ExitCode.FINDINGS if arguments.exit_code and findings else ExitCode.DONE


def _as_sent(url: str) -> str:
    """Return a URL as a crawl would have recorded it: encoded as Scrapy sends it, without its fragment."""
    try:
        return Request(url).url.partition("#")[0]
    except ValueError:
        return url


def _families(facts: RequestFacts, replayed: Replayed, at_us: int) -> tuple[Said, ...]:
    unasked = Unasked(
        lists=replayed.then.lists_missing, site="its robots.txt is not on record up to this time"
    )
    return said_by_families(facts, replayed.then.standing, replayed.side, now_us=at_us, unasked=unasked)


def _source_line(source: Source) -> str:
    parts = [f"{source.what:<13}", source.url]
    if source.read_us:
        parts.append(f"read {utc_text(source.read_us)}")
    if source.status is not None and source.words != f"HTTP {source.status}":
        parts.append(f"HTTP {source.status}")
    if source.sha256:
        parts.append(f"sha256 {source.sha256[:12]}…")
    parts += [source.words, source.record]
    return "    " + "  ".join(printable(part) for part in parts if part)


def _decided_lines(decided: Decided) -> list[str]:
    words = [utc_text(decided.ts_us), f"{decided.stage.value:<8}", f"{decided.verdict:<5}", decided.reason]
    words += [f"HTTP {decided.status}"] if decided.status is not None else []
    lines = ["    " + "  ".join((*words, decided.record))]
    if decided.same is not None:
        outcome = "the replay says the same" if decided.same else "THE REPLAY SAYS SOMETHING ELSE"
        lines.append(f"        {outcome}")
    for one in decided.differences:
        why = f" ({one.why})" if one.why else ""
        lines.append(f"        {one.rule}: recorded {one.recorded}, replayed {one.replayed}{why}")
    lines += [f"        not replayed: {why}" for why in decided.not_replayed]
    if decided.same is not True:
        shown = [verdict for verdict in decided.verdicts if verdict.evidence]
        lines += [f"        {line}" for verdict in shown for line in verdict_lines(verdict)]
    return lines


def _text(
    url: str, at_us: int, replayed: Replayed, decided: tuple[Decided, ...], said: tuple[Said, ...]
) -> str:
    lines = [f"AT {utc_text(at_us)}  {printable(url)}", "  evidence of the time"]
    lines += [_source_line(source) for source in replayed.sources]
    lines.append("  what it says")
    lines += [f"  {line}" for line in explanation_text(url, replayed.assessment).splitlines()]
    if replayed.then.lists_missing:
        lines.append(f"    block lists were not evaluated: {replayed.then.lists_missing}")
    if said:
        lines.append(families_text(said, "octets of pages are not in the log; see the decisions on record"))
    lines.append("  decisions on record" if decided else "  no decision about this address is on record")
    lines += [line for one in decided for line in _decided_lines(one)]
    return "\n".join(lines)


def _members(
    url: str, at_us: int, replayed: Replayed, decided: tuple[Decided, ...], said: tuple[Said, ...]
) -> dict[str, object]:
    members = explanation_members(url, replayed.assessment, replayed.then.standing.token)
    members["at"] = utc_text(at_us)
    members["lists_not_evaluated"] = replayed.then.lists_missing or None
    members["evidence"] = [
        {
            "what": source.what,
            "url": source.url,
            "record": source.record or None,
            "read_at": utc_text(source.read_us) if source.read_us else None,
            "status": source.status,
            "sha256": source.sha256,
            "words": source.words,
        }
        for source in replayed.sources
    ]
    if said:
        members["families"] = families_members(said)
    members["decisions"] = [
        {
            "record": one.record,
            "run": one.run,
            "ts": utc_text(one.ts_us),
            "stage": one.stage.value,
            "verdict": one.verdict,
            "reason": one.reason,
            "status": one.status,
            "same": one.same,
            "differences": [
                {"rule": each.rule, "recorded": each.recorded, "replayed": each.replayed, "why": each.why}
                for each in one.differences
            ],
            "not_replayed": list(one.not_replayed),
            "rules": [verdict_members(verdict) for verdict in one.verdicts],
        }
        for one in decided
    ]
    return members
