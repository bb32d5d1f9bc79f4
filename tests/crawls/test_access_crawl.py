"""Pages that are not open to all: the body reaches nobody, the evidence stays, and nothing tries again.

One crawl meets every kind. What the spider got is what it wrote as items.
"""

import hashlib
import json

import pytest
from arrivals import undecided
from loopback import Project, Reply, Web, page

SECRET = "behind the wall"
SPIDER = '''
import json
from pathlib import Path
from scrapy import Request, Spider

class Reader(Spider):
    """Takes whatever it is given: every status, every body, also in its errback."""
    name = "reader"
    handle_httpstatus_all = True

    async def start(self):
        for url in json.loads(Path("urls.json").read_text()):
            yield Request(url, meta={"handle_httpstatus_all": self.greedy == "1"},
                          callback=self.parse, errback=self.failed)

    def parse(self, response):
        yield {"url": response.url, "status": response.status, "body": response.text, "got": True}

    def failed(self, failure):
        response = getattr(failure.value, "response", None)
        yield {"url": failure.request.url, "got": False, "reason": str(getattr(failure.value, "reason", "")),
               "body": response.text if response is not None else ""}
'''


def ld(members):
    return page(f'<script type="application/ld+json">{json.dumps(members)}</script><p>{SECRET}</p>')


ARTICLE = {"@context": "https://schema.org", "@type": "NewsArticle"}
# Path, reply, reason of the refusal.
REFUSED = {
    "/401": (page(SECRET, status=401, headers=(("WWW-Authenticate", "Basic"),)), "http_401"),
    "/402": (page(SECRET, status=402), "http_402"),
    "/403": (page(SECRET, status=403), "http_403"),
    "/407": (page(SECRET, status=407), "http_407"),
    "/451": (page(SECRET, status=451), "legal_block"),
    "/404": (page(SECRET, status=404), "http_error"),
    "/410": (page(SECRET, status=410), "http_error"),
    "/500": (page(SECRET, status=500), "http_error"),
    "/json-ld": (ld({**ARTICLE, "isAccessibleForFree": False}), "paywall_structured_data"),
    "/json-ld-text": (ld({**ARTICLE, "isAccessibleForFree": "False"}), "paywall_structured_data"),
    "/json-ld-graph": (
        ld({"@graph": [{**ARTICLE, "isAccessibleForFree": False}]}),
        "paywall_structured_data",
    ),
    "/microdata": (
        page(
            '<div itemscope itemtype="https://schema.org/NewsArticle">'
            f'<meta itemprop="isAccessibleForFree" content="false"><p>{SECRET}</p></div>'
        ),
        "paywall_structured_data",
    ),
    "/tier": (
        Reply(
            200,
            (("Content-Type", "text/html"),),
            b'<html><head><meta property="article:content_tier" content="locked"></head><body>'
            + SECRET.encode(),
        ),
        "paywall_markup",
    ),
}
KEPT = {
    "/open": page("open to all"),
    "/free": ld({**ARTICLE, "isAccessibleForFree": True}),
    "/free-tier": page('<meta property="article:content_tier" content="free">open'),
}


class Read:
    """A crawl and what its spider was given."""

    def __init__(self, web, project, urls, greedy):
        project.write("spiders/reader.py", SPIDER)
        project.write("urls.json", json.dumps(urls))
        self.web = web
        self.project = project
        self.crawl = project.scrapy("crawl", "reader", "-a", f"greedy={greedy}", "-o", f"items{greedy}.jsonl")
        assert self.crawl.code == 0, self.crawl.stderr[-3000:]
        lines = (project.folder / f"items{greedy}.jsonl").read_text().splitlines()
        self.items = [json.loads(line) for line in lines]
        exported = project.sekisho("log", "export", "--log", "sqlite:///log.db")
        self.rows = [json.loads(line) for line in exported.stdout.splitlines()]

    def given(self, path):
        return [one for one in self.items if one["url"] == self.web.url("a.localhost", path)]


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("read"))
    # Even where somebody lists refusals among what is tried again.
    project.append("project_settings.py", "\nRETRY_HTTP_CODES = [401, 402, 403, 407, 451, 500, 503]\n")
    with Web() as web:
        web.site("a.localhost", "")
        web.site("login.localhost", "")
        for path, (reply, _) in REFUSED.items():
            web.add("a.localhost", path, reply)
        for path, reply in KEPT.items():
            web.add("a.localhost", path, reply)
        busy = [page(SECRET, status=503), page("open again")]
        web.add("a.localhost", "/503", lambda _: busy.pop(0) if busy else page("asked too often"))
        away = web.url("login.localhost", "/signin?return_to=%2Farticle")
        web.add("a.localhost", "/to-login", page(SECRET, status=302, headers=(("Location", away),)))
        web.add("a.localhost", "/to-own-login", page(status=302, headers=(("Location", "/login?next=/x"),)))
        web.add("a.localhost", "/to-open", page(status=301, headers=(("Location", "/open"),)))
        paths = [*REFUSED, *KEPT, "/503", "/to-login", "/to-own-login", "/to-open"]
        urls = [web.url("a.localhost", path) for path in paths]
        yield Read(web, project, urls, "0")


