"""A request that has its permit and waits, in Scrapy's queue or at the door, leaves by the newest lists or not.

An exchange takes long, or the site asks for a pause (Retry-After), while requests stand behind it with their
decisions made; meanwhile other lists come into force.
"""

from __future__ import annotations

import time

import pytest
from arrivals import LISTED_SPIDER, Bases, undecided
from loopback import Crawl, page

from blocklists import store
from blocklists.store_build import build_snapshot

HELD, FLAGGED, OTHER, PAUSED = (f"{name}.localhost" for name in ("held", "flagged", "other", "paused"))
# One exchange at a time with a host: what comes next has its permit and waits in Scrapy's queue.
SETTINGS = """
SEKISHO_PROGRESS = False
SEKISHO_LISTS_WATCH_SECONDS = 0.1
CONCURRENT_REQUESTS_PER_DOMAIN = 1
SCHEDULER_PRIORITY_QUEUE = "scrapy.pqueues.ScrapyPriorityQueue"
SCHEDULER_MEMORY_QUEUE = "scrapy.squeues.FifoMemoryQueue"
"""
SECONDS = 6


def build(project):
    folder = project.folder / "lists"
    with store.locked(folder):
        return build_snapshot(folder, now_us=time.time_ns() // 1000).sha256


@pytest.fixture
def crawled(web, project):
    """Run a crawl whose lists change while its requests wait; return it with both digests."""
    project.append("project_settings.py", SETTINGS)
    project.write("spiders/listed.py", LISTED_SPIDER)
    before = build(project)
    urls = []
    for host in (HELD, FLAGGED, OTHER, PAUSED):
        web.site(host, "")
        web.add(host, "/first", page("x", delay=SECONDS))
        web.add(host, "/1", page("1"))
        urls += [web.url(host, "/first"), web.url(host, "/1")]
    web.add(PAUSED, "/first", page(status=429, headers=(("Retry-After", str(SECONDS)),)))
    project.write("urls.txt", "\n".join(urls) + "\n")
    process = project.start("crawl", "listed")
    end = time.monotonic() + 40
    while web.paths().count("/first") < 4:
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < end, "hung"
        time.sleep(0.01)
    time.sleep(1)
    project.write("lists/more.toml", 'id = "more"\ntitle = "More"\nfile = "more.txt"\nweight = "operator"\n')
    project.write("lists/more.txt", f"{HELD}\n{PAUSED}\n")
    project.write(
        "lists/report.toml",
        'id = "report"\ntitle = "R"\nfile = "report.txt"\nweight = "government_report_no_finding"\n',
    )
    project.write("lists/report.txt", f"{FLAGGED}\n")
    after = build(project)
    _, stderr = process.communicate(timeout=60)
    crawl = Crawl(process.returncode, "", stderr, project.folder, project.records())
    assert crawl.code == 0, stderr[-3000:]
    return crawl, before, after


def test_what_waits_at_the_door_is_judged_by_newer_lists_before_it_leaves(web, project, crawled):
    crawl, before, after = crawled
    asked = {host: web.url(host, "/1") for host in (HELD, FLAGGED, OTHER, PAUSED)}
    permits = {
        host: [one.blocklist_sha256 for one in crawl.of(url=url, stage="request", verdict="fetch")]
        for host, url in asked.items()
    }
    # Listed meanwhile: the permit was in hand, and the server received nothing.
    assert permits[HELD] == [before]
    # The same where the site had asked for a pause, whether there was a permit or not yet.
    assert permits[PAUSED] in ([], [before])
    for host in (HELD, PAUSED):
        assert web.paths(host) == ["/robots.txt", "/first"]
        (refused,) = crawl.of(url=asked[host], verdict="skip")
        assert (refused.reason, refused.blocklist_sha256) == ("piracy_list", after)
    # Flagged meanwhile: the reasons to fetch are others now, so the decision was made anew.
    assert permits[FLAGGED] == [before, after]
    assert "/1" in web.paths(FLAGGED)
    with Bases(project.folder) as bases:
        old, new = (bases.of(one) for one in crawl.of(url=asked[FLAGGED], stage="request"))
    said = [next(one for one in basis.verdicts if one.rule == "piracy") for basis in (old, new)]
    assert said[0].evidence == ()
    assert said[1].evidence[0].source == "list:report"
    # Named by neither: one decision, and its outcome says which lists saw it last.
    assert permits[OTHER] == [before]
    (outcome,) = crawl.of(url=asked[OTHER], stage="outcome")
    assert (outcome.verdict, outcome.blocklist_sha256) == ("received", after)
    assert undecided(web, web.received, crawl.records) == []
    changed = crawl.of(reason="lists_changed")[0].ts_us
    assert min(one.at for one in web.received if one.path == "/1") > changed
