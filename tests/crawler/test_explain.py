"""`sekisho explain`: what would happen to a URL, and which line says so, without asking for the page."""

import json
import subprocess
import sys

import pytest
from arrivals import undecided
from loopback import Project, Web, page, robots

from policies.decide import REQUEST_RULES

FILE = b"""\
User-agent: ExampleBot
User-agent: OtherBot
Disallow: /private

User-agent: *
Disallow: /
"""
SITE = "https://www.example.org"
EVIDENCE = {"source", "line", "text", "group", "reader", "note", "sha256", "fetched_at", "citations"}


def explain(folder, *arguments, stdin=None):
    """Run the command where there is no project, no agent, no list and no log."""
    return subprocess.run(
        [sys.executable, "-m", "crawler.cli", "explain", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        input=stdin,
        timeout=60,
        check=False,
    )


@pytest.fixture
def file(tmp_path):
    (tmp_path / "robots.txt").write_bytes(FILE)
    return tmp_path


@pytest.mark.parametrize(
    ("token", "path", "word", "line"),
    [
        ("ExampleBot", "/private/a", "SKIP", 3),
        ("otherbot", "/private", "SKIP", 3),
        ("ExampleBot", "/open", "FETCH", None),
        ("NobodyBot", "/open", "SKIP", 6),
    ],
)
def test_a_file_is_judged_for_any_token_and_the_deciding_line_is_named(file, token, path, word, line):
    said = explain(file, "--robots", "robots.txt", "--agent", token, SITE + path)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(word)
    assert line is None or f"line {line} " in said.stdout
    assert sorted(one.name for one in file.iterdir()) == ["robots.txt"]  # no log was made


def test_urls_come_from_standard_input_without_blanks_and_comments(file):
    lines = f"\n# mine\n{SITE}/private\n   {SITE}/open  \n\n"
    said = explain(
        file, "--robots", "robots.txt", "--agent", "ExampleBot", "--format", "jsonl", "-", stdin=lines
    )
    found = [json.loads(line) for line in said.stdout.splitlines()]
    assert [(one["url"], one["verdict"]) for one in found] == [
        (SITE + "/private", "skip"),
        (SITE + "/open", "fetch"),
    ]


def test_json_names_its_schema_and_every_verdict_its_evidence(file):
    said = explain(file, "--robots", "robots.txt", "--agent", "ExampleBot", "--json", SITE + "/private")
    document = json.loads(said.stdout)
    assert document["schema"] == "sekisho.explain/1"
    (one,) = document["urls"]
    assert set(one) == {"url", "agent", "verdict", "reason", "rules", "not_reached", "families"}
    assert (one["agent"], one["verdict"], one["reason"]) == ("ExampleBot", "skip", "robots_disallow")
    assert [rule["rule"] for rule in one["rules"]] == ["scope", "robots"]
    assert one["not_reached"] == ["crawl_delay"]
    evidence = one["rules"][1]["evidence"][0]
    assert set(evidence) == EVIDENCE
    assert (evidence["line"], evidence["text"], evidence["group"]) == (3, "Disallow: /private", "ExampleBot")


@pytest.mark.parametrize(("urls", "code"), [(["/open"], 0), (["/private"], 3), (["/open", "/private"], 3)])
def test_the_exit_code_tells_a_script_whether_anything_would_be_skipped(file, urls, code):
    asked = ["--robots", "robots.txt", "--agent", "ExampleBot", *(SITE + url for url in urls)]
    assert explain(file, "--exit-code", *asked).returncode == code
    if code:
        assert explain(file, *asked).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--robots", "robots.txt", SITE), "--agent TOKEN"),
        (("--robots", "missing.txt", "--agent", "A", SITE), "missing.txt"),
        (("--robots", ".", "--agent", "A", SITE), "cannot read"),
        (("--robots", "robots.txt", "--agent", "A", "-"), "no URL was given"),
        ((), "URL"),
        (("--format", "yaml", SITE), "'yaml' is none of table, json, jsonl"),
        (("--purpose", "ai-trainng", SITE), "did you mean ai-training?"),
        (("--robots", "robots.txt", "--agent", "ExampleBot/1.0", SITE), "write --agent ExampleBot"),
        (("--robots", "robots.txt", "--agent", "AI2Bot", SITE), "RFC 9309 section 2.2.1"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_says_what_is_missing(file, arguments, words):
    said = explain(file, *arguments, stdin="")
    assert said.returncode == 2
    assert words in said.stderr
    assert said.stdout == ""
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "a.example",
        "http://",
        "http://a.example:99999/",
        "http://u:p@a.example/",
        "x" * 70_000,
    ],
)
def test_what_is_no_address_for_a_crawler_is_refused_with_a_reason(file, url):
    said = explain(file, "--robots", "robots.txt", "--agent", "A", "--format", "jsonl", url)
    assert json.loads(said.stdout)["reason"] in {"unparsable_url", "policy_scope", "url_length"}


def test_what_a_site_wrote_cannot_command_the_terminal(file):
    (file / "robots.txt").write_bytes(b"User-agent: *\nDisallow: /\x1b[2J\x1b]0;owned\x07\xe2\x80\xae\r/a\n")
    said = explain(file, "--robots", "robots.txt", "--agent", "A", SITE + "/%1B[2J\x1b[2J")
    assert said.returncode == 0
    assert all(character == "\n" or character.isprintable() for character in said.stdout)


def test_without_an_agent_nothing_is_asked_and_the_exit_code_is_5(tmp_path, web):
    web.site("a.localhost", "")
    said = explain(tmp_path, web.url("a.localhost", "/x"))
    assert said.returncode == 5
    assert web.received == []
    assert "Traceback" not in said.stderr


# one project, asked online, then offline, then crawled: all three must say the same

