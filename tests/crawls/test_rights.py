"""What a site says of the use of its content, end to end: not asked for, or not kept, and on the record."""

import hashlib
import json

import pytest
from loopback import page

from crawler.decisionlog.reader import LogReader

WAIVERS = """\
schema = "sekisho.waivers/1"

[[waivers]]
document = "Contract 2026-17"
owner = "legal@example.com"
granted_by = "Example Publisher"
hosts = ["usage.localhost", "noai.localhost"]
waives = ["usage_preference", "noai"]
purposes = ["ai-training"]
expires = 2099-12-31
"""


def _sites(web):
    web.site(
        "usage.localhost",
        "User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /ok/ train-ai=y\n",
        x=page(),
    )
    web.add("usage.localhost", "/ok/y", page())
    web.site("signal.localhost", "User-agent: *\nContent-Signal: search=yes, ai-train=no\n", x=page())
    web.site("header.localhost", "", x=page(headers=(("X-Robots-Tag", "noai"),)))
    web.site("tdm.localhost", "", x=page(headers=(("tdm-reservation", "1"),)))
    noai = page()
    body = noai.body.replace(b"<head>", b'<head><meta name="robots" content="noai, noimageai">')
    web.site("noai.localhost", "", x=type(noai)(noai.status, noai.headers, body))
    web.site("free.localhost", "", x=page())
    hosts = ("usage", "signal", "header", "tdm", "noai", "free")
    return [web.url(f"{host}.localhost", "/x") for host in hosts] + [web.url("usage.localhost", "/ok/y")]


@pytest.fixture
def crawled(web, project):
    urls = _sites(web)
    return web, project.crawl(*urls)


def test_a_reservation_in_robots_txt_is_obeyed_before_the_request_and_only_where_it_holds(crawled):
    web, crawl = crawled
    assert web.paths("usage.localhost") == ["/robots.txt", "/ok/y"]
    assert web.paths("signal.localhost") == ["/robots.txt"]
    assert crawl.reason(web.url("usage.localhost", "/x")) == "usage_preference"
    assert crawl.reason(web.url("signal.localhost", "/x")) == "content_signal"


def test_a_reservation_found_in_the_answer_drops_the_body_and_keeps_the_evidence(crawled):
    web, crawl = crawled
    refused = {host: crawl.reason(web.url(f"{host}.localhost", "/x")) for host in ("header", "tdm", "noai")}
    assert refused == {"header": "noai", "tdm": "tdm_reservation", "noai": "noai"}
    assert sorted(crawl.kept()) == sorted(
        [web.url("free.localhost", "/x"), web.url("usage.localhost", "/ok/y")]
    )


def test_the_same_sites_are_open_to_an_agent_that_only_searches(web, project):
    urls = _sites(web)
    agent = (project.folder / "policies_here/agents/examplebot.toml").read_text()
    project.write("policies_here/agents/examplebot.toml", agent.replace('["ai-training"]', '["search"]'))
    crawl = project.crawl(*urls)
    hosts = ("usage", "signal", "header", "noai", "free")
    assert {web.url(f"{host}.localhost", "/x") for host in hosts} <= set(crawl.kept())


def test_a_waiver_lifts_what_it_names_for_whom_it_names_and_each_use_is_on_the_record(web, project):
    urls = _sites(web)
    project.write("waivers.toml", WAIVERS)
    project.append("project_settings.py", '\nSEKISHO_WAIVERS_FILE = "waivers.toml"\n')
    both = page()
    head = b'<head><meta name="robots" content="noai, noindex">'
    both = type(both)(both.status, both.headers, both.body.replace(b"<head>", head))
    urls.append(web.add("noai.localhost", "/both", both))
    crawl = project.crawl(*urls)
    kept = set(crawl.kept())
    # The document grants noai and not noindex: what else refuses is not hidden behind it.
    assert crawl.reason(urls[-1]) in {"noai", "robots_meta"}
    assert urls[-1] not in kept
    used_on = {one.url for one in crawl.of(reason="waiver_used")}
    assert used_on == {web.url("usage.localhost", "/x"), web.url("noai.localhost", "/x")}
    assert [one.url for one in crawl.of(reason="waiver_used", verdict="fetch")] == [
        web.url("usage.localhost", "/x")
    ]
    with LogReader.open(f"sqlite:///{project.folder / 'log.db'}") as reader:
        digest = hashlib.sha256(WAIVERS.encode()).hexdigest()
        assert reader.document(digest).kind == "waivers"
    assert {web.url("usage.localhost", "/x"), web.url("noai.localhost", "/x")} <= kept
    assert web.url("signal.localhost", "/x") not in kept
    exported = project.sekisho(
        "log", "export", "--log", "sqlite:///log.db", "--host", "usage.localhost"
    ).stdout
    rows = [json.loads(line) for line in exported.splitlines()]
    used = [
        row
        for row in rows
        if any(rule["reason"] == "waiver_used" for rule in (row["evidence"] or {}).get("rules", ()))
    ]
    assert web.url("usage.localhost", "/x") in {row["url"] for row in used}
    assert "Contract 2026-17" in exported


