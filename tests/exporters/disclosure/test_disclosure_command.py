"""`sekisho disclosure`: what is written, where, with which exit code, and what is never written."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from pathlib import Path

import pytest

from crawler.cli import main
from exporters.files import PublishError, publish_file
from policies.vocabulary import Reason, Stage

AT = "2026-11-22T00:00:00Z"


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Run `sekisho disclosure build` in an empty folder; return exit code and output folder."""
    monkeypatch.chdir(tmp_path)

    def run(log: str, *options: str) -> tuple[int, Path]:
        return main(
            ["disclosure", "build", "--log", log, "--out", "public", "--at", AT, *options]
        ), tmp_path / "public"

    return run


def test_build_writes_every_file_and_an_index_that_names_them(quiet, build, capsys):
    code, out = build(quiet.url)
    assert code == 0
    printed = capsys.readouterr().out.splitlines()
    index = json.loads((out / "index.json").read_bytes())
    assert [f"public/{file['path']}" for file in index["files"]] + ["public/index.json"] == printed
    assert {path.name for path in (out / "kansaibot").iterdir()} == {
        "disclosure.json", "disclosure.ja.html", "disclosure.en.html", "disclosure.ja.md", "disclosure.en.md", "domains.csv",
    }  # fmt: skip
    for file in index["files"]:
        body = (out / file["path"]).read_bytes()
        assert (file["octets"], file["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert (
        index["disclosures"][0]["log_heads"][0]["size"]
        == json.loads((out / "kansaibot" / "disclosure.json").read_bytes())["log"]["segments"][0]["size"]
    )


def test_building_twice_gives_the_same_files(quiet, build):
    _, out = build(quiet.url)
    first = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    build(quiet.url)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == first


def test_each_agent_gets_a_folder_and_one_can_be_chosen(quiet, kit, build):
    run = quiet.run(agent="OtherBot", name="other")
    run.open(user_agent="Mozilla/5.0 (compatible; OtherBot/1.0; +https://crawler.kansai-corpus.jp/bot)")
    kit.fill(run)
    run.close()
    code, out = build(quiet.url, "--agent", "otherbot")
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == ["index.json", "otherbot"]
    build(quiet.url)
    assert sorted(path.name for path in out.iterdir()) == ["index.json", "kansaibot", "otherbot"]


def test_a_contradiction_is_written_and_exits_with_findings(book, kit, build, capsys):
    run = book.run()
    run.open()
    kit.fill(run)
    run.page("https://news.example.co.jp/private/z", "news.example.co.jp", force=True)
    run.close()
    code, out = build(book.url)
    assert code == 3
    assert "contradicts a claim of KansaiBot: robots-txt" in capsys.readouterr().err
    assert json.loads((out / "index.json").read_bytes())["disclosures"][0]["contradicted"] == ["robots-txt"]


def test_an_empty_log_publishes_nothing(book, build, capsys):
    book.run().close(seal=False)
    code, out = build(book.url)
    assert code == 5
    assert "nothing to disclose" in capsys.readouterr().err
    assert not out.exists()


def test_a_missing_log_is_named(tmp_path, build, capsys):
    code, out = build(f"sqlite:///{tmp_path / 'absent.db'}")
    assert code == 5
    assert "absent.db" in capsys.readouterr().err
    assert not out.exists()


def test_an_altered_log_publishes_nothing(quiet, build, capsys):
    base = sqlite3.connect(quiet.path)
    for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        base.execute(f"DROP TRIGGER {name}")
    base.execute("UPDATE record SET verdict = 'fetch' WHERE verdict = 'skip' AND stage = 'request'")
    base.commit()
    base.close()
    code, out = build(quiet.url)
    assert code == 4
    assert "altered" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--lang", "fr"),
        ("--lang", ""),
        ("--from", "yesterday"),
        ("--to", "2026-11-22T00:00:00"),
        ("--at", "2026-13-01"),
    ],
)
def test_wrong_options_are_usage_errors_that_write_nothing(quiet, build, options):
    code, out = build(quiet.url, *options)
    assert code == 2
    assert not out.exists()


def test_the_last_day_is_included_and_the_first_instant_too(quiet, build):
    code, out = build(quiet.url, "--from", "2026-05-28", "--to", "2026-05-28")
    assert code == 0
    scope = json.loads((out / "kansaibot" / "disclosure.json").read_bytes())["scope"]
    assert scope == {"from": "2026-05-28T00:00:00Z", "to": "2026-05-29T00:00:00Z"}
    assert build(quiet.url, "--to", "2026-05-27")[0] == 5


def test_one_language_has_no_link_to_a_page_that_is_not_there(quiet, build):
    _, out = build(quiet.url, "--lang", "ja")
    names = {path.name for path in (out / "kansaibot").iterdir()}
    assert "disclosure.en.html" not in names
    for name in ("disclosure.ja.html", "disclosure.ja.md"):
        assert "disclosure.en" not in (out / "kansaibot" / name).read_text(encoding="utf-8")


