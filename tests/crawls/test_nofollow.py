"""`nofollow`: no link of such a page is queued, whichever spider runs, and each is on the record."""

import pytest
from loopback import Project, Web, page

SPIDER = """
from scrapy import Request, Spider

class Eager(Spider):
    name = "eager"

    async def start(self):
        for path in ("/header", "/plain"):
            yield Request("http://a.localhost:%s%s" % (self.port, path), callback=self.parse)

    async def parse(self, response):
        yield {"url": response.url}
        yield response.follow(response.url + "-next", callback=self.parse)
        if not response.meta.get("again"):
            yield response.request.replace(dont_filter=True, meta={"again": True})
"""


def links(*paths, rel=""):
    return "".join(f'<a href="{path}"{rel}>x</a>' for path in paths)


def meta(content, *paths, name="robots"):
    reply = page(links(*paths))
    head = f'<head><meta name="{name}" content="{content}">'.encode()
    return type(reply)(reply.status, reply.headers, reply.body.replace(b"<head>", head))


@pytest.fixture(scope="module")
def crawled(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("nofollow"))
    agent = project.folder / "policies_here/agents/examplebot.toml"
    agent.write_text(agent.read_text().replace('["ai-training"]', '["research"]'))
    with Web() as web:
        web.default = page("leaf")
        web.site("a.localhost", "")
        web.add("a.localhost", "/", page(links("/header", "/meta", "/own", "/other", "/comment", "/rel")))
        web.add(
            "a.localhost", "/header", page(links("/from-header"), headers=(("X-Robots-Tag", "nofollow"),))
        )
        web.add("a.localhost", "/meta", meta("index, NoFollow", "/from-meta"))
        web.add("a.localhost", "/own", meta("nofollow", "/from-own", name="examplebot"))
        web.add("a.localhost", "/other", meta("nofollow", "/from-other", name="otherbot"))
        web.add(
            "a.localhost",
            "/comment",
            page(f'<!-- <meta name="robots" content="nofollow"> -->{links("/from-comment")}'),
        )
        both = links("/wanted", "/both", rel=' rel="external NOFOLLOW"') + links("/both", "/free")
        web.add("a.localhost", "/rel", page(both))
        crawl = project.crawl(web.url("a.localhost"))
        yield web, crawl


def test_links_of_a_page_that_forbids_it_are_not_followed_and_others_are(crawled):
    web, _ = crawled
    asked = set(web.paths())
    assert not {"/from-header", "/from-meta", "/from-own", "/wanted"} & asked
    assert {"/from-other", "/from-comment", "/both", "/free", "/header", "/meta", "/own"} <= asked


def test_each_link_that_is_left_out_is_recorded_with_its_page_and_the_words(crawled):
    web, crawl = crawled
    refused = {one.url: one for one in crawl.of(reason="nofollow")}
    assert set(refused) == {
        web.url("a.localhost", path) for path in ("/from-header", "/from-meta", "/from-own", "/wanted")
    }
    for one in refused.values():
        assert (one.stage, one.verdict) == ("request", "skip")
        assert one.parent_url in set(crawl.kept())


def test_the_page_itself_is_kept(crawled):
    web, crawl = crawled
    assert {web.url("a.localhost", path) for path in ("/header", "/meta", "/own")} <= set(crawl.kept())


def test_no_other_spider_gets_past_it_and_the_page_itself_may_be_asked_for_again(web, project):
    project.write("spiders/eager.py", SPIDER)
    web.default = page("leaf")
    web.site("a.localhost", "", plain=page())
    web.add("a.localhost", "/header", page(headers=(("X-Robots-Tag", "none, nofollow"),)))
    agent = project.folder / "policies_here/agents/examplebot.toml"
    agent.write_text(
        agent.read_text().replace('["ai-training"]', '["archive"]')
        + "\n[signals]\nhonour_page_directives_by_analogy = false\n"
    )
    crawl = project.scrapy("crawl", "eager", "-a", f"port={web.port}", "-s", "DEPTH_LIMIT=3")
    assert crawl.code == 0, crawl.stderr[-3000:]
    assert "/header-next" not in web.paths()
    assert "/plain-next" in web.paths()
    assert web.paths().count("/header") == 2
