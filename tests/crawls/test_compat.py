"""Under every handler, loop, transport and kind of spider that Scrapy 2.19 has, the promises are the same."""

from __future__ import annotations

import json

import pytest
from arrivals import LISTED_SPIDER, undecided
from loopback import Reply, Web, page, robots
from proxy import Proxy
from tls import server_context

HANDLERS = "scrapy.core.downloader.handlers"
WAYS = {
    "http11, reactor": "",
    "http11, reactor, CrawlerProcess": "FORCE_CRAWLER_PROCESS = True",
    "aiohttp, no reactor": "TWISTED_REACTOR_ENABLED = False",
    "aiohttp, reactor": f'DOWNLOAD_HANDLERS = {{s: "{HANDLERS}._aiohttp.AiohttpDownloadHandler" for s in ("http", "https")}}',
}
SPIDER = '''
from pathlib import Path
from scrapy import Request, Spider, signals
from scrapy.exceptions import IgnoreRequest

class Told(Spider):
    """Yields what callbacks, errbacks and the signal `robots_parsed` were told."""
    name = "told"
    parsed = 0

    @classmethod
    def from_crawler(cls, crawler, *arguments, **named):
        spider = super().from_crawler(crawler, *arguments, **named)
        robots_parsed = getattr(signals, "robots_parsed", None)
        if robots_parsed is not None:
            crawler.signals.connect(spider.count, robots_parsed)
        return spider

    def count(self, **named):
        self.parsed += 1

    async def start(self):
        for line in Path("urls.txt").read_text().splitlines():
            proxy, _, url = line.rpartition(" ")
            meta = {"proxy": proxy} if proxy else {}
            yield Request(url, meta=meta, callback=self.parse, errback=self.failed)

    def parse(self, response):
        yield {"got": response.url, "protocol": response.protocol, "parsed": self.parsed}

    def failed(self, failure):
        error = failure.value
        yield {"lost": failure.request.url, "ignore": isinstance(error, IgnoreRequest),
               "reason": str(getattr(error, "reason", error)), "rule": getattr(error, "rule", None)}
'''


class Told:
    def __init__(self, project, web, urls, settings=""):
        project.write("spiders/told.py", SPIDER)
        project.append("project_settings.py", f"\nSEKISHO_PROGRESS = False\n{settings}\n")
        project.write("urls.txt", "\n".join(urls) + "\n")
        self.web = web
        self.crawl = project.scrapy("crawl", "told", "-o", "items.jsonl")
        assert self.crawl.code == 0, self.crawl.stderr
        self.items = [json.loads(line) for line in (project.folder / "items.jsonl").read_text().splitlines()]
        assert self.crawl.of(reason="tripwire") == []
        assert undecided(web, web.received, self.crawl.records) == []

    @property
    def got(self):
        return sorted(item["got"] for item in self.items if "got" in item)

    @property
    def lost(self):
        return {item["lost"]: item for item in self.items if "lost" in item}

    def stat(self, name):
        line = next((line for line in self.crawl.stderr.splitlines() if f"'{name}':" in line), "")
        return line.rpartition(": ")[2].rstrip(",}") or None


def site(web):
    web.add("a.localhost", "/robots.txt", robots("User-agent: *\nDisallow: /private\n"))
    web.add("a.localhost", "/moved", page(status=302, headers=(("Location", "/p/after"),)))
    web.add("a.localhost", "/paid", page(status=402))
    web.add("a.localhost", "/zipped", Reply(200, (("Content-Type", "text/html"),), b"<p>x</p>"))
    for path in ("/p/1", "/p/2", "/p/after"):
        web.add("a.localhost", path, page("x"))
    paths = ("/p/1", "/p/2", "/private/x", "/moved", "/paid", "/zipped")
    return [web.url("a.localhost", path) for path in paths] + [web.url("pirate.localhost", "/film")]


@pytest.mark.parametrize(
    ("way", "tls"),
    [*((way, False) for way in WAYS), ("http11, reactor", True), ("aiohttp, no reactor", True)],
)
def test_handlers_and_loops_fetch_and_refuse_the_same(tmp_path, project, way, tls):
    web = Web()
    web.tls = server_context(tmp_path) if tls else None
    with web:
        told = Told(project, web, site(web), WAYS[way])
    a, pirate = (web.url(host, "") for host in ("a.localhost", "pirate.localhost"))
    assert told.got == sorted(a + path for path in ("/p/1", "/p/2", "/p/after", "/zipped"))
    assert sorted(web.paths()) == ["/moved", "/p/1", "/p/2", "/p/after", "/paid", "/robots.txt", "/zipped"]
    refused = {url: (item["reason"], item["rule"], item["ignore"]) for url, item in told.lost.items()}
    assert refused[a + "/private/x"] == ("robots_disallow", "robots", True)
    assert refused[a + "/paid"][0] == "http_402"
    assert refused[pirate + "/film"] == ("piracy_list", "piracy", True)
    assert {item["parsed"] for item in told.items if "got" in item} == {1}  # the signal `robots_parsed`
    # What dashboards of stock Scrapy count means what it meant.
    assert told.stat("robotstxt/forbidden") == "1"
    assert told.stat("robotstxt/request_count") == told.stat("robotstxt/response_count") == "1"
    assert told.stat("robotstxt/response_status_count/200") == "1"
    received = len(web.received) + len(web.rights_received)
    assert told.stat("downloader/request_count") == told.stat("downloader/response_count") == str(received)
    assert told.stat("downloader/response_status_count/402") == "1"