def test_declared_agent_files_present_and_past_are_compared_with_the_log(quiet, kit, build, tmp_path):
    history = tmp_path / "policies" / "agents" / "history" / "kansaibot"
    history.mkdir(parents=True)
    (tmp_path / "policies" / "agents" / "kansaibot.toml").write_bytes(kit.agent_toml(version=2))
    assert build(quiet.url)[0] == 3
    (history / "1.toml").write_bytes(kit.agent_toml(version=1))
    code, out = build(quiet.url)
    assert code == 0
    claims = {
        claim["id"]: claim["status"]
        for claim in json.loads((out / "kansaibot" / "disclosure.json").read_bytes())["claims"]
    }
    assert claims["published-policy"] == "supported"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[unknown]\na = 1", "unknown"),
        ("authoritative_language = 'fr'", "authoritative_language"),
        ("[items.'PC-1.2d']\ncompletion_date = 2027-01-01", "statement or an explanation"),
        ("[items.'PC-1.2d'.statement]\nen = 'x'", "items.PC-1.2d.statement.ja"),
        ("code_version = 'final'", "unknown code version"),
        ("a = ", "TOML"),
    ],
)
def test_a_wrong_configuration_is_named_and_nothing_is_written(quiet, build, capsys, text, words):
    (quiet.path.parent / "disclosure.toml").write_text(text, encoding="utf-8")
    code, out = build(quiet.url, "--config", "disclosure.toml")
    assert code in (2, 5)
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_show_prints_every_figure_with_its_query(quiet, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["disclosure", "show", "--log", quiet.url, "--format", "json"]) == 0
    shown = {row["figure"]: row for row in json.loads(capsys.readouterr().out)["figures"]}
    assert shown["KansaiBot.kept"]["value"] == 8
    assert sqlite3.connect(quiet.path).execute(shown["KansaiBot.kept"]["query"]).fetchone() == (8,)
    assert shown["KansaiBot.claim.robots-txt"]["value"] == "supported"
    assert main(["disclosure", "show", "--log", quiet.url]) == 0
    assert "KansaiBot.bytes_kept" in capsys.readouterr().out


def test_an_agent_name_that_is_no_token_never_becomes_a_folder(book, build, capsys, kit):
    run = book.run(kit.agent_toml(), agent="../../etc")
    run.open()
    kit.fill(run)
    run.close()
    code, out = build(book.url)
    assert code == 5
    assert "no product token" in capsys.readouterr().err
    assert not out.exists()


def test_a_log_that_is_being_written_can_be_disclosed(book, kit, build):
    run = book.run()
    run.open()
    kit.fill(run)
    run.entry(Stage.RUN, "note", Reason.RUN_CLOSED, wait=True)
    code, out = build(book.url)
    run.close(seal=False)
    assert code == 0
    missing = json.loads((out / "kansaibot" / "disclosure.json").read_bytes())["not_recorded"]
    assert "unsealed" in {entry["why"] for entry in missing}


def test_a_file_appears_whole_or_the_old_one_stays(tmp_path, monkeypatch):
    publish_file(tmp_path, "page.html", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PublishError, match=r"page\.html: No space left"):
        publish_file(tmp_path, "page.html", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_bytes() == b"old"


def test_what_an_earlier_build_published_and_this_one_withholds_is_removed(quiet, build, tmp_path, capsys):
    _, out = build(quiet.url)
    assert (out / "kansaibot" / "domains.csv").exists()
    (out / "kansaibot" / "notes-of-the-operator.txt").write_text("stays", encoding="utf-8")
    (tmp_path / "disclosure.toml").write_text(
        "[items.'EU-2.3.8'.explanation]\nen = 'Our sources.'\nja = '情報源。'\n", encoding="utf-8"
    )
    build(quiet.url, "--config", "disclosure.toml")
    assert not (out / "kansaibot" / "domains.csv").exists()
    assert (out / "kansaibot" / "notes-of-the-operator.txt").exists()
    assert "removed the earlier" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x", "a/b", "", "/etc/passwd", ".."])
def test_a_name_cannot_leave_its_folder(tmp_path, name):
    with pytest.raises(ValueError, match="plain file name"):
        publish_file(tmp_path / "out", name, b"")


def test_published_files_can_be_read_by_a_web_server(tmp_path):
    written = publish_file(tmp_path / "new" / "folder", "index.json", b"{}")
    assert (tmp_path / "new" / "folder" / "index.json").stat().st_mode & 0o777 == 0o644
    assert (written.size, written.sha256) == (2, hashlib.sha256(b"{}").hexdigest())
