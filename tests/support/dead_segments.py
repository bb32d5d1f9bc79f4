"""Promises about the segment that a dead writer left, alike for both engines: `log` is a test's log in either."""

from __future__ import annotations

import signal
import time
from uuid import UUID

import psycopg
from forked import Forked, die, forked
from sqlalchemy import select

from crawler.decisionlog import recovery, schema, store, store_sqlite, survey
from crawler.decisionlog.verify import verify_log
from tests.crawler.decisionlog.conftest import make_entry, write_sample


def leave_dead(log, records=0, living=0):
    """Let a writer die after the sample and so many records more, beside others; return its segment's UUID."""

    def work():
        writer = log.open(run_id="dead")
        write_sample(writer)
        for number in range(records):
            writer.append(make_entry(url=f"http://a.example/{number}", host=f"h{number % 40}.example"))
        writer.append(make_entry(), wait=True).result(60)
        die()

    assert forked(work) == -signal.SIGKILL
    settle(log, living)
    with log.reader() as reader:
        return next(str(info.segment) for info in reader.segments() if info.run == "dead" and not info.sealed)


def settle(log, sessions=0):
    """Wait until a server has noticed that the sessions of dead processes are over."""
    if hasattr(log, "admin"):
        ask = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'crawl_login' AND datname = %s"
        with log.admin() as connection:
            while connection.execute(ask, (log.name,)).fetchone() != (sessions,):
                time.sleep(0.005)


def seals(log, segment):
    """Return how often a segment was recovered and sealed, as the registry says."""
    with log.reader() as reader:
        kinds = [leaf.event.KIND for leaf in reader.leaves() if getattr(leaf.event, "segment", "") == segment]
    return kinds.count("recovery"), kinds.count("segment_seal")


def findings(log):
    with log.reader() as reader:
        return verify_log(reader).findings


def dying_at_statement(log, number):
    """Open a log, and be killed before the statement of this number is executed, whoever executes it."""
    left = [number]

    def count(*_):
        if not left[0]:
            die()
        left[0] -= 1

    opened = store.open_for_writing

    def traced(*args, **options):
        connection = opened(*args, **options)
        if connection.dialect.name == "sqlite":
            store_sqlite.driver(connection).set_trace_callback(count)
        else:
            for name in ("execute", "executemany"):
                setattr(psycopg.Cursor, name, counted(getattr(psycopg.Cursor, name)))
        return connection

    def counted(real):
        def execute(*args, **options):
            count()
            return real(*args, **options)

        return execute

    store.open_for_writing = traced
    log.open(run_id="next")


def killed_at_every_statement(log):
    """Kill the recovery of a segment at each statement in turn; return how many there were."""
    segment, number = leave_dead(log), 0
    while seals(log, segment) == (0, 0):
        assert forked(lambda number=number: dying_at_statement(log, number)) == -signal.SIGKILL
        settle(log)
        assert findings(log) == (), f"killed at statement {number}"
        number += 1
    assert seals(log, segment) == (1, 1)
    log.clock.now += 10**9
    log.write(run_id="last")
    with log.reader() as reader:
        report = verify_log(reader)
        column = schema.rollup.c
        hosts = reader.rows(select(column.host_key).where(column.segment_id == 1))
    assert report.findings == ()
    assert report.unsealed == ()
    assert UUID(segment) in {one.segment for one in report.segments if one.recovered}
    assert [row.host_key for row in hosts] == ["example.a."]
    return number


def slow_recovery(log, pause):
    """Recover what is dead, with a pause after each two hundred records."""
    real, survey._PAGE = recovery.pages, 200

    def slowly(*args):
        for rows in real(*args):
            time.sleep(pause)
            yield rows

    recovery.pages = slowly
    assert log.open(run_id="next").close(seal=True) is not None


def appending_beside_a_recovery(log):
    """Append decisions while another process recovers a segment; return its time and the longest wait in s."""
    log.clock.now += 10**9
    writer = log.open(run_id="living")
    write_sample(writer)
    writer.append(make_entry(), wait=True).result(60)
    segment = leave_dead(log, 2_000, living=1)
    begun = time.monotonic()
    process = Forked(lambda: slow_recovery(log, 0.25))
    waits = []
    while process.running:
        before = time.monotonic()
        writer.append(make_entry(), wait=True).result(60)
        waits.append(time.monotonic() - before)
        time.sleep(0.005)
    seconds = time.monotonic() - begun
    assert process.wait() == 0
    assert writer.close(seal=True) is not None
    assert seals(log, segment) == (1, 1)
    assert findings(log) == ()
    return seconds, waits


def recovered_by_two_at_once(log, monkeypatch):
    """Let two processes recover the same segment, as if the lock had kept neither out."""
    segment = leave_dead(log)
    monkeypatch.setattr(recovery, "take_lock", lambda *_: NoLock())
    log.clock.now += 10**9
    processes = [Forked(lambda: slow_recovery(log, 0.3)) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert seals(log, segment) == (1, 1)
    assert findings(log) == ()


class NoLock:
    def release(self, *, ended):
        pass
