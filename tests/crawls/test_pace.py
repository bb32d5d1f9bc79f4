"""The pace that a site asks for, as its server sees it: arrival times, never what the crawler says of itself.

A gap is never shorter than what was asked, without any tolerance. Nothing here depends on how fast the
machine is: upper bounds only guard against a crawl that hangs.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from email.utils import formatdate

from arrivals import LISTED_SPIDER, Bases, undecided
from loopback import AGENT, page, robots

SECOND = 1_000_000
SLOW = "slow.localhost"
FAST = "fast.localhost"
# While the first is under way, the others have their permits already and wait in Scrapy's queue.
IN_ORDER = """
CONCURRENT_REQUESTS_PER_DOMAIN = 1
SCHEDULER_PRIORITY_QUEUE = "scrapy.pqueues.ScrapyPriorityQueue"
SCHEDULER_MEMORY_QUEUE = "scrapy.squeues.FifoMemoryQueue"
"""


def _listed(project, *urls, settings=""):
    """Prepare a crawl of exactly these URLs; one may begin with the name of a download slot."""
    project.append("project_settings.py", f"\nSEKISHO_PROGRESS = False\n{settings}\n")
    project.write("spiders/listed.py", LISTED_SPIDER)
    project.write("urls.txt", "\n".join(urls) + "\n")


def _cap(project, seconds):
    project.write(
        "policies_here/agents/examplebot.toml", AGENT + f"\n[robots]\nmax_crawl_delay_seconds = {seconds}\n"
    )


def _times(web, host):
    return sorted(one.at for one in web.received if one.host == host)


def _gaps(web, host):
    return [after - before for before, after in itertools.pairwise(_times(web, host))]


def test_a_crawl_delay_is_kept_from_the_robots_txt_on_while_another_site_goes_at_full_speed(web, project):
    web.site(SLOW, "User-agent: *\nCrawl-delay: 1\n")
    web.site(FAST, "")
    web.default = page("x")
    slow = [web.url(SLOW, f"/{number}") for number in range(4)]
    fast = [web.url(FAST, f"/{number}") for number in range(60)]
    _listed(project, *slow, *fast)
    crawl = project.scrapy("crawl", "listed")
    assert len(web.paths(SLOW)) == 5
    assert min(_gaps(web, SLOW)) >= SECOND
    assert len(web.paths(FAST)) == 61
    assert _times(web, FAST)[-1] < _times(web, SLOW)[-1]
    assert undecided(web, web.received, crawl.records) == []


def test_more_waiting_pages_than_the_crawl_may_hold_do_not_stop_it_for_other_sites(web, project):
    web.site(SLOW, "User-agent: *\nCrawl-delay: 0.6\n")
    web.site(FAST, "")
    web.default = page("x")
    slow = [web.url(SLOW, f"/{number}") for number in range(9)]
    fast = [web.url(FAST, f"/{number}") for number in range(60)]
    _listed(project, *slow, *fast, settings="CONCURRENT_REQUESTS = 4")
    project.scrapy("crawl", "listed")
    assert min(_gaps(web, SLOW)) >= 0.6 * SECOND
    assert len(web.paths(SLOW)) == 10
    assert _times(web, FAST)[-1] < _times(web, SLOW)[5]


def test_ten_download_slots_and_autothrottle_and_a_short_delay_of_ones_own_shrink_nothing(web, project):
    web.site(SLOW, "User-agent: *\nCrawl-delay: 0.7\n")
    web.default = page("x")
    urls = [f"slot{number} {web.url(SLOW, f'/{number}')}" for number in range(6)]
    settings = """
