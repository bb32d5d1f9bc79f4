"""A server that is not there, not durable, or killed: no decision that was acknowledged is lost, or made up."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from postgres_server import PostgresServer

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import store_postgres
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.place import log_place
from crawler.decisionlog.postgres_setup import set_up
from tests.crawler.decisionlog.conftest import LISTS, POLICY, make_entry, write_sample
from tests.crawler.decisionlog.postgres.conftest import PgLog, make_logins

NOWHERE = "postgresql://crawl@127.0.0.1:9/log"


@pytest.fixture(scope="module")
def own_template(own_server):
    name = own_server.create_database()
    set_up(log_place(own_server.url(name)))
    make_logins(own_server)
    return name


@pytest.fixture(scope="module")
def own(own_server, own_template, tmp_path_factory):
    """A log that the tests share: each adds its segments."""
    return PgLog(own_server, own_server.create_database(own_template), tmp_path_factory.mktemp("own"))


@pytest.fixture
def fresh(own_server, own_template, tmp_path):
    """A log with nothing in it."""
    return PgLog(own_server, own_server.create_database(own_template), tmp_path)


@pytest.mark.parametrize("command", ["show", "verify", "export", "init", "head"])
def test_a_server_that_does_not_answer_is_one_clear_line_and_exit_5(command, capsys):
    assert main(["log", command, "--log", NOWHERE]) == ExitCode.REFUSED
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "Connection refused" in captured.err
    assert "is the server running" in captured.err


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("{server}/nothing_here", "create the database, then run `sekisho log init"),
        ("{server}/template1", "there is no log in"),
    ],
)
def test_a_database_without_a_log_says_what_to_do(own_server, own_template, url, says, capsys):
    for user in ("crawl_login", "read_login"):
        address = own_server.url("DB", user=user).replace("DB", url.removeprefix("{server}/"))
        assert main(["log", "show", "--log", address]) == ExitCode.REFUSED
        assert says in capsys.readouterr().err


def test_a_login_without_a_role_is_told_which_grant_it_needs(own):
    with own.admin() as connection:
        connection.execute("DROP ROLE IF EXISTS stranger")
        connection.execute("CREATE ROLE stranger LOGIN")
    stranger = PgLog(own.server, own.name, own.custody.key_file.parent)
    stranger.url = own.server.url(own.name, user="stranger")
    with pytest.raises(LogError, match="GRANT sekisho_writer TO stranger"):
        stranger.open()


def test_without_the_driver_the_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LogError, match=r"pip install 'sekisho\[postgres\]'"):
        store_postgres.connect(log_place(NOWHERE))


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_check_08_a_server_that_does_not_sync_is_refused(own, setting):
    with own.admin() as connection:
        connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
        time.sleep(0.2)
        try:
            with pytest.raises(LogError, match=f"{setting} is off"):
                own.open()
        finally:
            connection.execute(f"ALTER SYSTEM RESET {setting}")
            connection.execute("SELECT pg_reload_conf()")
            time.sleep(0.2)
    own.write()


def test_check_08_a_login_that_does_not_wait_for_its_commits_is_refused(own):
    with own.admin() as connection:
        connection.execute("ALTER ROLE crawl_login SET synchronous_commit = off")
        try:
            with pytest.raises(LogError, match="synchronous_commit is off"):
                own.open()
        finally:
            connection.execute("ALTER ROLE crawl_login RESET synchronous_commit")


def test_check_08_syncing_that_is_switched_off_in_mid_crawl_ends_the_crawl(own):
    writer = own.open()
    write_sample(writer)
    writer.append(make_entry(), wait=True).result(10)
    with own.admin() as connection:
        connection.execute("ALTER SYSTEM SET synchronous_commit = off")
        connection.execute("SELECT pg_reload_conf()")
        time.sleep(0.2)
        writer.append(make_entry(), wait=True).result(10)  # this session was told to wait, whatever comes
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
        time.sleep(0.3)
        try:
            with pytest.raises(LogError, match="does not sync its commits"):
                writer.append(make_entry(), wait=True).result(10)
        finally:
            connection.execute("ALTER SYSTEM RESET ALL")
            connection.execute("SELECT pg_reload_conf()")
    assert writer.failed is not None
    with pytest.raises(LogError):
        writer.append(make_entry())


def test_check_08_every_commit_is_synced_by_the_server(own):
    """PostgreSQL's own count of syncs of its journal: one at least for each decision that is waited for."""
    count = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"
    writer = own.open()
    write_sample(writer)
    writer.append(make_entry(), wait=True).result(10)
    with own.admin() as connection:
        time.sleep(1.2)  # the counts of a session are passed on once a second
        writer.append(make_entry(), wait=True).result(10)
        before = connection.execute(count).fetchone()[0]
        for _ in range(30):
            writer.append(make_entry(), wait=True).result(10)
        time.sleep(1.2)
        writer.append(make_entry(), wait=True).result(10)
        time.sleep(1.2)
        writer.append(make_entry(), wait=True).result(10)
        connection.execute("SELECT pg_stat_clear_snapshot()")
        assert connection.execute(count).fetchone()[0] - before >= 30
    writer.close(seal=True)


