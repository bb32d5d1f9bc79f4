"""A running crawl moves to another state of the lists between two requests, and says so."""

from __future__ import annotations

import json
import time

import pytest
from held import Held, ended, until, until_recorded
from loopback import page

from blocklists import store
from blocklists.store_build import build_snapshot

NOW = time.time_ns() // 1000
SETTINGS = """
SEKISHO_LISTS_WATCH_SECONDS = 0.2
CONCURRENT_REQUESTS_PER_DOMAIN = 1
"""


def build(project):
    folder = project.folder / "lists"
    with store.locked(folder):
        return build_snapshot(folder, now_us=NOW).sha256


def documents(project, crawl, reason):
    from crawler.decisionlog.reader import LogReader

    with LogReader.open(f"sqlite:///{project.folder / 'log.db'}") as reader:
        return [json.loads(reader.document(one.body_sha256).body) for one in crawl.of(reason=reason)]


def started(web, project, *urls):
    """Start a crawl and return it once its first page has been received."""
    process = project.start("crawl", "site", "-a", f"url={','.join(urls)}")
    until(process, lambda: any(path != "/robots.txt" for path in web.paths()))
    return process


def test_hard_case_23_a_request_queued_before_the_update_is_judged_by_the_new_snapshot(web, project):
    project.append("project_settings.py", SETTINGS)
    before = build(project)
    web.site("later.localhost", "")
    held = Held(web, page("1"))
    web.add("later.localhost", "/1", held)
    web.add("later.localhost", "/2", page("2"))
    process = started(web, project, web.url("later.localhost", "/1"), web.url("later.localhost", "/2"))
    # The second page waits until the first is here: every rule has let it pass already.
    project.write("lists/more.toml", 'id = "more"\ntitle = "More"\nfile = "more.txt"\nweight = "operator"\n')
    project.write("lists/more.txt", "later.localhost\n")
    after = build(project)
    until_recorded(process, project, "lists_changed")
    held.release()
    crawl = ended(project, process)
    assert web.paths("later.localhost") == ["/robots.txt", "/1"]  # what the server received
    (refused,) = crawl.of(url=web.url("later.localhost", "/2"), verdict="skip")
    assert (refused.reason, refused.blocklist_sha256) == ("piracy_list", after)
    (asked,) = crawl.of(url=web.url("later.localhost", "/1"), stage="request")
    assert asked.blocklist_sha256 == before != after
    (change,) = documents(project, crawl, "lists_changed")
    assert (change["from"], change["to"], change["entries"]) == (before, after, 2)
    opened = crawl.of(reason="run_opened")[0]
    closed = crawl.of(reason="run_closed")[0]
    assert (opened.blocklist_sha256, closed.blocklist_sha256) == (before, after)


def test_an_override_takes_effect_in_a_running_crawl_and_its_use_is_in_the_record(web, project):
    web.listed.clear()  # the override frees it
    project.append("project_settings.py", SETTINGS)
    build(project)
    web.site("slow.localhost", "")
    web.add("slow.localhost", "/1", page("1"))
    held = Held(web, page(f'<a href="{web.url("pirate.localhost", "/x")}">x</a>'))
    web.add("slow.localhost", "/2", held)
    web.site("pirate.localhost", "")
    web.add("pirate.localhost", "/x", page("x"))
    project.write(
        "spiders/follow.py",
        "import scrapy\n\n\nclass Follow(scrapy.Spider):\n    name = 'follow'\n"
        f"    start_urls = [{web.url('slow.localhost', '/1')!r}, {web.url('slow.localhost', '/2')!r}]\n\n"
        "    def parse(self, response):\n        yield from response.follow_all(css='a')\n",
    )
    process = project.start("crawl", "follow")
    until(process, lambda: "/1" in web.paths("slow.localhost"))
    project.write(
        "lists/overrides.toml",
        '[[override]]\npattern = "pirate.localhost"\nreason = "listed by mistake"\nowner = "legal@example.com"\n'
        "expires = 2099-01-01\n",
    )
    after = build(project)
    until_recorded(process, project, "lists_changed")
    held.release()
    crawl = ended(project, process)
    assert web.paths("pirate.localhost") == ["/robots.txt", "/x"]
    (asked,) = crawl.of(url=web.url("pirate.localhost", "/x"), verdict="fetch")
    assert asked.blocklist_sha256 == after


def test_a_new_state_that_cannot_be_loaded_changes_nothing_and_is_recorded(web, project):
    project.append("project_settings.py", SETTINGS)
    before = build(project)
    web.site("slow.localhost", "")
    held = []
    for name in ("1", "2"):
        link = f'<a href="{web.url("pirate.localhost", f"/{name}")}">x</a>'
        held.append(Held(web, page(link)))
        web.add("slow.localhost", f"/{name}", held[-1])
    process = started(web, project, web.url("slow.localhost", "/1"), web.url("slow.localhost", "/2"))
    store.write_current(project.folder / "lists", "0" * 64, previous=before)
    until_recorded(process, project, "lists_kept")
    for one in held:
        one.release()
    crawl = ended(project, process)
    (kept,) = documents(project, crawl, "lists_kept")
    assert kept["from"] == kept["to"] == before
    assert "half written or removed" in kept["error"]
    assert web.paths("slow.localhost") == ["/robots.txt", "/1", "/2"]
    assert web.paths("pirate.localhost") == []
    assert {one.blocklist_sha256 for one in crawl.records} == {before}


@pytest.mark.parametrize("days", [1, 200])
def test_lists_that_nobody_confirms_any_more_warn_and_then_refuse(web, project, days):
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86_400))
    project.append("lists/test.toml", f"fetched_at = {moment}\n")
    project.append("project_settings.py", "\nSEKISHO_LISTS_WARN_DAYS = 0.5\n")
    url = web.add("ok.localhost", "/a", page("a"))
    web.site("ok.localhost", "")
    crawl = project.crawl(url)
    if days == 1:
        assert crawl.code == 0, crawl.stderr
        assert "list test was last confirmed 24 hours ago; run: sekisho blocklists refresh" in crawl.stderr
        assert crawl.kept() == [url]
    else:
        assert crawl.code == 5
        assert "nobody confirmed these lists for more than 90 days: test (200 days)" in crawl.stderr
        assert web.received == []
