"""How an explanation is written: for people as lines, for programs as members of schema `sekisho.explain/1`.

Pure: returns text and values. What a site wrote is shown escaped, since a terminal obeys control characters.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from policies.console import printable, shorten
from policies.decide import REQUEST_RULES
from policies.reasons import EXPLANATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.vocabulary import Assessment, Evidence, Verdict

_WIDEST = 160


def utc_text(moment_us: int) -> str:
    """Return microseconds since the epoch as RFC 3339 in UTC, to the second."""
    moment = datetime.fromtimestamp(moment_us / 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _evidence_lines(evidence: Evidence) -> list[str]:
    where = [evidence.source]
    if evidence.line:
        where.append(f"line {evidence.line}")
    if evidence.text:
        where.append(f'"{evidence.text}"')
    if evidence.group:
        where.append(f'(group "{evidence.group}")')
    if evidence.reader != "sekisho":
        where.append(f"[second reader: {evidence.reader}]")
    lines = ["  ".join(where)]
    if evidence.note:
        lines.append(evidence.note)
    if evidence.fetched_at is not None:
        digest = f", sha256 {evidence.sha256[:12]}…" if evidence.sha256 else ""
        lines.append(f"read {utc_text(evidence.fetched_at)}{digest}")
    for cited in evidence.citations:
        decision = " ".join(
            part for part in (cited.authority, cited.decision_ref, cited.decision_date) if part
        )
        lines.append(
            f"listed by {cited.source_id} line {cited.line}: {cited.pattern} ({cited.match}, {cited.weight})"
            + (f"; {decision}" if decision else "")
        )
    return [shorten(printable(line), _WIDEST) for line in lines]


def explanation_text(url: str, assessment: Assessment, rules: Sequence[str] = ()) -> str:
    """Return the verdict on a URL and each rule in order; `rules` names those of interest (empty: all)."""
    shown = tuple(rules) or REQUEST_RULES
    deciding = assessment.deciding
    passes = assessment.passes
    word = "FETCH" if passes else deciding.action.value.upper()
    reason = "allowed" if passes else deciding.reason.value
    lines = [f"{word:<6} {reason:<22} {printable(url)}"]
    by_rule = {verdict.rule: verdict for verdict in assessment.verdicts}
    for number, rule in enumerate(shown, start=1):
        verdict = by_rule.get(rule)
        head = f"  {number:>2} {rule:<16}"
        if verdict is None:
            lines.append(f"{head} {'not evaluated' if passes else 'not reached'}")
            continue
        state = "ok" if verdict.action.passes else verdict.action.value.upper()
        detail = [line for evidence in verdict.evidence for line in _evidence_lines(evidence)]
        lines.append(f"{head} {state:<6} {detail[0] if detail else ''}".rstrip())
        lines += [f"{'':<27}{line}" for line in detail[1:]]
    if not passes:
        about = EXPLANATIONS[deciding.reason]
        lines.append(f"    {about.en} {about.next_en}")
    return "\n".join(lines)


def _evidence_members(evidence: Evidence) -> dict[str, object]:
    members: dict[str, object] = {
        "source": evidence.source,
        "line": evidence.line,
        "text": evidence.text,
        "group": evidence.group,
        "reader": evidence.reader,
        "note": evidence.note,
        "sha256": evidence.sha256,
        "fetched_at": None if evidence.fetched_at is None else utc_text(evidence.fetched_at),
    }
    members["citations"] = [
        {
            "source_id": cited.source_id,
            "pattern": cited.pattern,
            "match": cited.match,
            "weight": cited.weight,
            "line": cited.line,
            "authority": cited.authority,
            "decision_ref": cited.decision_ref,
            "decision_date": cited.decision_date,
            "source_url": cited.source_url,
        }
        for cited in evidence.citations
    ]
    return members


def verdict_lines(verdict: Verdict) -> list[str]:
    """Return one verdict with its evidence as lines."""
    head = f"{verdict.rule}: {verdict.action.value} {verdict.reason.value}"
    return [head, *(f"  {line}" for evidence in verdict.evidence for line in _evidence_lines(evidence))]


def verdict_members(verdict: Verdict) -> dict[str, object]:
    """Return one verdict with its evidence as plain values."""
    return {
        "rule": verdict.rule,
        "action": verdict.action.value,
        "reason": verdict.reason.value,
        "evidence": [_evidence_members(evidence) for evidence in verdict.evidence],
    }


def explanation_members(
    url: str, assessment: Assessment, token: str, rules: Sequence[str] = ()
) -> dict[str, object]:
    """Return an explanation as plain values."""
    shown = tuple(rules) or REQUEST_RULES
    consulted = [verdict for verdict in assessment.verdicts if verdict.rule in shown]
    reached = {verdict.rule for verdict in consulted}
    deciding = assessment.deciding
    return {
        "url": url,
        "agent": token,
        "verdict": "fetch" if assessment.passes else deciding.action.value,
        "reason": "allowed" if assessment.passes else deciding.reason.value,
        "rules": [verdict_members(verdict) for verdict in consulted],
        "not_reached": [rule for rule in shown if rule not in reached],
    }
