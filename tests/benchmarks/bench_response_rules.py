"""Microseconds to judge a response: head, a page without markers, and pages that must be read.

Prints medians of repeated runs on 20 kB pages, in processor time, so that a busy machine accuses nobody; no
threshold, because machines differ (`make bench`). What we aim at is under 150 µs for a page without markers.
"""

from __future__ import annotations

import statistics
import time
import timeit
from typing import TYPE_CHECKING

from policies.facts import ResponseFacts
from policies.response_rules import judge_response_body, judge_response_head

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "https://news.example.com/2026/11/story"
SIZE = 20_000
_PARAGRAPH = '<p class="text">The harbour office reopened on <a href="/monday">Monday</a> after a winter of repairs.</p>\n'
_FREE = '<script type="application/ld+json">{"@type": "NewsArticle", "isAccessibleForFree": true}</script>\n'
_PAID = _FREE.replace("true", "false")
_MICRODATA = '<div itemscope itemtype="https://schema.org/Article"><meta itemprop="isAccessibleForFree" content="true">\n'
_LOGIN = '<header><form><input type="password"></form></header>\n'


def response(head: str) -> ResponseFacts:
    """Return a 20 kB page with the headers of an ordinary server."""
    body = (head + _PARAGRAPH * (SIZE // len(_PARAGRAPH) + 1))[:SIZE].encode()
    headers = tuple((f"x-header-{number}", "value") for number in range(14))
    return ResponseFacts(
        url=URL, status=200, headers=(*headers, ("content-type", "text/html; charset=utf-8")), body=body
    )


def median_us(work: Callable[[], object], number: int) -> float:
    """Return the median processor time of one call in microseconds over eleven runs."""
    return (
        statistics.median(timeit.repeat(work, timer=time.process_time, number=number, repeat=11))
        / number
        * 1e6
    )


def main() -> None:
    """Print one line a case."""
    plain = response("")
    print(f"{'head, 200':<34}{median_us(lambda: judge_response_head(URL, plain), 2000):>10.1f} µs")
    moved = ResponseFacts(url=URL, status=302, headers=plain.headers, location=URL + "/")
    print(
        f"{'head, redirect elsewhere':<34}{median_us(lambda: judge_response_head(URL, moved), 500):>10.1f} µs"
    )
    pages = {
        "no marker": "",
        "JSON-LD free": _FREE,
        "JSON-LD restricted": _PAID,
        "microdata free": _MICRODATA,
    }
    for name, head in {**pages, "login form in header": _LOGIN}.items():
        page = response(head)
        print(
            f"{'20 kB page, ' + name:<34}{median_us(lambda page=page: judge_response_body(page), 50):>10.1f} µs"
        )


if __name__ == "__main__":
    main()
