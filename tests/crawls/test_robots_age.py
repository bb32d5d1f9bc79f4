"""Hard case 11 over the road: how old a robots.txt may be, in one crawl whose clock is moved by days between its pages.

The clock of the process is moved by the project's own settings module; nothing of the crawler knows. Every page is
asked for alone, in order, and the server says what it received: the file again, the page, both or nothing.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from arrivals import Bases
from loopback import Project, Reply, Web, page, robots

from policies.vocabulary import Reason

MOVED_CLOCK = '''
"""The clock of this process, moved by as many microseconds as the spider says."""
from crawler.decisionlog.clock import SystemClock

moved = 0
_now = SystemClock.now_us
SystemClock.now_us = lambda clock: _now(clock) + moved
'''
SPIDER = """
import json
from pathlib import Path
import moved_clock
import scrapy


class Aging(scrapy.Spider):
    name = "aging"

    async def start(self):
        self.steps = iter(json.loads(Path("steps.json").read_text()))
        yield self.next_request()

    def next_request(self):
        for moment, url in self.steps:
            moved_clock.moved = moment
            return scrapy.Request(url, callback=self.after, errback=self.after)

    def after(self, _):
        yield self.next_request()
"""
SETTINGS = "\nimport moved_clock\nRETRY_ENABLED = False\nSEKISHO_PROGRESS = False\nDOWNLOAD_DELAY = 0.01\n"
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
FIRST = timedelta()
OPEN = "User-agent: *\nDisallow: /no\n"
SHUT = "User-agent: *\nDisallow: /\n"
GONE = robots("", status=500)  # a 503 would also be waited out: pace, which tests of its own hold

# What each host answers when it is asked for robots.txt the first time, the second, …; the last one again and again.
FILES = {
    "steady": [robots(OPEN)],
    "shut-later": [robots(OPEN), robots(SHUT)],
    "short": [robots(OPEN, headers=(("Cache-Control", "max-age=7200"),)), robots(SHUT)],
    "long": [robots(OPEN, headers=(("Cache-Control", "max-age=31536000"),)), robots(SHUT)],
    "lost": [robots(OPEN), GONE],
    "lost-closing": [robots(OPEN), Reply(close=True)],
    "lost-shut": [robots(SHUT), GONE],
    "lost-and-back": [robots(OPEN), GONE, robots(OPEN)],
    "never": [GONE],
    "forbidden-later": [robots(OPEN), robots("", status=403)],
    "removed": [robots(SHUT), robots("", status=404)],
}
# Host, when its page is asked for, whether the file is asked for before it, and whether the page arrives.
STEPS = {
    "steady": [
        (FIRST, 1, True),
        (DAY - MINUTE, 0, True),
        (DAY + MINUTE, 1, True),
        (DAY + 2 * MINUTE, 0, True),
    ],
    "shut-later": [(FIRST, 1, True), (DAY - MINUTE, 0, True), (DAY + MINUTE, 1, False)],
    "short": [(FIRST, 1, True), (HOUR, 0, True), (3 * HOUR, 1, False)],
    "long": [(FIRST, 1, True), (DAY - MINUTE, 0, True), (DAY + MINUTE, 1, False)],
    "lost": [
        (FIRST, 1, True),
        (DAY + MINUTE, 1, True),
        (29 * DAY, 1, True),
        (30 * DAY - MINUTE, 1, True),
        (30 * DAY + HOUR, 1, False),
        (60 * DAY, 1, False),
    ],
    "lost-closing": [(FIRST, 1, True), (DAY + MINUTE, 1, True), (31 * DAY, 1, False)],
    "lost-shut": [(FIRST, 1, False), (DAY + MINUTE, 1, False), (31 * DAY, 1, False)],
    "lost-and-back": [(FIRST, 1, True), (31 * DAY, 1, False), (31 * DAY + 2 * HOUR, 1, True)],
    "never": [(FIRST, 1, False), (DAY + MINUTE, 1, False), (31 * DAY, 1, False), (90 * DAY, 1, False)],
    "forbidden-later": [(FIRST, 1, True), (DAY + MINUTE, 1, False)],
    "removed": [(FIRST, 1, False), (DAY + MINUTE, 1, True)],
}


# Every step in the order of time: host, moment, and what the server is to receive of it.
TOLD = sorted(
    ((moment, host, files, arrives) for host, steps in STEPS.items() for moment, files, arrives in steps),
    key=lambda step: step[0],
)


class Aged:
    """The crawl, and what each step came to: paths received between the marks that stand before it and the next."""

    def __init__(self, web, crawl):
        self.web, self.crawl = web, crawl
        self.steps: list[list[tuple[str, str]]] = []
        for one in web.received:
            if one.host == "mark.localhost":
                if one.path != "/robots.txt":
                    self.steps.append([])
            else:
                self.steps[-1].append((one.host, one.path))

    def of(self, step):
        return self.steps[step]


def _in_turn(replies):
    """Answer with each reply once, and with the last one from then on."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture(scope="module")
