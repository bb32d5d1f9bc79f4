"""A log that cannot be made durable, or is none of ours, is refused with one readable line."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from blocklists.errors import ExitCode
from crawler.decisionlog import schema, store_sqlite
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.writer import LogWriter


def refusal(url, clock=None):
    """Return the line with which both reading and writing refuse a URL."""
    lines = []
    for attempt in (
        lambda: LogWriter.open(url, run_id="r", agent="a", clock=clock),
        lambda: LogReader.open(url),
    ):
        with pytest.raises(LogError) as caught:
            attempt()
        assert caught.value.exit_code == ExitCode.REFUSED
        assert "\n" not in str(caught.value)
        lines.append(str(caught.value))
    return lines


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 7, 0), False), ((3, 40, 1), False), ((3, 44, 5), False), ((3, 44, 6), True), ((3, 45, 0), False),
        ((3, 50, 6), False), ((3, 50, 7), True), ((3, 51, 0), False), ((3, 51, 2), False), ((3, 51, 3), True),
        ((3, 52, 0), True), ((4, 0, 0), True),
    ],
)  # fmt: skip
def test_check_07_wal_is_used_only_where_its_reset_bug_is_fixed(version, safe):
    assert store_sqlite.wal_is_safe(version) is safe


def test_check_07_the_sqlite_that_is_really_linked_decides(log):
    writer = log.open()
    raw = writer._store._raw
    expected = "wal" if store_sqlite.wal_is_safe(sqlite3.sqlite_version_info) else "persist"
    assert raw.execute("SELECT sqlite_version()").fetchone() == (sqlite3.sqlite_version,)
    assert raw.execute("PRAGMA journal_mode").fetchone() == (expected,)
    assert raw.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    writer.close(seal=True)


def test_check_07_a_wal_log_is_converted_where_wal_is_not_safe(log, monkeypatch):
    log.write()
    assert log.raw().execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    monkeypatch.setattr(store_sqlite, "wal_is_safe", lambda _: False)
    log.write(run_id="run-2")
    assert log.raw().execute("PRAGMA journal_mode").fetchone() != ("wal",)


def test_check_07_a_wal_log_that_somebody_has_open_is_refused_where_wal_is_not_safe(log, monkeypatch):
    log.write()
    other = log.raw()
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("SELECT count(*) FROM record").fetchone()
    monkeypatch.setattr(store_sqlite, "wal_is_safe", lambda _: False)
    with pytest.raises(LogError, match=r"locked|journal_mode is 'wal'"):
        log.open(lock_timeout=0.1)


@pytest.mark.parametrize(("statement", "expected"), [("journal_mode=wal", "wal"), ("synchronous=FULL", 3)])
def test_check_08_a_setting_that_reads_back_otherwise_is_refused(statement, expected):
    """SQLite says nothing when it does not do what a PRAGMA asks: in memory there is no write-ahead log."""
    with pytest.raises(LogError, match="cannot be made durable"):
        store_sqlite._pragma(sqlite3.connect(":memory:"), statement, expected, Path("x.db"))


def test_wal_works_where_it_is_safe(log, monkeypatch):
    monkeypatch.setattr(store_sqlite, "wal_is_safe", lambda _: True)
    head = log.write()
    assert log.raw().execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with log.reader() as reader:
        assert reader.segments()[0].root == head.root.hex()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql+psycopg2://db/sekisho", "no log can be kept in postgresql+psycopg2"),
        ("postgresql://db", "names no database"),
        (
            "postgresql://db/sekisho?options=-csynchronous_commit%3Doff",
            "options cannot be given in a log URL",
        ),
        ("mysql://db/sekisho", "no log can be kept in mysql"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:x?mode=memory&uri=true", "names no file"),
        ("sqlite:///x.db?mode=ro", "options after '?'"),
        ("sekisho.db", "is not a log URL"),
        ("sqlite:////nowhere/at/all/x.db", "the folder /nowhere/at/all of the log x.db does not exist"),
        ("sqlite:////", "is a folder"),
    ],
)
def test_a_url_that_names_no_log_says_what_to_write(url, says, log):
    for line in refusal(url, log.clock):
        assert says in line


def test_a_missing_log_is_not_created_by_reading(log):
    with pytest.raises(LogError, match=r"there is no log .*run a crawl first"):
        log.reader()
    assert not log.path.exists()


def test_an_empty_file_is_no_log_to_read_but_may_become_one(log):
    log.path.touch()
    with pytest.raises(LogError, match="is empty"):
        log.reader()
    log.write()
    with log.reader() as reader:
        assert reader.segments()[0].size == 10


def test_a_file_that_is_no_database_is_left_alone(log):
    log.path.write_bytes(b"these are my notes\n" * 100)
    for line in refusal(log.url, log.clock):
        assert "is not a database" in line
        assert str(log.path) in line
    assert log.path.read_bytes() == b"these are my notes\n" * 100


def test_somebody_elses_database_is_left_alone(log):
    log.raw().execute("CREATE TABLE notes (text TEXT)")
    before = log.path.read_bytes()
    for line in refusal(log.url, log.clock):
        assert "is a database but not a Sekisho log" in line
    assert log.path.read_bytes() == before


def test_a_log_of_another_format_version_is_refused_and_left_alone(log):
    log.write()
    log.unguarded().execute("UPDATE meta SET value = 'sekisho.log/3'")
    before = log.path.read_bytes()
    for line in refusal(log.url, log.clock):
        assert "'sekisho.log/3'" in line
        assert "'sekisho.log/2'" in line
        assert "use the Sekisho version that wrote it" in line
    assert log.path.read_bytes() == before


def test_a_folder_where_nothing_can_be_created_is_refused(log):
    with pytest.raises(
        LogError, match=r"cannot open the log /proc/sekisho.db: unable to open.*check that its folder"
    ):
        LogWriter.open("sqlite:////proc/sekisho.db", run_id="r", agent="a", clock=log.clock)


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser may write to read-only files")
def test_a_read_only_log_is_refused_for_writing_and_can_be_read(log):
    log.write()
    log.path.chmod(stat.S_IRUSR)
    log.path.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(LogError, match="give this user write access"):
        log.open()
    with log.reader() as reader:
        assert reader.segments()[0].size == 10


AS_NOBODY = """
import os, sys
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.writer import LogWriter
os.setgid(65534); os.setuid(65534)
with LogReader.open(sys.argv[1]) as reader:
    print(reader.segments()[0].size)
