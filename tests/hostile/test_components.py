"""Attempts 54 to 80: what a project's components do, in one crawl that tries them all at once."""

import json
from collections import Counter
from pathlib import Path

import pytest
from arrivals import undecided
from hostile import COMPONENTS, Ends, Outcome
from loopback import Project, Web, page, robots

from crawler.decisionlog.reader import LogReader

DECLARED = "Mozilla/5.0 (compatible; ExampleBot/1.0; +https://bot.example.com/)"
SPIDER = Path(__file__).with_name("spider_components.py")
STOPPED = [one for one in COMPONENTS if one.ends is Ends.STOPPED]


@pytest.fixture(scope="module")
def components(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("components"))
    project.write("spiders/components.py", SPIDER.read_text())
    with Web() as web:
        web.default = page("open to all")
        for host in ("a.localhost", "pirate.localhost"):
            web.add(host, "/robots.txt", robots("User-agent: *\nDisallow: /private\n"))
        crawl = project.scrapy("crawl", "components", "-a", f"port={web.port}", "-o", "items.jsonl")
        yield Outcome(web, crawl)


@pytest.mark.parametrize("attempt", STOPPED, ids=lambda one: f"{one.number}-{one.key}")
def test_what_a_component_changes_sends_nothing_and_has_its_record(components, attempt):
    if attempt.key == "early=answer":  # nothing was asked, so there is nothing to record: nobody gets it
        assert components.received(attempt.key) == []
        assert components.got(attempt.key) == []
        return
    if attempt.key != "twice":
        assert components.received(attempt.key) == []
    if not attempt.key.startswith("files"):
        assert components.refusals(attempt.key) == {attempt.reason}
    if attempt.key.startswith("middle="):  # the address was changed before it was recorded
        kept = [one for one in components.crawl.of(reason=attempt.reason) if attempt.key in (one.url or "")]
        assert len(kept) == 1
    else:
        assert len(components.records(attempt)) == 1


def test_switching_our_components_off_in_a_spider_changes_nothing(components):
    assert components.crawl.code == 0, components.crawl.stderr
    assert components.got("plain") == [components.web.url("a.localhost", "/open?plain")]
    assert [one.reason for one in components.crawl.of(stage="run")] == [
        "run_opened",
        "guard_armed",
        "run_closed",
    ]
    assert undecided(components.web, components.web.received, components.crawl.records) == []
    assert {one.headers["user-agent"] for one in components.web.received} == {DECLARED}
    assert [one for one in components.web.received if "/private" in one.path or "pirate" in one.host] == []


def test_a_handler_that_a_spider_names_answers_nothing(components):
    assert "open handler" not in {item.get("title") for item in components.items}


def test_a_cache_that_a_spider_switches_on_keeps_nothing(components):
    assert not (components.crawl.folder / ".scrapy" / "httpcache").exists()


def test_a_spider_cannot_open_the_wire_for_itself(components):
    (opened,) = components.crawl.of(reason="run_opened")
    with LogReader.open(f"sqlite:///{components.crawl.folder / 'log.db'}") as reader:
        header = json.loads(reader.document(opened.body_sha256).body)
    assert header["tripwire"] == {"mode": "refuse", "destinations": [], "programs": [], "blind": []}


def test_what_is_sent_twice_arrives_once(components):
    assert Counter(components.web.paths())["/twice"] == 1


def test_files_are_downloaded_through_the_same_door(components):
    assert [one.path for one in components.web.received if one.path.endswith(".pdf")] == ["/file.pdf"]
    assert len(list((components.crawl.folder / "files").rglob("*.pdf"))) == 1
