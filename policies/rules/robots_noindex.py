"""Rules `robots_noindex` and `ai_prohibition`: lines of robots.txt that no RFC knows, read as what they say.

`Noindex` belongs to row 14 of `policies/precedence.py` and is known before the request; a line such as
`DisallowAITraining` belongs to row 3a, whose switch is `honour_ai_prohibitions`.
Pure: no clock, no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.precedence import Row
from policies.rules.judged_rows import Finding, judge_findings, nothing_found
from policies.signals.robots_noindex import read_ai_prohibitions, read_noindex
from policies.signals.robots_path import judged_path
from policies.vocabulary import Action, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.rules.judged_rows import Intent
    from policies.rules.robots import RobotsReadings
    from policies.signals.group_lines import PathTable
    from policies.signals.robots import RobotsRules

NOINDEX_RULE = "robots_noindex"
PROHIBITION_RULE = "ai_prohibition"


def judge_robots_noindex(readings: RobotsReadings | None, url: str, intent: Intent) -> Verdict:
    """Return the verdict on a URL by the `Noindex` lines of its robots.txt."""
    return _judge(NOINDEX_RULE, read_noindex, Row.NOINDEX, Reason.ROBOTS_NOINDEX, readings, url, intent)


def judge_ai_prohibition(readings: RobotsReadings | None, url: str, intent: Intent) -> Verdict:
    """Return the verdict on a URL by the unregistered lines against AI use of its robots.txt."""
    return _judge(
        PROHIBITION_RULE,
        read_ai_prohibitions,
        Row.AI_PROHIBITION,
        Reason.AI_PROHIBITION,
        readings,
        url,
        intent,
    )


def _judge(  # noqa: PLR0917 - one body for two rules of one form
    rule: str,
    read: Callable[[RobotsRules, str], PathTable],
    row: Row,
    reason: Reason,
    readings: RobotsReadings | None,
    url: str,
    intent: Intent,
) -> Verdict:
    table = (
        readings.kept((rule, intent.token), lambda: read(readings.rules, intent.token)) if readings else None
    )
    statement = table.decide(judged_path(url)) if table else None
    if readings is None or statement is None:
        return nothing_found(rule, Action.FETCH)

    def judged() -> Verdict:
        evidence = readings.evidence(line=statement.line, text=statement.text, note=statement.remarks)
        return judge_findings(
            rule, [Finding(row=row, reason=reason, evidence=evidence)], intent, passed=Action.FETCH
        )

    return readings.kept((rule, intent, id(statement)), judged)
