"""Nine defects of other crawlers, as promises of this one. The numbers are those of the list we keep of them.

One crawl carries what needs no other settings; one with a short life for robots.txt carries what happens when a
file changes, or is asked for again, during a crawl.
"""

import gzip
import hashlib
import json
import signal
import time
from itertools import pairwise

import pytest
from arrivals import Bases
from loopback import Project, Reply, Web, page, robots

from crawler.decisionlog.reader import LogReader

STARS = "User-agent: *\nDisallow: /" + "*a" * 12 + "*b\n"
MANY = "/" + "a" * 40
# Octets that a reader who decodes before hashing would change: Latin-1, NUL, a byte order mark in the middle.
ODD_ROBOTS = b"# caf\xe9 \x00 \xef\xbb\xbf\r\nUser-agent: *\rDisallow: /n\xe9\n"
ODD_PAGE = b"<!doctype html><title>\x8d\x91\xef\xff</title>\r\n<p>\xe9\x00"
LINKS = """
<a href="/deep">deep</a> <a href="/deep">again</a> <a href="/deep#part">and again</a>
<a href="/data.zip">file</a> <a href="/{long}">long</a> <a href="http://elsewhere.localhost/">offsite</a>
<a href="http://elsewhere.localhost/">offsite again</a>
"""


class Story:
    """A crawl, the web that it met, and readers of its log."""

    def __init__(self, web, crawl):
        self.web = web
        self.crawl = crawl

    def document(self, sha256):
        with LogReader.open(f"sqlite:///{self.crawl.folder / 'log.db'}") as reader:
            found = reader.document(sha256)
        assert found is not None
        return found.body

    def evidence(self, record):
        with Bases(self.crawl.folder) as bases:
            return bases.of(record).deciding.evidence[0]

    def closing(self):
        (closed,) = self.crawl.of(reason="run_closed")
        return json.loads(self.document(closed.body_sha256))


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("rivals"))
    with Web() as web:
        web.default = page("open")
        web.site("stars.localhost", STARS)
        web.site("token.localhost", "User-agent: Mozilla\nAllow: /\n\nUser-agent: ExampleBot\nDisallow: /\n")
        web.site("browser.localhost", "User-agent: Mozilla\nDisallow: /\n")
        web.site("loop.localhost", robots("", status=302, headers=(("Location", "/robots.txt"),)))
        for number in range(20):
            circle = web.url(f"circle{(number + 1) % 20}.localhost", "/robots.txt")
            web.site(f"circle{number}.localhost", robots("", status=301, headers=(("Location", circle),)))
        web.site(
            "links.localhost",
            "",
            start=page(LINKS.replace("{long}", "x" * 3000)),
            deep=page('<a href="/deeper">x</a>'),
        )
        web.site("slash.localhost", "User-agent: *\nDisallow: /a%2Fb\n")
        web.site("odd.localhost", robots(ODD_ROBOTS))
        web.add(
            "odd.localhost",
            "/page",
            Reply(200, (("Content-Type", "text/html; charset=shift_jis"),), ODD_PAGE),
        )
        coded = (("Content-Type", "text/html"), ("Content-Encoding", "gzip"))
        web.add("odd.localhost", "/coded", Reply(200, coded, gzip.compress(ODD_PAGE, mtime=0)))
        starts = [
            web.url("stars.localhost", MANY),
            web.url("stars.localhost", MANY + "b"),
            web.url("token.localhost"),
            web.url("browser.localhost"),
            web.url("loop.localhost", "/x"),
            web.url("circle0.localhost", "/x"),
            web.url("links.localhost", "/start"),
            *(web.url("slash.localhost", path) for path in ("/a%2Fb", "/a%2fb/c", "/a/b")),
            *(web.url("odd.localhost", path) for path in ("/page", "/coded", "/n%E9")),
        ]
        crawl = project.crawl(*starts, options=("-s", "DEPTH_LIMIT=1"))
        assert crawl.code == 0, crawl.stderr
        yield Story(web, crawl)


def test_1_a_rule_with_many_wildcards_is_judged_at_once_and_rightly(story):
    decided = {one.url: one for one in story.crawl.of(stage="request", kind="page", host="stars.localhost")}
    free, banned = (decided[story.web.url("stars.localhost", path)] for path in (MANY, MANY + "b"))
    assert (free.verdict, banned.reason) == ("fetch", "robots_disallow")
    assert story.web.paths("stars.localhost") == ["/robots.txt", MANY]
    (read,) = story.crawl.of(stage="response", kind="robots", host="stars.localhost")
    assert max(free.ts_us, banned.ts_us) - read.ts_us < 2_000_000


