"""Rule `request_rate`: whether the rate that a site asks for is one that this crawl can keep.

`Request-rate` is a line of robots.txt that no RFC knows; row 19 of `policies/precedence.py`. Keeping the pace
is the crawler's work; this rule refuses what would need a longer pause than the policy's cap, and puts off
what would need it at this hour only. `longest_pause` is what Crawl-delay and Request-rate ask for together.
Pure: the time is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.rules.judged_rows import EVIDENCE_LIMIT, nothing_found
from policies.signals.request_rate import Rate, RequestRates, read_request_rates
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.rules.robots import RobotsReadings

RULE = "request_rate"


def request_rates(readings: RobotsReadings, token: str) -> RequestRates:
    """Return the rates of a robots.txt for a token; the same file and token give the same object."""
    return readings.kept((RULE, token), lambda: read_request_rates(readings.rules, token))


def longest_pause(readings: RobotsReadings, token: str, *, now_us: int) -> float | None:
    """Return the seconds between two requests that an origin asks for now, or None when it asks for none."""
    rate = request_rates(readings, token).slowest(now_us)
    delay = readings.crawl_delay(token)
    return max((asked.seconds for asked in (rate, delay) if asked is not None), default=None)


def judge_request_rate(readings: RobotsReadings | None, token: str, cap: float, *, now_us: int) -> Verdict:
    """Return whether the rate that holds now can be kept within `cap` seconds between two requests."""
    rates = request_rates(readings, token) if readings else None
    if readings is None or rates is None or not (rates or rates.unreadable):
        return nothing_found(RULE, Action.FETCH)
    rate = rates.slowest(now_us)
    if rate is None:
        return readings.kept((RULE, token, "none"), lambda: _passes(_idle(readings, rates)))
    if rate.seconds <= cap:
        return readings.kept((RULE, token, "kept", rate), lambda: _passes((_evidence(readings, rate),)))
    evidence = (_evidence(readings, rate, f"; the policy's cap is {cap:g} s"),)
    if rate.window is None or rate.window.start == rate.window.end:
        return readings.kept(
            (RULE, token, cap, rate),
            lambda: Verdict(
                rule=RULE, action=Action.SKIP, reason=Reason.CRAWL_DELAY_TOO_LONG, evidence=evidence
            ),
        )
    retry_at = rate.window.next_end(now_us)
    return readings.kept(
        (RULE, token, cap, rate, retry_at),
        lambda: Verdict(
            rule=RULE,
            action=Action.DEFER,
            reason=Reason.CRAWL_DELAY_TOO_LONG,
            evidence=evidence,
            retry_at=retry_at,
        ),
    )


def _passes(evidence: tuple[Evidence, ...]) -> Verdict:
    return Verdict(rule=RULE, action=Action.FETCH, reason=Reason.ALLOWED, evidence=evidence)


def _evidence(readings: RobotsReadings, rate: Rate, more: str = "") -> Evidence:
    hours = f" at {rate.window}" if rate.window else ""
    return readings.evidence(
        line=rate.line, text=rate.text, note=f"{rate.seconds:g} s between requests{hours}{more}"
    )


def _idle(readings: RobotsReadings, rates: RequestRates) -> tuple[Evidence, ...]:
    """Return the evidence of rates that do not hold now, and of lines that say nothing."""
    later = [_evidence(readings, rate) for rate in rates.rates]
    nothing = [
        readings.evidence(line=line.line, text=line.text, note="no readable rate: it says nothing")
        for line in rates.unreadable
    ]
    return tuple((later + nothing)[:EVIDENCE_LIMIT])