def aged(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("robots_age"))
    project.write("moved_clock.py", MOVED_CLOCK)
    project.write("spiders/aging.py", SPIDER)
    project.append("project_settings.py", SETTINGS)
    with Web() as web:
        web.default = page("open")
        web.site("mark.localhost", OPEN)
        for host, replies in FILES.items():
            web.add(f"{host}.localhost", "/robots.txt", _in_turn(replies))
        steps = []
        for number, (moment, host, _, _) in enumerate(TOLD):
            moved = moment // timedelta(microseconds=1)
            steps.append((moved, web.url("mark.localhost", f"/{number}")))
            steps.append((moved, web.url(f"{host}.localhost", f"/p{number}")))
        project.write("steps.json", json.dumps(steps))
        crawl = project.scrapy("crawl", "aging", timeout=120)
        assert crawl.code == 0, crawl.stderr[-3000:]
        yield Aged(web, crawl)


def _words(step):
    moment, host, _, _ = TOLD[step]
    return f"{host}-after-{moment.days}d{moment.seconds // 60}m".replace(" ", "")


@pytest.mark.parametrize("step", range(len(TOLD)), ids=_words)
def test_case_11_a_file_is_asked_for_again_when_it_is_a_day_old_and_its_last_copy_serves_thirty_days(
    aged, step
):
    _, host, files, arrives = TOLD[step]
    name = f"{host}.localhost"
    expected = [(name, "/robots.txt")] * files + [(name, f"/p{step}")] * arrives
    assert aged.of(step) == expected


def _url(aged, host, number):
    """Return the address of the host's page at its n-th step."""
    step = [at for at, told in enumerate(TOLD) if told[1] == host][number]
    return aged.web.url(f"{host}.localhost", f"/p{step}")


def test_case_11_a_page_fetched_on_an_old_copy_says_so_in_its_evidence(aged):
    url = _url(aged, "lost", 1)
    with Bases(aged.crawl.folder) as bases:
        (record,) = [one for one in aged.crawl.of(url=url, stage="request") if one.verdict == "fetch"]
        notes = " ".join(one.note for verdict in bases.of(record).verdicts for one in verdict.evidence)
    assert "unreachable (" in notes
    assert "the copy of " in notes


@pytest.mark.parametrize(
    ("host", "number", "reason"),
    [
        ("shut-later", 2, Reason.ROBOTS_DISALLOW),
        ("lost", 4, Reason.ROBOTS_UNREACHABLE),
        ("lost-closing", 2, Reason.ROBOTS_UNREACHABLE),
        ("lost-shut", 1, Reason.ROBOTS_DISALLOW),
        ("lost-shut", 2, Reason.ROBOTS_UNREACHABLE),
        ("never", 3, Reason.ROBOTS_UNREACHABLE),
        ("forbidden-later", 1, Reason.ROBOTS_DENIED),
    ],
)
def test_case_11_the_log_says_why_a_page_was_refused_then(aged, host, number, reason):
    assert aged.crawl.reason(_url(aged, host, number)) == reason.value
