"""A request that has its permit and waits, in Scrapy's queue or at the door, leaves by the newest lists or not.

An exchange takes long, or the site asks for a pause (Retry-After), while requests stand behind it with their
decisions made; meanwhile other lists come into force.
"""

from __future__ import annotations

import shutil
import time

import pytest
from arrivals import LISTED_SPIDER, Bases, undecided
from held import Held, ended, until, until_recorded
from loopback import page

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
PAUSE_S = 8
HOSTS = (HELD, FLAGGED, OTHER, PAUSED)
REPORT = 'id = "report"\ntitle = "R"\nfile = "report.txt"\nweight = "government_report_no_finding"\n'


def build(folder):
    with store.locked(folder):
        return build_snapshot(folder, now_us=time.time_ns() // 1000).sha256


def build_aside(project):
    """Build the newer state of the lists beside the one in force, so that it can take its place in no time."""
    aside = project.folder / "aside"
    shutil.copytree(project.folder / "lists", aside)
    project.write("aside/more.toml", 'id = "more"\ntitle = "More"\nfile = "more.txt"\nweight = "operator"\n')
    project.write("aside/more.txt", f"{HELD}\n{PAUSED}\n")
    project.write("aside/report.toml", REPORT)
    project.write("aside/report.txt", f"{FLAGGED}\n")
    return build(aside)


def put_in_force(project, before, after):
    lists = project.folder / "lists"
    others = shutil.ignore_patterns(store.CURRENT)
    shutil.copytree(project.folder / "aside", lists, dirs_exist_ok=True, ignore=others)
    store.write_current(lists, after, previous=before)


@pytest.fixture
def crawled(web, project):
    """Run a crawl whose lists change while its requests wait; return it with both digests."""
    project.append("project_settings.py", SETTINGS)
    project.write("spiders/listed.py", LISTED_SPIDER)
    before = build(project.folder / "lists")
    after = build_aside(project)
    held = {}
    for host in HOSTS:
        web.site(host, "")
        busy = page(status=429, headers=(("Retry-After", str(PAUSE_S)),))
        held[host] = Held(web, busy if host == PAUSED else page("x"))
        web.add(host, "/first", held[host])
        web.add(host, "/1", page("1"))
    waiting = {web.url(host, "/1") for host in HOSTS}
    urls = [web.url(host, path) for host in HOSTS for path in ("/first", "/1")]
    project.write("urls.txt", "\n".join(urls) + "\n")
    process = project.start("crawl", "listed")
    until(process, lambda: all(one.waiting for one in held.values()))
    until(process, lambda: waiting <= {one.url for one in project.records() if one.verdict == "fetch"})
    held[PAUSED].release()
    until_recorded(process, project, "not_sent")
    put_in_force(project, before, after)
    until_recorded(process, project, "lists_changed")
    for one in held.values():
        one.release()
    return ended(project, process), before, after


def test_what_waits_at_the_door_is_judged_by_newer_lists_before_it_leaves(web, project, crawled):
    crawl, before, after = crawled
    asked = {host: web.url(host, "/1") for host in HOSTS}
    permits = {
        host: [one.blocklist_sha256 for one in crawl.of(url=url, stage="request", verdict="fetch")]
        for host, url in asked.items()
    }
    # Listed meanwhile: the permit was in hand, and the server received nothing.
    assert permits[HELD] == [before]
    # The same where the site had asked for a pause: the permit was taken back when it began.
    assert permits[PAUSED] == [before]
    (put_off,) = crawl.of(url=asked[PAUSED], stage="outcome")
    assert (put_off.verdict, put_off.reason) == ("defer", "not_sent")
    for host in (HELD, PAUSED):
        assert web.paths(host) == ["/robots.txt", "/first"]
        said = [(one.verdict, one.reason) for one in crawl.of(url=asked[host], stage="request")]
        assert said == [("fetch", "allowed"), ("skip", "piracy_list")], (host, said)
        assert crawl.of(url=asked[host], verdict="skip")[0].blocklist_sha256 == after
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
