"""Refreshes of a list and an override in a running crawl, and what the disclosure then says of both."""

from __future__ import annotations

import json
import sqlite3
import time

import pytest
from held import Held, ended, until
from loopback import Project, Reply, Web, page

LISTS = "lists.localhost"
FREED = "freed.pirate.localhost"
REASON = "A library; reported on 2026-11-20"
OWNER = "law@example.com"
DEFINITION = """\
id = "fetched"
title = "A fetched list"
urls = [{url!r}]
pinned_hosts = ["lists.localhost"]
format = "plain"
weight = "rights_holder_list"
licence = "test"
licence_accepted = true
report_url = "https://reports.example/wrong-entries"
"""
SETTINGS = """
SEKISHO_LISTS_WATCH_SECONDS = 0.2
SEKISHO_METRICS_TEXTFILE = "metrics.prom"
"""
SPIDER = """
import scrapy


class Follow(scrapy.Spider):
    name = "follow"
    start_urls = [{start!r}]

    def parse(self, response):
        yield from response.follow_all(css="a", errback=self.failed)

    def failed(self, failure):
        self.logger.info("errback: %s", failure.value)
"""


def changes(project):
    """Return how often the log says that other lists came into force."""
    return sum(one.reason == "lists_changed" for one in project.records())


@pytest.fixture(scope="module")
def disclosed(tmp_path_factory):
    """Refresh, crawl, free a site meanwhile, and publish; return the project, the web, the crawl, the files."""
    project = Project(tmp_path_factory.mktemp("disclosed"))
    try:
        with Web() as web:
            yield project, web, *disclose(web, project)
    finally:
        project.end()


def disclose(web, project):
    """See `disclosed`; return the crawl and the files."""
    web.listed.clear()
    project.append("project_settings.py", SETTINGS)
    project.write("lists/sources/fetched.toml", DEFINITION.format(url=web.url(LISTS, "/list")))
    web.add(LISTS, "/list", Reply(200, (("Content-Type", "text/plain"),), b"pirate.localhost\n"))
    assert project.sekisho("blocklists", "refresh").returncode == 0
    web.add(LISTS, "/list", Reply(200, (("Content-Type", "text/html"),), b"<html>gone</html>"))
    assert project.sekisho("blocklists", "refresh", "--force").returncode == 3

    refreshed = changes(project)
    ok = "ok.localhost"
    web.site(ok, "")
    web.site(FREED, "")
    links = "".join(f'<a href="{web.url(host, "/x")}">x</a>' for host in ("other.pirate.localhost", FREED))
    held = Held(web, page(links))
    web.add(ok, "/start", held)
    web.add(FREED, "/x", page("x"))
    project.write("spiders/follow.py", SPIDER.format(start=web.url(ok, "/start")))
    process = project.start("crawl", "follow")
    until(process, lambda: held.waiting)
    freed = project.sekisho(
        "blocklists", "override", FREED, "--reason", REASON, "--owner", OWNER, "--until", "2099-01-31"
    )
    assert freed.returncode == 0, freed.stderr
    until(process, lambda: changes(project) > refreshed)
    held.release()
    crawl = ended(project, process)
    built = project.sekisho("disclosure", "build", "--log", "sqlite:///log.db", "--out", "out")
    assert built.returncode == 0, built.stdout + built.stderr
    out = project.folder / "out" / "examplebot"
    return crawl, {path.name: path.read_text("utf-8") for path in out.iterdir()}


def section(text):
    """Return the part of a page that is about the lists."""
    start = text.index('id="lists"')
    return text[start : text.index("<section", start)]


def test_hard_case_18_an_override_takes_effect_in_a_crawl_that_is_running(disclosed):
    project, web, crawl, _ = disclosed
    assert "/x" in web.paths(FREED)
    assert web.paths("other.pirate.localhost") == []
    (asked,) = crawl.of(url=web.url(FREED, "/x"), verdict="fetch")
    shown = project.sekisho("log", "show", f"{asked.segment}#{asked.idx}", "--log", "sqlite:///log.db")
    assert f"override by {OWNER} until 2099-01-31: {REASON}; 2 entries would block without it" in shown.stdout
    assert "cites       fetched line 1: pirate.localhost" in shown.stdout
    assert "cites       test line 1: pirate.localhost" in shown.stdout


