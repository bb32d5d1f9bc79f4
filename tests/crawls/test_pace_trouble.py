"""Sites in trouble, and sites that ask for odd paces: what their servers saw, and what the log says of it."""

from __future__ import annotations

import itertools
import re
import signal
import time
from email.utils import formatdate

import pytest
from arrivals import LISTED_SPIDER, Bases, undecided
from held import until
from loopback import AGENT, Reply, page

SECOND = 1_000_000
YEARS = 315_360_000  # ten of them, in seconds


@pytest.fixture
def prepared(web, project):
    """Return a function that prepares a crawl of exactly these URLs, in this order."""
    web.default = page("x")

    def prepare(*urls, settings="", cap=300):
        project.append(
            "project_settings.py", f'\nSEKISHO_PROGRESS = False\nLOG_LEVEL = "WARNING"\n{settings}\n'
        )
        project.write(
            "policies_here/agents/examplebot.toml", AGENT + f"\n[robots]\nmax_crawl_delay_seconds = {cap}\n"
        )
        project.write("spiders/listed.py", LISTED_SPIDER)
        project.write("urls.txt", "\n".join(urls) + "\n")

    return prepare


@pytest.fixture
def crawled(web, project, prepared):
    """Return a function that crawls exactly these URLs, in this order."""

    def crawl(*urls, settings="", cap=300, timeout=90):
        prepared(*urls, settings=settings, cap=cap)
        done = project.scrapy("crawl", "listed", timeout=timeout)
        assert done.code == 0, done.stderr[-3000:]
        assert undecided(web, web.received, done.records) == []
        return done

    return crawl


def _times(web, host, path=None):
    return [one.at for one in web.received if one.host == host and path in (None, one.path)]


def _gaps(moments):
    return [later - earlier for earlier, later in itertools.pairwise(moments)]


def _first(number, reply):
    """Answer the first requests with a reply, later ones with a page."""
    asked = itertools.count()
    return lambda _: reply if next(asked) < number else page("x")


def test_pauses_grow_while_trouble_lasts_and_no_other_site_waits_for_it(web, crawled):
    busy, broken, well = "busy.localhost", "broken.localhost", "well.localhost"
    for host in (busy, broken, well):
        web.site(host, "")
    # Its Retry-After is obeyed, and was not enough: the second pause is ours.
    web.add(busy, "/a", _first(2, page(status=429, headers=(("Retry-After", "1"),))))
    web.add(broken, "/a", Reply(close=True))
    crawl = crawled(
        web.url(busy, "/a"),
        *(web.url(broken, f"/a?{n}") for n in range(1)),
        web.url(broken, "/a"),
        *(web.url(well, f"/{n}") for n in range(40)),
        settings='RETRY_TIMES = 3\nLOG_LEVEL = "INFO"',
    )
    first, second = _gaps(_times(web, busy, "/a"))
    assert first >= SECOND
    assert second >= 5 * SECOND
    asked = _times(web, broken, "/a")
    assert len(asked) == 4
    for gap, least in zip(_gaps(asked), (0.5, 1.0, 2.0), strict=True):
        assert gap >= least * SECOND
    assert len(_times(web, well)) == 41
    assert max(_times(web, well)) < asked[2]
    assert web.url(busy, "/a") in crawl.kept()
    assert len(crawl.of(verdict="failed")) == 4
    stats = {key: float(value) for key, value in re.findall(r"'sekisho/pace/(\w+)': ([\d.]+)", crawl.stderr)}
    assert stats["back_offs"] == 6  # of the busy host two, of the broken one four
    assert stats["waiting"] == 0 < stats["waiting_max"]
    assert 0 < stats["longest_wait_seconds"] < 60
    assert stats["deferred"] >= 0


def test_too_many_requests_holds_all_hosts_of_a_domain_and_an_overloaded_server_only_itself(web, crawled):
    hosts = [f"{name}.{domain}.localhost" for domain in ("counts", "loaded") for name in ("www", "api")]
    for host in hosts:
        web.site(host, "")
    for host, status in (("www.counts.localhost", 429), ("www.loaded.localhost", 503)):
        web.add(host, "/busy", _first(1, page(status=status, headers=(("Retry-After", "3"),))))
    urls = [web.url(host, "/busy") for host in hosts[::2]]
    urls += [web.url(host, f"/{n}") for n in range(60) for host in hosts[1::2]]
    crawl = crawled(*urls, settings="DOWNLOAD_DELAY = 0.1\nDOWNLOAD_DELAY_JITTER = 0")
    for domain, held in (("counts", True), ("loaded", False)):
        busy = web.url(f"www.{domain}.localhost", "/busy")
        heard = crawl.of(url=busy, stage="outcome")[0].ts_us  # the crawl knows of the pause from then on
        # What was on its way when the answer came is not counted.
        since = [
            at for at in _times(web, f"api.{domain}.localhost") if heard + SECOND < at < heard + 3 * SECOND
        ]
        assert (not since) is held


