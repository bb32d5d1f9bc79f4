"""A segment has one writer: a second one is refused, whether it asks first or not."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from crawler.decisionlog import store
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.segment_lock import take_lock
from crawler.decisionlog.verify import verify_log

ASKS = """
import sys
from crawler.decisionlog import store
from crawler.decisionlog.segment_lock import take_lock
place = store.log_place(sys.argv[1])
connection = store.open_for_writing(place)
print(take_lock(place, connection, int(sys.argv[2])) is not None)
"""


def another_process_gets(log, number):
    done = subprocess.run(
        [sys.executable, "-c", ASKS, log.url, str(number)], capture_output=True, text=True, check=True
    )
    return done.stdout == "True\n"


def test_check_15_a_second_process_does_not_get_a_segment_whose_writer_lives(log, entry, documents):
    writer = log.open()
    writer.append(entry(), [documents["policy"], documents["blocklist"]], wait=True).result(10)
    assert not another_process_gets(log, 1)
    connection = store.open_for_writing(log.path)
    assert take_lock(log.path, connection, 1) is None, "nor does this one get it twice"
    connection.close()
    assert writer.append(entry(), wait=True).result(10).idx == 1
    assert writer.close(seal=False) is not None
    assert another_process_gets(log, 1), "and when that one has ended, somebody may seal it"


def test_check_15_of_two_that_write_one_segment_all_the_same_one_is_refused_and_the_log_stays_whole(
    log, entry, documents
):
    """Somebody without our lock writes the next record of a living writer's segment: first come, first served."""
    writer = log.open()
    writer.append(entry(), [documents["policy"], documents["blocklist"]], wait=True).result(10)
    columns = "segment_id, {}, ts_us, mono_ns, stage, verdict, reason, method, attempt, leaf_hash, context_id"
    steal = f"INSERT INTO record ({columns.format('idx')}) SELECT {columns.format('{}')} FROM record WHERE idx = 0"
    other = log.raw()
    for taken in (0, 2):
        with pytest.raises(sqlite3.IntegrityError, match="sekisho: "):
            other.execute(steal.format(taken))
    other.execute(steal.format(1))
    with pytest.raises(LogError, match="takes the next index of its segment"):
        writer.append(entry(), wait=True).result(10)
    assert writer.failed is not None
    assert writer.close(seal=True) is None
    with log.reader() as reader:
        report = verify_log(reader)
    assert {finding.idx for finding in report.findings} >= {1}, "what the other one wrote is none of ours"
