"""Files of rights over the road: what the server received, what was read, and what the log says of it."""

import json

import pytest
from loopback import Reply, robots

SPIDER = """
import asyncio, json
import scrapy
from crawler.checkpoint import Checkpoint
from crawler.rights_files import RightsFiles
from crawler.visit import request_facts
from policies.rules.judged_rows import Intent
from policies.vocabulary import Action, Purpose, RequestKind

class Rights(scrapy.Spider):
    name = "rights"

    async def start(self):
        checkpoint = Checkpoint.of(self.crawler)
        intent = Intent(token="ExampleBot", purposes=frozenset(map(Purpose, self.purposes.split("+"))))
        rights = RightsFiles(self.crawler, checkpoint, checkpoint.site_files, intent)
        said = {}
        urls = self.urls.split(",")
        origins = [request_facts(scrapy.Request(url), RequestKind.PAGE, "x").origin for url in urls]
        found = await asyncio.gather(*(rights.rights(origin) for origin in origins for _ in range(5)))
        for url, origin in zip(urls, origins):
            one = await rights.rights(origin)
            assert one is rights.usable(origin) and one in found
            tdm = one.tdmrep.statement_for(url) if one.tdmrep else None
            licence = one.licences.judge(url, origin, intent, passed=Action.FETCH)
            said[url] = {
                "tdm": tdm and tdm.stance.value,
                "rsl": [licence.action.value, licence.reason.value, licence.evidence[0].note if licence.evidence else ""],
                "ai_txt": one.ai_txt and one.ai_txt.judge(url, intent, passed=Action.FETCH).action.value,
                "trust_txt": one.trust_txt and one.trust_txt.judge(intent, passed=Action.FETCH).action.value,
                "files": {file.url: [file.access.value, file.problem] for file in one.files},
            }
        with open("said.json", "w") as out:
            json.dump(said, out)
        return
        yield
"""
RSL = '<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>%s</license></content></rsl>'


@pytest.fixture
def ask(web, project):
    """Return what the rights of some addresses come to, and the crawl that asked."""
    web.hides_rights = False
    project.write("spiders/rights.py", SPIDER)
    project.append("project_settings.py", "\nSEKISHO_ROBOTS_TIMEOUT = 3\n")

    def asked(*urls, purposes="ai-training"):
        crawl = project.scrapy(
            "crawl", "rights", "-a", f"urls={','.join(urls)}", "-a", f"purposes={purposes}"
        )
        path = project.folder / "said.json"
        assert path.exists(), crawl.stderr[-3000:]
        said = json.loads(path.read_text())
        return [said[url] for url in urls], crawl

    return asked


def rsl(body):
    return Reply(200, (("Content-Type", "application/rsl+xml"),), body.encode())


def json_reply(body):
    return Reply(200, (("Content-Type", "application/json"),), body.encode())


WELL_KNOWN = [
    "/.well-known/tdmrep.json",
    "/ai.txt",
    "/.well-known/ai.txt",
    "/trust.txt",
    "/.well-known/trust.txt",
]


def test_each_file_is_asked_for_once_however_many_wait_and_recorded_with_its_octets(web, project, ask):
    web.site("a.localhost", f"License: {web.url('b.localhost', '/l.rsl')}\nUser-agent: *\nDisallow:\n")
    web.add("a.localhost", "/.well-known/tdmrep.json", json_reply('[{"location":"/x","tdm-reservation":1}]'))
    web.add("a.localhost", "/ai.txt", robots("User-agent: *\nDisallow: *.jpg\n"))
    web.add("a.localhost", "/.well-known/trust.txt", robots("datatrainingallowed=NO\n"))
    web.add("b.localhost", "/l.rsl", rsl(RSL % '<permits type="usage">search</permits>'))
    url = web.url("a.localhost", "/x")
    (said,), crawl = ask(url)
    assert sorted(web.paths("a.localhost")) == sorted(
        ["/robots.txt", "/.well-known/tdmrep.json", "/ai.txt", "/trust.txt", "/.well-known/trust.txt"]
    )
    assert web.paths("b.localhost") == ["/l.rsl"]
    assert said["tdm"] == "deny"
    assert said["rsl"][:2] == ["skip", "licence_terms"]
    assert said["ai_txt"] == "fetch"
    assert said["trust_txt"] == "skip"
    decided = {one.url: one.ts_us for one in crawl.of(stage="request", verdict="fetch")}
    for received in web.received:
        assert decided[web.url(received.host, received.path)] <= received.at
    kept = crawl.of(stage="response", kind="site_file")
    assert {one.reason for one in kept} == {"site_file"}
    assert len(kept) == 5
    assert [one.parent_url for one in kept if one.url.endswith(".rsl")] == [
        web.url("a.localhost", "/robots.txt")
    ]
    verified = project.sekisho("log", "verify", "--log", "sqlite:///log.db")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_only_files_that_concern_the_purpose_are_asked_for(web, ask):
    web.site("a.localhost", "")
    (said,), _ = ask(web.url("a.localhost", "/x"), purposes="archive+search")
    assert web.paths() == ["/robots.txt", "/.well-known/tdmrep.json"]
    assert said["ai_txt"] is None
    assert said["trust_txt"] is None


