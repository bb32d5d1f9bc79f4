"""Attempts 38 to 53: what code in the process opens by itself while a crawl of the same host is under way."""

import json
from pathlib import Path

import pytest
from arrivals import undecided
from hostile import OPENED, TRIP, Ends, Outcome
from loopback import Project, Web, page, robots

from crawler.decisionlog.reader import LogReader
from policies.basis import decode_basis

SPIDER = Path(__file__).with_name("spider_opened.py")


@pytest.fixture(scope="module", params=["twisted", "aiohttp"])
def opened(request, tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("opened"))
    if request.param == "aiohttp":
        pytest.importorskip("aiohttp", reason="Scrapy's handlers without Twisted need aiohttp")
        project.append("project_settings.py", "\nTWISTED_REACTOR_ENABLED = False\n")
    project.write("spiders/opened.py", SPIDER.read_text())
    with Web() as web:
        web.default = page("open to all", delay=0.05)
        web.add("127.0.0.1", "/robots.txt", robots(""))
        project.write("port.txt", str(web.port))
        crawl = project.scrapy("crawl", "opened")
        assert crawl.code == 0, crawl.stderr
        yield Outcome(web, crawl)


@pytest.fixture(scope="module")
def noted(opened):
    """Every place that tripped the wire, with what it wanted."""
    found = []
    with LogReader.open(f"sqlite:///{opened.crawl.folder / 'log.db'}") as reader:
        for one in opened.crawl.of(reason=TRIP):
            document = reader.document(one.basis_sha256 or one.body_sha256)
            if one.stage == "run":
                found.append((one, json.loads(document.body)["by"]))
            else:
                (evidence,) = decode_basis(document.body).deciding.evidence
                found.append((one, evidence.note))
    return found


@pytest.mark.parametrize("attempt", OPENED, ids=lambda one: f"{one.number}-{one.key}")
def test_what_was_opened_past_the_door_sent_nothing_and_is_on_the_record(opened, noted, attempt):
    assert opened.received(attempt.key) == []
    by = {f"in {name}{attempt.key}" for name in ("", "do_")}
    records = [one for one, note in noted if any(note.endswith(name) for name in by)]
    if attempt.key == "own_handler" and not records:  # Twisted's reactor connects, and nobody called it
        records = [one for one, note in noted if note.startswith("by twisted.internet.tcp")]
    assert records
    if attempt.ends is Ends.NOTED:
        assert {one.verdict for one in records} == {"note"}
    else:
        assert {one.verdict for one in records} == {"skip"}
        assert opened.refusals(attempt.key)
        assert opened.refusals(attempt.key) != {"went through"}


def test_the_crawl_itself_never_trips(opened, noted):
    behind = {note.split(" ")[1] for _, note in noted if note.startswith("by ")}
    assert behind <= {"spiders.opened", "twisted.internet.tcp"}
    assert undecided(opened.web, opened.web.received, opened.crawl.records) == []
    assert len(opened.crawl.kept()) == 8


def test_the_closing_record_and_the_stats_count_what_tripped(opened, noted):
    (closed,) = opened.crawl.of(reason="run_closed")
    with LogReader.open(f"sqlite:///{opened.crawl.folder / 'log.db'}") as reader:
        counted = json.loads(reader.document(closed.body_sha256).body)["tripped"]
    assert sum(counted.values()) == len(noted)
    assert "sekisho/tripwire/refused" in opened.crawl.stderr


def test_the_log_with_trips_verifies_and_exports(opened):
    project = Project.at(opened.crawl.folder)
    verified = project.sekisho("log", "verify", "--log", "sqlite:///log.db")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    exported = project.sekisho("log", "export", "--log", "sqlite:///log.db", "--reason", TRIP)
    assert '"source":"tripwire"' in exported.stdout
