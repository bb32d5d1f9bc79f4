"""Readers see what is there, page by page, and can change nothing."""

from __future__ import annotations

from uuid import UUID

import pytest

from crawler.decisionlog import schema
from crawler.decisionlog.errors import IntegrityError, LogError
from policies.vocabulary import Stage


@pytest.fixture
def two(log, write_into):
    """Two runs: the first in two segments, the second unsealed."""
    log.write()
    writer = log.open(run_id="run-2")
    write_into(writer)
    log.write()
    writer.close(seal=False)
    return log


def test_runs_come_in_order_with_their_segments(two):
    with two.reader() as reader:
        first, second = reader.runs()
    assert (first.run, first.size, first.sealed, len(first.segments)) == ("run-1", 20, True, 2)
    assert (second.run, second.size, second.sealed) == ("run-2", 10, False)
    assert [part.number for part in first.segments] == [1, 3]
    assert second.segments[0].root is None
    assert second.segments[0].head_size == 10
    assert first.segments[0].first_us < first.segments[0].last_us < second.segments[0].opened_us


@pytest.mark.parametrize("page", [1, 3, 10, 5000])
def test_pages_leave_nothing_out_and_repeat_nothing(two, page):
    with two.reader() as reader:
        places = [(record.segment, record.idx) for record in reader.records(page=page)]
        segments = [info.segment for info in reader.segments()]
        some = [record.idx for record in reader.records(stages=[Stage.RESPONSE], run="run-2", page=page)]
    assert places == [(segment, idx) for segment in segments for idx in range(10)]
    assert some == [3, 6, 9]


def test_records_are_narrowed_by_segment_run_stage_and_columns(two):
    with two.reader() as reader:
        segment = reader.segments()[1].segment
        assert {record.run for record in reader.records(segment=segment)} == {"run-2"}
        assert len(list(reader.records(run="run-1"))) == 20
        assert len(list(reader.records(stages=[Stage.RUN, Stage.OUTCOME]))) == 12
        narrowed = reader.records(where=[schema.record.c.status == 200, schema.record.c.attempt > 0])
        assert {record.attempt for record in narrowed} == {1, 2}
        assert list(reader.records(segment=UUID(int=1))) == []
        assert reader.record(segment, 10) is None


def test_documents_are_found_by_digest(two, documents):
    from hashlib import sha256

    with two.reader() as reader:
        assert reader.document(sha256(documents["robots"].body).hexdigest()) == documents["robots"]
        assert reader.document("00" * 32) is None


def test_a_damaged_document_is_never_handed_out(two, documents):
    from hashlib import sha256

    two.unguarded().execute("UPDATE document SET size = size + 1 WHERE kind = 'robots'")
    with two.reader() as reader, pytest.raises(IntegrityError, match=r"was changed.*sekisho log verify"):
        reader.document(sha256(documents["robots"].body).hexdigest())


def test_a_record_that_no_writer_writes_is_an_integrity_error(two):
    two.unguarded().execute("UPDATE record SET stage = 'dreams' WHERE segment_id = 2 AND idx = 3")
    with (
        two.reader() as reader,
        pytest.raises(IntegrityError, match=r"#3 is not what a writer writes.*dreams"),
    ):
        list(reader.records())


def test_a_record_whose_url_is_gone_says_so(two):
    two.unguarded().execute("DELETE FROM opening WHERE segment_id = 1 AND idx = 1")
    with two.reader() as reader:
        gone = [record for record in reader.records() if not record.opened]
        assert [(record.segment, record.idx) for record in gone] == [(reader.segments()[0].segment, 1)]
        assert gone[0].url is None


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM record", "UPDATE record SET size = 1", "DROP TABLE record", "CREATE TABLE x (y)", "PRAGMA query_only = OFF",
        "ATTACH 'x.db' AS x", "INSERT INTO meta VALUES ('a', 'b')", "VACUUM", "BEGIN", "SELECT 1; SELECT 2", "SELEC 1",
        "SELECT load_extension('x')",
    ],
)  # fmt: skip
def test_queries_only_select(two, sql):
    before = two.path.read_bytes()
    with two.reader() as reader, pytest.raises(LogError, match="the query failed"):
        reader.query(sql)
    assert two.path.read_bytes() == before


def test_queries_take_parameters_by_place(two):
    with two.reader() as reader:
        sql = "SELECT count(*), sum(size) FROM decisions WHERE run = ? AND stage = 'response' AND verdict = 'keep'"
        assert reader.query(sql, ("run-2",)) == [(3, 2700)]
        with_cte = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n"
        )
        assert reader.query(with_cte) == [(15,)]
        assert len(list(reader.records())) == 30, "and the connection still reads afterwards"


def test_reading_while_the_writer_writes_sees_a_prefix(log, entry):
    writer = log.open()
    for number in range(300):
        writer.append(entry(size=number), wait=number % 50 == 0)
        if number % 60 == 0:
            with log.reader() as reader:
                sizes = [record.size for record in reader.records(page=17)]
            assert sizes == list(range(len(sizes)))
    writer.close(seal=True)
