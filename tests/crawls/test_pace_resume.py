"""What waits for its site outlives the crawl: in the JOBDIR, judged anew by the run that takes it up."""

from __future__ import annotations

import itertools
import signal
import time
from pathlib import Path

import pytest
from arrivals import undecided
from held import until
from loopback import AGENT, page, robots

SECOND = 1_000_000
SLOW, FAST = "slow.localhost", "fast.localhost"
LATE_S = 30
SPIDER = '''\
from pathlib import Path

import scrapy


class OnceSpider(scrapy.Spider):
    """Asks for the URLs of urls.txt, each once over all runs of a JOBDIR."""

    name = "once"

    async def start(self):
        for url in Path("urls.txt").read_text().splitlines():
            yield scrapy.Request(url, callback=self.parse, errback=self.failed)

    def parse(self, response):
        """A page was handed over."""

    def failed(self, failure):
        """A page was refused or lost."""
'''


@pytest.fixture
def prepared(web, project):
    web.default = page("x")
    web.site(FAST, "")

    def prepare(*urls, cap=300):
        project.append("project_settings.py", '\nSEKISHO_PROGRESS = False\nJOBDIR = "job"\n')
        project.write("spiders/once.py", SPIDER)
        project.write("urls.txt", "\n".join(urls) + "\n")
        project.write(
            "policies_here/agents/examplebot.toml", AGENT + f"\n[robots]\nmax_crawl_delay_seconds = {cap}\n"
        )
        return project

    return prepare


def _pages(web, host):
    return [path for path in web.paths(host) if path != "/robots.txt"]


def test_an_interrupted_crawl_ends_at_once_and_its_next_run_asks_for_the_rest_once_and_in_time(web, prepared):
    web.hides_rights = False
    web.site(SLOW, "User-agent: *\nCrawl-delay: 0.4\n")
    web.site("late.localhost", f"User-agent: *\nCrawl-delay: {LATE_S}\n")
    wanted = [web.url(SLOW, f"/{number}") for number in range(10)]
    late = web.url("late.localhost", "/page")
    project = prepared(late, *wanted)
    process = project.start("crawl", "once")
    until(process, lambda: "/1" in web.paths(SLOW))
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    _, stderr = process.communicate(timeout=60)
    assert time.monotonic() - begin < LATE_S - 5, "it waited for a site before it ended"
    assert "Sealed" in stderr or "sealed" in stderr
    first = len(web.received)
    assert web.paths("late.localhost") == ["/robots.txt"]
    pages = {f"/{number}" for number in range(10)}
    process = project.start("crawl", "once")
    until(process, lambda: pages <= set(web.paths(SLOW)))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr[-3000:]
    for run in (web.received[:first], web.received[first:]):
        moments = [one.at for one in run if one.host == SLOW]
        assert min(later - earlier for earlier, later in itertools.pairwise(moments)) >= 0.4 * SECOND
    asked = [path for path in web.paths(SLOW) if path.strip("/").isdigit()]
    assert sorted(asked) == sorted(pages)
    assert undecided(web, web.received, project.records()) == []


def test_a_pause_beyond_the_cap_leaves_the_pages_in_the_jobdir_for_the_next_run(web, prepared):
    web.site(SLOW, "User-agent: *\nCrawl-delay: 0.1\n")
    web.add(SLOW, "/0", page(status=503, headers=(("Retry-After", "3600"),)))
    urls = [web.url(SLOW, f"/{number}") for number in range(6)]
    project = prepared(*urls, web.url(FAST, "/a"), cap=2)
    crawl = project.scrapy("crawl", "once")
    assert _pages(web, SLOW) == ["/0"]
    assert crawl.kept() == [web.url(FAST, "/a")]
    assert "5 requests are kept in" in crawl.stderr
    web.received.clear()
    again = project.scrapy("crawl", "once")
    assert sorted(_pages(web, SLOW)) == [f"/{number}" for number in range(1, 6)]
    assert set(urls[1:]) < set(again.kept())


def test_hours_that_begin_later_leave_the_pages_in_the_jobdir_and_the_decision_on_the_record(web, prepared):
    hour = time.gmtime().tm_hour
    window = f"{(hour + 3) % 24:02d}00-{(hour + 4) % 24:02d}00"
    web.site(SLOW, f"User-agent: *\nVisit-time: {window}\n")
    urls = [web.url(SLOW, f"/{number}") for number in range(5)]
    project = prepared(*urls, web.url(FAST, "/a"))
    crawl = project.scrapy("crawl", "once")
    assert web.paths(SLOW) == ["/robots.txt"]
    put_off = crawl.of(verdict="defer", reason="visit_time")
    assert len(put_off) == 1
    assert "5 requests are kept in" in crawl.stderr
    web.add(SLOW, "/robots.txt", robots(""))
    again = project.scrapy("crawl", "once")
    assert set(urls) < set(again.kept())


def test_a_robots_txt_that_lasts_no_longer_than_a_turn_does_not_keep_the_pages_from_theirs(web, prepared):
    web.site(SLOW, "User-agent: *\nCrawl-delay: 1.2\n")
    urls = [web.url(SLOW, f"/{number}") for number in range(3)]
    project = prepared(*urls)
    project.append("project_settings.py", "SEKISHO_ROBOTS_CACHE_SECONDS = 1\n")
    crawl = project.scrapy("crawl", "once")
    assert set(crawl.kept()) == set(urls)
    moments = [one.at for one in web.received]
    assert min(later - earlier for earlier, later in itertools.pairwise(moments)) >= 1.2 * SECOND


@pytest.mark.parametrize("waiting", [5_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_pages_of_a_slow_site_wait_on_disk_while_another_is_crawled(web, prepared, waiting):
    web.site(SLOW, "User-agent: *\nCrawl-delay: 20\n")
    slow = [web.url(SLOW, f"/{number}") for number in range(waiting)]
    fast = [web.url(FAST, f"/{number}") for number in range(100)]
    project = prepared(*slow, *fast)
    process = project.start("crawl", "once")
    until(process, lambda: len(_pages(web, FAST)) == 100)
    status = Path(f"/proc/{process.pid}/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr[-3000:]
    assert len(_pages(web, SLOW)) <= 1
    assert f"{waiting} requests are kept in" in stderr
    assert peak < 200, f"{peak:.0f} MB"
