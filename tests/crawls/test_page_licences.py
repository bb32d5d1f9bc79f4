"""RSL licences that only an answer names: asked for, obeyed, on the record; what the server received."""

import json

import pytest
from loopback import Project, Reply, Web, page

RSL = '<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>%s</license></content></rsl>'
SEARCH_ONLY = RSL % '<permits type="usage">search</permits>'
OPEN = RSL % '<permits type="usage">all</permits>'
TYPE = "application/rsl+xml"


def rsl(body, *, headers=()):
    return Reply(200, (("Content-Type", TYPE), *headers), body.encode())


def html(head, *, headers=()):
    body = f"<!doctype html><html><head><title>t</title>{head}</head><body>text</body></html>"
    return Reply(200, (("Content-Type", "text/html; charset=utf-8"), *headers), body.encode())


def link(url, rel="license", kind=TYPE):
    return f'<link rel="{rel}" type="{kind}" href="{url}">'


class Licensed:
    """One crawl of many hosts, each naming a licence in another way."""

    def __init__(self, web, project):
        self.web, self.project = web, project
        terms = {
            "/search.rsl": rsl(SEARCH_ONLY),
            "/open.rsl": rsl(OPEN),
            "/pay.rsl": rsl(RSL % '<payment type="crawl"/>'),
            "/case.rsl": rsl(RSL % '<payment type="Use"/>'),
            "/gb.rsl": rsl(RSL % '<permits type="geo">GB</permits>'),
            "/bomb.rsl": rsl('<!DOCTYPE r [<!ENTITY a SYSTEM "http://e.localhost/x">]><rsl>&a;</rsl>'),
            "/login.rsl": page('<form><input type="password"></form>'),
            "/slow.rsl": Reply(close=True),
        }
        for path, reply in terms.items():
            web.add("terms.localhost", path, reply)
        loop = web.url("terms.localhost", "/loop.rsl")
        web.add("terms.localhost", "/loop.rsl", Reply(302, (("Location", loop),)))
        self.urls = {}
        for name, reply in self._pages().items():
            web.site(f"{name}.localhost", "", x=reply)
            self.urls[name] = web.url(f"{name}.localhost", "/x")
        self.crawl = project.crawl(*self.urls.values(), options=("-s", "SEKISHO_ROBOTS_TIMEOUT=5"))

    def _pages(self):
        def at(path):
            return self.web.url("terms.localhost", path)

        nine = "".join(link(at(f"/open.rsl?{number}")) for number in range(9))
        pages = {
            "header": html("", headers=(("Link", f'<{at("/search.rsl")}>; rel="license"; type="{TYPE}"'),)),
            "element": html(link(at("/search.rsl"))),
            "script": html(f'<script type="{TYPE}">{SEARCH_ONLY}</script>'),
            "linked-script": html(f'<script type="{TYPE}" src="{at("/search.rsl")}"></script>'),
            "open": html(link(at("/open.rsl"))),
            "open-script": html(f'<script type="{TYPE}">{OPEN}</script>'),
            "commons": html('<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">'),
            "comment": html(f"<!-- {link(at('/search.rsl'))} -->"),
            "two": html(
                link(at("/open.rsl")), headers=(("Link", f"<{at('/pay.rsl')}>; rel=license; type={TYPE}"),)
            ),
            "case": html(link(at("/case.rsl"))),
            "geo": html(link(at("/gb.rsl"))),
            "gone": html(link(at("/none.rsl"))),
            "bomb": html(link(at("/bomb.rsl"))),
            "login": html(link(at("/login.rsl"))),
            "silent": html(link(at("/slow.rsl"))),
            "loop": html(link(at("/loop.rsl"))),
            "listed": html(link(self.web.url("pirate.localhost", "/l.rsl"))),
            "relative": html(link("/own.rsl")),
            "nine": html(nine),
            "pdf": Reply(
                200,
                (
                    ("Content-Type", "application/pdf"),
                    ("Link", f'<{at("/search.rsl")}>; rel="license"; type="{TYPE}"'),
                ),
                b"%PDF-1.7",
            ),
            "feed": Reply(
                200,
                (("Content-Type", "application/rss+xml"),),
                b'<?xml version="1.0"?><rss xmlns:rsl="https://rslstandard.org/rsl"><channel><item>'
                b'<rsl:content url="/"><rsl:license><rsl:prohibits type="usage">ai-train</rsl:prohibits>'
                b"</rsl:license></rsl:content></item></channel></rss>",
            ),
        }
        return pages | {"noai": html('<meta name="robots" content="noai">' + link(at("/never.rsl")))}

    def reasons(self, *names):
        return {name: self.crawl.reason(self.urls[name]) for name in names}


