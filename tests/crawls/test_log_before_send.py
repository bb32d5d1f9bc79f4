"""Nothing is sent while its decision cannot be made durable; and the crawl goes on when it can."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time

from arrivals import LISTED_SPIDER, undecided
from loopback import FILES_OF_RIGHTS, Received, Reply, page

HUNG_S = 60.0
STALL_S = 2.0
PAGES = 800
IN_FLIGHT = 32
HELD = (
    200  # requests later than this one are answered only when the log is locked: the crawl cannot run ahead
)


def test_check_02_while_the_log_is_locked_only_what_was_permitted_before_arrives_and_then_the_crawl_goes_on(
    web, project
):
    for number in range(4):
        web.site(f"s{number}.localhost", "")
    locked = threading.Event()

    async def answer(_: Received) -> Reply:
        before_the_lock = len(web.received) <= HELD
        while not before_the_lock and not locked.is_set():  # noqa: ASYNC110 - the event is another thread's
            await asyncio.sleep(0.01)
        return page("x")

    web.default = answer
    project.append("project_settings.py", f"\nSEKISHO_PROGRESS = False\nCONCURRENT_REQUESTS = {IN_FLIGHT}\n")
    project.write("spiders/listed.py", LISTED_SPIDER)
    urls = [web.url(f"s{number % 4}.localhost", f"/p/{number}") for number in range(PAGES)]
    project.write("urls.txt", "\n".join(urls) + "\n")
    process = project.start("crawl", "listed")
    end = time.monotonic() + HUNG_S
    while len(web.received) < HELD:
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < end, "hung"
        time.sleep(0.01)
    holder = sqlite3.connect(project.folder / "log.db", isolation_level=None, timeout=HUNG_S)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        locked_at = time.time_ns() // 1000
        locked.set()
        durable = holder.execute("SELECT count(*) FROM record WHERE verdict = 'fetch'").fetchone()[0]
        time.sleep(STALL_S)
        arrived = len(web.received)
        freed_at = time.time_ns() // 1000
    finally:
        holder.close()
    _, stderr = process.communicate(timeout=HUNG_S)
    assert process.returncode == 0, stderr[-3000:]
    records = project.records()
    assert arrived <= durable
    assert durable <= HELD + IN_FLIGHT + 4 * len(
        FILES_OF_RIGHTS
    )  # nothing is permitted far ahead of its sending
    assert len(web.received) > arrived + 100  # the stall was in the middle of the crawl
    late = [one for one in web.received if locked_at + STALL_S * 500_000 < one.at < freed_at]
    assert late == []  # what had been permitted was long gone
    assert undecided(web, web.received, records) == []
    assert sorted(set(web.paths())) == sorted({"/robots.txt", *(f"/p/{number}" for number in range(PAGES))})
    assert len(web.received) == PAGES + 4
