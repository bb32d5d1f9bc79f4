"""A URL is erased beside a crawl: what the crawl decides afterwards is shown with all that it goes by."""

from __future__ import annotations

import asyncio

from arrivals import LISTED_SPIDER
from loopback import page, robots

from crawler.decisionlog.reader import LogReader
from policies.basis import decode_basis

PAGES = 6
SETTINGS = """
SEKISHO_PROGRESS = False
CONCURRENT_REQUESTS = 1
CONCURRENT_REQUESTS_PER_DOMAIN = 1
"""


def prepare(web, project, settings=""):
    """Prepare a crawl of six pages of a site whose robots.txt every decision quotes; return how to erase that."""
    url = web.url("a.localhost", "/robots.txt")
    web.add("a.localhost", "/robots.txt", robots(f"User-agent: *\nDisallow: /private\nSitemap: {url}\n"))
    web.default = page("x")
    project.append("project_settings.py", SETTINGS + settings)
    project.write("spiders/listed.py", LISTED_SPIDER)
    urls = [web.url("a.localhost", f"/p/{number}") for number in range(PAGES)]
    project.write("urls.txt", "\n".join(urls) + "\n")
    words = ["log", "erase", url, "--log", "sqlite:///log.db", "--yes"]
    return [*words, "--basis", "request 17", "--actor", "tests"]


def verifies(project):
    verified = project.sekisho("log", "verify", "--log", "sqlite:///log.db")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def shown(reader, record):
    """Whether basis and robots.txt of a decision are in the log."""
    basis = reader.document(record.basis_sha256)
    if basis is None:
        return False
    verdicts = [one for one in decode_basis(basis.body).verdicts if one.rule == "robots"]
    quoted = {evidence.sha256 for verdict in verdicts for evidence in verdict.evidence}
    return [reader.document(digest) is not None for digest in quoted] == [True]


def test_what_a_crawl_decides_after_an_erasure_is_shown_with_the_file_that_it_quotes(web, project):
    words = prepare(web, project)
    done = []

    async def erase(_):
        done.append(await asyncio.to_thread(project.sekisho, *words))
        return page("x")

    web.add("a.localhost", "/p/1", erase)
    run = project.scrapy("crawl", "listed")
    assert run.code == 0, run.stderr[-2000:]
    assert [one.returncode for one in done] == [0], done[0].stderr
    verifies(project)
    with LogReader.open(f"sqlite:///{project.folder / 'log.db'}") as reader:
        records = list(reader.records())
        answered = next(
            one.idx for one in records if one.stage == "outcome" and (one.url or "").endswith("/p/1")
        )
        decided = [one for one in records if one.stage == "request" and one.idx > answered]
        assert len(decided) >= PAGES - 3
        assert all(shown(reader, one) for one in decided)
        robots_txt = [one for one in records if one.kind == "robots"]
        assert robots_txt
        assert {one.url for one in robots_txt} == {None}, "what was erased stays erased"


def test_a_crawl_that_is_taken_up_after_an_erasure_reads_the_file_again_that_it_quotes(web, project):
    words = prepare(web, project, 'JOBDIR = "job"\nCLOSESPIDER_PAGECOUNT = 2\n')
    assert project.scrapy("crawl", "listed").code == 0
    erased = project.sekisho(*words)
    assert erased.returncode == 0, erased.stderr
    assert "not sealed" not in erased.stderr
    assert project.scrapy("crawl", "listed", "-s", "CLOSESPIDER_PAGECOUNT=0").code == 0
    verifies(project)
    with LogReader.open(f"sqlite:///{project.folder / 'log.db'}") as reader:
        first, second = (list(reader.records(segment=one.segment)) for one in reader.segments())
        decided = [one for one in second if one.stage == "request" and one.kind == "page"]
        assert decided
        assert all(shown(reader, one) for one in decided)
        assert {one.url for one in first if one.kind == "robots"} == {None}
        assert None not in {one.url for one in second if one.kind == "robots"}