def test_case_69_files_of_rights_are_read_although_robots_txt_forbids_them_and_the_log_says_why(
    web, project, ask
):
    web.site("a.localhost", f"User-agent: *\nDisallow: /\nLicense: {web.url('a.localhost', '/l.rsl')}\n")
    web.add("a.localhost", "/l.rsl", rsl(RSL % ""))
    ask(web.url("a.localhost", "/x"))
    assert set(web.paths()) == {"/robots.txt", "/l.rsl", *WELL_KNOWN}
    shown = project.sekisho("log", "export", "--log", "sqlite:///log.db", "--stage", "request")
    assert "read for compliance whatever robots.txt says" in shown.stdout


def test_case_48_a_page_in_place_of_every_file_is_absence(web, ask):
    app = Reply(
        200, (("Content-Type", "text/html"),), b"<!doctype html><title>app</title><div id=root></div>"
    )
    web.site("a.localhost", "")
    for path in WELL_KNOWN:
        web.add("a.localhost", path, app)
    (said,), _ = ask(web.url("a.localhost", "/x"))
    assert said["tdm"] is None
    assert {access for access, _ in said["files"].values()} == {"absent"}
    assert said["ai_txt"] == said["trust_txt"] == "fetch"


def test_redirects_are_followed_with_a_decision_each_and_a_loop_costs_at_most_six_requests(web, ask):
    def to(where):
        return Reply(302, (("Location", where),))

    web.site("a.localhost", "")
    web.add("a.localhost", "/.well-known/tdmrep.json", to(web.url("b.localhost", "/t.json")))
    web.add("b.localhost", "/t.json", json_reply('[{"location":"*","tdm-reservation":1}]'))
    web.add("a.localhost", "/ai.txt", to("/ai.txt"))
    (said,), _ = ask(web.url("a.localhost", "/x"))
    assert said["tdm"] == "deny"
    assert web.paths("a.localhost").count("/ai.txt") == 6
    assert said["files"][web.url("a.localhost", "/ai.txt")][0] == "unobtainable"
    assert said["ai_txt"] == "fetch"


def test_case_49_a_licence_that_cannot_be_obtained_or_read_is_unknown_and_refuses_training(web, ask):
    web.site("a.localhost", f"License: {web.url('b.localhost', '/gone.rsl')}\n")
    web.site("c.localhost", "License: /relative.rsl\n")
    web.site("d.localhost", f"License: {web.url('b.localhost', '/bomb.rsl')}\n")
    bomb = '<!DOCTYPE r [<!ENTITY a SYSTEM "http://e.localhost/x">]><rsl>&a;</rsl>'
    web.add("b.localhost", "/bomb.rsl", rsl(bomb))
    urls = [web.url(f"{host}.localhost", "/x") for host in "acd"]
    said, _ = ask(*urls)
    for one in said:
        assert one["rsl"][:2] == ["skip", "licence_unknown"]
    assert web.paths("e.localhost") == []
    assert "/relative.rsl" not in web.paths("c.localhost")


def test_an_unknown_licence_puts_other_purposes_off(web, ask):
    web.site("a.localhost", f"License: {web.url('b.localhost', '/gone.rsl')}\n")
    (said,), _ = ask(web.url("a.localhost", "/x"), purposes="archive")
    assert said["rsl"][:2] == ["defer", "licence_unknown"]


def test_a_licence_on_a_listed_domain_is_not_asked_for(web, ask):
    web.site("a.localhost", f"License: {web.url('pirate.localhost', '/l.rsl')}\n")
    (said,), crawl = ask(web.url("a.localhost", "/x"))
    assert web.paths("pirate.localhost") == []
    assert said["rsl"][:2] == ["skip", "licence_unknown"]
    assert crawl.reason(web.url("pirate.localhost", "/l.rsl")) == "piracy_list"


def test_an_origin_that_does_not_answer_is_not_bothered_with_the_other_files(web, ask):
    web.site("a.localhost", "")
    web.add("a.localhost", "/.well-known/tdmrep.json", Reply(close=True))
    (said,), _ = ask(web.url("a.localhost", "/x"))
    assert set(web.paths()) == {"/robots.txt", "/.well-known/tdmrep.json"}
    assert {access for access, _ in said["files"].values()} == {"unobtainable"}


def test_a_file_without_end_is_given_up(web, ask):
    web.site("a.localhost", "")
    web.add("a.localhost", "/trust.txt", robots(b"datatrainingallowed=no\n" + b"#" * 3_000_000))
    (said,), crawl = ask(web.url("a.localhost", "/x"))
    assert said["files"][web.url("a.localhost", "/trust.txt")][0] == "unobtainable"
    assert crawl.code == 0