@pytest.mark.parametrize("which", ["oldest", "encoding"])
def test_a_server_that_is_too_old_or_keeps_no_unicode_is_refused(own, which, monkeypatch):
    if which == "oldest":
        monkeypatch.setattr(store_postgres, "OLDEST", 99)
        with pytest.raises(LogError, match="is on PostgreSQL 18: upgrade it, 99 is the oldest"):
            own.open()
    else:
        with own.admin() as connection:
            connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        with pytest.raises(LogError, match="ENCODING 'UTF8'"):
            set_up(log_place(own.server.url("latin")))


class Acknowledged:
    """Appends decisions until it fails, and remembers those that it was told are durable."""

    def __init__(self, pg, run):
        self.writer = pg.open(run_id=run)
        self.places = []
        self.error = None
        write_sample(self.writer)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                tickets = [
                    self.writer.append(make_entry(url=f"http://a.example/{n}"), wait=True) for n in range(7)
                ]
                self.places += [(ticket.result(30).segment, ticket.idx) for ticket in tickets]
        except LogError as error:
            self.error = error

    def wait_for(self, count):
        end = time.monotonic() + 30
        while len(self.places) < count and time.monotonic() < end:
            time.sleep(0.005)
        assert len(self.places) >= count, self.error


def lost(pg, crawls):
    with pg.reader() as reader:
        held = {(record.segment, record.idx) for record in reader.records()}
    return [place for crawl in crawls for place in crawl.places if place not in held]


def killed_and_whole(pg, crawls, rounds):
    """Assert that the crawls ended, that nothing acknowledged is gone, and that the log goes on."""
    for crawl in crawls:
        crawl.thread.join(30)
        assert not crawl.thread.is_alive()
        assert crawl.error is not None, "nothing more may be fetched"
    pg.write(run_id=f"after-{rounds}")
    assert lost(pg, crawls) == []
    report = pg.verify()
    assert (report.exit_code, report.findings) == (ExitCode.DONE, ())
    assert not report.unsealed


def test_a_session_killed_in_mid_commit_loses_nothing_that_was_acknowledged(lone):
    """kill -9 of one backend: PostgreSQL ends every session and recovers."""
    crawls = [Acknowledged(lone, f"run-{number}") for number in range(2)]
    for crawl in crawls:
        crawl.wait_for(40)
    with lone.admin() as connection:
        pid = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'crawl_login' AND datname = %s LIMIT 1",
            (lone.name,),
        ).fetchone()[0]
    os.kill(pid, signal.SIGKILL)
    for crawl in crawls:
        crawl.thread.join(30)
    wait_until_up(lone)
    killed_and_whole(lone, crawls, 0)


def wait_until_up(pg):
    end = time.monotonic() + 30
    while True:
        try:
            pg.admin().close()
        except psycopg.OperationalError:
            assert time.monotonic() < end, "the server does not come back"
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def lone(tmp_path):
    """A log on a server that holds nothing else: the less there is, the sooner it is up again."""
    server = PostgresServer()
    try:
        set_up(log_place(server.start().url("postgres")))
        make_logins(server)
        yield PgLog(server, "postgres", tmp_path)
    finally:
        server.remove()


def kill_rounds(own, rounds, seed):
    chance = random.Random(seed)
    done = []
    for number in range(rounds):
        crawls = [Acknowledged(own, f"run-{number}-{at}") for at in range(3)]
        for crawl in crawls:
            crawl.wait_for(chance.randrange(1, 60))
        time.sleep(chance.random() / 50)
        own.server.kill()
        for crawl in crawls:
            crawl.thread.join(30)
        own.server.start()
        done += crawls
        killed_and_whole(own, done, number)


def test_a_server_killed_in_mid_commit_loses_nothing_that_was_acknowledged(lone):
    kill_rounds(lone, 3, seed=1)


@pytest.mark.long
def test_a_server_killed_fifty_times_loses_nothing_that_was_acknowledged(lone):
    kill_rounds(lone, 50, seed=2)


