"""Rule `content_signal`: what Content Signals say about this agent's purposes.

Implements https://contentsignals.org/ through rows 7a to 7d and 8 of `policies/precedence.py`: before the
request from robots.txt, after it from a response header of the same form (not of a 304 or a redirect).
The text that accompanies the signals declares them a reservation under Article 4 of Directive (EU) 2019/790.
Pure: no clock, no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.precedence import Row
from policies.rules.judged_rows import Finding, judge_findings, nothing_found
from policies.signals.content_signal import (
    AI_INPUT,
    AI_TRAIN,
    FIELD,
    SEARCH,
    USE,
    in_force,
    parse_signal_header,
    read_content_signals,
)
from policies.signals.statement import Problem
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import ResponseFacts
    from policies.rules.judged_rows import Intent
    from policies.rules.robots import RobotsReadings
    from policies.signals.statement import Statement

RULE = "content_signal"

_ROWS = {
    AI_TRAIN: Row.CONTENT_SIGNAL_AI_TRAIN,
    AI_INPUT: Row.CONTENT_SIGNAL_AI_INPUT,
    SEARCH: Row.CONTENT_SIGNAL_SEARCH,
}
_LEVELS = {
    "immediate": Row.CONTENT_SIGNAL_USE_IMMEDIATE,
    "reference": Row.CONTENT_SIGNAL_USE_REFERENCE,
}


def row_of(statement: Statement) -> Row | None:
    """Return the row of a statement, or None for a permission and for an unknown label."""
    if statement.denies:
        return _LEVELS.get(statement.detail) if statement.use == USE else _ROWS.get(statement.use)
    return Row.CONTENT_SIGNAL_MALFORMED if statement.problem is Problem.MALFORMED else None


def content_signals(readings: RobotsReadings, token: str) -> tuple[Statement, ...]:
    """Return the signals of a robots.txt for a token; the same file and token give the same object."""
    return readings.kept((RULE, token), lambda: read_content_signals(readings.rules, token))


def judge_content_signal(readings: RobotsReadings | None, intent: Intent) -> Verdict:
    """Return the verdict on every URL of an origin; no form with a path is known."""
    statements = content_signals(readings, intent.token) if readings else ()
    if readings is None or not statements:
        return nothing_found(RULE, Action.FETCH)

    def judged() -> Verdict:
        findings = [
            Finding(
                row=row_of(statement),
                reason=Reason.CONTENT_SIGNAL,
                evidence=readings.evidence(line=statement.line, text=statement.text, note=statement.remarks),
            )
            for statement in in_force(statements)
        ]
        return judge_findings(RULE, findings, intent, passed=Action.FETCH)

    return readings.kept((RULE, intent), judged)


def judge_signal_header(response: ResponseFacts, intent: Intent) -> Verdict:
    """Return the verdict on a response by its own `Content-Signal` header."""
    values = [value for name, value in response.headers if name == FIELD]
    if not values or 300 <= response.status < 400:  # noqa: PLR2004 - the class of redirection and 304
        return nothing_found(RULE, Action.KEEP)
    findings = [
        Finding(
            row=row_of(statement),
            reason=Reason.CONTENT_SIGNAL,
            evidence=Evidence(source="response header", text=statement.text, note=statement.remarks),
        )
        for statement in in_force(parse_signal_header(values))
    ]
    return judge_findings(RULE, findings, intent, passed=Action.KEEP)