def test_2_the_token_is_declared_and_not_taken_from_the_user_agent_of_a_browser_form(story):
    assert story.web.paths("token.localhost") == ["/robots.txt"]
    assert story.crawl.reason(story.web.url("token.localhost")) == "robots_disallow"
    assert story.web.paths("browser.localhost") == ["/robots.txt", "/"]


@pytest.mark.parametrize("host", ["loop", "circle"])
def test_3_a_redirect_loop_of_robots_txt_costs_at_most_six_requests_and_forbids_the_site(story, host):
    received = [one for one in story.web.received if one.host.startswith(host)]
    assert 2 <= len(received) <= 6
    assert {one.path for one in received} == {"/robots.txt"}
    hosts = [one for one in story.crawl.of(reason="robots_unreachable") if one.host.startswith(host)]
    assert len(hosts) == 1


def test_5_links_that_are_not_followed_have_a_row_each_and_duplicates_a_count(story):
    web, crawl = story.web, story.crawl
    start = web.url("links.localhost", "/start")
    expected = {
        web.url("links.localhost", "/data.zip"): "refused_by_spider",
        web.url("links.localhost", "/" + "x" * 3000): "url_length",
        "http://elsewhere.localhost/": "offsite",
    }
    for url, reason in expected.items():
        (row,) = crawl.of(url=url, verdict="skip")
        assert (row.reason, row.parent_url) == (reason, start)
    (deeper,) = crawl.of(url=web.url("links.localhost", "/deeper"))
    assert (deeper.reason, deeper.parent_url) == ("depth_limit", web.url("links.localhost", "/deep"))


def test_6_an_escaped_slash_in_a_rule_is_obeyed_as_it_is_written(story):
    assert sorted(story.web.paths("slash.localhost")) == ["/a/b", "/robots.txt"]
    for path in ("/a%2Fb", "/a%2fb/c"):
        assert story.crawl.reason(story.web.url("slash.localhost", path)) == "robots_disallow"


def test_8_a_fingerprint_is_of_the_octets_that_came_and_anybody_can_compute_it_again(story):
    (read,) = story.crawl.of(stage="response", kind="robots", host="odd.localhost")
    assert read.body_sha256 == hashlib.sha256(ODD_ROBOTS).hexdigest()
    assert story.document(read.body_sha256) == ODD_ROBOTS
    refused = story.crawl.of(stage="request", reason="robots_disallow", host="odd.localhost")
    assert [story.evidence(one).sha256 for one in refused] == [read.body_sha256]
    on_the_wire = {
        one.url: one.body_sha256 for one in story.crawl.of(stage="outcome", kind="page", host="odd.localhost")
    }
    assert on_the_wire == {
        story.web.url("odd.localhost", "/page"): hashlib.sha256(ODD_PAGE).hexdigest(),
        story.web.url("odd.localhost", "/coded"): hashlib.sha256(
            gzip.compress(ODD_PAGE, mtime=0)
        ).hexdigest(),
    }


FIRST = b"# first\nUser-agent: *\nAllow: /\n"
SECOND = b"# second\nUser-agent: *\nDisallow: /second\n"
DELAY_S = 1.0


@pytest.fixture(scope="module")
def changing(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("changing"))
    with Web() as web:
        answers = [FIRST, SECOND]
        web.add(
            "news.localhost",
            "/robots.txt",
            lambda _: robots(answers.pop(0) if len(answers) > 1 else answers[0]),
        )
        web.add("news.localhost", "/first", page('<a href="/second">x</a>', delay=1.3))
        web.site(
            "slow.localhost", f"User-agent: *\nCrawl-delay: {DELAY_S:g}\n", one=page('<a href="/two">x</a>')
        )
        web.add("slow.localhost", "/two", page("end"))
        crawl = project.crawl(
            web.url("news.localhost", "/first"),
            web.url("slow.localhost", "/one"),
            options=("-s", "SEKISHO_ROBOTS_CACHE_SECONDS=1"),
        )
        assert crawl.code == 0, crawl.stderr
        yield Story(web, crawl)