def test_check_02_a_server_that_stands_still_acknowledges_nothing_and_goes_on(own):
    writer = own.open()
    write_sample(writer)
    writer.append(make_entry(), wait=True).result(10)
    with own.admin() as connection:
        pid = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'crawl_login' AND datname = %s", (own.name,)
        ).fetchone()[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        ticket = writer.append(make_entry(), wait=True)
        time.sleep(0.5)
        assert not ticket.done
    finally:
        os.kill(pid, signal.SIGCONT)
    assert ticket.result(10).idx == ticket.idx
    assert writer.close(seal=True) is not None


WRITER = """
import random, sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from crawler.decisionlog.custody import Custody
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.store import errors
from crawler.decisionlog.writer import LogWriter
from crawler.decisionlog import batch
from tests.crawler.decisionlog.conftest import make_entry, write_sample

number, url, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
chance = random.Random(number)
real = batch.SegmentStore._number_alone


def late(store):
    time.sleep(chance.random() / 100)
    real(store)
    time.sleep(chance.random() / 100)


batch.SegmentStore._number_alone = late
custody = Custody(key_file=folder / "pg.key", checkpoint_file=folder / "pg.checkpoint", named=True)
for round in range(2):
    writer = LogWriter.open(url, run_id=f"run-{{number}}-{{round}}", agent="ExampleBot", clock=SystemClock(), custody=custody)
    raw, commit = writer._store._raw, writer._store.commit

    def slow(batch, commit=commit, raw=raw):
        if chance.random() < 0.04:  # a transaction that is rolled back, after it has written
            writer._store._connection.connection.driver_connection.execute("BEGIN")
            writer._store._append(batch_rows.record, [(*one.row, one.context.id or 1) for one in batch])
            raise RuntimeError("rolled back")
        time.sleep(chance.random() / 200)
        commit(batch)

    from crawler.decisionlog import schema as batch_rows
    writer._store.commit = slow
    try:
        write_sample(writer)
        for each in range(60):
            basis = b'{{"each": %d, "writer": %d}}' % (each, number if each % 3 else 0)
            receipt = writer.append(make_entry(basis=basis), wait=True).result(60)
            print(receipt.segment, receipt.idx, flush=True)
            if each % 20 == 19:
                writer._store._signed_us = 0  # a head and a checkpoint with the next batch
    except Exception as error:
        assert "rolled back" in str(error), error
    writer.close(seal=chance.random() < 0.7)
"""


def test_check_16_eight_writers_with_random_delays_and_rollbacks_keep_every_prefix_dense(fresh):
    """Every head covers a dense prefix, no row comes late below a head, and the registry is one line."""
    root = str(Path(__file__).resolve().parents[4])
    fresh.write(run_id="first")
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                WRITER.format(root=root),
                str(number),
                fresh.url,
                str(fresh.custody.key_file.parent),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        for number in range(8)
    ]
    watched = Heads(fresh)
    acknowledged = set()
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        acknowledged |= {tuple(line.split()) for line in out.splitlines()}
    seen = watched.stop()
    fresh.write(run_id="last")
    report = fresh.verify()
    assert (report.exit_code, report.findings) == (ExitCode.DONE, ())
    assert len(report.segments) == 8 * 2 + 2
    with fresh.reader() as reader:
        held = {(str(record.segment), str(record.idx)) for record in reader.records()}
    assert acknowledged <= held
    assert len(acknowledged) > 150
    heads = {(row[0], row[1]): bytes(row[2]) for row in fresh.table("head")}
    assert seen
    assert all(heads[place] == root for place, root in seen.items()), "a head never changes"
    registry = fresh.table("registry")
    assert [row[0] for row in registry] == list(range(len(registry)))
    documents = [row[0] for row in fresh.table("document")]
    assert documents == list(range(1, len(documents) + 1))


class Heads:
    """Looks at the log while it grows: under every head that can be seen, all its records can be."""

    def __init__(self, pg):
        self._pg = pg
        self._seen = {}
        self._holes = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        with self._pg.admin() as connection:
            while not self._end.wait(0.05):
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                for segment, size, root in connection.execute(
                    "SELECT segment_id, size, root FROM head"
                ).fetchall():
                    self._seen.setdefault((segment, size), bytes(root))
                    below = connection.execute(
                        "SELECT count(*) FROM record WHERE segment_id = %s AND idx < %s", (segment, size)
                    ).fetchone()[0]
                    if below != size:
                        self._holes.append((segment, size, below))
                connection.execute("COMMIT")

    def stop(self):
        self._end.set()
        self._thread.join()
        assert self._holes == []
        return self._seen


def test_documents_that_two_writers_bring_at_once_are_kept_once(fresh):
    writers = [fresh.open(run_id=f"run-{number}") for number in range(2)]
    for each in range(20):
        for writer in writers:
            writer.append(make_entry(basis=b"%d" % each), (POLICY, LISTS))
    for writer in writers:
        writer.append(make_entry(), wait=True).result(10)
        assert writer.close(seal=True) is not None
    digests = [bytes(row[1]) for row in fresh.table("document")]
    assert len(digests) == len(set(digests)) == 22
    assert fresh.verify().findings == ()
