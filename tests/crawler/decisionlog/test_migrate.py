"""A log of format 1 is read as it is, and taken to format 2 without a change to any record."""

from __future__ import annotations

import sqlite3

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import schema
from crawler.decisionlog.custody import Custody
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.migrate import migrate
from crawler.decisionlog.verify import verify_log
from tests.crawler.decisionlog.conftest import write_sample

SINCE_2 = {table.name for table in schema.SINCE_2}
OLD = sorted(set(schema.metadata.tables) - SINCE_2)


def make_old(log):
    """Turn a log into what version 0.1 left: no registry, guards of its own."""
    connection = log.of_format_1()
    for table in OLD:
        connection.execute(
            f"CREATE TRIGGER old_{table} BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'sekisho: old'); END"
        )
    connection.close()
    for beside in (".key", ".checkpoint"):
        log.path.with_name(log.path.name + beside).unlink()


@pytest.fixture
def old(log):
    """A log of format 1: one segment that is sealed, one whose writer died."""
    log.write()
    writer = log.open(run_id="run-2")
    write_sample(writer)
    writer.close(seal=False)
    make_old(log)
    return log


def tables(log):
    connection = sqlite3.connect(log.path)
    return {
        table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in OLD if table != "meta"
    }


def shape(path):
    names = "SELECT name, replace(sql, '\n', '') FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'"
    return sorted(sqlite3.connect(path).execute(names).fetchall())


def run(log, *options):
    return main(["log", "migrate", "--log", log.url, *options])


def test_an_old_log_is_read_and_verified_but_not_written(old):
    with old.reader() as reader:
        assert len(list(reader.records())) == 20
        report = verify_log(reader)
    assert report.findings == ()
    with pytest.raises(LogError, match="sekisho log migrate"):
        old.open()


def test_without_yes_nothing_is_done(old, capsys):
    before = old.path.read_bytes()
    assert run(old) == ExitCode.DONE
    assert "sekisho.log/1 and would get sekisho.log/2" in capsys.readouterr().out
    assert old.path.read_bytes() == before


def test_a_migrated_log_has_every_record_and_the_shape_of_a_new_one(old, tmp_path_factory):
    before = tables(old)
    assert run(old, "--yes") == ExitCode.DONE
    assert tables(old) == before
    new = type(old)(tmp_path_factory.mktemp("new"))
    new.write()
    assert shape(old.path) == shape(new.path)
    with old.reader() as reader:
        report = verify_log(reader)
        assert (report.exit_code, report.findings, report.records) == (ExitCode.DONE, (), 20)
        adopted = [leaf.event for leaf in reader.leaves({"segment_adopt"})]
    assert [(event.number, event.size, event.sealed) for event in adopted] == [(1, 10, 1), (2, 10, 0)]


def test_a_migrated_log_is_written_on_and_its_dead_segments_are_sealed(old):
    run(old, "--yes")
    old.write(run_id="run-3")
    with old.reader() as reader:
        assert [segment.sealed for segment in reader.segments()] == [True, True, True]
        assert verify_log(reader).findings == ()


def test_migrating_again_does_nothing(old, capsys):
    run(old, "--yes")
    before = old.path.read_bytes()
    capsys.readouterr()
    assert run(old, "--yes") == ExitCode.DONE
    assert "nothing to do" in capsys.readouterr().out
    assert old.path.read_bytes() == before


def test_a_log_that_was_changed_is_not_migrated(old):
    connection = old.unguarded()
    connection.execute("UPDATE record SET verdict = 'skip' WHERE segment_id = 1 AND idx = 4")
    connection.close()
    before = tables(old)
    with pytest.raises(IntegrityError, match="is not migrated"):
        migrate(old.url, Custody.of(old.path), now_us=1)
    assert tables(old) == before


def test_a_migration_that_fails_changes_nothing(old, monkeypatch):
    before, was = tables(old), shape(old.path)
    monkeypatch.setattr(
        "crawler.decisionlog.registry_store.RegistryStore.checkpoint",
        lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("disk I/O error")),
    )
    with pytest.raises(LogError, match="cannot migrate the log"):
        migrate(old.url, Custody.of(old.path), now_us=1)
    assert (tables(old), shape(old.path)) == (before, was)
