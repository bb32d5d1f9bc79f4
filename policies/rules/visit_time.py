"""Rule `visit_time`: a site that names hours of the day for robots is called at those hours.

`Visit-time` is a line of robots.txt that no RFC knows; row 19 of `policies/precedence.py`: outside the hours
a request is put off, not dropped. Pure: the time is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.rules.judged_rows import EVIDENCE_LIMIT, nothing_found
from policies.signals.visit_time import VisitTimes, read_visit_times
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.rules.robots import RobotsReadings

RULE = "visit_time"


def visit_times(readings: RobotsReadings, token: str) -> VisitTimes:
    """Return the hours of a robots.txt for a token; the same file and token give the same object."""
    return readings.kept((RULE, token), lambda: read_visit_times(readings.rules, token))


def judge_visit_time(readings: RobotsReadings | None, token: str, *, now_us: int) -> Verdict:
    """Return FETCH at an hour that the site names, DEFER to the next such hour outside of them.

    Hours that never come (windows of two groups that exclude each other) are a refusal.
    """
    times = visit_times(readings, token) if readings else None
    if readings is None or times is None or not (times or times.unreadable):
        return nothing_found(RULE, Action.FETCH)
    closed = times.closed(now_us)
    if not closed:
        return readings.kept((RULE, token, "open"), lambda: _open(readings, times))
    opening = times.next_opening(now_us)

    def judged() -> Verdict:
        evidence = tuple(
            readings.evidence(line=hours.line, text=hours.text, note=f"open {hours.window}")
            for hours in closed[:EVIDENCE_LIMIT]
        )
        if opening is None:
            return Verdict(rule=RULE, action=Action.SKIP, reason=Reason.VISIT_TIME, evidence=evidence)
        return Verdict(
            rule=RULE, action=Action.DEFER, reason=Reason.VISIT_TIME, evidence=evidence, retry_at=opening
        )

    return readings.kept((RULE, token, opening), judged)


def _open(readings: RobotsReadings, times: VisitTimes) -> Verdict:
    found: list[Evidence] = [
        readings.evidence(line=hours.line, text=hours.text, note=f"open {hours.window}")
        for group in times.groups
        for hours in group
    ]
    found += [
        readings.evidence(line=line.line, text=line.text, note="no readable hours: it says nothing")
        for line in times.unreadable
    ]
    return Verdict(
        rule=RULE, action=Action.FETCH, reason=Reason.ALLOWED, evidence=tuple(found[:EVIDENCE_LIMIT])
    )
