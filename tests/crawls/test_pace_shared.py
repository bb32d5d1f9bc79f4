"""Two crawls with one pace: a store that processes share takes the place of the one in memory."""

from __future__ import annotations

import itertools
import shutil
import time
from pathlib import Path

from arrivals import LISTED_SPIDER
from loopback import Project, page

SECOND = 1_000_000
DELAY = 0.25
WWW, API = "www.shared.localhost", "api.shared.localhost"
SETTINGS = """
SEKISHO_PROGRESS = False
EXTENSIONS = {{"shared_pacer.UseSharedPacer": 0}}
SHARED_PACE = {path!r}
"""
MODULE = Path(__file__).resolve().parents[1] / "support" / "shared_pacer.py"


def _started(folder, store, urls):
    folder.mkdir()
    project = Project(folder)
    shutil.copy(MODULE, folder)
    project.append("project_settings.py", SETTINGS.format(path=str(store)))
    project.write("spiders/listed.py", LISTED_SPIDER)
    project.write("urls.txt", "\n".join(urls) + "\n")
    return project, project.start("crawl", "listed")


def _until(condition, process):
    end = time.monotonic() + 40
    while not condition():
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < end, "hung"
        time.sleep(0.01)


def test_two_processes_that_share_a_pacer_never_come_too_early_together(web, tmp_path):
    busy = []

    def once_too_much(_):
        busy.append(time.time_ns() // 1000)
        headers = (("Retry-After", "2"),)
        return page(status=429, headers=headers) if len(busy) == 1 else page("x")

    web.hides_rights = False
    web.default = page("x")
    for host in (WWW, API):
        web.site(host, f"User-agent: *\nCrawl-delay: {DELAY}\n")
    web.add(WWW, "/busy", once_too_much)
    one, first = _started(
        tmp_path / "one", tmp_path / "pace.db", [web.url(WWW, f"/one{n}") for n in range(12)]
    )
    _until(lambda: any(path.startswith("/one") for path in web.paths(WWW)), first)
    since = time.time_ns() // 1000
    urls = [web.url(WWW, "/busy"), *(web.url(host, f"/two{n}") for n in range(6) for host in (WWW, API))]
    _, second = _started(tmp_path / "two", tmp_path / "pace.db", urls)
    for process in (first, second):
        _, stderr = process.communicate(timeout=90)
        assert process.returncode == 0, stderr[-3000:]
    assert len(one.records()) > 12
    assert len([path for path in web.paths() if path.startswith("/two")]) == 12
    arrivals = sorted(got.at for got in web.received)
    gaps = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
    # The first crawl's robots.txt and what came before anybody had read it aside, all of it keeps the pace.
    assert min(gaps[1:]) >= DELAY * SECOND
    # Both crawled at the same time, and what the server said to one of them held for the other.
    both = {got.path[:4] for got in web.received if since < got.at < max(busy)}
    assert {"/one", "/bus"} <= both
    assert [at for at in arrivals if busy[0] < at < busy[0] + 2 * SECOND] == []