try:
    LogWriter.open(sys.argv[1], run_id="r", agent="a", clock=SystemClock())
except LogError as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only the superuser can become somebody else")
def test_somebody_who_may_only_read_can_read_and_is_told_why_not_write(log, tmp_path_factory):
    folder = Path("/tmp") / f"sekisho-read-only-{os.getpid()}"
    folder.mkdir(mode=0o755)
    log.path = folder / "sekisho.db"
    log.url = f"sqlite:///{log.path}"
    try:
        log.write()
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, log.url],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if "PermissionError" in done.stderr or "ModuleNotFoundError" in done.stderr:
            pytest.skip("this environment cannot be used by another user")
        assert done.stdout.splitlines()[0] == "10", done.stderr
        assert "give this user write access to the file and its folder" in done.stdout
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_a_damaged_file_is_an_integrity_error(log):
    log.write()
    octets = bytearray(log.path.read_bytes())
    octets[4096 * 3 : 4096 * 30] = b"\xa5" * (4096 * 27)
    log.path.write_bytes(octets[: 4096 * 30])
    with (
        pytest.raises((IntegrityError, LogError), match=r"malformed|damaged|not a database"),
        log.reader() as reader,
    ):
        list(reader.records())


def test_the_folder_of_a_new_log_is_synced(log, monkeypatch):
    synced = []
    real = os.fsync

    def fsync(descriptor):
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(store_sqlite.os, "fsync", fsync)
    log.write()
    assert str(log.path.parent) in synced


def test_a_log_named_with_odd_characters_is_found_again(log):
    log.path = log.path.with_name("a b ü#'.db")
    log.url = f"sqlite:///{log.path}"
    log.write()
    assert log.path.exists()
    with log.reader() as reader:
        assert reader.segments()[0].size == 10


def test_no_connection_is_left_open_behind_an_error(log):
    log.path.write_bytes(b"x" * 5000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        refusal(log.url, log.clock)


def _empty_table(limit=None):
    raw = sqlite3.connect(":memory:", isolation_level=None)
    if limit is not None:
        raw.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, limit)
    table = schema.head
    names = ", ".join(column.name for column in table.columns)
    raw.execute(f"CREATE TABLE {table.name} ({names})")
    return raw, table


@pytest.mark.parametrize("limit", [None, 4, 13, 999])
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 5, 8, 127, 128, 129, 300])
def test_every_row_is_appended_once_and_in_order_whatever_their_number(rows, limit):
    raw, table = _empty_table(limit)
    given = [(1, number, bytes([number % 256]), None) for number in range(rows)]
    store_sqlite.append(raw, table, iter(given))
    assert raw.execute(f"SELECT * FROM {table.name} ORDER BY rowid").fetchall() == given


def test_a_batch_takes_few_statements_since_each_hands_the_interpreter_to_the_crawl_and_waits_for_it():
    raw, table = _empty_table()
    statements = []
    raw.set_trace_callback(statements.append)
    store_sqlite.append(raw, table, [(1, number, b"", 0) for number in range(200)])
    assert len(statements) == 2


def test_a_row_that_did_not_reach_the_table_is_an_error_and_not_left_out():
    raw, table = _empty_table()
    with pytest.raises(sqlite3.IntegrityError, match="1 of 2 rows"):
        store_sqlite.append(raw, table, [(1, 0, b"", 0), (None, 1, b"", 0)])
