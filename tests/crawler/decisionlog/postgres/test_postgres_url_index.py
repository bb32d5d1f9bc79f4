"""The index of URLs in PostgreSQL: the same answers, and gone with an erased URL and a pruned segment."""

from __future__ import annotations

import threading
from contextlib import suppress

import psycopg
import pytest
from psycopg import errors

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import url_index
from crawler.decisionlog.lookup import Target, lookup
from crawler.decisionlog.place import log_place
from crawler.decisionlog.postgres_setup import set_up
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.retention.plan import plan
from crawler.decisionlog.retention.prune import finish, intend
from crawler.decisionlog.verify import verify_log
from tests.crawler.decisionlog.conftest import LISTS, POLICY, make_entry
from tests.crawler.decisionlog.postgres.test_postgres_retention import SCHEDULE, YEARS_LATER, load_schedule

BIG, OTHER = "big\ufdd0.example", "other.example"
ODD = (f"http://{BIG}/\udcff", f"http://{BIG}/\0", f"http://{BIG}/\ufdd0x00", f"https://{BIG}/1")
PAGES = 600
ERASING = ("--basis", "request 17", "--actor", "tests", "--yes")


def write_big(pg, run, *, seal=True):
    writer = pg.open(run_id=run)
    writer.append(make_entry(host="small.example", url="http://small.example/"), [POLICY, LISTS])
    for number, url in enumerate((*(f"http://{BIG}/{page}" for page in range(PAGES)), *ODD)):
        writer.append(make_entry(host=BIG, url=url))
        writer.append(make_entry(host=OTHER, url=f"http://{OTHER}/{run}/{number}"))
    writer.append(make_entry(host=None, url=None), wait=True).result(30)
    if seal:
        assert writer.close(seal=True) is not None, writer.failed
    return writer


def ask(pg, url, host=BIG, **options):
    with pg.reader() as reader:
        return lookup(reader, Target(host=host, url=url), **options)


def indexed(pg):
    return [(row[0], row[1]) for row in pg.table("url_key")]


@pytest.fixture
def big(pg, monkeypatch):
    write_big(pg, "run-1")
    write_big(pg, "run-2")
    pg.use(monkeypatch)
    monkeypatch.setenv("SEKISHO_LOG", pg.server.url(pg.name, user="keep_login"))
    return pg


def test_the_index_answers_as_reading_every_record_does(big):
    for url in (*ODD, f"http://{BIG}/5", f"http://{BIG}/absent"):
        answer = ask(big, url)
        assert (answer.by_url_index, len(answer.records)) == (2, 0 if url.endswith("absent") else 2)
        assert answer.records == ask(big, url, exhaustive=True).records
    assert len(indexed(big)) == 4
    with big.reader() as reader:
        report = verify_log(reader, url_index=True)
    assert report.findings == ()
    assert "4 indexes of URLs were compared with the records" in report.notes


def test_check_23_an_erasure_takes_the_index_of_the_host_with_it(big, capsys):
    both = sorted(indexed(big))
    assert main(["log", "erase", f"http://{OTHER}/run-1/5", *ERASING]) == ExitCode.DONE, (
        capsys.readouterr().err
    )
    assert sorted(indexed(big)) == [each for each in both if each != (1, OTHER)]
    assert {(row[0], row[1]) for row in big.table("url_posting")} == set(indexed(big))
    answer = ask(big, f"http://{OTHER}/run-1/5", OTHER)
    assert (answer.by_url_index, answer.unopened, answer.records) == (1, 1, ())


def test_check_23_an_erasure_while_a_segment_is_sealed_and_an_index_do_not_pass_each_other(big, monkeypatch):
    """The index is surveyed with the URL, then it is erased, then the index is written: without that host."""
    writer = write_big(big, "run-3", seal=False)
    real, codes = url_index._read, []

    def then_erased(*given):
        real(*given)
        thread = threading.Thread(
            target=lambda: codes.append(main(["log", "erase", f"http://{OTHER}/run-3/7", *ERASING]))
        )
        thread.start()
        thread.join()

    monkeypatch.setattr(url_index, "_read", then_erased)
    assert writer.close(seal=True) is not None, writer.failed
    assert codes == [ExitCode.DONE]
    assert {host for _, host in indexed(big)} == {"big\ufdd01.example", OTHER}
    assert (3, OTHER) not in indexed(big)
    assert {(row[0], row[1]) for row in big.table("url_posting")} == set(indexed(big))
    assert big.verify().findings == ()


@pytest.mark.parametrize("user", ["prune_login", "crawl_login", "postgres"])
@pytest.mark.parametrize("table", ["url_key", "url_posting"])
def test_what_no_erasure_has_named_stays(big, user, table):
    before = big.table(table)
    with big.connect(user) as connection, suppress(errors.IntegrityError, errors.InsufficientPrivilege):
        assert connection.execute(f"DELETE FROM {table}").rowcount == 0, "row security shows it none"
    with big.connect(user) as connection, pytest.raises(psycopg.Error):
        connection.execute(f"INSERT INTO {table} SELECT * FROM {table}")
    assert big.table(table) == before


def test_an_index_goes_with_its_pruned_segment(big):
    with Actor(big.server.url(big.name, user="keep_login"), pruning=True) as actor:
        item = plan(actor.connection, load_schedule(SCHEDULE), now_us=YEARS_LATER)[0]
        intend(actor, item, who="tests", manifest=None, now_us=YEARS_LATER)
        finish(actor, item, now_us=YEARS_LATER)
    assert {number for number, _ in indexed(big)} == {2}
    assert {row[0] for row in big.table("url_posting")} == {2}


def test_a_log_without_these_tables_is_read_written_erased_and_pruned_and_gets_them_by_log_init(big):
    with big.admin() as connection:
        connection.execute("DROP TABLE url_key, url_posting")
    url = f"http://{BIG}/5"
    assert [len(ask(big, url).records), ask(big, url).by_url_index] == [2, 0]
    write_big(big, "run-3")
    assert [len(ask(big, url).records), ask(big, url).by_url_index] == [3, 0]
    assert main(["log", "erase", f"http://{OTHER}/run-1/5", *ERASING]) == ExitCode.DONE
    with Actor(big.server.url(big.name, user="keep_login"), pruning=True) as actor:
        item = plan(actor.connection, load_schedule(SCHEDULE), now_us=YEARS_LATER)[0]
        intend(actor, item, who="tests", manifest=None, now_us=YEARS_LATER)
        finish(actor, item, now_us=YEARS_LATER)
    set_up(log_place(big.admin_url))
    write_big(big, "run-4")
    assert [len(ask(big, url).records), ask(big, url).by_url_index] == [3, 1]