def test_a_crawl_of_closed_pages_ends_in_order_with_every_request_decided(read):
    assert undecided(read.web, read.web.received, read.crawl.records) == []
    assert read.project.sekisho("log", "verify", "--log", "sqlite:///log.db").returncode == 0


def test_no_closed_page_reaches_the_spider_by_any_way(read):
    assert [one for one in read.items if SECRET in one["body"] and "/free" not in one["url"]] == []


@pytest.mark.parametrize("path", REFUSED)
def test_a_closed_page_is_asked_for_once_refused_by_name_and_leaves_its_evidence(read, path):
    reason = REFUSED[path][1]
    url = read.web.url("a.localhost", path)
    retried = 2 if path == "/500" else 1  # a server's error may be tried again, a refusal never
    assert read.web.paths("a.localhost").count(path) == retried
    rows = [one for one in read.rows if one["url"] == url and one["stage"] == "response"]
    assert [(one["verdict"], one["reason"], one["size"]) for one in rows] == [("skip", reason, 0)] * retried
    evidence = rows[0]["evidence"]
    assert evidence["source"]
    assert evidence["text"] or evidence["note"]
    assert [one["got"] for one in read.given(path)] == [False]


@pytest.mark.parametrize("path", ["/json-ld", "/microdata", "/tier"])
def test_the_evidence_of_a_declared_paywall_quotes_what_the_page_says(read, path):
    url = read.web.url("a.localhost", path)
    (row,) = [one for one in read.rows if one["url"] == url and one["stage"] == "response"]
    words = f"{row['evidence']['text']} {row['evidence']['note']}".lower()
    assert "isaccessibleforfree" in words or "content_tier" in words
    (received,) = [one for one in read.rows if one["url"] == url and one["stage"] == "outcome"]
    assert received["body_sha256"] == hashlib.sha256(REFUSED[path][0].body).hexdigest()


@pytest.mark.parametrize("path", KEPT)
def test_an_open_page_is_kept_with_the_digest_of_what_was_handed_over(read, path):
    url = read.web.url("a.localhost", path)
    (row,) = [one for one in read.rows if one["url"] == url and one["verdict"] == "keep"]
    assert (row["size"], row["body_sha256"]) == (
        len(KEPT[path].body),
        hashlib.sha256(KEPT[path].body).hexdigest(),
    )
    assert read.given(path)[0]["got"] is True


def test_a_login_on_another_host_receives_nothing_not_even_a_request_for_its_robots_txt(read):
    assert read.web.paths("login.localhost") == []
    assert read.crawl.reason(read.web.url("a.localhost", "/to-login")) == "login_required"


def test_a_login_on_the_same_host_is_not_followed_either(read):
    assert [path for path in read.web.paths("a.localhost") if path.startswith("/login")] == []
    assert read.crawl.reason(read.web.url("a.localhost", "/to-own-login")) == "login_required"


def test_an_ordinary_redirect_is_followed_and_its_target_names_where_it_came_from(read):
    (hop,) = read.crawl.of(stage="response", reason="redirect")
    assert hop.url == read.web.url("a.localhost", "/to-open")


def test_an_overloaded_server_is_tried_again_and_each_try_has_its_decision(read):
    url = read.web.url("a.localhost", "/503")
    assert read.web.paths("a.localhost").count("/503") == 2
    asked = read.crawl.of(url=url, stage="request", verdict="fetch")
    assert [one.attempt for one in asked] == [0, 1]
    assert [one["body"] for one in read.given("/503") if one["got"]] == [KEPT_AGAIN]


KEPT_AGAIN = page("open again").body.decode()


def test_a_spider_that_asks_for_every_status_gets_no_closed_body_either(tmp_path):
    project = Project(tmp_path)
    with Web() as web:
        web.site("a.localhost", "")
        for path, (reply, _) in REFUSED.items():
            web.add("a.localhost", path, reply)
        web.add("a.localhost", "/302", page(SECRET, status=302, headers=(("Location", "/404"),)))
        greedy = Read(web, project, [web.url("a.localhost", path) for path in (*REFUSED, "/302")], "1")
    assert [one for one in greedy.items if SECRET in one["body"]] == []
    given = {one["url"].rsplit("/", 1)[1]: one["status"] for one in greedy.items if one["got"]}
    # It may know that a page is missing, or has moved; what is closed to it ends before it.
    assert given == {"404": 404, "410": 410, "500": 500, "302": 302}
