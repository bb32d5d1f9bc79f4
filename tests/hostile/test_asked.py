"""Attempts 1 to 37: what a spider asks for. What the server received decides whether a way round was found."""

from collections import Counter
from pathlib import Path

import pytest
from arrivals import undecided
from hostile import ASKED, UNHEARD, Outcome, words
from loopback import Project, Web, page, robots

DECLARED = "Mozilla/5.0 (compatible; ExampleBot/1.0; +https://bot.example.com/)"
SPIDER = Path(__file__).with_name("spider_asked.py")
RULES = "User-agent: *\nDisallow: /private\n"


@pytest.fixture(scope="module", params=["twisted", "aiohttp"])
def asked(request, tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("asked"))
    if request.param == "aiohttp":
        pytest.importorskip("aiohttp", reason="Scrapy's handlers without Twisted need aiohttp")
        project.append("project_settings.py", "\nTWISTED_REACTOR_ENABLED = False\n")
    project.write("spiders/asked.py", SPIDER.read_text())
    with Web() as web:
        web.default = page("open to all")
        for host in ("a.localhost", "auth.localhost", "pirate.localhost"):
            web.add(host, "/robots.txt", robots(RULES))
        web.add("a.localhost", "/to-private", page(status=302, headers=(("Location", "/private/redirect"),)))
        to_listed = (("Location", web.url("pirate.localhost", "/redirect_listed")),)
        web.add("a.localhost", "/to-listed", page(status=302, headers=to_listed))
        refresh = '<meta http-equiv="refresh" content="0; url=/private/refresh">'
        web.add("a.localhost", "/refresh-private", page(refresh))
        web.add("a.localhost", "/gives-cookie", page(headers=(("Set-Cookie", "site=own; Path=/"),)))
        crawl = project.scrapy("crawl", "asked", "-a", f"port={web.port}", "-o", "items.jsonl")
        yield Outcome(web, crawl)


@pytest.mark.parametrize("attempt", ASKED, ids=lambda one: f"{one.number}-{one.key}")
def test_an_attempt_sends_nothing_hears_the_reason_and_has_its_record(asked, attempt):
    if not attempt.key.startswith("replay"):  # their page was asked for once, by the book
        assert asked.received(attempt.key) == []
        assert asked.records(attempt) or attempt.key == "http_auth"
    assert asked.refusals(attempt.key) == {attempt.reason}
    assert asked.got(attempt.key) == []


def test_a_page_asked_for_once_was_sent_once_and_each_replay_has_its_record(asked):
    assert Counter(asked.web.paths("a.localhost"))["/plain"] == 1
    plain = asked.web.url("a.localhost", "/plain")
    assert len(asked.crawl.of(url=plain, reason="no_permit")) == 2


def test_credentials_of_a_spider_reach_no_host_and_the_refusal_of_its_robots_txt_is_recorded(asked):
    assert asked.web.paths("auth.localhost") == []
    url = asked.web.url("auth.localhost", "/robots.txt")
    assert {one.reason for one in asked.crawl.of(url=url, verdict="skip")} == {"no_permit"}


def test_a_crawl_full_of_attempts_ends_in_order_and_its_log_verifies(asked):
    assert asked.crawl.code == 0, asked.crawl.stderr
    assert [one.reason for one in asked.crawl.of(stage="run")] == ["run_opened", "guard_armed", "run_closed"]
    project_log = f"sqlite:///{asked.crawl.folder / 'log.db'}"
    verified = Project.at(asked.crawl.folder).sekisho("log", "verify", "--log", project_log)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_every_request_that_the_server_received_had_a_durable_decision_before(asked):
    assert undecided(asked.web, asked.web.received, asked.crawl.records) == []


def test_no_forbidden_path_was_received_by_any_host_and_nothing_by_a_listed_one(asked):
    assert [one for one in asked.web.received if one.path.startswith("/private")] == []
    assert [one for one in asked.web.received if "pirate" in one.host + one.path] == []


def test_only_get_was_received_and_no_credentials(asked):
    assert {one.method for one in asked.web.received} == {"GET"}
    assert [one for one in asked.web.received if "authorization" in one.headers] == []


def test_every_request_carried_exactly_the_declared_user_agent(asked):
    assert {one.headers["user-agent"] for one in asked.web.received} == {DECLARED}
    assert len(asked.got("user_agent")) == 2


def test_a_site_gets_its_own_cookies_back_and_no_others(asked):
    cookies = {one.path: one.headers.get("cookie") for one in asked.web.received}
    assert "/argument" not in cookies
    assert cookies["/cookie-header"] is None  # Scrapy itself takes a header for a jar's
    assert cookies["/after-cookie"] == "site=own"
    assert "stolen" not in str(cookies)
    assert asked.crawl.reason(asked.web.url("a.localhost", "/argument")) == "policy_scope"


def test_no_part_of_a_url_reached_the_wire_as_a_header_or_a_second_request(asked):
    assert [one for one in asked.web.received if "x-evil" in one.headers] == []


def test_no_control_port_is_open(asked):
    (item,) = [item for item in asked.items if item["attempt"] == "control_ports"]
    assert item["present"]
    assert {"TelnetConsole", "RemoteControl"} & set(item["present"]) == set()


def test_nothing_trips_in_a_crawl_that_only_asks_not_even_for_the_public_suffix_list(asked):
    assert asked.crawl.of(reason="tripwire") == []


def test_the_table_numbers_every_attempt_once():
    numbers = [one.number for one in (*ASKED, *UNHEARD)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert words("http://a/private/x?late=host") >= {"x", "late=host"}
