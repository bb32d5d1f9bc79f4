"""However a request comes about, nothing reaches a listed host: asserted on what the servers received."""

from __future__ import annotations

import time

from loopback import Reply, page

from blocklists import store
from blocklists.index import IndexChoice
from blocklists.store_build import build_snapshot

SPIDER = """
import scrapy
from scrapy.pipelines.files import FilesPipeline
from scrapy.spiders import SitemapSpider


class Reach(SitemapSpider):
    name = "reach"
    allowed_domains = ["ok.localhost", "a.pirate.localhost"]
    sitemap_urls = [{sitemap!r}]
    custom_settings = {{
        "ITEM_PIPELINES": {{"scrapy.pipelines.files.FilesPipeline": 1}},
        "FILES_STORE": "files",
        "MEDIA_ALLOW_REDIRECTS": True,
    }}

    async def start(self):
        async for request in super().start():
            yield request
        for url in {urls!r}:
            yield scrapy.Request(url, dont_filter=True, meta={{"allow_offsite": True}}, errback=self.failed)

    def parse(self, response):
        yield from response.follow_all(css="a", meta={{"allow_offsite": True}}, dont_filter=True)
        yield {{"file_urls": [response.urljoin(one) for one in response.css("img::attr(src)").getall()]}}

    def failed(self, failure):
        pass
"""


def to(url, status=302):
    return Reply(status, (("Location", url),), b"")


def test_hard_cases_21_and_22_no_way_leads_to_a_listed_host(web, project):
    project.write("lists/test.txt", "pirate.localhost\n")
    folder = project.folder / "lists"
    with store.locked(folder):
        build_snapshot(folder, now_us=time.time_ns() // 1000, index=IndexChoice.MAPPED)
    project.append("project_settings.py", '\nSEKISHO_LISTS_INDEX = "mapped"\n')
    bad = [web.url(f"{name}.pirate.localhost", "/x") for name in "abcdefg"]
    sitemap = f"<urlset><url><loc>{bad[0]}</loc></url></urlset>".encode()
    web.site("ok.localhost", "")
    web.site("ok2.localhost", "")
    web.add("ok2.localhost", "/end", page("end"))
    web.add("ok.localhost", "/sitemap.xml", Reply(200, (("Content-Type", "text/xml"),), sitemap))
    web.add("ok.localhost", "/page", page(f'<a href="{bad[1]}">link</a><img src="{bad[2]}">'))
    web.add("ok.localhost", "/302", to(bad[3]))
    web.add("ok.localhost", "/refresh", page(f'<meta http-equiv="refresh" content="0;url={bad[4]}">'))
    web.add("ok.localhost", "/chain", to(bad[5], 307))
    web.add("f.pirate.localhost", "/x", to(web.url("ok2.localhost", "/end")))
    urls = [web.url("ok.localhost", path) for path in ("/page", "/302", "/refresh", "/chain")] + [bad[6]]
    project.write(
        "spiders/reach.py", SPIDER.format(sitemap=web.url("ok.localhost", "/sitemap.xml"), urls=urls)
    )
    crawl = project.scrapy("crawl", "reach")
    assert crawl.code == 0, crawl.stderr[-3000:]
    assert [one for one in web.received if "pirate" in one.host] == []  # robots.txt included
    assert web.paths("ok2.localhost") == []  # the chain stops at the listed host
    for url in bad:
        (skip,) = crawl.of(url=url, verdict="skip")
        assert skip.reason == "piracy_list", url
    parents = {one.url: one.parent_url for one in crawl.of(reason="piracy_list")}
    assert parents[bad[3]] == web.url("ok.localhost", "/302")
    assert parents[bad[5]] == web.url("ok.localhost", "/chain")
    assert set(web.paths("ok.localhost")) == {
        "/robots.txt", "/sitemap.xml", "/page", "/302", "/refresh", "/chain",
    }  # fmt: skip
