"""What alembic does to a file, it does to a database on a server."""

from __future__ import annotations

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import schema
from crawler.decisionlog.errors import LogError


@pytest.fixture
def old(pg, monkeypatch):
    """A log of format 1: without registry."""
    pg.write()
    with pg.admin() as connection:
        for table in reversed(schema.SINCE_2):
            connection.execute(f"DROP TABLE {table.name} CASCADE")
        connection.execute("ALTER TABLE meta DISABLE TRIGGER USER")
        connection.execute("UPDATE meta SET value = 'sekisho.log/1'")
        connection.execute("ALTER TABLE meta ENABLE ALWAYS TRIGGER guard_meta_update")
    for file in (pg.custody.key_file, pg.custody.checkpoint_file):
        file.unlink()
    pg.use(monkeypatch)
    return pg


def test_an_old_log_on_a_server_is_migrated_and_written_on(old, capsys):
    with pytest.raises(LogError, match="sekisho log migrate"):
        old.open()
    before = old.table("record")
    assert main(["log", "migrate", "--log", old.admin_url]) == ExitCode.DONE
    assert "would get sekisho.log/2" in capsys.readouterr().out
    assert main(["log", "migrate", "--log", old.admin_url, "--yes"]) == ExitCode.DONE
    assert old.table("record") == before
    assert old.verify().findings == ()
    old.write(run_id="run-2")
    report = old.verify()
    assert (report.exit_code, report.findings, report.records) == (ExitCode.DONE, (), 20)


def test_a_login_that_only_writes_cannot_migrate(old):
    before = old.table("meta")
    assert main(["log", "migrate", "--log", old.url, "--yes"]) == ExitCode.REFUSED
    assert old.table("meta") == before
