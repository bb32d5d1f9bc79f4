"""`sekisho explain --at`: what was decided then, replayed from the evidence in the log, and compared."""

import json
import time

import pytest
from loopback import AGENT, Project, Reply, Web, page, robots

LOG = ("--log", "sqlite:///log.db")
JSON = (("Content-Type", "application/json"),)
WAIVERS = """\
schema = "sekisho.waivers/1"

[[waivers]]
document = "Contract 2026-17"
owner = "legal@example.com"
granted_by = "Example Publisher"
hosts = ["granted.localhost"]
waives = ["usage_preference"]
purposes = ["ai-training"]
expires = 2099-12-31
"""


class Past:
    """A crawl; then sites, lists, policy and waivers all change; then explanations of the time before."""

    def __init__(self, web, project):
        self.web, self.project = web, project
        web.hides_rights = False
        licence = web.add(
            "terms.localhost",
            "/l.rsl",
            Reply(
                200,
                (("Content-Type", "application/rsl+xml"),),
                b'<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>'
                b'<permits type="usage">search</permits></license></content></rsl>',
            ),
        )
        web.site("robots.localhost", "User-agent: *\nDisallow: /private\n", open=page())
        web.site("usage.localhost", "User-agent: *\nContent-Usage: train-ai=n\n")
        web.site("granted.localhost", "User-agent: *\nContent-Usage: train-ai=n\n", x=page())
        web.site("moved.localhost", Reply(302, (("Location", web.url("robots.localhost", "/robots.txt")),)))
        web.site("broken.localhost", page("down", status=503))
        web.site("walled.localhost", robots("User-agent: *\n", headers=(("cf-mitigated", "challenge"),)))
        web.site("tdm.localhost", "")
        tdm = b'[{"location": "/private", "tdm-reservation": 1}]'
        web.add("tdm.localhost", "/.well-known/tdmrep.json", Reply(200, JSON, tdm))
        web.site("rsl.localhost", f"License: {licence}\n")
        web.site("aitxt.localhost", "")
        web.add("aitxt.localhost", "/ai.txt", robots("User-agent: *\nDisallow: /\n"))
        web.site("noai.localhost", "", private=page(headers=(("X-Robots-Tag", "noai"),)))
        project.write("waivers.toml", WAIVERS)
        project.append(
            "project_settings.py", '\nSEKISHO_WAIVERS_FILE = "waivers.toml"\nRETRY_ENABLED = False\n'
        )
        self.hosts = (
            "robots", "usage", "granted", "moved", "broken", "walled", "tdm", "rsl", "aitxt", "noai", "pirate",
        )  # fmt: skip
        self.url = {host: web.url(f"{host}.localhost", "/private") for host in self.hosts}
        self.url["granted"] = web.url("granted.localhost", "/x")
        self.crawl = project.crawl(*self.url.values(), web.url("robots.localhost", "/open"))
        assert self.crawl.code == 0, self.crawl.stderr[-3000:]
        self.then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())  # this second, to its end
        time.sleep(1.1)
        self._change()
        before = len(web.received)
        self.same_lists = self.explain("--at", self.then, *self.url.values(), self.url["robots"] + "/never")
        project.write("lists/test.txt", "pirate.localhost\nother.localhost\n")
        self.other_lists = self.explain("--at", self.then, *self.url.values())
        self.received = web.received[before:]

    def _change(self):
        for host in self.hosts:
            self.web.add(f"{host}.localhost", "/robots.txt", robots(""))
        self.project.write("waivers.toml", WAIVERS.replace("granted.localhost", "other.localhost"))
        agent = AGENT.replace('["ai-training"]', '["archive"]').replace("version = 1", "version = 2")
        self.project.write("policies_here/agents/examplebot.toml", agent)

    def say(self, *arguments):
        return self.project.sekisho("explain", *LOG, *arguments)

    def explain(self, *arguments):
        said = self.say("--format", "jsonl", *arguments)
        assert said.returncode == 0, said.stderr
        return {one["url"]: one for one in map(json.loads, said.stdout.splitlines())}

    def request(self, said, host):
        """Return the page's request decision on record, as explained."""
        (one,) = [each for each in said[self.url[host]]["decisions"] if each["stage"] == "request"]
        return one


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    with Web() as web:
        yield Past(web, Project(tmp_path_factory.mktemp("past")))


def test_the_evidence_of_the_time_says_what_was_decided_then_whatever_changed_since(past):
    reasons = {host: past.same_lists[past.url[host]]["reason"] for host in past.hosts}
    assert reasons == {
        "robots": "robots_disallow",
        "usage": "usage_preference",
        "granted": "allowed",
        "moved": "robots_disallow",
        "broken": "robots_unreachable",
        "walled": "allowed",  # the challenge stood in a header, which the log does not hold
        "tdm": "tdm_reservation",
        "rsl": "licence_terms",
        "aitxt": "ai_txt",
        "noai": "allowed",
        "pirate": "piracy_list",
    }


