"""How a crawl ends and goes on: signals, limits and JOBDIR, with the server's own list of what it received."""

from __future__ import annotations

import json
import signal
from collections import Counter

import pytest
from arrivals import LISTED_SPIDER, undecided
from held import HUNG_S, Held, ended, read_until, until
from loopback import Project, page, robots

from crawler.decisionlog.reader import LogReader
from policies.vocabulary import Stage

PAGES = 40
AT_ONCE = 4
SETTINGS = f"""
SEKISHO_PROGRESS = False
CONCURRENT_REQUESTS = {AT_ONCE}
CONCURRENT_REQUESTS_PER_DOMAIN = {AT_ONCE}
JOBDIR = "job"
"""
LOOPS = {"twisted": "", "asyncio": "\nTWISTED_REACTOR_ENABLED = False\n"}


@pytest.fixture(params=LOOPS)
def road(request, web, project):
    """A project whose spider asks for forty pages of one site, in this order."""
    web.add("a.localhost", "/robots.txt", robots("User-agent: *\nDisallow: /private\n"))
    project.append("project_settings.py", SETTINGS + LOOPS[request.param])
    project.write("spiders/listed.py", LISTED_SPIDER)
    urls = [web.url("a.localhost", f"/p/{number}") for number in range(PAGES)]
    project.write("urls.txt", "\n".join(urls) + "\n")
    return project


def started(web, project: Project, pages: int):
    """Start a crawl whose first pages are answered and the next ones not, and wait until none more can leave.

    Returns its process and what holds the answers back.
    """
    web.default = held = Held(web, page("x"), free=pages)
    process = project.start("crawl", "listed")
    until(process, lambda: len(held.waiting) >= AT_ONCE)
    return process, held


def runs(project: Project):
    """Return the segments of the log in order, each with its records."""
    with LogReader.open(f"sqlite:///{project.folder / 'log.db'}") as reader:
        return [(one, list(reader.records(segment=one.segment))) for one in reader.segments()]


def closing(project: Project, records):
    """Return what the closing record of a run says."""
    (closed,) = [one for one in records if one.reason == "run_closed"]
    with LogReader.open(f"sqlite:///{project.folder / 'log.db'}") as reader:
        return json.loads(reader.document(closed.body_sha256).body)


def without_outcome(records):
    """Return the URLs that were permitted and of which nothing is known."""
    ended = {one.ref_idx for one in records if one.stage is Stage.OUTCOME}
    return [one.url for one in records if one.verdict == "fetch" and one.idx not in ended]


def verifies(project: Project):
    verified = project.sekisho("log", "verify", "--log", "sqlite:///log.db")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_crawl_that_is_asked_to_stop_ends_in_order_and_the_next_run_judges_anew_what_waited(
    web, road, sent
):
    process, held = started(web, road, 10)
    process.send_signal(sent)
    read_until(process, "Closing spider (shutdown)")
    held.release()
    ended(road, process)
    first = len(web.received)
    (segment, records), *_ = runs(road)
    assert segment.sealed
    assert closing(road, records)["reason"] == "shutdown"
    assert without_outcome(records) == []
    assert undecided(web, web.received, records) == []
    # The site thinks again before the next run, about a page that the first did not ask for: what was judged
    # then says nothing about now.
    pages = {f"/p/{number}" for number in range(PAGES)}
    waited = pages - set(web.paths())
    assert len(waited) == PAGES - 10 - AT_ONCE
    forbidden = min(waited)
    web.add("a.localhost", "/robots.txt", robots(f"User-agent: *\nDisallow: {forbidden}$\n"))
    after = road.scrapy("crawl", "listed")
    assert after.code == 0, after.stderr
    received = web.received[first:]
    _, (segment, records) = runs(road)
    assert segment.sealed
    assert undecided(web, received, records) == []
    assert received[0].path == "/robots.txt"
    counted = Counter(path for path in web.paths() if path != "/robots.txt")
    # The spider's own start begins again; what it asks for twice it asks for with `dont_filter`.
    assert set(counted) == pages - {forbidden}
    assert web.url("a.localhost", forbidden) in {
        one.url for one in records if one.reason == "robots_disallow"
    }
    verifies(road)


