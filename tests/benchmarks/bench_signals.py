"""Microseconds that the signals of use cost: before a request, with its response's head, and with its body.

Prints medians of repeated runs; no threshold, because machines differ (`make bench`).
"""

from __future__ import annotations

import hashlib
import statistics
import timeit
from typing import TYPE_CHECKING

from policies.ai_agents import load_ai_agents
from policies.facts import ResponseFacts, RobotsAccess, RobotsFile
from policies.rules.content_signal import judge_content_signal, judge_signal_header
from policies.rules.judged_rows import Intent
from policies.rules.peer_blocks import judge_peer_blocks
from policies.rules.request_rate import judge_request_rate
from policies.rules.robots import RobotsReadings, read_rules
from policies.rules.robots_meta import judge_robots_header, judge_robots_page
from policies.rules.robots_noindex import judge_ai_prohibition, judge_robots_noindex
from policies.rules.tdm_reservation import judge_tdm_response
from policies.rules.usage_preference import judge_usage_header, judge_usage_preference
from policies.rules.visit_time import judge_visit_time
from policies.signals.page_markers import open_page
from policies.vocabulary import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.vocabulary import Verdict

NOW = 1_790_000_000_000_000
URL = "https://news.example.com/2026/11/story"
SIZE = 20_000
WHO = Intent(token="ExampleBot", purposes=frozenset({Purpose.SEARCH, Purpose.AI_TRAINING}))
PARAGRAPH = '<p class="text">The harbour office reopened on <a href="/monday">Monday</a> after repairs.</p>\n'
FILES = {
    "plain robots.txt": "User-agent: *\nDisallow: /admin/\nCrawl-delay: 5\n",
    "with every extension": (
        "User-agent: *\nAllow: /\nContent-Usage: search=y\nContent-Usage: /p train-ai=n\nVisit-time: 0000-2400\n"
        "Content-Signal: search=yes\nRequest-rate: 1/5\nNoindex: /x\n"
    ),
    "with 60 AI agents": "User-agent: *\nAllow: /\n"
    + "".join(f"User-agent: {agent.token}\n" for agent in load_ai_agents())
    + "Disallow: /p\n",
}
HEADERS = {
    "none of ours": (),
    "x-robots-tag": (("x-robots-tag", "otherbot: noindex, max-snippet:-1"),),
    "all of ours": (
        ("x-robots-tag", "max-snippet:-1"),
        ("content-usage", "search=y"),
        ("content-signal", "search=yes"),
        ("tdm-reservation", "0"),
    ),
}
PAGES = {
    "no marker": "",
    "harmless robots meta": '<meta name="robots" content="index, follow, max-snippet:-1">',
    "nofollow": '<meta name="robots" content="nofollow">',
    "tdm-reservation 0": '<meta name="tdm-reservation" content="0">',
}


def readings_of(text: str) -> RobotsReadings:
    """Return the readings of a robots.txt that was just fetched."""
    body = text.encode()
    url = "https://news.example.com/robots.txt"
    return read_rules(
        RobotsFile(
            url=url, final_url=url, access=RobotsAccess.RULES, status=200, body=body,
            sha256=hashlib.sha256(body).hexdigest(), fetched_at=0, expires_at=1,
        )
    )  # fmt: skip


def before(readings: RobotsReadings) -> list[Verdict]:
    """Judge what is known before a request."""
    return [
        judge_usage_preference(readings, URL, WHO),
        judge_content_signal(readings, WHO),
        judge_robots_noindex(readings, URL, WHO),
        judge_ai_prohibition(readings, URL, WHO),
        judge_peer_blocks(readings, URL, WHO, load_ai_agents()),
        judge_visit_time(readings, WHO.token, now_us=NOW),
        judge_request_rate(readings, WHO.token, 300, now_us=NOW),
    ]


def head(response: ResponseFacts) -> list[Verdict]:
    """Judge what the headers say."""
    return [
        judge_robots_header(response, WHO, now_us=NOW),
        judge_usage_header(response, WHO),
        judge_signal_header(response, WHO),
        judge_tdm_response(response, None, WHO),
    ]


def body(response: ResponseFacts) -> list[Verdict]:
    """Judge what the page says; opening it is shared with the rules of access in a crawl."""
    page = open_page(response, WHO.token)
    return [
        judge_robots_page(response, page, WHO, now_us=NOW),
        judge_tdm_response(response, page, WHO),
    ]


def response_with(headers: tuple[tuple[str, str], ...] = (), markup: str = "") -> ResponseFacts:
    """Return a 20 kB page with the headers of an ordinary server."""
    text = (f"<html><head>{markup}</head><body>" + PARAGRAPH * (SIZE // len(PARAGRAPH) + 1))[:SIZE]
    ordinary = tuple((f"x-header-{number}", "value") for number in range(14))
    return ResponseFacts(
        url=URL, status=200, headers=(*ordinary, ("content-type", "text/html"), *headers), body=text.encode()
    )


def median_us(work: Callable[[], object], number: int) -> float:
    """Return the median time of one call in microseconds over eleven runs."""
    return statistics.median(timeit.repeat(work, number=number, repeat=11)) / number * 1e6


def main() -> None:
    """Print one line a case."""
    for name, text in FILES.items():
        readings = readings_of(text)
        before(readings)
        print(f"{'before the request, ' + name:<46}{median_us(lambda r=readings: before(r), 500):>8.1f} µs")
    for name, headers in HEADERS.items():
        answer = response_with(headers)
        print(f"{'head, ' + name:<46}{median_us(lambda a=answer: head(a), 300):>8.1f} µs")
    for name, markup in PAGES.items():
        answer = response_with(markup=markup)
        print(f"{'20 kB page, ' + name:<46}{median_us(lambda a=answer: body(a), 50):>8.1f} µs")


if __name__ == "__main__":
    main()
