"""Why a site is listed, in words: every row with its authority, and how a wrong entry is corrected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blocklists.entry import EntryAction
from blocklists.host import split_origin
from policies.console import printable
from policies.facts import RequestFacts
from policies.rules.piracy import judge_piracy
from policies.vocabulary import Origin, RequestKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blocklists.matcher import Hit
    from blocklists.profile import Profile
    from blocklists.refresh_sources import Definition
    from blocklists.store_manifest import Snapshot


_FREE = "sekisho blocklists override {} --reason … --owner … --until …"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One entry that names the site: what it says, what the profile makes of it, where it is reported."""

    hit: Hit
    effect: str
    report: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything about one host or URL."""

    url: str
    host: str
    blocked: bool
    note: str
    rows: tuple[Row, ...]


def judge(
    url: str, snapshot: Snapshot, profile: Profile, definitions: Mapping[str, Definition], *, now_us: int
) -> Answer:
    """Return what the lists say of a URL, by the rule that a crawl asks."""
    scheme, host, port = split_origin(url) or ("http", "", 80)
    facts = RequestFacts(
        url=url,
        method="GET",
        user_agent="",
        kind=RequestKind.PAGE,
        origin=Origin(scheme=scheme, host=host, port=port),
    )
    verdict = judge_piracy(facts, snapshot.matcher, now_us=now_us, weights=profile)
    hits = snapshot.matcher.match(host, now_us=now_us, url=url)
    return Answer(
        url=url,
        host=host,
        blocked=not verdict.action.passes,
        note=verdict.evidence[0].note if verdict.evidence else "",
        rows=tuple(
            Row(hit=hit, effect=_effect(hit, profile), report=_report(hit, definitions)) for hit in hits
        ),
    )


def _effect(hit: Hit, profile: Profile) -> str:
    if hit.entry.action is EntryAction.OVERRIDE:
        return "lifts what every other list says of it"
    if hit.entry.action is EntryAction.ALLOW:
        return "lifts blocks of its own list"
    return profile.why(hit.entry, hit.source)


def _report(hit: Hit, definitions: Mapping[str, Definition]) -> str:
    definition = definitions.get(hit.source.source_id)
    known = definition.report_url if definition else ""
    return known or hit.source.report_url or hit.entry.source_url


def answer_members(answer: Answer) -> dict[str, object]:
    """Return an answer as JSON holds it."""
    return {
        "url": answer.url,
        "host": answer.host,
        "blocked": answer.blocked,
        "note": answer.note,
        "entries": [_row_members(row) for row in answer.rows],
    }


def _row_members(row: Row) -> dict[str, object]:
    entry, source = row.hit.entry, row.hit.source
    return {
        "list": entry.source_id,
        "list_sha256": source.sha256,
        "line": entry.line_no,
        "text": entry.pattern_raw,
        "pattern": entry.pattern,
        "match": entry.match.value,
        "action": entry.action.value,
        "weight": entry.weight.value,
        "authority": entry.authority,
        "jurisdiction": entry.jurisdiction,
        "decision_ref": entry.decision_ref,
        "decision_date": entry.decision_date.isoformat() if entry.decision_date else "",
        "valid_until": entry.valid_until.isoformat() if entry.valid_until else "",
        "effect": row.effect,
        "report": row.report,
    }


def answer_text(answer: Answer) -> str:
    """Return an answer for people."""
    if not answer.rows:
        return f"{printable(answer.host)} is on no list."
    verdict = "is not visited" if answer.blocked else "is visited"
    count = len(answer.rows)
    named = "1 entry names it" if count == 1 else f"{count} entries name it"
    lines = [f"{printable(answer.host)} {verdict}: {named}."]
    if answer.note:
        lines.append(f"  {printable(answer.note)}")
    for row in answer.rows:
        lines += _row_lines(row)
    if answer.blocked:
        lines += [
            "Listed wrongly?",
            f"  Free it at once:  {_FREE.format(printable(answer.host))}",
            *(
                f"  Report it:        {report}"
                for report in dict.fromkeys(printable(row.report) for row in answer.rows)
                if report
            ),
        ]
    return "\n".join(lines)


def _row_lines(row: Row) -> list[str]:
    entry = row.hit.entry
    said = [
        ("authority", entry.authority),
        ("decision", " ".join(filter(None, (entry.decision_ref, str(entry.decision_date or ""))))),
        ("jurisdiction", entry.jurisdiction),
        ("until", str(entry.valid_until or "")),
        ("from", entry.source_url),
        ("effect", row.effect),
    ]
    kind = f"{entry.action.value}, {entry.match.value}, {entry.weight.value}"
    head = f"- {entry.source_id}, line {entry.line_no}: {entry.pattern_raw} ({kind})"
    return [printable(head), *(f"    {name + ':':<14}{printable(value)}" for name, value in said if value)]
