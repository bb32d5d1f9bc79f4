"""Retention works through its own role: what the registry has named goes, and verify knows why it is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.retention.plan import plan
from crawler.decisionlog.retention.prune import finish, intend
from crawler.decisionlog.retention.schedule import load_schedule

SCHEDULE = Path(__file__).resolve().parents[4] / "policies" / "retention.toml"
YEARS_LATER = 1_800_000_000_000_000 + 6 * 366 * 86_400 * 10**6


@pytest.fixture
def kept(pg, monkeypatch):
    """Two sealed runs, and the retention officer's login."""
    pg.write(retention="trial")
    pg.write(run_id="run-2")
    pg.use(monkeypatch)
    monkeypatch.setenv("SEKISHO_LOG", pg.server.url(pg.name, user="keep_login"))
    return pg


def test_check_22_a_pruned_segment_is_gone_and_everything_else_verifies(kept):
    url = kept.server.url(kept.name, user="keep_login")
    with Actor(url, pruning=True) as actor:
        item = plan(actor.connection, load_schedule(SCHEDULE), now_us=YEARS_LATER)[0]
        intend(actor, item, who="tests", manifest=None, now_us=YEARS_LATER)
        assert finish(actor, item, now_us=YEARS_LATER) == 10
    assert {row[0] for row in kept.table("record")} == {2}
    assert {row[0] for row in kept.table("opening")} == {2}
    report = kept.verify()
    assert (report.exit_code, report.findings) == (ExitCode.UNVERIFIABLE, ())
    assert "was pruned under" in report.unverifiable[0]


def test_check_23_an_erased_url_is_gone_with_its_salt_and_verify_knows(kept, capsys):
    words = ["--basis", "request 1", "--actor", "tests", "--yes"]
    assert main(["log", "erase", "http://a.example/page/0", *words]) == ExitCode.DONE, capsys.readouterr().err
    assert not [row for row in kept.table("opening") if "http://a.example/page/0" in row[2:4]]
    assert (kept.verify().exit_code, kept.verify().findings) == (ExitCode.DONE, ())


def test_holds_exports_look_ups_and_proofs_work_as_on_a_file(kept, tmp_path, capsys):
    hold = ["--scope", "host:a.example", "--reason", "claim", "--authority", "court", "--actor", "tests"]
    segment = str(kept.verify().segments[0].segment)
    package = str(tmp_path / "package")
    before = shutil.copy(
        kept.custody.checkpoint_file, tmp_path / "before"
    )  # what the export entry comes after
    for words in (
        ["hold", "add", *hold],
        ["hold", "list"],
        ["log", "lookup", "a.example"],
        ["log", "lookup", "http://a.example/page/1"],
        ["log", "prove", f"{segment}#3"],
        ["log", "prove", "--host", "a.example", "--segment", segment],
        ["log", "export", "--package", package],
        ["log", "verify", "--export", package, "--known-checkpoint", str(before)],
    ):
        assert main(words) == ExitCode.DONE, (words, capsys.readouterr())
    assert kept.verify().findings == ()


def test_without_the_role_nothing_goes(kept, monkeypatch, capsys):
    monkeypatch.setenv("SEKISHO_LOG", kept.url)
    before = kept.table("opening")
    words = ["--basis", "request 1", "--actor", "tests", "--yes"]
    assert main(["log", "erase", "http://a.example/page/0", *words]) == ExitCode.REFUSED
    assert "GRANT sekisho_pruner TO crawl_login" in capsys.readouterr().err
    assert kept.table("opening") == before
