"""A crawl that is killed, or whose log cannot be written any more: nothing left without a durable decision."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import time

import pytest
from arrivals import LISTED_SPIDER, undecided
from loopback import page

from crawler.decisionlog.reader import LogReader

SETTINGS = """
SEKISHO_PROGRESS = False
CONCURRENT_REQUESTS = 32
"""
HUNG_S = 60.0
HOSTS = 8
PAGES = 4_000


def _road(web, project, pages):
    """Set up many short pages on several hosts, one of them with rules."""
    for number in range(HOSTS):
        web.site(f"s{number}.localhost", "User-agent: *\nDisallow: /private\n")
    web.default = page("x")
    project.append("project_settings.py", SETTINGS)
    project.write("spiders/listed.py", LISTED_SPIDER)
    urls = [
        web.url(f"s{number % HOSTS}.localhost", f"/{'private' if number % 10 == 9 else 'p'}/{number}")
        for number in range(pages)
    ]
    project.write("urls.txt", "\n".join(urls) + "\n")


def _until(condition, process=None):
    """Wait until something is so; fail when it never is, or the process ended before."""
    end = time.monotonic() + HUNG_S
    while not condition():
        assert time.monotonic() < end, "hung"
        if process is not None and process.poll() is not None:
            raise AssertionError(f"ended early:\n{process.communicate()[1][-3000:]}")
        time.sleep(0.001)


def _settled(web) -> None:
    """Wait until what a dead client had sent has arrived."""
    seen = -1
    while seen != len(web.received):
        seen = len(web.received)
        time.sleep(0.05)


def _kill_once(web, project, chance) -> list:
    """Start a crawl and kill it at a random moment; return what the server received of it."""
    before = len(web.received)
    # As often before the first page as in full flight; near the end there is nothing left to lose.
    wanted = before + chance.choice((1, 9, *(chance.randrange(1, most) for most in (60, 300, 900))))
    process = project.start("crawl", "listed")
    _until(lambda: len(web.received) >= wanted, process)
    time.sleep(chance.uniform(0, 0.02))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=HUNG_S)
    assert process.returncode == -signal.SIGKILL
    _settled(web)
    return web.received[before:]


def _last_run(project):
    """Open the log anew, as anybody would after a crash; return its last segment and that one's records."""
    with LogReader.open(f"sqlite:///{project.folder / 'log.db'}") as reader:
        segments = reader.segments()
        return segments[-1], list(reader.records(segment=segments[-1].segment))


def _killed_again_and_again(web, project, times, seed):
    _road(web, project, PAGES)
    chance = random.Random(seed)
    rolled_back = 0
    arrivals = 0
    for number in range(times):
        received = _kill_once(web, project, chance)
        journal = project.folder / "log.db-journal"
        rolled_back += journal.exists() and journal.read_bytes()[:8] != bytes(8)
        segment, records = _last_run(project)
        arrivals += len(received)
        assert undecided(web, received, records) == [], f"kill {number}, seed {seed}"
        assert [one.idx for one in records] == list(range(segment.size))
        assert not segment.sealed
        verified = project.sekisho("log", "verify", "--log", "sqlite:///log.db")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert f"Not sealed: {segment.segment}" in verified.stdout
    print(f"{times} kills, {arrivals} arrivals, {rolled_back} journals to roll back")
    # The log goes on in a new segment, which ends in order.
    project.write("urls.txt", web.url("s0.localhost", "/p/after") + "\n")
    after = project.scrapy("crawl", "listed")
    assert after.code == 0, after.stderr
    segment, records = _last_run(project)
    assert segment.number == times + 1
    assert segment.sealed
    assert [one.url for one in records if one.verdict == "keep" and one.kind == "page"] == [
        web.url("s0.localhost", "/p/after")
    ]
    assert project.sekisho("log", "verify", "--log", "sqlite:///log.db").returncode == 0


def test_check_03_whatever_arrived_from_a_killed_crawl_had_been_decided_durably(web, project):
    _killed_again_and_again(web, project, 3, seed=20261122)


@pytest.mark.long
def test_check_03_whatever_arrived_from_fifty_killed_crawls_had_been_decided_durably(web, project):
    _killed_again_and_again(web, project, 50, seed=20261123)


def _ended_for_want_of_a_log(web, project, process):
    """Assert that a crawl ended by itself, said why in its words, and left its run unsealed."""
    _, stderr = process.communicate(timeout=HUNG_S)
    assert process.returncode not in {0, None}
    assert "sekisho_log_unwritable" in stderr, stderr[-3000:]
    assert "the decision log failed, the crawl stops: cannot" in stderr
    assert "Traceback" not in stderr, stderr[-6000:]
    _settled(web)
    segment, records = _last_run(project)
    assert undecided(web, web.received, records) == []
    assert not segment.sealed
    assert [one.idx for one in records] == list(range(segment.size))
    assert len(web.received) < PAGES  # it did not reach its end
    verified = project.sekisho("log", "verify", "--log", "sqlite:///log.db")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_when_the_log_cannot_grow_the_crawl_ends_and_nothing_more_arrives(web, project):
    _road(web, project, PAGES)
    process = project.start("crawl", "listed")
    _until(lambda: len(web.received) >= 100, process)
    size = (project.folder / "log.db").stat().st_size
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
    _ended_for_want_of_a_log(web, project, process)


def test_when_another_process_keeps_the_log_locked_the_crawl_ends_and_nothing_more_arrives(web, project):
    _road(web, project, PAGES)
    # The setting has no name, since nobody needs a shorter one: a minute is too long for a test.
    project.append(
        "project_settings.py",
        "from crawler.decisionlog.aio import AsyncLog\n"
        'AsyncLog.open.__func__.__kwdefaults__["lock_timeout"] = 1.0\n',
    )
    # The site grows slow, so that commits leave gaps in which another process gets its lock.
    web.default = lambda _: page("x", delay=0.3 if len(web.received) > 50 else 0.0)
    process = project.start("crawl", "listed")
    _until(lambda: len(web.received) >= 100, process)
    holder = sqlite3.connect(project.folder / "log.db", isolation_level=None, timeout=10)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        durable = holder.execute("SELECT count(*) FROM record WHERE verdict = 'fetch'").fetchone()[0]
        _until(lambda: process.poll() is not None)
        arrived = len(web.received)
    finally:
        holder.close()
    assert arrived <= durable
    _ended_for_want_of_a_log(web, project, process)