def test_http_2_passes_the_same_door(tmp_path, project):
    pytest.importorskip("h2", reason="Scrapy's HTTP/2 handler needs h2")
    from h2web import H2Web

    web = H2Web()
    web.tls = server_context(tmp_path, "h2")
    with web:
        settings = f'DOWNLOAD_HANDLERS = {{"https": "{HANDLERS}.http2.H2DownloadHandler"}}'
        told = Told(project, web, site(web), settings)
    a = web.url("a.localhost", "")
    assert told.got == sorted(a + path for path in ("/p/1", "/p/2", "/p/after", "/zipped"))
    assert {item["protocol"] for item in told.items if "got" in item} == {"h2"}
    assert told.lost[a + "/private/x"]["reason"] == "robots_disallow"
    assert [one for one in web.received if one.path.startswith("/private")] == []


@pytest.mark.parametrize(
    ("way", "tls"), [("http11, reactor", False), ("http11, reactor", True), ("aiohttp, no reactor", False)]
)
def test_a_configured_proxy_sees_what_is_permitted_and_nothing_else(tmp_path, project, way, tls):
    web = Web()
    web.tls = server_context(tmp_path) if tls else None
    with Proxy() as proxy, web:
        # Requests of our own for robots.txt go where the environment says.
        settings = f'import os; os.environ["http{"s" if tls else ""}_proxy"] = "http://127.0.0.1:{proxy.port}"\n{WAYS[way]}'
        told = Told(project, web, [url for url in site(web) if "pirate" not in url], settings)
    assert told.got == sorted(
        web.url("a.localhost", path) for path in ("/p/1", "/p/2", "/p/after", "/zipped")
    )
    assert len(proxy.asked) >= 1
    assert not [line for line in proxy.asked if "/private" in line]
    if not tls:
        assert len(proxy.asked) == len(web.received) + len(web.rights_received)


KINDS = """
from scrapy.linkextractors import LinkExtractor
from scrapy.spiders import CrawlSpider, Rule, SitemapSpider

class Links(CrawlSpider):
    name = "links"
    rules = (Rule(LinkExtractor(), callback="page", follow=True),)
    custom_settings = {"AUTOTHROTTLE_ENABLED": True, "AUTOTHROTTLE_START_DELAY": 0.01, "DOWNLOAD_DELAY": 0.01}

    def __init__(self, url):
        super().__init__()
        self.start_urls = [url]

    def page(self, response):
        yield {"got": response.url}

class Map(SitemapSpider):
    name = "map"

    def __init__(self, url):
        super().__init__()
        self.sitemap_urls = [url]

    def parse(self, response):
        yield {"got": response.url}
"""


def items(project):
    return sorted(
        json.loads(line)["got"] for line in (project.folder / "items.jsonl").read_text().splitlines()
    )


def test_a_crawl_spider_under_autothrottle_follows_what_it_may(web, project):
    project.write("spiders/kinds.py", KINDS)
    web.add("a.localhost", "/robots.txt", robots("User-agent: *\nDisallow: /private\n"))
    web.add("a.localhost", "/", page('<a href="/one">1</a><a href="/private/two">2</a>'))
    web.add("a.localhost", "/one", page('<a href="/three">3</a>'))
    web.add("a.localhost", "/three", page("end"))
    crawl = project.scrapy("crawl", "links", "-a", f"url={web.url('a.localhost')}", "-o", "items.jsonl")
    assert crawl.code == 0, crawl.stderr
    assert items(project) == [web.url("a.localhost", "/one"), web.url("a.localhost", "/three")]
    assert crawl.reason(web.url("a.localhost", "/private/two")) == "robots_disallow"
    assert undecided(web, web.received, crawl.records) == []


def test_a_sitemap_spider_reads_its_sitemap_through_the_door_and_follows_what_it_may(web, project):
    project.write("spiders/kinds.py", KINDS)
    map_url = web.url("a.localhost", "/sitemap.xml")
    web.add("a.localhost", "/robots.txt", robots(f"User-agent: *\nDisallow: /private\nSitemap: {map_url}\n"))
    places = "".join(
        f"<url><loc>{web.url('a.localhost', path)}</loc></url>" for path in ("/one", "/private/two")
    )
    body = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{places}</urlset>'
    web.add("a.localhost", "/sitemap.xml", Reply(200, (("Content-Type", "application/xml"),), body.encode()))
    web.add("a.localhost", "/one", page("end"))
    crawl = project.scrapy(
        "crawl", "map", "-a", f"url={web.url('a.localhost', '/robots.txt')}", "-o", "items.jsonl"
    )
    assert crawl.code == 0, crawl.stderr
    assert items(project) == [web.url("a.localhost", "/one")]
    assert crawl.reason(web.url("a.localhost", "/private/two")) == "robots_disallow"
    assert undecided(web, web.received, crawl.records) == []


def test_thousands_of_start_urls_are_each_asked_for_once_or_refused(web, project):
    count = 3_000
    for number in range(3):
        web.add(f"s{number}.localhost", "/robots.txt", robots("User-agent: *\nDisallow: /private\n"))
    web.default = page("x")
    project.append("project_settings.py", "\nSEKISHO_PROGRESS = False\nCONCURRENT_REQUESTS = 32\n")
    project.write("spiders/listed.py", LISTED_SPIDER)
    urls = [
        web.url(f"s{number % 3}.localhost", f"/{'private' if number % 10 == 9 else 'p'}/{number}")
        for number in range(count)
    ]
    project.write("urls.txt", "\n".join(urls) + "\n")
    crawl = project.scrapy("crawl", "listed")
    assert crawl.code == 0, crawl.stderr
    pages = [one.path for one in web.received if one.path != "/robots.txt"]
    assert len(pages) == len(set(pages)) == count * 9 // 10
    assert len(crawl.of(reason="robots_disallow")) == count // 10
    assert undecided(web, web.received, crawl.records) == []