@pytest.fixture(scope="module")
def licensed(tmp_path_factory):
    with Web() as web:
        yield Licensed(web, Project(tmp_path_factory.mktemp("licensed")))


def test_case_49_a_licence_that_a_header_page_script_or_feed_names_refuses_what_it_does_not_permit(licensed):
    names = ("header", "element", "script", "linked-script", "pdf", "feed")
    assert licensed.reasons(*names) == dict.fromkeys(names, "licence_terms")


def test_case_49_a_licence_that_permits_is_obeyed_too_and_what_is_no_rsl_is_none(licensed):
    kept = set(licensed.crawl.kept())
    assert {licensed.urls[name] for name in ("open", "open-script", "commons", "comment")} <= kept
    assert licensed.web.paths("creativecommons.org") == []


def test_case_49_of_header_and_page_the_most_restrictive_licence_holds(licensed):
    assert licensed.reasons("two", "geo") == {"two": "licence_terms", "geo": "licence_terms"}


def test_case_49_terms_that_cannot_be_had_or_read_refuse_training(licensed):
    names = ("case", "gone", "bomb", "login", "silent", "loop", "listed", "relative", "nine")
    assert licensed.reasons(*names) == dict.fromkeys(names, "licence_unknown")
    assert licensed.web.paths("e.localhost") == licensed.web.paths("pirate.localhost") == []
    assert licensed.web.paths("terms.localhost").count("/loop.rsl") == 6


def test_a_licence_that_many_pages_name_is_asked_for_once_with_its_own_decision(licensed):
    web, crawl = licensed.web, licensed.crawl
    assert web.paths("terms.localhost").count("/search.rsl") == 1
    assert web.paths("terms.localhost").count("/open.rsl") == 1
    (asked,) = crawl.of(stage="request", kind="site_file", url=web.url("terms.localhost", "/search.rsl"))
    (received,) = [one for one in web.received if one.path == "/search.rsl"]
    assert asked.verdict == "fetch"
    assert asked.ts_us <= received.at
    assert asked.parent_url in licensed.urls.values()
    assert web.paths("relative.localhost") == ["/robots.txt", "/x", "/own.rsl"]


def test_no_more_licences_than_the_bound_are_asked_for(licensed):
    asked = [path for path in licensed.web.paths("terms.localhost") if path.startswith("/open.rsl?")]
    assert len(asked) == 8


def test_where_something_else_refuses_already_no_licence_is_asked_for(licensed):
    assert licensed.reasons("noai") == {"noai": "noai"}
    assert "/never.rsl" not in licensed.web.paths("terms.localhost")


def test_the_refusal_cites_the_licence_its_line_and_who_named_it(licensed):
    exported = licensed.project.sekisho(
        "log", "export", "--log", "sqlite:///log.db", "--host", "element.localhost", "--stage", "response"
    ).stdout
    rows = [json.loads(line) for line in exported.splitlines()]
    (row,) = [one for one in rows if one["url"] == licensed.urls["element"]]
    evidence = row["evidence"]
    assert evidence["rule"] == "rsl"
    assert evidence["source"] == licensed.web.url("terms.localhost", "/search.rsl")
    assert evidence["text"].startswith("permits usage search")
    assert "ai-train is not among what it permits" in evidence["note"]
    assert "named by link element line 1" in evidence["note"]
    assert len(evidence["sha256"]) == 64
    assert row["body_sha256"] is None
    verified = licensed.project.sekisho("log", "verify", "--log", "sqlite:///log.db")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_pages_of_one_site_cannot_send_us_to_any_number_of_licences(web, project):
    project.write(
        "spiders/bounded.py",
        "import crawler.rights_files\n"
        "from crawler.spiders.site import SiteSpider\n"
        "crawler.rights_files.MOST_NAMED_BY_PAGES = 3\n"
        "class Bounded(SiteSpider):\n"
        '    name = "bounded"\n',
    )
    web.site("a.localhost", "")
    for number in range(6):
        licence = web.add("victim.localhost", f"/{number}.rsl", rsl(OPEN))
        web.add("a.localhost", f"/{number}", html(link(licence)))
    urls = [web.url("a.localhost", f"/{number}") for number in range(6)]
    crawl = project.scrapy("crawl", "bounded", "-a", f"url={','.join(urls)}")
    assert len(web.paths("victim.localhost")) == 3
    assert len(crawl.kept()) == 3
    assert len(crawl.of(reason="licence_unknown", kind="page")) == 3
