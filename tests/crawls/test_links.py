"""Links that the crawl leaves out by itself: one row for each URL and reason, a count for what comes again."""

import json

import pytest
from loopback import Project, Web, page

from crawler.decisionlog.reader import LogReader

MANY = 500
SPIDER = """
from scrapy import Request, Spider

class Linker(Spider):
    name = "linker"
    allowed_domains = ["a.localhost"]

    async def start(self):
        yield Request("http://elsewhere.localhost:%s/start" % self.port, callback=self.parse)
        yield Request("http://a.localhost:%s/hub" % self.port, callback=self.parse)

    def parse(self, response):
        base = "http://elsewhere.localhost:%s" % self.port
        for _ in range(500):
            yield Request(base + "/same", callback=self.parse)
        for number in range(500):
            yield Request(base + "/other/%d" % number, callback=self.parse)
        yield Request(base + "/let", callback=self.parse, dont_filter=True)
        yield Request(base + "/allowed", callback=self.parse, meta={"allow_offsite": True})
        yield Request("http://a.localhost.elsewhere.localhost:%s/" % self.port, callback=self.parse)
        yield response.follow("/twice", callback=self.parse)
        yield response.follow("/twice", callback=self.parse)
        yield response.follow("/" + "y" * 4000, callback=self.parse)
"""
HOSTILE = """
<a href="mailto:a@example.com">m</a> <a href="javascript:alert(1)">j</a> <a href="">e</a> <a href="#top">f</a>
<a href="http://[::1">b</a> <a href="http://a.localhost:99999/">p</a> <a href="//">s</a> <a>none</a>
<a href="  /blank
 s ">w</a> <a href="/archive.ZIP?x=1">z</a> <a href="/archive.zip/page">not a file</a> <a href="/v1.2">dot</a>
<a href="/a.tar.gz">g</a> <a href="/pic.JPG#x">i</a> <a href="http://user:pw@a.localhost/">u</a>
<area href="/area"> <a href="http://OTHER.localhost/x">o</a> <a href="/d\u202eoc">bidi</a>
"""


class Linked:
    """A crawl, and its closing document."""

    def __init__(self, web, crawl):
        self.web = web
        self.crawl = crawl
        assert crawl.code == 0, crawl.stderr[-3000:]
        (closed,) = crawl.of(reason="run_closed")
        with LogReader.open(f"sqlite:///{crawl.folder / 'log.db'}") as reader:
            self.closing = json.loads(reader.document(closed.body_sha256).body)


@pytest.fixture(scope="module")
def linker(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("linker"))
    project.write("spiders/linker.py", SPIDER)
    with Web() as web:
        web.default = page("x")
        for host in ("a.localhost", "elsewhere.localhost"):
            web.site(host, "")
        yield Linked(web, project.scrapy("crawl", "linker", "-a", f"port={web.port}", "-s", "DEPTH_LIMIT=1"))


def test_a_link_that_comes_again_has_one_row_and_the_rest_is_counted(linker):
    same = linker.web.url("elsewhere.localhost", "/same")
    (row,) = linker.crawl.of(url=same, reason="offsite")
    assert (row.stage, row.verdict) == ("request", "skip")
    assert linker.closing["refused_again"]["offsite"] == MANY - 1
    assert linker.closing["duplicates"] >= 1


def test_every_other_link_has_a_row_of_its_own(linker):
    rows = {one.url for one in linker.crawl.of(reason="offsite")}
    base = linker.web.url("elsewhere.localhost", "/other/")
    assert {f"{base}{number}" for number in range(MANY)} <= rows
    assert f"http://a.localhost.elsewhere.localhost:{linker.web.port}/" in rows


def test_a_start_on_another_site_is_refused_and_recorded_like_any_link(linker):
    assert linker.crawl.reason(linker.web.url("elsewhere.localhost", "/start")) == "offsite"


def test_offsite_is_the_crawls_own_limit_and_its_own_exceptions_count(linker):
    received = linker.web.paths("elsewhere.localhost")
    assert sorted(received) == ["/allowed", "/let", "/robots.txt"]


def test_rows_name_the_page_that_held_the_link(linker):
    (row,) = linker.crawl.of(reason="url_length")
    assert row.parent_url == linker.web.url("a.localhost", "/hub")


def test_what_lies_too_deep_has_a_row_with_its_depth(linker):
    deep = linker.crawl.of(reason="depth_limit")
    assert deep
    assert {one.parent_url for one in deep} <= {
        linker.web.url("a.localhost", "/twice"),
        linker.web.url("elsewhere.localhost", "/let"),
        linker.web.url("elsewhere.localhost", "/allowed"),
    }


def test_the_closing_document_counts_what_the_log_holds(linker):
    skipped = [one.reason for one in linker.crawl.of(verdict="skip")]
    assert linker.closing["skipped"] == {reason: skipped.count(reason) for reason in set(skipped)}
    assert linker.closing["fetched"] == len(linker.crawl.of(stage="request", verdict="fetch"))
    assert linker.closing["kept"] == len(linker.crawl.kept())
    assert linker.closing["failed"] == len(linker.crawl.of(verdict="failed"))


def test_the_ready_made_spider_survives_hostile_links_and_records_those_that_are_addresses(web, project):
    web.default = page("x")
    web.site("a.localhost", "", hub=page(HOSTILE))
    linked = Linked(web, project.crawl(web.url("a.localhost", "/hub"), options=("-s", "DEPTH_LIMIT=1")))
    reasons = {one.url: one.reason for one in linked.crawl.of(verdict="skip")}
    base = web.url("a.localhost", "")
    assert reasons == {
        f"{base}/archive.ZIP?x=1": "refused_by_spider",
        f"{base}/a.tar.gz": "refused_by_spider",
        f"{base}/pic.JPG": "refused_by_spider",
        "http://other.localhost/x": "offsite",
        "http://user:pw@a.localhost/": "policy_scope",
    }
    assert set(web.paths("a.localhost")) >= {"/robots.txt", "/hub", "/archive.zip/page", "/v1.2", "/area"}


def test_a_crawl_of_given_pages_only_follows_nothing_and_has_no_rows_for_it(web, project):
    web.default = page("x")
    web.site("a.localhost", "", hub=page(HOSTILE))
    crawl = project.scrapy("crawl", "site", "-a", f"url={web.url('a.localhost', '/hub')}", "-a", "follow=0")
    assert web.paths() == ["/robots.txt", "/hub"]
    assert crawl.of(verdict="skip") == []