AUTOTHROTTLE_ENABLED = True
AUTOTHROTTLE_START_DELAY = 0.01
AUTOTHROTTLE_TARGET_CONCURRENCY = 50
DOWNLOAD_DELAY = 0.01
DOWNLOAD_SLOTS = {"slow.localhost": {"concurrency": 50, "delay": 0, "randomize_delay": False}}
CONCURRENT_REQUESTS_PER_DOMAIN = 50
"""
    _listed(project, *urls, settings=settings)
    project.scrapy("crawl", "listed")
    assert len(web.paths(SLOW)) == 7
    assert min(_gaps(web, SLOW)) >= 0.7 * SECOND


def test_no_more_requests_are_under_way_to_a_host_than_the_setting_says(web, project):
    under_way = [0]
    most = []

    async def answer(_):
        under_way[0] += 1
        most.append(under_way[0])
        await asyncio.sleep(0.05)
        under_way[0] -= 1
        return page("x")

    web.site(FAST, "")
    web.default = answer
    urls = [web.url(FAST, f"/{number}") for number in range(20)]
    _listed(project, *urls, settings="CONCURRENT_REQUESTS_PER_DOMAIN = 2")
    crawl = project.scrapy("crawl", "listed")
    assert len(crawl.kept()) == 20
    assert max(most) == 2


def test_the_gap_is_kept_however_slowly_the_site_answers(web, project):
    web.site(SLOW, "User-agent: *\nCrawl-delay: 0.4\n")
    for number in range(4):
        web.add(SLOW, f"/{number}", page("x", delay=0.6 if number % 2 else 0.0))
    _listed(project, *(web.url(SLOW, f"/{number}") for number in range(4)))
    project.scrapy("crawl", "listed")
    assert len(web.paths(SLOW)) == 5
    assert min(_gaps(web, SLOW)) >= 0.4 * SECOND


def test_a_crawl_delay_above_the_cap_means_that_the_pages_are_skipped_and_why_is_recorded(web, project):
    _cap(project, 2)
    web.site(SLOW, "User-agent: *\nCrawl-delay: 2.5\nDisallow: /no\n")
    web.site(FAST, "User-agent: *\nCrawl-delay: 0.1\n")
    web.default = page("x")
    _listed(project, web.url(SLOW, "/a"), web.url(SLOW, "/b"), web.url(SLOW, "/no"), web.url(FAST, "/a"))
    crawl = project.scrapy("crawl", "listed")
    assert web.paths(SLOW) == ["/robots.txt"]
    assert crawl.reason(web.url(SLOW, "/a")) == "crawl_delay_too_long"
    assert crawl.reason(web.url(SLOW, "/b")) == "crawl_delay_too_long"
    assert crawl.reason(web.url(SLOW, "/no")) == "robots_disallow"
    assert crawl.kept() == [web.url(FAST, "/a")]
    with Bases(project.folder) as bases:
        evidence = bases.of(crawl.of(reason="crawl_delay_too_long")[0]).deciding.evidence[0]
    assert (evidence.line, evidence.text) == (2, "Crawl-delay: 2.5")
    assert "2 s" in evidence.note


def _once(reply):
    """Answer the first request for a page with a reply, later ones with the page."""
    asked = itertools.count()
    return lambda _: reply if next(asked) == 0 else page("x")


def test_after_retry_after_nothing_reaches_the_origin_before_that_long_whatever_has_its_permit(web, project):
    urls = []
    for status in (429, 503):
        host = f"s{status}.localhost"
        web.site(host, "")
        web.add(host, "/busy", _once(page(status=status, headers=(("Retry-After", "3"),), delay=0.5)))
        urls += [web.url(host, path) for path in ("/busy", "/1", "/2")]
    web.default = page("x")
    _listed(project, *urls, settings=IN_ORDER)
    crawl = project.scrapy("crawl", "listed")
    for status in (429, 503):
        host = f"s{status}.localhost"
        arrivals = [(one.path, one.at) for one in web.received if one.host == host]
        assert sorted(path for path, _ in arrivals) == ["/1", "/2", "/busy", "/busy", "/robots.txt"]
        asked = next(number for number, (path, _) in enumerate(arrivals) if path == "/busy")
        assert arrivals[asked + 1][1] >= arrivals[asked][1] + 3 * SECOND
        assert web.url(host, "/busy") in crawl.kept()
    assert undecided(web, web.received, crawl.records) == []
    assert len(crawl.of(stage="response", reason="rate_limited")) == 2
    permitted = [one for one in crawl.of(stage="request", verdict="fetch") if one.url == urls[1]]
    refused = crawl.of(stage="response", reason="rate_limited")[0]
    assert permitted[0].ts_us < refused.ts_us  # it stood in the queue, with its permit, when the answer came


def test_retry_after_as_a_date_is_honoured(web, project):
    until = []

    def answer(_):
        if until:
            return page("x")
        until.append(int(time.time()) + 3)
        return page(status=429, headers=(("Retry-After", formatdate(until[0], usegmt=True)),))

    web.site(SLOW, "")
    web.add(SLOW, "/busy", answer)
    _listed(project, web.url(SLOW, "/busy"))
    project.scrapy("crawl", "listed")
    first, second = (one.at for one in web.received if one.path == "/busy")
    assert first < until[0] * SECOND <= second


def test_a_retry_after_above_the_cap_ends_the_visits_to_the_origin(web, project):
    _cap(project, 3)
    web.site(SLOW, "")
    web.default = page("x")
    web.add(SLOW, "/busy", page(status=429, headers=(("Retry-After", "3600"),), delay=0.5))
    urls = [web.url(SLOW, "/busy"), *(web.url(SLOW, f"/{number}") for number in range(3))]
    _listed(project, *urls, settings=IN_ORDER)
    crawl = project.scrapy("crawl", "listed")
    assert web.paths(SLOW) == ["/robots.txt", "/busy"]
    put_off = crawl.of(stage="request", verdict="defer", reason="rate_limited")
    assert {one.url for one in put_off} == {web.url(SLOW, f"/{number}") for number in range(3)}
    with Bases(project.folder) as bases:
        until = bases.of(put_off[0]).deciding.retry_at
    assert until is not None
    assert until > _times(web, SLOW)[-1] + 3500 * SECOND


def test_a_robots_txt_that_asks_for_patience_is_not_asked_again_and_no_page_arrives(web, project):
    web.add(SLOW, "/robots.txt", robots("", status=429, headers=(("Retry-After", "3600"),)))
    web.default = page("x")
    _listed(project, *(web.url(SLOW, f"/{number}") for number in range(5)))
    crawl = project.scrapy("crawl", "listed")
    assert web.paths(SLOW) == ["/robots.txt"]
    assert crawl.reason(web.url(SLOW, "/0")) == "robots_unreachable"
