"""What has its permit and is put off, and came out of a queue that cannot take it back, is not lost.

Under a SCHEDULER_PRIORITY_QUEUE of the project's own it waits outside CONCURRENT_REQUESTS; the crawl does not
end before it, unless it is asked to.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest
from arrivals import LISTED_SPIDER, undecided
from loopback import Crawl, page

BUSY, FAST = "busy.localhost", "fast.localhost"
SECOND = 1_000_000
PAGES = [f"/{number}" for number in range(4)]
SETTINGS = f"""
SEKISHO_PROGRESS = False
DOWNLOAD_SLOTS = {{"{BUSY}": {{"concurrency": 1}}}}
RETRY_ENABLED = False
SCHEDULER_PRIORITY_QUEUE = "scrapy.pqueues.ScrapyPriorityQueue"
"""
HUNG_S = 60.0


class Busy:
    """A site that answers its first visitor with 429 when all others stand behind with their permits."""

    def __init__(self, web, project):
        self.urls = {web.url(BUSY, path) for path in PAGES}
        self.first = ""
        self.is_busy = threading.Event()
        self._project = project
        web.site(BUSY, "")
        web.default = self._answer
        project.append("project_settings.py", SETTINGS)
        project.write("spiders/listed.py", LISTED_SPIDER)

    async def _answer(self, asked):
        if self.is_busy.is_set():
            return page("x")
        self.first = asked.path
        self.is_busy.set()
        await self.said("allowed", self.urls)
        return page(status=429, headers=(("Retry-After", str(self.pause)),))

    def start(self, pause, *others):
        """Start a crawl of it and of other addresses; it asks for a pause of so many seconds."""
        self.pause = pause
        self._project.write("urls.txt", "\n".join((*sorted(self.urls), *others)) + "\n")
        return self._project.start("crawl", "listed")

    @property
    def put_off(self):
        """Return the URLs that were about to leave when it asked for the pause."""
        return {url for url in self.urls if not url.endswith(self.first)}

    async def said(self, reason, urls):
        """Return when the log says this of each URL."""
        end = time.monotonic() + HUNG_S
        while not urls <= {one.url for one in self._project.records() if one.reason == reason}:
            assert time.monotonic() < end, "hung"
            await asyncio.sleep(0.05)


@pytest.fixture
def busy(web, project):
    return Busy(web, project)


def _ended(project, process):
    _, stderr = process.communicate(timeout=HUNG_S)
    assert process.returncode == 0, stderr
    return Crawl(process.returncode, "", stderr, project.folder, project.records())


def test_a_crawl_does_not_end_before_what_was_put_off_though_nothing_else_is_left_to_do(web, project, busy):
    async def last(_):
        assert await asyncio.to_thread(busy.is_busy.wait, HUNG_S)
        await busy.said("not_sent", busy.put_off)
        return page("x")  # when this has ended, Scrapy looks whether all is done

    web.site(FAST, "")
    fast = web.add(FAST, "/last", last)
    crawl = _ended(project, busy.start(4, fast))
    arrived = {one.path: one.at for one in web.received if one.host == BUSY}
    assert set(arrived) == {"/robots.txt", *PAGES}
    for path in set(PAGES) - {busy.first}:
        assert arrived[path] >= arrived[busy.first] + 4 * SECOND
    assert set(crawl.kept()) == {*busy.put_off, fast}
    # Each had been decided before the pause, did not leave, and was decided anew after it.
    assert {one.url for one in crawl.of(verdict="defer", reason="not_sent")} == busy.put_off
    for url in busy.put_off:
        assert len(crawl.of(url=url, verdict="fetch")) == 2
    assert undecided(web, web.received, crawl.records) == []


def test_a_crawl_that_is_stopped_leaves_what_was_put_off_and_says_that_it_was_not_sent(web, project, busy):
    process = busy.start(200)
    assert busy.is_busy.wait(HUNG_S)
    asyncio.run(busy.said("not_sent", busy.put_off))
    process.send_signal(signal.SIGINT)
    crawl = _ended(project, process)
    assert web.paths(BUSY) == ["/robots.txt", busy.first]
    assert {one.url for one in crawl.of(verdict="defer", reason="not_sent")} == busy.put_off
    assert "'finish_reason': 'shutdown'" in crawl.stderr
    assert "log_count/ERROR" not in crawl.stderr