def test_a_skip_says_how_a_wrongly_listed_site_is_freed_wherever_it_is_shown(disclosed):
    project, web, crawl, _ = disclosed
    url = web.url("other.pirate.localhost", "/x")
    (line,) = {one for one in crawl.stderr.splitlines() if f"errback: piracy_list: {url}" in one}
    assert "free it with `sekisho blocklists override other.pirate.localhost --reason … --owner" in line
    (skip,) = crawl.of(url=url, verdict="skip")
    shown = project.sekisho("log", "show", f"{skip.segment}#{skip.idx}", "--log", "sqlite:///log.db").stdout
    assert "sekisho blocklists why HOST shows how a site is freed" in shown
    assert "a wrong entry is reported to https://" in shown
    why = project.sekisho("blocklists", "why", url).stdout
    assert "sekisho blocklists override other.pirate.localhost --reason" in why
    assert "https://reports.example/wrong-entries" in why


def test_the_disclosure_shows_overrides_refreshes_and_how_to_appeal_in_every_format(disclosed):
    _, _, _, files = disclosed
    told = json.loads(files["disclosure.json"])
    after = told["lists"][-1]
    assert after["overrides"] == [
        {"pattern": FREED, "match": "subtree", "reason": REASON, "expires": "2099-01-31"}
    ]
    assert told["lists"][0]["overrides"] == []
    (fetched,) = [one for one in after["sources"] if one["id"] == "fetched"]
    assert fetched["report"] == "https://reports.example/wrong-entries"
    events = {(one["reason"], one["list"]) for one in told["list_events"]}
    assert {("list_refreshed", "fetched"), ("list_held", "fetched"), ("lists_changed", None)} <= events
    (held,) = [one for one in told["list_events"] if one["reason"] == "list_held"]
    assert "web page" in held["words"][0]
    assert OWNER not in "".join(files.values())  # who answers for it stays in the file and in the log
    for name in ("en", "ja"):
        html = next(text for file, text in files.items() if file.endswith(f"{name}.html"))
        markdown = next(text for file, text in files.items() if file.endswith(f"{name}.md"))
        part = section(html)
        for text in (part, markdown):
            for words in (FREED, "A library", "reports.example", "bot@example.com", "list_held"):
                assert words in text or words.replace("_", "\\_") in text, (name, words)
    english = section(next(text for file, text in files.items() if file.endswith("en.html")))
    assert "takes effect at once, also in a crawl that is running" in english
    assert "2099" in english
    japanese = section(next(text for file, text in files.items() if file.endswith("ja.html")))
    assert "誤って掲載されている場合" in japanese


def test_every_number_about_lists_comes_from_its_printed_query(disclosed):
    project, _, _, files = disclosed
    figures = json.loads(files["disclosure.json"])["figures"]
    base = sqlite3.connect(project.folder / "log.db")
    for name in ("list_outcomes", "list_events", "override_uses"):
        figure = figures[f"ExampleBot.{name}"]
        assert [list(row) for row in base.execute(figure["statement"])] == figure["rows"], name
        assert figure["rows"], name
    assert [row[:2] for row in figures["ExampleBot.override_uses"]["rows"]] == [[FREED, 1]]
    counts = {row[0]: row[1] for row in figures["ExampleBot.list_outcomes"]["rows"]}
    assert (counts["list_refreshed"], counts["list_held"]) == (1, 1)


def test_metrics_tell_entries_age_and_last_refresh_of_the_lists_in_force_at_the_end(disclosed):
    project, _, _, _ = disclosed
    text = (project.folder / "metrics.prom").read_text()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("sekisho_domain_list"))
    assert lines['sekisho_domain_list_entries{list="fetched"}'] == "1.0"
    assert lines['sekisho_domain_list_entries{list="overrides"}'] == "1.0"  # it came while the crawl ran
    assert lines['sekisho_domain_list_refresh_result{list="fetched",result="held"}'] == "1.0"
    assert lines['sekisho_domain_list_refresh_failures{list="fetched"}'] == "1.0"
    age = time.time() - float(lines['sekisho_domain_list_updated_timestamp_seconds{list="fetched"}'])
    assert 0 < age < 600