def test_case_35_odd_crawl_delays_are_capped_ignored_or_the_larger_at_the_server(web, crawled):
    lines = {
        "huge": "Crawl-delay: 1e9",
        "nan": "Crawl-delay: nan",
        "negative": "Crawl-delay: -1",
        "comment": "Crawl-delay: 0.5 # s",
        "two": "Crawl-delay: 0.1\nCrawl-delay: 0.6",
    }
    for name, line in lines.items():
        web.site(f"{name}.localhost", f"User-agent: *\n{line}\n")
    crawl = crawled(*(web.url(f"{name}.localhost", f"/{n}") for n in range(4) for name in lines))
    assert web.paths("huge.localhost") == ["/robots.txt"]
    assert crawl.reason(web.url("huge.localhost", "/0")) == "crawl_delay_too_long"
    for name, delay in (("nan", 0.0), ("negative", 0.0), ("comment", 0.5), ("two", 0.6)):
        moments = _times(web, f"{name}.localhost")
        assert len(moments) == 5
        assert min(_gaps(moments)) >= delay * SECOND
    assert _times(web, "nan.localhost")[-1] < _times(web, "two.localhost")[3]


def test_case_36_hours_across_midnight_let_in_now_and_hours_that_never_come_let_in_never(web, crawled):
    hour = time.gmtime().tm_hour
    around = f"{(hour - 12) % 24:02d}30-{(hour - 13) % 24:02d}30"  # all but one hour, half a day away
    before, after = f"{(hour + 2) % 24:02d}00", f"{(hour + 3) % 24:02d}00"
    web.site("night.localhost", f"User-agent: *\nVisit-time: {around}\n")
    web.site(
        "never.localhost",
        "User-agent: *\nVisit-time: 0100-0200\nDisallow:\n\nUser-agent: *\nVisit-time: 0300-0400\nDisallow:\n",
    )
    web.site("later.localhost", f"User-agent: *\nVisit-time: {before}-{after}\n")
    crawl = crawled(*(web.url(f"{name}.localhost", "/a") for name in ("night", "never", "later")))
    assert crawl.kept() == [web.url("night.localhost", "/a")]
    assert web.paths("never.localhost") == web.paths("later.localhost") == ["/robots.txt"]
    (never,) = crawl.of(url=web.url("never.localhost", "/a"), stage="request")
    (later,) = crawl.of(url=web.url("later.localhost", "/a"), stage="request")
    assert (never.verdict, never.reason) == ("skip", "visit_time")
    assert (later.verdict, later.reason) == ("defer", "visit_time")


def test_a_retry_after_of_ten_years_ends_the_visits_and_one_that_says_nothing_is_a_pause_of_ours(
    web, project, crawled
):
    answers = {
        "decade": str(YEARS),
        "past": formatdate(time.time() - 86_400, usegmt=True),
        "garbage": "soon\x01, ten past nine",
        "below": "-5",
    }
    for name, said in answers.items():
        web.site(f"{name}.localhost", "")
        web.add(f"{name}.localhost", "/0", _first(1, page(status=503, headers=(("Retry-After", said),))))
    urls = [web.url(f"{name}.localhost", f"/{n}") for n in range(3) for name in answers]
    crawl = crawled(
        *urls,
        settings='CONCURRENT_REQUESTS_PER_DOMAIN = 1\nSCHEDULER_MEMORY_QUEUE = "scrapy.squeues.FifoMemoryQueue"',
    )
    assert web.paths("decade.localhost")[:2] == ["/robots.txt", "/0"]
    put_off = crawl.of(verdict="defer", reason="rate_limited")
    assert {one.host for one in put_off} == {"decade.localhost"}
    with Bases(project.folder) as bases:
        verdict = bases.of(put_off[0]).deciding
    assert verdict.retry_at > _times(web, "decade.localhost")[0] + YEARS * SECOND
    assert f"Retry-After: {YEARS}" in verdict.evidence[0].text
    for name in ("past", "garbage", "below"):
        said = _times(web, f"{name}.localhost", "/0")
        assert said[1] >= said[0] + 5 * SECOND
        assert len(web.paths(f"{name}.localhost")) == 5


def test_more_waiting_sites_than_the_crawl_may_hold_do_not_stop_it_under_a_queue_of_the_projects_own(
    web, project, prepared
):
    slow = [f"slow{n}.localhost" for n in range(12)]
    for host in slow:
        web.site(host, "User-agent: *\nCrawl-delay: 30\n")
    web.site("fast.localhost", "")
    urls = [web.url(host, "/a") for host in slow]
    urls += [web.url("fast.localhost", f"/{n}") for n in range(30)]
    prepared(
        *urls,
        settings='CONCURRENT_REQUESTS = 4\nSCHEDULER_PRIORITY_QUEUE = "scrapy.pqueues.ScrapyPriorityQueue"',
    )
    process = project.start("crawl", "listed")
    until(process, lambda: len(_times(web, "fast.localhost")) == 31)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr[-3000:]
    assert undecided(web, web.received, project.records()) == []
    assert {path for host in slow for path in web.paths(host)} == {"/robots.txt"}


def test_the_operators_own_delay_holds_between_all_hosts_of_a_domain_and_not_beyond(web, crawled):
    hosts = ["www.one.localhost", "api.one.localhost", "two.localhost"]
    web.hides_rights = False
    for host in hosts:
        web.site(host, "")
    crawled(
        *(web.url(host, f"/{n}") for n in range(5) for host in hosts),
        settings="DOWNLOAD_DELAY = 0.2\nDOWNLOAD_DELAY_JITTER = 0",
    )
    one = sorted(at for host in hosts[:2] for at in _times(web, host))
    # Counted from start to start on our side: the way to the server may take longer for the first of two.
    assert (one[-1] - one[0]) / (len(one) - 1) >= 0.19 * SECOND
    assert _times(web, "two.localhost")[-1] < one[-1] - SECOND
