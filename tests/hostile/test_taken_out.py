"""Attempts 81 to 92: projects that take our parts out by code, and the other commands of Scrapy."""

import subprocess
import sys

import pytest
from hostile import ATTEMPTS, TAKEN_OUT, Ends, table
from loopback import ROOT, page

INSIDE = """
from scrapy import Request, Spider
from scrapy.core.downloader import Downloader

class OpenDownloader(Downloader):
    pass

class Inside(Spider):
    name = "inside"

    @classmethod
    def from_crawler(cls, crawler, *arguments, **named):
        OVERRIDE
        return super().from_crawler(crawler, *arguments, **named)

    async def start(self):
        yield Request(self.url)
"""
LATER = """
from scrapy import signals

class Later:
    def __init__(self, crawler):
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler)

    def update_settings(self, settings):
        OVERRIDE
"""
SETTINGS = {
    "downloader": ("DOWNLOADER", "spiders.inside.OpenDownloader"),
    "middlewares": ("DOWNLOADER_MIDDLEWARES", {"crawler.middlewares.robots.RobotsMiddleware": None}),
    "extensions": ("EXTENSIONS", {}),
}
DISCONNECT = """
        for signal in (signals.spider_opened, signals.spider_closed, signals.engine_stopped):
            self.crawler.signals.disconnect_all(signal)
"""
SCHEDULING = """
        settings.set("SCHEDULER", "scrapy.core.scheduler.Scheduler", priority=2000)
"""
QUEUES = """
        settings.set("SCHEDULER_PRIORITY_QUEUE", "scrapy.pqueues.ScrapyPriorityQueue", priority=2000)
"""
DOOR = """
        settings.set("DOWNLOADER", "spiders.inside.OpenDownloader", priority=2000)
"""
TABLES = """
        for name in ("DOWNLOADER_MIDDLEWARES", "SPIDER_MIDDLEWARES", "EXTENSIONS", "DOWNLOAD_HANDLERS"):
            settings.set(name, {}, priority=2000)
"""
EVERYTHING = DISCONNECT + DOOR + SCHEDULING + QUEUES + TABLES


def numbered(prefix):
    return {one.key.removeprefix(prefix): one for one in TAKEN_OUT if one.key.startswith(prefix)}


def override(target, key):
    name, value = SETTINGS[key]
    return f"{target}.set({name!r}, {value!r}, priority=2000)"


def crawled(web, project, inside="pass", later=None):
    project.write("spiders/inside.py", INSIDE.replace("OVERRIDE", inside))
    if later is not None:
        project.write("later.py", LATER.replace("OVERRIDE", later))
        project.append("project_settings.py", "\nADDONS['later.Later'] = 900\n")
    web.site("127.0.0.1", "", x=page())
    # An address, since the resolver of `*.localhost` is one of the extensions.
    return project.scrapy("crawl", "inside", "-a", f"url=http://127.0.0.1:{web.port}/x")


@pytest.mark.parametrize("key", numbered("inside="))
def test_a_spider_that_overrides_even_pinned_settings_starts_nothing_and_the_exit_says_so(web, project, key):
    crawl = crawled(web, project, inside=override("crawler.settings", key))
    assert web.received == []
    assert crawl.code == 5
    assert "sekisho: " in crawl.stderr
    assert "guard_armed" not in {one.reason for one in crawl.records}


@pytest.mark.parametrize("key", SETTINGS)
def test_an_add_on_that_takes_our_parts_out_after_we_looked_starts_nothing_and_the_exit_says_so(
    web, project, key
):
    crawl = crawled(web, project, later=override("settings", key))
    assert web.received == []
    assert crawl.of(verdict="fetch") == []
    assert crawl.code == 5
    assert "sekisho: " in crawl.stderr


def test_an_add_on_that_disconnects_the_guard_gets_every_request_refused(web, project):
    crawl = crawled(web, project, later=DISCONNECT)
    attempt = numbered("later=")["signals"]
    assert web.received == []
    assert {one.reason for one in crawl.of(verdict="skip")} <= {attempt.reason, "robots_unreachable"}
    assert crawl.of(reason=attempt.reason)
    assert crawl.code == 5


def test_an_add_on_that_takes_everything_out_meets_the_tripwire(web, project):
    crawl = crawled(web, project, later=EVERYTHING)
    attempt = numbered("later=")["everything"]
    assert web.received == []
    assert {one.reason for one in crawl.of(verdict="skip")} == {attempt.reason}
    assert crawl.code == 5
    shown = project.sekisho("log", "show", "--log", "sqlite:///log.db")
    assert "unguarded" in shown.stdout


@pytest.mark.parametrize(
    "later",
    [DISCONNECT + DOOR, DISCONNECT + DOOR + SCHEDULING, DISCONNECT + DOOR + TABLES],
    ids=["scheduler", "queues", "no middlewares"],
)
def test_a_crawl_without_door_and_guard_ends_at_once_where_the_paced_scheduler_was_left(web, project, later):
    crawl = crawled(web, project, later=later)
    assert web.received == web.rights_received == []
    assert crawl.of(verdict="fetch") == []
    assert crawl.code == 5
    assert "sekisho: the downloader is spiders.inside.OpenDownloader, not the door" in crawl.stderr
    assert "sekisho_not_guarded" in crawl.stderr


@pytest.mark.parametrize(
    "command", [("fetch",), ("shell", "-c", "response and response.status"), ("parse", "--spider", "site")]
)
def test_other_scrapy_commands_stand_before_the_same_door(web, project, command):
    web.site("a.localhost", "User-agent: *\nDisallow: /private\n", private=page())
    url = web.url("a.localhost", "/private")
    crawl = project.scrapy(*command, *(("-a", f"url={url}") if command[0] == "parse" else ()), url)
    assert web.paths() == ["/robots.txt"]
    assert crawl.reason(url) == "robots_disallow"
    assert "<title>" not in crawl.stdout


def test_the_numbers_run_without_a_gap_and_the_readme_prints_the_table():
    assert [one.number for one in ATTEMPTS] == list(range(1, len(ATTEMPTS) + 1))
    assert len({one.key for one in ATTEMPTS}) == len(ATTEMPTS) >= 40
    assert {one.ends for one in ATTEMPTS} == set(Ends)
    assert table() in (ROOT / "crawler" / "README.md").read_text()
    printed = subprocess.run(
        [sys.executable, ROOT / "tests/support/hostile.py"], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == table()