HOSTS = {
    "a.localhost": robots("User-agent: *\nDisallow: /private\n"),
    "named.localhost": robots("User-agent: examplebot\nDisallow: /x\nCrawl-delay: 1\n"),
    "slow.localhost": robots("User-agent: *\nCrawl-delay: 999999\n"),
    "missing.localhost": page("no", status=404),
    "denied.localhost": page("no", status=403),
    "broken.localhost": page("no", status=500),
    "pirate.localhost": robots(""),
}


class Asked:
    """What was said online and offline about the same URLs, and what the server received at each time."""

    def __init__(self, web, project):
        self.web = web
        self.project = project
        self.urls = [web.url(host, path) for host in HOSTS for path in ("/x", "/private")]
        self.urls += ["http://192.0.2.1/x", "ftp://a.localhost/x"]
        self.online = self._say("--log", "sqlite:///log.db")
        self.received_online = list(web.received)
        self.records_online = project.records()
        self.offline = self._say("--offline", "--log", "sqlite:///log.db")
        self.received_offline = web.received[len(self.received_online) :]

    def _say(self, *arguments):
        said = self.project.sekisho("explain", "--format", "jsonl", *arguments, *self.urls)
        assert said.returncode == 0, said.stderr
        return {one["url"]: one for one in map(json.loads, said.stdout.splitlines())}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("asked"))
    with Web() as web:
        web.default = page("open")
        for host, reply in HOSTS.items():
            web.add(host, "/robots.txt", reply)
        yield Asked(web, project)


def test_online_each_site_is_asked_for_its_robots_txt_once_and_for_nothing_else(asked):
    hosts = [one.host for one in asked.received_online]
    assert {one.path for one in asked.received_online} == {"/robots.txt"}
    assert sorted(hosts) == sorted(set(HOSTS) - {"pirate.localhost"})


def test_asking_is_recorded_like_any_crawl(asked):
    assert undecided(asked.web, asked.received_online, asked.records_online) == []
    reasons = [one.reason for one in asked.records_online if one.stage == "run"]
    assert reasons == ["run_opened", "guard_armed", "run_closed"]


def test_each_url_has_the_verdict_of_its_own_rule(asked):
    reasons = {url: one["reason"] for url, one in asked.online.items()}
    expected = {
        ("a.localhost", "/x"): "allowed",
        ("a.localhost", "/private"): "robots_disallow",
        ("named.localhost", "/x"): "robots_disallow",
        ("named.localhost", "/private"): "allowed",
        ("slow.localhost", "/x"): "crawl_delay_too_long",
        ("missing.localhost", "/x"): "allowed",
        ("denied.localhost", "/x"): "robots_denied",
        ("broken.localhost", "/x"): "robots_unreachable",
        ("pirate.localhost", "/x"): "piracy_list",
    }
    assert {place: reasons[asked.web.url(*place)] for place in expected} == expected
    assert reasons["http://192.0.2.1/x"] == "policy_scope"
    assert reasons["ftp://a.localhost/x"] == "unparsable_url"


def test_rules_are_shown_in_their_order_and_what_was_not_reached_is_said(asked):
    for one in asked.online.values():
        consulted = [rule["rule"] for rule in one["rules"]]
        assert consulted + one["not_reached"] == list(REQUEST_RULES)


def test_a_listed_host_is_refused_with_its_citation(asked):
    one = asked.online[asked.web.url("pirate.localhost", "/x")]
    (citation,) = one["rules"][-1]["evidence"][0]["citations"]
    assert (citation["source_id"], citation["decision_ref"], citation["line"]) == ("test", "T-1", 1)


def test_offline_nobody_is_asked_and_every_verdict_stays(asked):
    assert asked.received_offline == []
    verdicts = {url: (one["verdict"], one["reason"]) for url, one in asked.offline.items()}
    assert verdicts == {url: (one["verdict"], one["reason"]) for url, one in asked.online.items()}


def test_a_crawl_of_the_same_urls_decides_the_same(asked):
    starts = [url for url in asked.urls if url.startswith("http")]
    crawl = asked.project.crawl(*starts, options=("-s", "RETRY_ENABLED=0"))
    assert crawl.code == 0, crawl.stderr
    decided = {
        one.url: (one.verdict, one.reason)
        for one in crawl.of(stage="request", kind="page")
        if one.run == crawl.records[-1].run
    }
    expected = {url: (asked.online[url]["verdict"], asked.online[url]["reason"]) for url in starts}
    assert decided == expected


def test_offline_without_a_log_says_so(project):
    said = project.sekisho("explain", "--offline", "--log", "sqlite:///none.db", "http://a.localhost/")
    assert said.returncode == 5
    assert "none.db" in said.stderr


def test_offline_a_site_that_was_never_asked_is_not_allowed(asked):
    said = asked.project.sekisho(
        "explain", "--offline", "--log", "sqlite:///log.db", "--json", "http://new.localhost/"
    )
    (one,) = json.loads(said.stdout)["urls"]
    assert one["verdict"] == "skip"


@pytest.mark.parametrize("host", ["denied.localhost", "broken.localhost"])
def test_where_robots_txt_could_not_be_read_no_family_of_its_lines_counts_as_looked_at(asked, host):
    families = {one["family"]: one for one in asked.online[asked.web.url(host, "/x")]["families"]}
    assert families["robots"]["found"]
    for name in ("crawl_delay", "request_rate", "content_usage", "content_signal", "peer_blocks"):
        assert "robots.txt could not be read" in families[name]["not_evaluated"]
    missing = {
        one["family"]: one for one in asked.online[asked.web.url("missing.localhost", "/x")]["families"]
    }
    assert missing["content_usage"]["not_evaluated"] is None  # there is none: nothing is found in it
