"""A log in PostgreSQL holds, gives back and proves what a log in a file does."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from blocklists.errors import ExitCode
from crawler.decisionlog import schema, store
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.lookup import Target, lookup
from crawler.decisionlog.place import log_place
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.session import numbered
from crawler.decisionlog.writer import LogWriter
from tests.crawler.decisionlog.conftest import make_entry, write_sample


def test_a_written_log_is_read_and_verified(pg):
    head = pg.write()
    with pg.reader() as reader:
        records = list(reader.records())
        (segment,) = reader.segments()
    assert [record.idx for record in records] == list(range(10))
    assert records[1].url == "http://a.example/page/0"
    assert (segment.size, segment.root, segment.sealed) == (10, head.root.hex(), True)
    report = pg.verify()
    assert (report.exit_code, report.findings, report.records) == (ExitCode.DONE, (), 10)
    assert report.outside, "the checkpoint beside was compared"


def test_the_same_entries_have_the_same_leaves_in_both_engines(pg, log):
    options = {"entropy": bytes, "run_id": "run-1"}
    assert pg.write(**options).root == log.write(**options).root


def test_the_view_gives_what_sqlite_gives(pg, log):
    pg.write(entropy=bytes)
    log.write(entropy=bytes)
    for sql in (
        "SELECT * FROM decisions ORDER BY idx",
        "SELECT run, verdict, count(*), sum(size), min(ts_us) FROM decisions GROUP BY run, verdict ORDER BY 2",
        "SELECT DISTINCT agent FROM decisions WHERE url LIKE 'http://a.example/%'",
        "SELECT count(*), '?' FROM decisions WHERE host = 'a.example' AND stage = 'outcome'",
    ):
        with pg.reader() as ours, log.reader() as theirs:
            assert ours.query(sql) == theirs.query(sql)
    with pg.reader() as reader:
        rows = reader.query(
            "SELECT idx FROM decisions WHERE verdict = ? AND idx > ? ORDER BY idx", ("keep", 3)
        )
        assert rows == [(6,), (9,)]


HOSTILE = (
    "http://a.example/\0nul",
    "http://a.example/\ufdd0",
    "\ufdd0x00",
    "\ufdd01\ufdd00\0\ufdd0",
    "http://a.example/\udcff\udc80",
    "http://a.example/'\"\\\n\t,{}",
    "http://日本語.example/道?q=é",
    "http://a.example/" + "x" * 65_536,
    "",
)


def test_the_records_of_a_url_are_found_by_the_index_in_every_segment(pg):
    pages = [f"http://a.example/page/{page}" for page in range(3)]
    for run in range(3):
        writer = pg.open(run_id=f"run-{run}")
        write_sample(writer)
        for url in HOSTILE:
            writer.append(make_entry(url=url))
        if run < 2:
            writer.close(seal=True)
    writer.append(make_entry(host="b.example"), wait=True).result(30)
    with pg.reader() as reader:
        for url, count in [
            *((page, 9) for page in pages),
            (HOSTILE[0], 3),
            (HOSTILE[6], 3),
            ("http://a.example/", 0),
        ]:
            answer = lookup(reader, Target(host="a.example", url=url))
            assert [one.state for one in answer.hosts] == ["sealed", "sealed", "open"]
            assert [record.url for record in answer.records] == [url] * count
    writer.close(seal=True)


def test_check_19_every_text_comes_back_to_the_octet(pg):
    """Separators, NUL, quotes, no UTF-8, IDN, 64 KiB, empty: distinct leaves, exact through verify."""
    writer = pg.open()
    write_sample(writer)
    for url in HOSTILE:
        writer.append(
            make_entry(
                url=url, parent_url=url, error=url.encode("utf-8", "replace").decode()[:900], media_type=None
            )
        )
    writer.append(make_entry(url=None, error=""))
    writer.append(make_entry(url=None, error=None))
    assert writer.close(seal=True) is not None, writer.failed
    with pg.reader() as reader:
        records = list(reader.records())[10:]
        assert [record.url for record in records] == [*HOSTILE, None, None]
        assert [record.parent_url for record in records[:-2]] == list(HOSTILE)
        assert records[0].error == HOSTILE[0]
        assert [record.error for record in records[-2:]] == ["", None]
        assert len({record.leaf_hash for record in records}) == len(records)
        rows = reader.query("SELECT url, error FROM decisions WHERE idx >= 10 ORDER BY idx")
    assert rows[0] == (HOSTILE[0], HOSTILE[0])
    assert rows[4][0] == "x-octets:" + HOSTILE[4].encode("utf-8", "surrogatepass").hex()
    assert pg.verify().findings == ()


def test_core_statements_work_as_on_a_file(pg):
    pg.write()
    connection = store.open_for_reading(log_place(pg.reader_url))
    try:
        assert connection.execute(select(func.count()).select_from(schema.record)).scalar() == 10
        assert store.driver(connection).execute("SELECT ?2, ?1", (1, 2)).fetchone() == (2, 1)
    finally:
        connection.close()


def test_parameters_are_numbered_outside_of_quotes():
    assert numbered("SELECT '?', \"?\", ? -- ?\n, ?") == "SELECT '?', \"?\", $1 -- ?\n, $2"
    assert numbered("SELECT ?1, ?1, ?2") == "SELECT $1, $1, $2"
    assert numbered("BEGIN IMMEDIATE") == "BEGIN"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM opening",
        "UPDATE segment SET size = 1",
        "SELECT 1; DELETE FROM opening",
        "WITH gone AS (DELETE FROM opening RETURNING 1) SELECT * FROM gone",
        "COPY opening TO '/tmp/opening'",
        "RESET ROLE",
        "SET ROLE sekisho_owner",
        "SELECT nothing FROM nowhere",
        "SELECT pg_advisory_lock(1) FROM generate_series(1, 'x')",
    ],
)
def test_a_query_is_one_select_and_nothing_else(pg, sql):
    pg.write()
    before = pg.table("opening")
    with pg.reader() as reader, pytest.raises(LogError, match="the query failed"):
        reader.query(sql)
    assert pg.table("opening") == before


def test_two_crawls_write_beside_each_other(pg):
    first, second = pg.open(), pg.open(run_id="run-2")
    write_sample(first)
    write_sample(second)
    assert second.close(seal=True) is not None
    assert first.close(seal=True) is not None
    report = pg.verify()
    assert (report.findings, report.records, len(report.segments)) == ((), 20, 2)
    assert not report.unsealed


def test_a_segment_whose_writer_is_gone_is_sealed_by_the_next_and_one_that_lives_is_not(pg):
    dead, alive = pg.open(run_id="dead"), pg.open(run_id="alive")
    for writer in (dead, alive):
        write_sample(writer)
        writer.append(make_entry(), wait=True).result(10)
    with pg.admin() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1"
        )
    with pytest.raises(LogError, match="cannot write the log"):
        dead.append(make_entry(), wait=True).result(10)
    pg.write(run_id="next")
    with pg.reader() as reader:
        sealed = {run.run: run.sealed for run in reader.runs()}
    assert sealed == {"dead": True, "alive": False, "next": True}
    assert alive.close(seal=True) is not None
    report = pg.verify()
    assert (report.findings, report.records) == ((), 32)


def test_a_restored_copy_is_refused(pg, postgres):
    pg.write()
    copy = postgres.create_database(pg.name)
    pg.write(run_id="run-2")
    with pytest.raises(IntegrityError, match="rolled back"):
        LogWriter.open(
            postgres.url(copy, user="crawl_login"),
            run_id="run-3",
            agent="ExampleBot",
            clock=pg.clock,
            custody=pg.custody,
        )


def test_plain_urls_and_those_with_a_driver_name_the_same_place(pg):
    pg.write()
    plain = pg.reader_url.replace("+psycopg", "")
    with LogReader.open(plain) as reader:
        assert len(list(reader.records())) == 10
        assert str(reader.path).startswith("postgresql://read_login@/")


def test_a_password_is_never_shown():
    place = log_place("postgresql://crawl:secret@db.example/log")
    assert "secret" not in str(place)
    assert "secret" not in repr(place)
    with pytest.raises(LogError) as caught:
        LogReader.open("postgresql://crawl:secret@127.0.0.1:9/log")
    assert "secret" not in str(caught.value)
