"""What is said of requests that one pause of a site puts off."""

from __future__ import annotations

from types import SimpleNamespace

from crawler.checkpoint import Checkpoint
from crawler.pacer import LeftAlone
from policies.vocabulary import Action, Origin, Reason

ORIGIN = Origin(scheme="http", host="one.example", port=80)
NOW_US = 1_800_000_000_000_000


def said(now_us, seconds, why="HTTP 503, Retry-After: 3600"):
    checkpoint = Checkpoint.__new__(Checkpoint)  # no crawl: only the words are of interest
    checkpoint.clock = SimpleNamespace(now_us=lambda: now_us)
    checkpoint.refuse = lambda visit: visit.verdicts[-1]
    visit = SimpleNamespace(facts=SimpleNamespace(origin=ORIGIN), verdicts=[])
    return checkpoint.leave_alone(visit, LeftAlone(seconds, why))


def test_all_that_one_pause_stops_are_told_the_same_and_share_one_basis():
    verdicts = {
        id(said(NOW_US + late, 3599.5 - late / 1_000_000)) for late in range(0, 90_000_000, 9_000_000)
    }
    assert len(verdicts) == 1


def test_the_moment_to_ask_again_is_never_before_the_pause_ends_and_less_than_a_second_after():
    for seconds in (60.000001, 61.0, 3599.999):
        verdict = said(NOW_US, seconds)
        assert (verdict.action, verdict.reason) == (Action.DEFER, Reason.RATE_LIMITED)
        assert 0 <= verdict.retry_at - (NOW_US + seconds * 1e6) < 1e6 + 1
    assert said(NOW_US, 60.0, "HTTP 429").evidence[0].text == "HTTP 429"