def test_an_invalid_waiver_file_stops_the_crawl_before_it_starts(web, project):
    project.write("waivers.toml", WAIVERS.replace("expires = 2099-12-31", ""))
    project.append("project_settings.py", '\nSEKISHO_WAIVERS_FILE = "waivers.toml"\n')
    crawl = project.crawl(*_sites(web))
    assert crawl.code == 5
    assert "waivers.toml" in crawl.stderr
    assert "expires" in crawl.stderr
    assert web.received == []


def test_outside_the_hours_that_a_site_names_its_pages_are_put_off_and_not_asked_for(web, project):
    # Two windows of one minute, half a day apart: at least one of the two hosts is closed at any moment.
    web.site("night.localhost", "User-agent: *\nVisit-time: 0000-0001\n", x=page())
    web.site("noon.localhost", "User-agent: *\nVisit-time: 1200-1201\n", x=page())
    urls = [web.url("night.localhost", "/x"), web.url("noon.localhost", "/x")]
    agent = (project.folder / "policies_here/agents/examplebot.toml").read_text()
    project.write("policies_here/agents/examplebot.toml", agent + "\n[robots]\nmax_crawl_delay_seconds = 1\n")
    crawl = project.crawl(*urls)
    put_off = crawl.of(verdict="defer", reason="visit_time")
    assert put_off
    for one in put_off:
        assert "/x" not in web.paths(one.host)


def test_files_of_rights_are_asked_for_before_the_first_page_and_obeyed(web, project):
    web.hides_rights = False
    json_type = (("Content-Type", "application/json"),)
    xml_type = (("Content-Type", "application/rsl+xml"),)
    text_type = (("Content-Type", "text/plain"),)
    reply = type(page())
    tdm = b'[{"location": "/x", "tdm-reservation": 1}, {"location": "*", "tdm-reservation": 0}]'
    web.site("tdmrep.localhost", "", x=page(), y=page())
    web.add("tdmrep.localhost", "/.well-known/tdmrep.json", reply(200, json_type, tdm))
    web.site("aitxt.localhost", "", x=page())
    web.add("aitxt.localhost", "/ai.txt", reply(200, text_type, b"User-Agent: *\nDisallow: /\n"))
    web.site("trust.localhost", "", x=page())
    web.add("trust.localhost", "/trust.txt", reply(200, text_type, b"datatrainingallowed=no\n"))
    licence = web.url("rsl.localhost", "/l.xml")
    web.site("rsl.localhost", f"User-agent: *\nDisallow:\nLicense: {licence}\n", x=page())
    rsl = (
        b'<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>'
        b'<permits type="usage">search</permits></license></content></rsl>'
    )
    web.add("rsl.localhost", "/l.xml", reply(200, xml_type, rsl))
    hosts = ("tdmrep", "aitxt", "trust", "rsl")
    crawl = project.crawl(
        *(web.url(f"{host}.localhost", "/x") for host in hosts), web.url("tdmrep.localhost", "/y")
    )
    reasons = {host: crawl.reason(web.url(f"{host}.localhost", "/x")) for host in hosts}
    assert reasons == {
        "tdmrep": "tdm_reservation", "aitxt": "ai_txt", "trust": "trust_txt", "rsl": "licence_terms",
    }  # fmt: skip
    assert [path for path in web.paths() if path in {"/x", "/y"}] == ["/y"]
    assert crawl.kept() == [web.url("tdmrep.localhost", "/y")]
    order = web.paths("tdmrep.localhost")
    assert order[0] == "/robots.txt"
    assert order[-1] == "/y"
    decided = {one.url for one in crawl.of(stage="request", verdict="fetch")}
    assert {web.url(one.host, one.path) for one in web.received} <= decided
