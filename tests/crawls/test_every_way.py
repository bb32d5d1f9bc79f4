"""Case 73: whatever Scrapy has that sends requests by itself, each passes the gate. Asserted on what arrived."""

import json
import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from arrivals import address, as_sent, undecided
from loopback import Project, Reply, Web, page

SPIDER = """
from scrapy import Request
from scrapy.spiders import SitemapSpider

class Ways(SitemapSpider):
    name = "ways"
    custom_settings = {
        "ITEM_PIPELINES": {"scrapy.pipelines.files.FilesPipeline": 1},
        "FILES_STORE": "files", "MEDIA_ALLOW_REDIRECTS": True,
        "HTTPCACHE_ENABLED": True, "RETRY_TIMES": 2,
    }

    def __init__(self, open="", closed="", **more):
        super().__init__(**more)
        self.sitemap_urls = [open + "/sitemap.xml"]
        self.there, self.away = open, closed

    async def start(self):
        async for request in super().start():
            yield request
        meta = {"dont_obey_robotstxt": True, "allow_offsite": True}
        yield Request(self.away + "/by-meta", meta=meta, errback=self.nothing)
        yield Request(self.there + "/shut/by-meta", meta=meta, errback=self.nothing)
        yield Request(self.there + "/flaky", callback=self.parse)
        yield Request(self.there + "/moved", callback=self.parse)
        for number in range(2):
            yield Request(self.there + "/again", callback=self.parse, dont_filter=True)

    def parse(self, response):
        yield {"url": response.url, "file_urls": [
            self.away + "/file.bin", self.there + "/shut/file.bin", self.there + "/open.bin",
            self.there + "/hop.bin"]}

    def nothing(self, failure):
        pass
"""


class Witness:
    """Asks the log, at each arrival and before it is answered, whether the decision for it is there."""

    def __init__(self, log):
        self.log = log
        self.arrived = Counter()
        self.undecided = []

    def watch(self, web):
        for key, reply in web.replies.items():
            web.replies[key] = self._asking(web, reply)
        web.default = self._asking(web, web.default)

    def _asking(self, web, reply):
        def answer(one):
            asked = (one.method, address(web, one))
            self.arrived[asked] += 1
            connection = sqlite3.connect(f"file:{self.log}?mode=ro", uri=True, timeout=30)
            with closing(connection):
                decided = Counter(
                    (method, as_sent(url))
                    for method, url in connection.execute(
                        "SELECT method, url FROM decisions WHERE stage = 'request' AND verdict = 'fetch'"
                    )
                )
            if decided[asked] < self.arrived[asked]:
                self.undecided.append(asked)
            return reply(one) if callable(reply) else reply

        return answer


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("ways"))
    project.write("spiders/ways.py", SPIDER)
    with Web() as web:
        web.site("open.localhost", "User-agent: *\nDisallow: /shut/\n", again=page("a"), listed=page("l"))
        web.site("closed.localhost", "User-agent: *\nDisallow: /\n")
        for path in ("/by-meta", "/file.bin", "/listed", "/by-hop"):
            web.add("closed.localhost", path, page("closed"))
        for path in ("/shut/listed", "/shut/by-meta", "/shut/file.bin"):
            web.add("open.localhost", path, page("closed"))
        binary = (("Content-Type", "application/octet-stream"),)
        web.add("open.localhost", "/open.bin", Reply(200, binary, b"open"))
        away = web.url("closed.localhost", "/by-hop")
        web.add("open.localhost", "/hop.bin", Reply(302, (("Location", away),)))
        web.add("open.localhost", "/moved", Reply(301, (("Location", web.url("open.localhost", "/landed")),)))
        web.add("open.localhost", "/landed", page("here"))
        flaky = [Reply(500), page("well again")]
        web.add("open.localhost", "/flaky", lambda _: flaky.pop(0) if flaky else page("asked too often"))
        listed = [
            web.url("open.localhost", "/listed"),
            web.url("open.localhost", "/shut/listed"),
            web.url("closed.localhost", "/listed"),
        ]
        urls = "".join(f"<url><loc>{url}</loc></url>" for url in listed)
        sitemap = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'.encode()
        web.add("open.localhost", "/sitemap.xml", Reply(200, (("Content-Type", "application/xml"),), sitemap))
        witness = Witness(project.folder / "log.db")
        witness.watch(web)
        crawl = project.scrapy(
            "crawl", "ways",
            "-a", f"open={web.url('open.localhost', '')}", "-a", f"closed={web.url('closed.localhost', '')}",
            "-o", "items.jsonl",
        )  # fmt: skip
        assert crawl.code == 0, crawl.stderr[-3000:]
        items = [json.loads(line) for line in (project.folder / "items.jsonl").read_text().splitlines()]
        yield web, crawl, items, witness


def test_check_01_whatever_arrives_by_whichever_way_its_decision_was_durable_before(ways):
    web, crawl, _, witness = ways
    for path in [
        "/robots.txt",
        "/sitemap.xml",
        "/listed",
        "/moved",
        "/landed",
        "/flaky",
        "/again",
        "/open.bin",
    ]:
        assert witness.arrived["GET", web.url("open.localhost", path)]
    assert witness.arrived["GET", web.url("open.localhost", "/flaky")] == 2, "the retry"
    assert witness.undecided == []
    assert sum(witness.arrived.values()) == len(web.received)
    assert undecided(web, [*web.received, *web.rights_received], crawl.records) == []


def test_case_73_no_way_of_scrapys_own_asks_for_what_is_denied(ways):
    web, crawl, *_ = ways
    assert web.paths("closed.localhost") == ["/robots.txt"]
    assert [path for path in web.paths("open.localhost") if path.startswith("/shut/")] == []
    assert undecided(web, web.received, crawl.records) == []


def test_case_73_each_refusal_and_each_try_has_its_record(ways):
    web, crawl, *_ = ways
    refused = {one.url for one in crawl.of(stage="request", verdict="skip", reason="robots_disallow")}
    assert refused == {
        *(web.url("closed.localhost", path) for path in ("/by-meta", "/file.bin", "/listed", "/by-hop")),
        *(web.url("open.localhost", f"/shut/{name}") for name in ("by-meta", "file.bin", "listed")),
    }
    flaky = web.url("open.localhost", "/flaky")
    assert [one.attempt for one in crawl.of(url=flaky, stage="request", verdict="fetch")] == [0, 1]
    again = web.url("open.localhost", "/again")
    assert len(crawl.of(url=again, stage="request", verdict="fetch")) == 2  # no cache answered in our place
    assert web.paths("open.localhost").count("/again") == 2


def test_case_73_what_is_open_arrives_by_each_of_these_ways(ways):
    web, _, items, _ = ways
    assert web.url("open.localhost", "/listed") in {one["url"] for one in items}
    assert {file["url"] for one in items for file in one["files"]} == {web.url("open.localhost", "/open.bin")}