def test_nobody_is_asked(past):
    assert past.received == []


def test_each_decision_on_record_is_compared_with_its_replay(past):
    for host in past.hosts:
        decided = past.request(past.same_lists, host)
        assert decided["record"].count("#") == 1
        if host == "walled":
            continue
        assert decided["same"] is True, (host, decided)
        assert decided["differences"] == []


def test_what_cannot_be_replayed_is_told_apart_from_what_differs_and_why(past):
    decided = past.request(past.same_lists, "walled")
    assert decided["same"] is False
    (difference, *_) = [one for one in decided["differences"] if one["rule"] == "robots"]
    assert difference["recorded"] == "skip robots_unreachable"
    assert difference["replayed"] == "fetch allowed"
    assert "headers of answers are not in the log" in difference["why"]
    said = past.say("--at", past.then, "--exit-code", "--brief", past.url["walled"])
    assert said.returncode == 3
    assert "THE REPLAY SAYS SOMETHING ELSE" in said.stdout


def test_the_documents_of_the_time_are_named_with_digest_time_and_record(past):
    evidence = {one["what"]: one for one in past.same_lists[past.url["tdm"]]["evidence"]}
    assert evidence["agent policy"]["url"] == "version 1"
    assert evidence["block lists"]["words"] == "as today"
    assert evidence["waivers"]["sha256"]
    for what in ("robots.txt", "tdmrep"):
        assert evidence[what]["status"] == 200
        assert evidence[what]["read_at"] <= past.then
        segment, _, idx = evidence[what]["record"].partition("#")
        asked = [one for one in past.crawl.records if str(one.segment) == segment and one.idx == int(idx)]
        assert asked[0].url == evidence[what]["url"]


def test_what_a_page_said_is_shown_as_it_was_recorded(past):
    (answered,) = [
        one for one in past.same_lists[past.url["noai"]]["decisions"] if one["stage"] == "response"
    ]
    assert (answered["verdict"], answered["reason"], answered["same"]) == ("skip", "noai", None)
    assert "octets of pages are not in the log" in answered["not_replayed"][0]
    assert any(rule["reason"] == "noai" for rule in answered["rules"])


def test_lists_that_are_not_at_hand_any_more_are_said_to_be_not_evaluated(past):
    listed = past.other_lists[past.url["pirate"]]
    assert "not at hand" in listed["lists_not_evaluated"]
    decided = past.request(past.other_lists, "pirate")
    assert decided["same"] is None
    assert any("piracy" in words for words in decided["not_replayed"])
    assert past.request(past.other_lists, "robots")["same"] is True


def test_an_address_that_was_never_decided_is_judged_and_has_no_record(past):
    said = past.same_lists[past.url["robots"] + "/never"]
    assert (said["reason"], said["decisions"]) == ("robots_disallow", [])


def test_an_address_is_found_however_it_is_typed(past):
    typed = past.url["tdm"].replace("/private", "/private#part").replace("http://", "HTTP://")
    said = past.explain("--at", past.then, typed)
    assert said[typed]["decisions"]


def test_another_purpose_is_replayed_on_the_same_evidence(past):
    said = past.explain("--at", past.then, "--purpose", "search", past.url["usage"], past.url["rsl"])
    assert [one["reason"] for one in said.values()] == ["allowed", "allowed"]


def test_families_show_what_each_purpose_would_have_met(past):
    families = {one["family"]: one for one in past.same_lists[past.url["usage"]]["families"]}
    assert families["content_usage"]["purposes"] == {
        "ai-training": "refused", "ai-input": "open", "search": "open", "archive": "open", "research": "refused",
    }  # fmt: skip
    assert families["content_usage"]["found"][0]["line"] == 2
    assert families["page_directives"]["not_evaluated"]
    assert families["lists"]["not_evaluated"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--at", "2020-01-01"), "holds nothing of ExampleBot"),
        (("--at", "yesterday"), "no date or time"),
        (("--at", "2999-01-01"), "lies ahead"),
        (("--at", "2026-11-22", "--robots", "x"), "choose one"),
    ],
)
def test_a_wrong_time_ends_with_2_and_says_why(past, arguments, words):
    said = past.say(*arguments, past.url["robots"])
    assert said.returncode == 2
    assert words in said.stderr
    assert "Traceback" not in said.stderr


def test_a_time_to_the_second_is_that_whole_second_and_a_date_its_whole_day(past):
    url = past.url["usage"]
    asked = past.crawl.of(url=url.replace("/private", "/robots.txt"), stage="outcome")[0]
    shown = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(asked.ts_us // 1_000_000))
    said = past.say("--at", shown, "--brief", url)
    assert "/robots.txt  read 20" in said.stdout
    day = past.say("--at", shown[:10], "--brief", url)
    assert f"AT {shown[:10]}T23:59:59Z" in day.stdout
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(past.crawl.records[0].ts_us // 1_000_000 - 1))
    assert "holds nothing of ExampleBot" in past.say("--at", before, url).stderr
