"""An index of URLs is believed where its log's key signed it, and nothing in its tables ends a look-up in an error of ours."""

from __future__ import annotations

import json
import re
import tracemalloc

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.findings import Problem
from tests.crawler.decisionlog.conftest import Log, make_entry
from tests.crawler.decisionlog.test_migrate import make_old
from tests.crawler.decisionlog.test_url_index import (
    BIG,
    SMALL,
    ask,
    compared,
    exhaustive,
    same_but_for_the_way,
    write_big,
)

PAGE = f"http://{BIG}/5"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    log = Log(tmp_path_factory.mktemp("trusted"))
    write_big(log, "run-1", 600)
    write_big(log, "run-2", 300)
    return log


@pytest.fixture
def big(written, tmp_path):
    return written.copied(tmp_path / "big")


def test_a_segment_that_was_open_when_its_log_was_migrated_is_looked_up_by_its_index(tmp_path):
    log = Log(tmp_path)
    writer = write_big(log, "run-1", 300, seal=False)
    writer.append(make_entry(host=None, url=None), wait=True).result(10)
    writer.close(seal=False)
    make_old(log)
    assert main(["log", "migrate", "--log", log.url, "--yes"]) == ExitCode.DONE
    log.write(run_id="run-2")
    answer = ask(log, PAGE)
    assert [one.state for one in answer.hosts] == ["recovered"]
    assert (len(answer.records), answer.by_url_index) == (2, 1)
    assert same_but_for_the_way(answer, exhaustive(log, PAGE))
    assert compared(log).findings == ()


def test_a_record_that_is_gone_is_told_with_its_own_segment(big):
    with big.reader() as reader:
        segments = [str(info.segment) for info in reader.segments()]
    big.unguarded().execute("DELETE FROM record WHERE segment_id = 2 AND host = ?", (BIG,))
    with pytest.raises(IntegrityError, match="which is not there") as caught:
        ask(big, PAGE)
    assert [segment in str(caught.value) for segment in segments] == [False, True]


def loosened(log, table):
    """Connect as the owner of the file who lets a table keep values of any type."""
    connection = log.unguarded()
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    connection.execute("PRAGMA writable_schema = ON")
    loose = re.sub(r"STRICT,|,\s*STRICT|STRICT", "", sql).rstrip().rstrip(",")
    connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (loose, table))
    connection.close()
    return log.unguarded()


OF_OTHER_TYPES = {
    "a part as text": ("url_posting", "body = 'x' || hex(body)", True),
    "a part as a number": ("url_posting", "body = 9.5", True),
    "a key as text": ("url_key", "key = hex(substr(key, 1, 8))", True),
    "a key as a number": ("url_key", "key = 7", True),
    "parts counted in reals": ("url_key", "buckets = buckets + 0.5", True),
    "parts counted in words": ("url_key", "buckets = 'many'", True),
    "parts counted in octets": ("url_key", "buckets = x'02'", True),
    "places as text": ("posting", "places = hex(places)", False),
    "places as a number": ("posting", "places = 7", False),
}


@pytest.mark.parametrize("how", OF_OTHER_TYPES)
def test_values_of_other_types_end_in_words_and_in_little_memory(big, how):
    table, change, of_urls = OF_OTHER_TYPES[how]
    connection = loosened(big, table)
    assert connection.execute(f"UPDATE {table} SET {change} WHERE segment_id = 1").rowcount
    connection.close()
    tracemalloc.start()
    try:
        for url in (PAGE, f"http://{SMALL}/"):
            if of_urls == (url == PAGE):
                with pytest.raises(IntegrityError, match="--exhaustive"):
                    ask(big, url)
            else:
                assert same_but_for_the_way(ask(big, url), exhaustive(big, url))
        if of_urls:
            problems = {finding.problem for finding in compared(big).findings}
            assert problems - {Problem.KEPT_OTHERWISE} == {Problem.URL_INDEX_WRONG}
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_a_key_that_was_retired_and_added_again_signed_what_it_signed(big, tmp_path, monkeypatch, capsys):
    first, second = big.path.with_name("sekisho.db.key"), tmp_path / "new.key"
    for present, new in ((first, second), (second, first)):
        monkeypatch.setenv("SEKISHO_LOG_KEY_FILE", str(present))
        words = ("--log", big.url, "--new-key-file", str(new), "--why", "yearly")
        assert main(["log", "key", "rotate", *words]) == ExitCode.DONE
    assert ask(big, PAGE).by_url_index == 2
    assert compared(big).findings == ()
    capsys.readouterr()
    assert main(["log", "key", "show", "--log", big.url, "--format", "json"]) == ExitCode.DONE
    keys = json.loads(capsys.readouterr().out)["keys"]
    assert [one["key"] == keys[0]["key"] for one in keys] == [True, False, True]
    assert [one["until"] is None for one in keys] == [False, False, True]
