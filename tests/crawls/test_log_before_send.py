"""Nothing is sent while its decision cannot be made durable; and the crawl goes on when it can."""

from __future__ import annotations

import sqlite3
import time

from arrivals import LISTED_SPIDER, undecided
from loopback import page

HUNG_S = 60.0
STALL_S = 2.0
PAGES = 800


def test_check_02_while_the_log_is_locked_only_what_was_permitted_before_arrives_and_then_the_crawl_goes_on(
    web, project
):
    for number in range(4):
        web.site(f"s{number}.localhost", "")
    web.default = page("x")
    project.append("project_settings.py", "\nSEKISHO_PROGRESS = False\nCONCURRENT_REQUESTS = 32\n")
    project.write("spiders/listed.py", LISTED_SPIDER)
    urls = [web.url(f"s{number % 4}.localhost", f"/p/{number}") for number in range(PAGES)]
    project.write("urls.txt", "\n".join(urls) + "\n")
    process = project.start("crawl", "listed")
    end = time.monotonic() + HUNG_S
    while len(web.received) < 50:
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < end, "hung"
        time.sleep(0.001)
    holder = sqlite3.connect(project.folder / "log.db", isolation_level=None, timeout=10)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        locked_at = time.time_ns() // 1000
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
    assert len(web.received) > arrived + 100  # the stall was in the middle of the crawl
    late = [one for one in web.received if locked_at + STALL_S * 500_000 < one.at < freed_at]
    assert late == []  # what had been permitted was long gone
    assert undecided(web, web.received, records) == []
    assert sorted(set(web.paths())) == sorted({"/robots.txt", *(f"/p/{number}" for number in range(PAGES))})
    assert len(web.received) == PAGES + 4
