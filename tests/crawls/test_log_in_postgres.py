"""A crawl whose log is in PostgreSQL keeps every promise, and everything that reads a log reads this one."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from arrivals import LISTED_SPIDER, undecided
from loopback import page
from postgres_server import PostgresServer

from blocklists.errors import ExitCode
from crawler.decisionlog.place import log_place
from crawler.decisionlog.postgres_setup import set_up
from crawler.decisionlog.reader import LogReader

HUNG_S = 60.0
PAGES = 600


@pytest.fixture(scope="module")
def server():
    """A server of its own, because a test kills it."""
    running = PostgresServer()
    try:
        set_up(log_place(running.start().url("postgres")))
        with running.admin() as connection:
            connection.execute("CREATE ROLE crawl LOGIN IN ROLE sekisho_writer, sekisho_reader")
        yield running
    finally:
        running.remove()


@pytest.fixture
def on_server(server, project):
    """A project whose log is on the server; key and last checkpoint are in its folder."""
    with server.admin() as connection:
        names = connection.execute("SELECT count(*) FROM pg_database").fetchone()[0]
        connection.execute(f"CREATE DATABASE crawl_{names}")
    set_up(log_place(server.url(f"crawl_{names}")))
    project.append(
        "project_settings.py",
        f"\nSEKISHO_LOG = '{server.url(f'crawl_{names}', user='crawl')}'\nSEKISHO_LOG_KEY_FILE = 'log.key'"
        "\nSEKISHO_LOG_CHECKPOINT_FILE = 'log.checkpoint'\nSEKISHO_PROGRESS = False\n",
    )
    project.log = server.url(f"crawl_{names}", user="crawl")
    project.database = f"crawl_{names}"
    return project


def records_of(project):
    with LogReader.open(project.log) as reader:
        return list(reader.records())


def test_a_crawl_is_recorded_verified_shown_exported_and_disclosed(web, on_server):
    web.site("a.localhost", "User-agent: *\nDisallow: /private\n")
    web.default = page("x")
    urls = [web.url("a.localhost", path) for path in ("/", "/two", "/private/1")]
    process = on_server.start("crawl", "site", "-a", f"url={','.join(urls)}")
    _, stderr = process.communicate(timeout=HUNG_S)
    assert process.returncode == 0, stderr[-3000:]
    records = records_of(on_server)
    assert undecided(web, web.received, records) == []
    assert {record.url for record in records if record.reason == "robots_disallow"} == {urls[2]}
    assert "/private/1" not in web.paths()

    verified = on_server.sekisho("log", "verify", "--format", "json")
    assert verified.returncode == ExitCode.DONE, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)["records"] == len(records)
    run = records[0].run
    for command in (("log", "show"), ("log", "show", run), ("log", "show", f"{records[0].segment}#0"),
                    ("log", "head"), ("log", "key", "show"), ("log", "lookup", "a.localhost")):  # fmt: skip
        done = on_server.sekisho(*command)
        assert done.returncode == ExitCode.DONE, (command, done.stderr)
        assert done.stdout
    exported = on_server.sekisho("log", "export")
    assert exported.returncode == ExitCode.DONE, exported.stderr
    assert urls[2] in {json.loads(line)["url"] for line in exported.stdout.splitlines()}


def test_when_the_server_dies_in_mid_crawl_nothing_more_is_fetched(web, on_server, server):
    for number in range(4):
        web.site(f"s{number}.localhost", "")
    web.default = page("x")
    on_server.append("project_settings.py", "\nCONCURRENT_REQUESTS = 8\n")
    on_server.write("spiders/listed.py", LISTED_SPIDER)
    urls = [web.url(f"s{number % 4}.localhost", f"/p/{number}") for number in range(PAGES)]
    on_server.write("urls.txt", "\n".join(urls) + "\n")
    process = on_server.start("crawl", "listed")
    end = time.monotonic() + HUNG_S
    while len(web.received) < 30:
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < end, "hung"
        time.sleep(0.001)
    server.kill()
    _, stderr = process.communicate(timeout=HUNG_S)
    assert process.returncode == ExitCode.REFUSED, stderr[-3000:]
    assert "cannot write the log" in stderr
    assert len(web.received) < PAGES
    server.start()
    assert undecided(web, web.received, records_of(on_server)) == []
    process = on_server.start("crawl", "site", "-a", f"url={urls[-1]}")
    _, stderr = process.communicate(timeout=HUNG_S)
    assert process.returncode == 0, stderr[-3000:]
    verified = on_server.sekisho("log", "verify", "--format", "json")
    report = json.loads(verified.stdout)
    assert (verified.returncode, report["findings"]) == (ExitCode.DONE, [])
    assert [segment["sealed"] for segment in report["segments"]] == [True, True]


def test_without_its_server_a_crawl_does_not_start(web, project):
    web.site("a.localhost", "")
    project.append(
        "project_settings.py",
        "\nSEKISHO_LOG = 'postgresql://crawl:secret@127.0.0.1:9/log'\nSEKISHO_LOG_KEY_FILE = 'log.key'"
        "\nSEKISHO_LOG_CHECKPOINT_FILE = 'log.checkpoint'\n",
    )
    crawl = project.crawl_without_log(web.url("a.localhost"))
    assert crawl.code == ExitCode.REFUSED
    assert "Connection refused" in crawl.stderr
    assert "secret" not in crawl.stderr + crawl.stdout
    assert web.received == []


@pytest.mark.long
def test_while_the_session_stands_still_nothing_new_arrives(web, on_server, server):
    for number in range(4):
        web.site(f"s{number}.localhost", "")
    web.default = page("x")
    on_server.append("project_settings.py", "\nCONCURRENT_REQUESTS = 8\n")
    on_server.write("spiders/listed.py", LISTED_SPIDER)
    urls = [web.url(f"s{number % 4}.localhost", f"/p/{number}") for number in range(200)]
    on_server.write("urls.txt", "\n".join(urls) + "\n")
    process = on_server.start("crawl", "listed")
    end = time.monotonic() + HUNG_S
    while len(web.received) < 30:
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < end, "hung"
        time.sleep(0.001)
    with server.admin() as connection:
        pid = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'crawl' AND datname = %s", (on_server.database,)
        ).fetchone()[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(0.7)
        arrived = len(web.received)
        time.sleep(0.7)
        assert len(web.received) == arrived
    finally:
        os.kill(pid, signal.SIGCONT)
    _, stderr = process.communicate(timeout=HUNG_S)
    assert process.returncode == 0, stderr[-3000:]
    assert len(web.received) == 200 + 4
    assert undecided(web, web.received, records_of(on_server)) == []