def test_a_crawl_that_is_told_twice_to_stop_leaves_a_log_that_says_what_was_under_way(web, road):
    process, _ = started(web, road, 3)  # nothing ends by itself
    process.send_signal(signal.SIGINT)
    read_until(process, "shutting down gracefully")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=HUNG_S)
    assert "forcing unclean shutdown" in stderr
    (segment, records), *_ = runs(road)
    assert not segment.sealed or without_outcome(records) == []
    assert undecided(web, web.received, records) == []
    known = {one.url for one in records if one.stage is Stage.OUTCOME} | set(without_outcome(records))
    assert {web.url(one.host, one.path) for one in web.received} <= known
    verifies(road)
    web.default = page("x")
    after = road.scrapy("crawl", "listed")
    assert after.code == 0, after.stderr
    assert runs(road)[-1][0].sealed
    verifies(road)


def test_a_killed_crawl_goes_on_with_what_waited_and_its_log_names_what_was_under_way(web, road):
    process, held = started(web, road, 12)
    process.kill()
    process.communicate(timeout=HUNG_S)
    first = list(web.received)
    (segment, records), *_ = runs(road)
    assert not segment.sealed
    assert undecided(web, first, records) == []
    unknown = set(without_outcome(records))
    known = {one.url for one in records if one.stage is Stage.OUTCOME}
    assert {web.url(one.host, one.path) for one in first} <= known | unknown
    assert {web.url(one.host, one.path) for one in held.waiting} <= unknown
    web.default = page("x")
    after = road.scrapy("crawl", "listed")
    assert after.code == 0, after.stderr
    (_, _), (segment, records) = runs(road)
    assert segment.sealed
    assert undecided(web, web.received[len(first) :], records) == []
    assert {f"/p/{number}" for number in range(PAGES)} <= set(web.paths())
    verifies(road)


LIMITS = {
    "closespider_pagecount": "CLOSESPIDER_PAGECOUNT = 5",
    "closespider_errorcount": "CLOSESPIDER_ERRORCOUNT = 2",
    "closespider_timeout": "CLOSESPIDER_TIMEOUT = 1",
    "closespider_itemcount": "CLOSESPIDER_ITEMCOUNT = 3",
    "enough": "",
}
ENDING_SPIDER = '''
from scrapy import Request, Spider
from scrapy.exceptions import CloseSpider

class Ending(Spider):
    """Asks for pages one after another, yields items, and raises errors where it is told to."""
    name = "ending"

    async def start(self):
        yield Request(self.first)

    def parse(self, response):
        number = int(response.url.rsplit("/", 1)[1])
        if self.how == "enough" and number == 4:
            raise CloseSpider("enough")
        yield {"number": number}
        yield response.follow("/p/%d" % (number + 1))
        if self.how == "closespider_errorcount":
            raise ValueError("told to")
'''


@pytest.mark.parametrize("reason", LIMITS)
def test_a_crawl_that_reaches_a_limit_is_sealed_with_the_reason(web, project, reason):
    web.add("a.localhost", "/robots.txt", robots(""))
    web.default = page("x", delay=0.05)
    project.append("project_settings.py", f"\n{LIMITS[reason]}\n")
    project.write("spiders/ending.py", ENDING_SPIDER)
    crawl = project.scrapy(
        "crawl", "ending", "-a", f"first={web.url('a.localhost', '/p/0')}", "-a", f"how={reason}"
    )
    assert crawl.code == 0, crawl.stderr
    ((segment, records),) = runs(project)
    assert segment.sealed
    assert closing(project, records)["reason"] == reason
    assert without_outcome(records) == []
    assert undecided(web, web.received, records) == []
