"""The tables refuse everything but appending, whoever asks through SQL."""

from __future__ import annotations

import sqlite3

import pytest

from crawler.decisionlog import schema

TABLES = sorted(schema.metadata.tables)
DIGEST = "x'" + "00" * 32 + "'"
RECORD = (
    "INSERT {how} INTO record (segment_id, idx, ts_us, mono_ns, stage, verdict, reason, method, attempt, leaf_hash,"
    " context_id) VALUES ({segment}, {idx}, 1, 1, 'request', 'fetch', 'allowed', 'GET', 0, " + DIGEST + ", 1)"
)


@pytest.fixture
def open_log(log):
    """A log whose first segment is sealed and whose second is open, ten records each."""
    log.write(seal=True)
    log.write(seal=False, run_id="run-2")
    connection = log.raw()
    (leaf,) = connection.execute("SELECT max(idx) + 1 FROM registry").fetchone()
    for number, kind in enumerate(("erase", "prune_intent")):
        connection.execute(REGISTRY, (leaf + number, kind))
    connection.execute("INSERT INTO url_key VALUES (2, 'a.example', x'00', 1)")
    connection.execute("INSERT INTO url_posting VALUES (2, 'a.example', 0, x'00')")
    connection.execute("INSERT INTO erasure VALUES (1, 3, ?)", (leaf,))
    connection.execute("INSERT INTO pruning VALUES (1, ?)", (leaf + 1,))
    connection.execute("INSERT INTO discarding VALUES (x'00', ?)", (leaf + 1,))
    connection.execute(
        "INSERT INTO anchor SELECT 1, max(size), 1, 'rfc3161', 'http://tsa.example/', x'00' FROM checkpoint"
    )
    return log


REGISTRY = "INSERT INTO registry VALUES (?, 1, ?, 1, x'00', x'00')"


def contents(log):
    connection = log.raw()
    return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}


def refused(log, sql):
    before = contents(log)
    with pytest.raises(sqlite3.IntegrityError, match="sekisho: "):
        log.raw().execute(sql)
    assert contents(log) == before


@pytest.mark.parametrize("table", [table for table in TABLES if table != "posting"])
def test_check_09_nothing_is_deleted(open_log, table):
    refused(open_log, f"DELETE FROM {table}")


def test_the_index_of_a_segment_that_was_not_pruned_is_not_deleted(log):
    log.write()
    refused(log, "DELETE FROM posting")


def test_only_what_the_registry_has_named_is_deleted(open_log):
    connection = open_log.raw()
    for sql in (
        "DELETE FROM opening WHERE segment_id = 2",
        "DELETE FROM record WHERE segment_id = 2 AND idx = 9",
        "DELETE FROM head WHERE segment_id = 2",
        "DELETE FROM document WHERE id = 1",
        "DELETE FROM segment WHERE id = 1",
        "DELETE FROM rollup WHERE segment_id = 1",
        "INSERT INTO pruning SELECT 2, max(idx) FROM registry",
        "INSERT INTO erasure VALUES (2, 1, 0)",
        "INSERT INTO erasure SELECT 2, 1, max(idx) - 1 FROM registry",
        "INSERT INTO discarding VALUES (x'01', 0)",
    ):
        refused(open_log, sql)
    connection.execute("DELETE FROM record WHERE segment_id = 1")
    connection.execute("DELETE FROM opening WHERE segment_id = 1")
    connection.execute("DELETE FROM head WHERE segment_id = 1")
    assert connection.execute("SELECT count(*) FROM record").fetchone() == (10,)


def test_an_erasure_lets_one_url_go_and_nothing_beside_it(log):
    log.write()
    connection = log.raw()
    (leaf,) = connection.execute("SELECT max(idx) + 1 FROM registry").fetchone()
    connection.execute(REGISTRY, (leaf, "erase"))
    connection.execute("INSERT INTO erasure VALUES (1, 3, ?)", (leaf,))
    refused(log, "DELETE FROM opening WHERE idx = 4")
    refused(log, "DELETE FROM record WHERE idx = 3")
    connection.execute("DELETE FROM opening WHERE idx = 3")
    assert connection.execute("SELECT count(*) FROM opening").fetchone() == (8,)


@pytest.mark.parametrize("table", TABLES)
def test_check_09_nothing_is_updated_not_even_to_itself(open_log, table):
    column = next(iter(schema.metadata.tables[table].columns)).name
    refused(open_log, f"UPDATE {table} SET {column} = {column}")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("how", ["", "OR REPLACE", "OR IGNORE", "OR ROLLBACK", "OR FAIL", "OR ABORT"])
