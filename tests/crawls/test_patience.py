"""What sites may do to a crawler's patience: each is judged, recorded, and bounded in time and memory."""

import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from arrivals import LISTED_SPIDER, undecided
from loopback import Project, Reply, Web, page, robots

SETTINGS = """
SEKISHO_ROBOTS_TIMEOUT = 3
DOWNLOAD_TIMEOUT = 3
SEKISHO_PROGRESS = False
RETRY_TIMES = 2
CONCURRENT_REQUESTS_PER_DOMAIN = 1

# The process's own peak: getrusage's is that of its parent too, up to the exec.
import atexit, pathlib
atexit.register(lambda: pathlib.Path("peak").write_text(pathlib.Path("/proc/self/status").read_text()))
"""
LONGEST_S = 45.0  # the 5 s that a failing site is left alone, a few times, and a machine that is busy
MOST_MB = 300
MOST_COOKIE_OCTETS = 300_000
COOKIES = tuple(("Set-Cookie", f"c{number}={'x' * 20}; Path=/") for number in range(10_000))


class Met:
    def __init__(self, folder):
        self.project = Project(folder)
        self.project.append("project_settings.py", SETTINGS)
        self.project.write("spiders/listed.py", LISTED_SPIDER)
        with Web() as web:
            self.web = web
            self.sites()
            web.default = page("open")
            urls = [web.url(host, path) for host, path in self.asked()]
            self.project.write("urls.txt", "\n".join(urls) + "\n")
            begin = time.monotonic()
            self.crawl = self.project.scrapy("crawl", "listed", timeout=120)
            self.took = time.monotonic() - begin

    def sites(self):
        web = self.web
        later = datetime.now(UTC) + timedelta(hours=12)
        never = f"Visit-time: {later:%H%M}-{later + timedelta(minutes=1):%H%M}"
        web.add("never.localhost", "/robots.txt", robots(f"User-agent: *\n{never}\nDisallow:\n"))
        web.add("years.localhost", "/a", Reply(429, (("Retry-After", "315360000"),), b"later"))
        past = (("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"),)
        self.answers = iter((Reply(503, past, b"was"), page("open")))
        web.add("past.localhost", "/a", lambda _: next(self.answers, page("open")))
        web.add("minus.localhost", "/a", Reply(503, (("Retry-After", "-5"),), b"minus"))
        web.add("slow.localhost", "/robots.txt", Reply(200, (), b"User-agent: *\nDisallow:\n", delay=60))
        web.add("cookies.localhost", "/a", page(status=302, headers=(*COOKIES, ("Location", "/with"))))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n<p>half"
        web.add("half.localhost", "/a", Reply(raw=head))
        web.add("headers.localhost", "/a", Reply(raw=b"HTTP/1.1 200 OK\r\nX: y\r\n", drip=b"X-Drip: y\r\n"))
        for number in range(4):
            to = web.url(f"ring{(number + 1) % 4}.localhost", "/x")
            web.add(f"ring{number}.localhost", "/x", page(status=302, headers=(("Location", to),)))

    def asked(self):
        hosts = ("never", "years", "past", "minus", "slow", "cookies", "half", "headers")
        first = [(f"{host}.localhost", "/a") for host in hosts]
        return [*first, ("ring0.localhost", "/x"), *((f"{host}.localhost", "/b") for host in hosts)]

    def reasons(self, host, path="/a"):
        return {
            one.reason
            for one in self.crawl.of(url=self.web.url(host, path))
            if one.verdict in ("skip", "defer", "failed")
        }


@pytest.fixture(scope="module")
def met(tmp_path_factory):
    return Met(tmp_path_factory.mktemp("patience"))


def test_a_crawl_of_sites_that_try_its_patience_ends_in_time_in_order_and_in_little_memory(met):
    assert met.crawl.code == 0, met.crawl.stderr
    assert met.took < LONGEST_S
    assert undecided(met.web, met.web.received, met.crawl.records) == []
    largest = int(re.search(r"VmHWM:\s+(\d+) kB", (met.project.folder / "peak").read_text())[1])
    assert largest < MOST_MB * 1024
    assert [one.reason for one in met.crawl.of(stage="run")] == ["run_opened", "guard_armed", "run_closed"]
    assert met.project.sekisho("log", "verify", "--log", "sqlite:///log.db").returncode == 0


def test_every_request_that_left_has_its_outcome(met):
    fetched = {one.idx for one in met.crawl.of(stage="request", verdict="fetch")}
    assert {one.ref_idx for one in met.crawl.of(stage="outcome")} == fetched


def test_a_retry_after_of_ten_years_is_not_waited_for_and_nothing_more_is_asked_there(met):
    assert met.web.paths("years.localhost") == ["/robots.txt", "/a"]
    assert "rate_limited" in met.reasons("years.localhost", "/a")
    assert "rate_limited" in met.reasons(
        "years.localhost", "/b"
    )  # beside `not_sent` of what was decided before


def test_a_retry_after_in_the_past_or_below_zero_ends_in_an_answer_or_a_record(met):
    assert met.web.url("past.localhost", "/a") in met.crawl.kept()
    assert Counter(met.web.paths("minus.localhost"))["/a"] <= 3
    assert met.reasons("minus.localhost") <= {"http_error", "rate_limited"}
    assert met.reasons("minus.localhost")


def test_hours_that_do_not_open_are_recorded_and_no_page_is_asked_for(met):
    assert met.web.paths("never.localhost") == ["/robots.txt"]
    assert met.reasons("never.localhost") == met.reasons("never.localhost", "/b") == {"visit_time"}


def test_a_robots_txt_that_comes_after_a_minute_forbids_all(met):
    assert met.web.paths("slow.localhost") == ["/robots.txt"]
    assert met.reasons("slow.localhost") == {"robots_unreachable"}


def test_ten_thousand_cookies_are_taken_and_the_next_page_is_judged_all_the_same(met):
    (after,) = [one for one in met.web.received if one.path == "/with"]
    assert len(after.headers["cookie"]) < MOST_COOKIE_OCTETS
    assert met.web.url("cookies.localhost", "/with") in met.crawl.kept()


def test_half_a_body_and_headers_without_end_are_failures_with_a_record_each(met):
    for host in ("half.localhost", "headers.localhost"):
        ends = met.crawl.of(url=met.web.url(host, "/a"), stage="outcome")
        assert {one.verdict for one in ends} == {"failed"}
        assert len(ends) <= 3


def test_a_circle_between_hosts_ends_with_a_decision_for_every_hop(met):
    hops = [one for one in met.web.received if one.host.startswith("ring") and one.path == "/x"]
    assert 4 <= len(hops) <= 25
