"""Recovering what a dead writer left keeps nobody waiting, and may itself be killed at any moment."""

from __future__ import annotations

from random import Random

import pytest
from dead_segments import (
    appending_beside_a_recovery,
    findings,
    killed_at_every_statement,
    leave_dead,
    recovered_by_two_at_once,
)

from crawler.decisionlog import recovery, schema, store
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.rollup import host_key, unpack_places


def test_others_append_while_a_dead_segment_is_recovered(log):
    seconds, waits = appending_beside_a_recovery(log)
    assert seconds > 2
    assert max(waits) < seconds / 2, "the log was held while the records were read"
    assert len(waits) > 20


def test_a_recovery_killed_at_any_statement_is_done_by_the_next_writer(log):
    assert killed_at_every_statement(log) > 20


def test_a_segment_that_two_recover_at_once_is_sealed_once(log, monkeypatch):
    recovered_by_two_at_once(log, monkeypatch)


def test_a_record_that_comes_after_a_dead_segment_was_read_stops_the_sealing(log, monkeypatch):
    leave_dead(log)
    real = recovery.write

    def late(connection, found):
        real(connection, found)
        row = connection.exec_driver_sql("SELECT * FROM record ORDER BY idx DESC LIMIT 1").one()
        store.appender(connection)(schema.record, [(1, row.idx + 1, *row[2:])])

    monkeypatch.setattr(recovery, "write", late)
    with pytest.raises(IntegrityError, match="it had 11 records when they were read"):
        log.open()
    monkeypatch.undo()
    assert findings(log) == (), "and nothing of that is in the log"
    log.clock.now += 10**9
    log.write(run_id="next")


def test_the_sums_of_a_seal_are_those_of_its_records_whatever_clock_and_hosts_do(log, entry, documents):
    chance = Random(5)
    hosts = [
        None,
        "192.0.2.1",
        "2001:db8::1",
        "a.example",
        "b.a.example",
        "münchen.example",
        "z\ufdd0.example",
    ]
    writer = log.open()
    writer.append(entry(), [documents["policy"], documents["blocklist"]])
    places = {"example.a.": [0]}
    for idx in range(1, 700):
        host = chance.choice(hosts if idx < 20 or idx > 600 else hosts[:2])
        log.clock.now += chance.randrange(-5_000, 5_000)
        kind = chance.choice([{}, {"verdict": "skip", "reason": "robots_disallow"}, {"verdict": "defer"}])
        writer.append(entry(host=host, agent=chance.choice("ab"), **kind))
        if host is not None:
            places.setdefault(host_key(host), []).append(idx)
    assert writer.close(seal=True) is not None
    assert findings(log) == (), "which compares the sums with those that the database makes"
    rows = log.raw().execute("SELECT host_key, places FROM posting").fetchall()
    assert {key: list(unpack_places(packed)) for key, packed in rows} == places
