"""What has its permit and is put off, and came out of a queue that cannot take it back, is not lost.

Under a SCHEDULER_PRIORITY_QUEUE of the project's own it waits outside CONCURRENT_REQUESTS; the crawl does not
end before it, unless it is asked to. No filter of duplicates takes it for a duplicate of itself, and it is
afterwards as it was: what it leads to is filtered as ever.
"""

from __future__ import annotations

import re
import signal

import pytest
from arrivals import LISTED_SPIDER, undecided
from held import Held, ended, until
from loopback import page

BUSY, FAST, AWAY = "busy.localhost", "fast.localhost", "away.localhost"
SECOND = 1_000_000
PAGES = [f"/{number}" for number in range(4)]
SETTINGS = f"""
SEKISHO_PROGRESS = False
DOWNLOAD_SLOTS = {{"{BUSY}": {{"concurrency": 1}}}}
RETRY_ENABLED = False
"""
OWN_QUEUE = 'SCHEDULER_PRIORITY_QUEUE = "scrapy.pqueues.ScrapyPriorityQueue"\n'
OWN_SCHEDULER = 'SCHEDULER = "scrapy.core.scheduler.Scheduler"\n'
ON_DISK = 'JOBDIR = "job"\n'
# As most spiders are: nothing is asked for twice, and nothing away from their site.
PLAIN_SPIDER = LISTED_SPIDER.replace("dont_filter=True, ", "").replace(
    'name = "listed"\n', f'name = "listed"\n    allowed_domains = [{BUSY!r}, {FAST!r}]\n'
)


class Busy:
    """A site that answers its first visitor with 429 when all others stand behind with their permits.

    When it is asked again, one of its pages has moved to another site.
    """

    def __init__(self, web, project):
        self.urls = {web.url(BUSY, path) for path in PAGES}
        self.first = self.moved = ""
        self._web = web
        self._project = project
        for host in (BUSY, AWAY):
            web.site(host, "")
        web.default = self._answer

    async def _answer(self, asked):
        if not self.first:
            self.first = asked.path
            return await self._refusal(asked)
        if asked.path != self.moved:
            return page("x")
        return page(status=302, headers=(("Location", self._web.url(AWAY, "/moved")),))

    def start(self, pause, *others, settings=OWN_QUEUE, spider=PLAIN_SPIDER):
        """Start a crawl of it and of other addresses; return when it has asked for a pause of so many seconds."""
        self._refusal = Held(self._web, page(status=429, headers=(("Retry-After", str(pause)),)))
        self._project.append("project_settings.py", SETTINGS + settings)
        self._project.write("spiders/listed.py", spider)
        self._project.write("urls.txt", "\n".join((*sorted(self.urls), *others)) + "\n")
        process = self._project.start("crawl", "listed")
        until(process, lambda: self.urls <= self._said("allowed"))
        self.moved = max(set(PAGES) - {self.first})
        self._refusal.release()
        until(process, lambda: self.put_off <= self._said("not_sent"))
        return process

    @property
    def put_off(self):
        """Return the URLs that were about to leave when it asked for the pause."""
        return {url for url in self.urls if not url.endswith(self.first)}

    def _said(self, reason):
        return {one.url for one in self._project.records() if one.reason == reason}


@pytest.fixture
def busy(web, project):
    return Busy(web, project)


@pytest.mark.parametrize("settings", [OWN_QUEUE, OWN_QUEUE + ON_DISK], ids=["in memory", "on disk"])
@pytest.mark.parametrize("spider", [PLAIN_SPIDER, LISTED_SPIDER], ids=["plain", "unfiltered"])
def test_a_crawl_does_not_end_before_what_was_put_off_though_nothing_else_is_left_to_do(
    web, project, busy, spider, settings
):
    web.site(FAST, "")
    last = Held(web, page("x"))
    fast = web.add(FAST, "/last", last)
    process = busy.start(4, fast, settings=settings, spider=spider)
    last.release()  # when this has ended, Scrapy looks whether all is done
    crawl = ended(project, process)
    arrived = {one.path: one.at for one in web.received if one.host == BUSY}
    assert set(arrived) == {"/robots.txt", *PAGES}
    assert len(web.paths(BUSY)) == 1 + len(PAGES)
    for path in set(PAGES) - {busy.first}:
        assert arrived[path] >= arrived[busy.first] + 4 * SECOND
    away = web.url(AWAY, "/moved")
    followed = set() if spider is PLAIN_SPIDER else {away}
    assert set(crawl.kept()) == {*busy.put_off, fast} - {web.url(BUSY, busy.moved)} | followed
    assert crawl.reason(away) == (None if followed else "offsite")
    # Each had been decided before the pause, did not leave, and was decided anew after it.
    assert {one.url for one in crawl.of(verdict="defer", reason="not_sent")} == busy.put_off
    for url in busy.put_off:
        assert len(crawl.of(url=url, verdict="fetch")) == 2
    assert undecided(web, web.received, crawl.records) == []


def test_a_crawl_that_is_stopped_leaves_what_was_put_off_and_says_that_it_was_not_sent(web, project, busy):
    process = busy.start(200)
    process.send_signal(signal.SIGINT)
    crawl = ended(project, process)
    assert web.paths(BUSY) == ["/robots.txt", busy.first]
    assert {one.url for one in crawl.of(verdict="defer", reason="not_sent")} == busy.put_off
    assert "'finish_reason': 'shutdown'" in crawl.stderr
    assert "log_count/ERROR" not in crawl.stderr


def test_a_scheduler_of_the_projects_own_takes_back_what_our_queue_let_out_too_early(web, project):
    web.site(BUSY, "")
    web.default = page("x")
    urls = [web.url(BUSY, path) for path in PAGES]
    # While it thinks, the others come out of the queue, and stand in the line before their permits.
    web.add(BUSY, PAGES[0], page(status=429, headers=(("Retry-After", "2"),), delay=1.0))
    project.append("project_settings.py", SETTINGS + OWN_SCHEDULER)
    project.write("spiders/listed.py", PLAIN_SPIDER)
    project.write("urls.txt", "\n".join(urls) + "\n")
    crawl = project.scrapy("crawl", "listed")
    assert re.search(r"'sekisho/pace/deferred': [1-9]", crawl.stderr)
    assert set(crawl.kept()) == set(urls[1:])
    assert len(web.paths(BUSY)) == 1 + len(PAGES)
