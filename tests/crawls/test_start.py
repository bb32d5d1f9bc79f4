"""What a crawl that cannot be guarded does: it says in one line why, asks nobody, and exits with 5."""

import sqlite3
from contextlib import closing

import pytest
from loopback import AGENT, page

SETTINGS = "project_settings.py"
AGENT_FILE = "policies_here/agents/examplebot.toml"


def remove(name):
    def change(project):
        target = project.folder / name
        if target.is_dir():
            for one in sorted(target.rglob("*"), reverse=True):
                one.rmdir() if one.is_dir() else one.unlink()
            target.rmdir()
        else:
            target.unlink()

    return change


def write(name, text):
    return lambda project: project.write(name, text)


def setting(name, value):
    return lambda project: project.append(SETTINGS, f"\n{name} = {value!r}\n")


def database(*statements):
    def change(project):
        with closing(sqlite3.connect(project.folder / "log.db")) as made:
            for statement in statements:
                made.execute(statement)
            made.commit()

    return change


def below_a_file(project):
    project.write("plain", "x")
    setting("SEKISHO_LOG", "sqlite:///plain/log.db")(project)


CASES = {
    "no agent file": (remove(AGENT_FILE), "policies_here/agents"),
    "an unknown key in the agent file": (write(AGENT_FILE, AGENT + '\nx_ray = "yes"\n'), "x_ray"),
    "an agent that begins in the future": (
        write(AGENT_FILE, AGENT.replace("effective_from = 2026-01-01", "effective_from = 2999-01-01")),
        "2999-01-01",
    ),
    "no lists folder": (remove("lists"), "lists"),
    "an empty list": (write("lists/test.txt", "# nothing\n"), "test.txt"),
    "a list with a bad row": (write("lists/test.txt", "pirate.localhost\nnot a domain !\n"), "line 2"),
    "an unknown setting": (setting("SEKISHO_ROBOTS_OBEY", False), "SEKISHO_ROBOTS_OBEY"),
    "a mode that the tripwire does not know": (setting("SEKISHO_TRIPWIRE", "off"), "SEKISHO_TRIPWIRE"),
    "a destination without a port": (setting("SEKISHO_DESTINATIONS", ["db.example"]), "db.example"),
    "a folder in place of the log": (setting("SEKISHO_LOG", "sqlite:///lists"), "lists"),
    "a log below a file": (below_a_file, "plain"),
    "a log where nothing can be written": (setting("SEKISHO_LOG", "sqlite:////proc/sekisho.db"), "/proc"),
    "a log of another version": (
        database(
            "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)",
            "INSERT INTO meta VALUES ('format', 'sekisho.log/99')",
        ),
        "sekisho.log/99",
    ),
    "another file in place of the log": (write("log.db", "not a database, but long enough" * 100), "log.db"),
    "a reactor without asyncio": (
        setting("TWISTED_REACTOR", "twisted.internet.selectreactor.SelectReactor"),
        "TWISTED_REACTOR",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_crawl_that_cannot_be_guarded_says_why_in_a_line_asks_nobody_and_exits_with_5(web, project, case):
    change, words = CASES[case]
    change(project)
    web.site("a.localhost", "", x=page())
    crawl = project.crawl_without_log(web.url("a.localhost", "/x"))
    said = [line for line in crawl.stderr.splitlines() if line.startswith("sekisho: ")]
    assert web.received == []
    assert crawl.code == 5, crawl.stderr
    assert len(said) == 1, crawl.stderr
    assert words in said[0]
    assert "Traceback" not in crawl.stderr


def test_a_refusal_is_no_success_under_the_older_crawler_process_either(web, project):
    remove(AGENT_FILE)(project)
    setting("FORCE_CRAWLER_PROCESS", True)(project)
    web.site("a.localhost", "", x=page())
    crawl = project.crawl_without_log(web.url("a.localhost", "/x"))
    assert web.received == []
    assert crawl.code != 0
    assert "\nsekisho: " in crawl.stderr


@pytest.mark.parametrize("arguments", [(), ("-a", "url=a.localhost"), ("-a", "url=ftp://a.localhost/")])
def test_the_ready_made_spider_without_a_start_says_so_and_exits_with_2(project, arguments):
    crawl = project.scrapy("crawl", "site", *arguments)
    assert crawl.code == 2
    assert crawl.stderr.count("sekisho: ") == 1
    assert "Traceback" not in crawl.stderr
    assert crawl.records == []


def test_a_placeholder_contact_crawls_loopback_only(web, project):
    web.site("a.localhost", "", x=page('<a href="http://192.0.2.7/linked">x</a>'))
    far = [
        "http://192.0.2.1/",
        "http://[2001:db8::1]/",
        "http://localhost.example/",
        "http://2130706433.example/",
    ]
    crawl = project.crawl(*far, web.url("a.localhost", "/x"))
    assert crawl.code == 0
    for url in far:
        (row,) = crawl.of(url=url)
        assert (row.stage, row.verdict, row.reason) == ("request", "skip", "policy_scope")
    assert {one.host for one in crawl.of(verdict="fetch")} == {"a.localhost"}
    assert {one.host for one in crawl.of(stage="outcome")} == {"a.localhost"}
    assert web.paths() == ["/robots.txt", "/x"]


def test_loopback_under_any_of_its_names_may_be_crawled_under_a_placeholder_contact(web, project):
    for host in ("127.0.0.1", "localhost", "deep.under.localhost"):
        web.site(host, "", x=page())
    crawl = project.crawl(
        *(web.url(host, "/x") for host in ("127.0.0.1", "localhost", "deep.under.localhost"))
    )
    assert len(crawl.kept()) == 3, crawl.stderr