def test_4_each_decision_keeps_the_robots_txt_that_it_obeyed_though_another_came_later(changing):
    web, crawl = changing.web, changing.crawl
    assert web.paths("news.localhost") == ["/robots.txt", "/first", "/robots.txt"]
    (first,) = crawl.of(stage="request", verdict="fetch", url=web.url("news.localhost", "/first"))
    (second,) = crawl.of(stage="request", verdict="skip", url=web.url("news.localhost", "/second"))
    for decision, obeyed in ((first, FIRST), (second, SECOND)):
        evidence = changing.evidence(decision)
        assert evidence.sha256 == hashlib.sha256(obeyed).hexdigest()
        assert changing.document(evidence.sha256) == obeyed
        assert evidence.fetched_at < decision.ts_us
    assert (second.reason, changing.evidence(second).line) == ("robots_disallow", 3)


def test_9_requests_for_robots_txt_are_paced_like_pages_and_recorded_like_pages(changing):
    web, crawl = changing.web, changing.crawl
    received = [one for one in web.received if one.host == "slow.localhost"]
    paths = [one.path for one in received]
    # A copy lives as long as the pace makes the page wait: on a busy machine it is asked for once more before.
    assert paths[0] == "/robots.txt"
    assert [path for path in paths if path != "/robots.txt"] == ["/one", "/two"]
    assert paths.count("/robots.txt") >= 2
    gaps = [(later.at - earlier.at) / 1e6 for earlier, later in pairwise(received)]
    assert min(gaps) >= DELAY_S
    asked = crawl.of(stage="request", kind="robots", host="slow.localhost", verdict="fetch")
    assert len(asked) == paths.count("/robots.txt")
    for stage in ("outcome", "response"):
        of_them = [one.ref_idx for one in crawl.of(stage=stage, kind="robots", host="slow.localhost")]
        assert of_them == [one.idx for one in asked]


def test_5_duplicates_are_counted_in_the_closing_record(web, project):
    project.write(
        "spiders/twice.py",
        """
from scrapy import Request, Spider

class Twice(Spider):
    name = "twice"
    allowed_domains = ["a.localhost"]
    async def start(self):
        yield Request(self.url)
    def parse(self, response):
        for _ in range(3):
            yield response.follow("/again", callback=self.parse)
            yield Request("http://elsewhere.localhost/", callback=self.parse)
            yield response.follow("/" + "x" * 3000, callback=self.parse)
""",
    )
    web.default = page("open")
    web.site("a.localhost", "")
    crawl = project.scrapy("crawl", "twice", "-a", f"url={web.url('a.localhost', '/x')}")
    assert web.paths() == ["/robots.txt", "/x", "/again"]
    closing = Story(web, crawl).closing()
    # /again: twice from /x and three times from itself; the others twice each from both pages after their row.
    assert closing["duplicates"] + closing["refused_again"].get("offsite", 0) >= 5
    assert closing["refused_again"]["url_length"] == 5
    assert len(crawl.of(reason="offsite")) == 1
    assert len(crawl.of(reason="url_length")) == 1


def test_7_a_killed_crawl_leaves_its_log_its_checks_and_its_disclosure(web, project):
    web.site("a.localhost", "User-agent: *\nDisallow: /private\n", slow=page(delay=30), x=page("kept"))
    wanted = {
        (web.url("a.localhost", path), verdict)
        for path, verdict in (("/x", "keep"), ("/private", "skip"), ("/slow", "fetch"))
    }
    process = project.start("crawl", "site", "-a", f"url={','.join(url for url, _ in wanted)}")
    try:
        end = time.monotonic() + 30
        while not wanted <= {(one.url, one.verdict) for one in project.records()}:
            assert time.monotonic() < end, process.communicate()[1]
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert project.sekisho("log", "verify", "--log", "sqlite:///log.db").returncode == 0
    exported = project.sekisho("log", "export", "--log", "sqlite:///log.db")
    rows = [json.loads(line) for line in exported.stdout.splitlines()]
    assert wanted <= {(row["url"], row["verdict"]) for row in rows}
    built = project.sekisho(
        "disclosure", "build", "--log", "sqlite:///log.db", "--policies", "policies_here", "--out", "out"
    )
    assert built.returncode in (0, 3), built.stdout + built.stderr
    assert list((project.folder / "out").rglob("*.html"))