def test_check_09_no_row_is_written_over(open_log, table, how):
    refused(open_log, f"INSERT {how} INTO {table} SELECT * FROM {table}")


@pytest.mark.parametrize("idx", [-1, 0, 5, 9, 11, 12, 2**40])
@pytest.mark.parametrize("how", ["", "OR REPLACE", "OR IGNORE"])
def test_check_09_only_the_next_index_is_taken(open_log, idx, how):
    refused(open_log, RECORD.format(how=how, segment=2, idx=idx))


def test_check_09_an_upsert_is_refused(open_log):
    refused(
        open_log,
        RECORD.format(how="", segment=2, idx=3)
        + " ON CONFLICT (segment_id, idx) DO UPDATE SET verdict = 'skip'",
    )
    refused(open_log, RECORD.format(how="", segment=2, idx=3) + " ON CONFLICT DO NOTHING")


@pytest.mark.parametrize("segment", [1, 3, 0])
def test_no_record_enters_a_segment_that_is_sealed_or_does_not_exist(open_log, segment):
    refused(open_log, RECORD.format(how="", segment=segment, idx=10 if segment == 1 else 0))


def test_the_next_record_itself_is_taken(open_log):
    open_log.raw().execute(RECORD.format(how="", segment=2, idx=10))
    assert len(contents(open_log)["record"]) == 21


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE segment SET run_id = 'other' WHERE id = 2",
        "UPDATE segment SET sealed_us = 1 WHERE id = 2",
        "UPDATE segment SET sealed_us = 1, size = 1, root = x'00', uuid = 'u' WHERE id = 2",
        "UPDATE segment SET sealed_us = NULL, size = NULL, root = NULL WHERE id = 1",
        "UPDATE OR REPLACE segment SET sealed_us = 2, size = 10, root = x'00' WHERE id = 1",
        "INSERT INTO segment VALUES (4, 'u', 'r', 'a', 1, 1, x'00', NULL, NULL, NULL)",
        "INSERT INTO segment VALUES (3, 'u', 'r', 'a', 1, 1, x'00', 5, 0, x'00')",
        "INSERT INTO head VALUES (2, 9, x'00', 1)",
        "INSERT INTO head VALUES (2, 11, x'00', 1)",
        "INSERT OR REPLACE INTO head VALUES (2, 10, x'00', 1)",
        "INSERT INTO opening VALUES (2, 10, 'http://a/', NULL, x'00')",
        "INSERT INTO context VALUES (9, 'a', x'00', x'00')",
        "INSERT INTO meta VALUES ('another', 'value')",
    ],
)
def test_segments_heads_and_openings_take_only_their_own_next_step(open_log, sql):
    refused(open_log, sql)


def test_a_segment_is_sealed_once(open_log):
    sql = "UPDATE segment SET sealed_us = 1, size = 10, root = x'00' WHERE id = 2"
    open_log.raw().execute(sql)
    refused(open_log, sql)


def test_columns_hold_the_types_that_they_declare(open_log):
    for sql in (
        RECORD.format(how="", segment=2, idx=10).replace("'request'", "x'00'"),
        RECORD.format(how="", segment=2, idx=10).replace(DIGEST, "'text'"),
    ):
        with pytest.raises(sqlite3.IntegrityError, match="cannot store"):
            open_log.raw().execute(sql)


def test_the_view_is_the_same_in_any_sqlite(open_log):
    rows = open_log.raw().execute("SELECT * FROM decisions WHERE run = 'run-1' ORDER BY idx")
    assert [column[0] for column in rows.description] == [
        "segment", "idx", "run", "ts_us", "stage", "verdict", "reason", "kind", "method", "url", "parent_url", "host",
        "domain", "agent", "status", "size", "body_sha256", "media_type", "error", "ref_idx", "attempt",
        "policy_sha256", "blocklist_sha256", "basis_sha256", "leaf_hash",
    ]  # fmt: skip
    named = [dict(zip((column[0] for column in rows.description), row, strict=True)) for row in rows]
    with open_log.reader() as reader:
        for row, record in zip(named, reader.records(run="run-1"), strict=True):
            for name, value in row.items():
                held = getattr(record, name)
                assert value == (str(held) if name == "segment" else held), name
