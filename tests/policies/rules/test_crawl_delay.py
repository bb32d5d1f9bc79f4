"""The rule `crawl_delay`: a pace above the cap refuses the host, with the line; any other passes."""

from __future__ import annotations

import math

import pytest

from policies.rules.crawl_delay import judge_crawl_delay, judge_crawl_delay_of
from policies.rules.robots import read_rules
from policies.signals.robots_fetch import read_robots_answer
from policies.vocabulary import Action, Evidence, Reason

URL = "https://example.com/robots.txt"
TOKEN = "ExampleBot"


def readings(body: bytes, status: int = 200):
    return read_rules(
        read_robots_answer(
            url=URL, final_url=URL, status=status, headers=(), body=body, fetched_at=7, hops=0, error=None
        )
    )


def test_no_delay_is_not_applicable():
    for verdict in (
        judge_crawl_delay(None, 300),
        judge_crawl_delay_of(None, TOKEN, 300),
        judge_crawl_delay_of(readings(b""), TOKEN, 300),
    ):
        assert (verdict.rule, verdict.action, verdict.reason) == (
            "crawl_delay",
            Action.FETCH,
            Reason.NOT_APPLICABLE,
        )


@pytest.mark.parametrize(
    ("delay", "cap", "passes"),
    [
        (0, 300, True),
        (300, 300, True),
        (300.1, 300, False),
        (1e9, 300, False),
        (math.nan, 300, False),
        (1, math.nan, False),
    ],
)
def test_a_delay_above_the_cap_is_refused_and_anything_that_cannot_be_compared_too(delay, cap, passes):
    verdict = judge_crawl_delay(delay, cap, Evidence(source=URL))
    assert verdict.action.passes is passes
    assert verdict.reason is (Reason.ALLOWED if passes else Reason.CRAWL_DELAY_TOO_LONG)
    assert verdict.evidence == (Evidence(source=URL),)


def test_case_35_the_verdict_cites_the_line_with_the_largest_delay():
    read = readings(b"User-agent: ExampleBot\nCrawl-delay: 5\nCrawl-delay: 1e9 # please\n")
    verdict = judge_crawl_delay_of(read, TOKEN, 300)
    assert verdict.reason is Reason.CRAWL_DELAY_TOO_LONG
    (evidence,) = verdict.evidence
    assert (evidence.source, evidence.line, evidence.text, evidence.group) == (
        URL,
        3,
        "Crawl-delay: 1e9 # please",
        "ExampleBot",
    )
    assert evidence.sha256 == read.file.sha256
    assert "cap is 300 s" in evidence.note


def test_a_delay_below_the_cap_passes_with_its_line_and_the_same_object_each_time():
    read = readings(b"User-agent: *\nCrawl-delay: 10\n")
    verdict = judge_crawl_delay_of(read, TOKEN, 300)
    assert (verdict.action, verdict.evidence[0].line) == (Action.FETCH, 2)
    assert judge_crawl_delay_of(read, TOKEN, 300) is verdict
    assert judge_crawl_delay_of(read, TOKEN, 5).action is Action.SKIP


def test_a_body_that_does_not_govern_asks_for_no_delay():
    assert (
        judge_crawl_delay_of(readings(b"User-agent: *\nCrawl-delay: 1e9\n", 404), TOKEN, 300).reason
        is Reason.NOT_APPLICABLE
    )


def test_another_groups_delay_is_not_ours():
    body = b"User-agent: *\nCrawl-delay: 1000\n\nUser-agent: ExampleBot\nDisallow:\n"
    assert judge_crawl_delay_of(readings(body), TOKEN, 300).reason is Reason.CRAWL_DELAY_TOO_LONG
    body = b"User-agent: *\nCrawl-delay: 1000\nDisallow: /x\n\nUser-agent: ExampleBot\nDisallow:\n"
    assert judge_crawl_delay_of(readings(body), TOKEN, 300).reason is Reason.NOT_APPLICABLE
