"""Rule `crawl_delay`: whether the pace that a site asks for is one that this crawl can keep.

`Crawl-delay` is a line of the groups of robots.txt beside RFC 9309 (its section 2.2.4,
https://www.rfc-editor.org/rfc/rfc9309); how it is read is in `policies/signals/robots_lines.py`.
Keeping the pace is the crawler's work and never shrinks it; this rule only refuses a host whose delay is
above the policy's cap, so that the refusal is recorded in place of a crawl that pretends to wait.
Pure: no clock.
"""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING

from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.rules.robots import RobotsReadings

RULE = "crawl_delay"

_NOTHING_ASKED = Verdict(rule=RULE, action=Action.FETCH, reason=Reason.NOT_APPLICABLE)


def judge_crawl_delay(delay: float | None, cap: float, evidence: Evidence | None = None) -> Verdict:
    """Return whether a delay in seconds may be kept to; None means that the site asked for none.

    `evidence` is the line that says so. What is not a number at or below `cap` (NaN too) is refused.
    """
    if delay is None:
        return _NOTHING_ASKED
    shown = (evidence,) if evidence else (Evidence(source="robots.txt", note=f"Crawl-delay {delay:g} s"),)
    if delay <= cap:
        return Verdict(rule=RULE, action=Action.FETCH, reason=Reason.ALLOWED, evidence=shown)
    return Verdict(rule=RULE, action=Action.SKIP, reason=Reason.CRAWL_DELAY_TOO_LONG, evidence=shown)


def judge_crawl_delay_of(readings: RobotsReadings | None, token: str, cap: float) -> Verdict:
    """Return the verdict on the Crawl-delay that a file's groups ask of a token.

    The same file, token and cap give the same object. Without readings rule `robots` has refused already.
    """
    if readings is None:
        return _NOTHING_ASKED
    known = readings.remembered(token, cap)
    if known is not None:
        return known
    delay = readings.crawl_delay(token)
    if delay is None:
        return _NOTHING_ASKED
    capped = "" if isinf(cap) else f"; the policy's cap is {cap:g} s"
    note = f"{delay.seconds:g} s between requests{capped}"
    evidence = readings.evidence(line=delay.line, text=delay.text, group=delay.group, note=note)
    return readings.remember(token, cap, judge_crawl_delay(delay.seconds, cap, evidence))
