"""Rule `usage_preference`: what AIPREF `Content-Usage` says about this agent's purposes.

Implements https://datatracker.ietf.org/doc/draft-ietf-aipref-attach/ and its vocabulary through rows 5, 6 and
6a of `policies/precedence.py`: before the request from robots.txt, after it from the response's own header.
Statements of both places combine to the most restrictive, which is what judging each of them comes to.
A 304 and a redirect have no content of their own, so their header says nothing.
Pure: no clock, no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.precedence import Row
from policies.rules.judged_rows import Finding, judge_findings, nothing_found
from policies.signals.content_usage import (
    FIELD,
    SEARCH,
    TRAIN_AI,
    UsagePreferences,
    parse_usage_header,
    read_usage_preferences,
)
from policies.signals.robots_path import judged_path
from policies.signals.statement import Problem
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import ResponseFacts
    from policies.rules.judged_rows import Intent
    from policies.rules.robots import RobotsReadings
    from policies.signals.statement import Statement

RULE = "usage_preference"

_ROWS = {TRAIN_AI: Row.CONTENT_USAGE_TRAIN_AI, SEARCH: Row.CONTENT_USAGE_SEARCH}


def row_of(statement: Statement) -> Row | None:
    """Return the row of a statement, or None for a permission and for an unknown label."""
    if statement.denies:
        return _ROWS.get(statement.use)
    return Row.CONTENT_USAGE_MALFORMED if statement.problem is Problem.MALFORMED else None


def usage_preferences(readings: RobotsReadings, token: str) -> UsagePreferences:
    """Return what a robots.txt prefers of a token; the same file and token give the same object."""
    return readings.kept((RULE, token), lambda: read_usage_preferences(readings.rules, token))


def judge_usage_preference(readings: RobotsReadings | None, url: str, intent: Intent) -> Verdict:
    """Return the verdict on a URL that robots.txt lets this agent fetch."""
    preferences = usage_preferences(readings, intent.token) if readings else None
    if readings is None or not preferences:
        return nothing_found(RULE, Action.FETCH)
    found = preferences.at(judged_path(url))
    if not found:
        return nothing_found(RULE, Action.FETCH)

    def judged() -> Verdict:
        findings = [
            Finding(
                row=row_of(statement),
                reason=Reason.USAGE_PREFERENCE,
                evidence=readings.evidence(line=statement.line, text=statement.text, note=statement.remarks),
            )
            for statement in found
        ]
        return judge_findings(RULE, findings, intent, passed=Action.FETCH)

    return readings.kept((RULE, intent, *map(id, found)), judged)


def judge_usage_header(response: ResponseFacts, intent: Intent) -> Verdict:
    """Return the verdict on a response by its own `Content-Usage` header."""
    values = [value for name, value in response.headers if name == FIELD]
    if not values or 300 <= response.status < 400:  # noqa: PLR2004 - the class of redirection and 304
        return nothing_found(RULE, Action.KEEP)
    findings = [
        Finding(
            row=row_of(statement),
            reason=Reason.USAGE_PREFERENCE,
            evidence=Evidence(source="response header", text=statement.text, note=statement.remarks),
        )
        for statement in parse_usage_header(values)
    ]
    return judge_findings(RULE, findings, intent, passed=Action.KEEP)
