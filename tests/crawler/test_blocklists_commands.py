"""`sekisho blocklists` as an operator meets it: what it changes, what it says, and how it ends."""

from __future__ import annotations

import json

import pytest

from blocklists import store
from crawler.cli import main


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("SEKISHO_BLOCKLISTS", "SEKISHO_LISTS_KEEP", "SEKISHO_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        try:
            code = main(["blocklists", *arguments])
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return int(code), said.out, said.err

    run.lists = tmp_path / "lists"
    assert run("add", "--host", "bad.example", "--reason", "asked by its owner")[0] == 0
    return run


def free(ask, host):
    return ask(
        "override", host, "--reason", "a library", "--owner", "law@example.com", "--until", "2099-01-31"
    )


def test_an_override_needs_a_reason_an_owner_and_an_end(ask):
    code, _, err = ask("override", "bad.example", "--reason", "x")
    assert (code, "add --owner, --until" in err) == (2, True)
    code, _, err = ask("override", "bad.example", "--reason", "x", "--owner", "y", "--until", "next year")
    assert (code, "a day like 2027-01-31 is needed" in err) == (2, True)
    code, _, _ = free(ask, "com")
    assert code == 5
    assert not (ask.lists / "overrides.toml").exists()
    assert ask("why", "bad.example", "--exit-code")[0] == 3


def test_an_override_says_that_it_holds_at_once_and_where_to_report_and_ends_again(ask):
    code, out, err = free(ask, "https://bad.example")
    assert code == 0
    assert "bad.example is free until 2099-01-31, in crawls that are running too" in out
    assert "Tell the publisher, too: sekisho blocklists why bad.example" in out
    assert "no list names it" not in err
    code, out, _ = ask("why", "www.bad.example", "--exit-code")
    assert code == 0
    assert "override by law@example.com until 2099-01-31: a library; 1 entries would block without it" in out
    assert ask("override", "bad.example", "--end")[0] == 0
    assert ask("why", "bad.example", "--exit-code")[0] == 3
    code, _, err = ask("override", "bad.example", "--end")
    assert (code, "does not exist, so no override can end" in err) == (2, True)


def test_an_override_of_what_nobody_lists_is_told(ask):
    code, _, err = free(ask, "bda.example")
    assert code == 0
    assert "bda.example: no list names it; is another spelling meant?" in err


def test_why_counts_one_entry_and_several(ask):
    assert "bad.example is not visited: 1 entry names it." in ask("why", "bad.example")[1]
    ask("add", "--host", "www.bad.example")
    assert "2 entries name it." in ask("why", "www.bad.example")[1]


def test_prune_removes_what_is_beyond_the_newest_and_says_what_stays(ask, monkeypatch):
    for number in range(5):
        ask("add", "--host", f"site{number}.example")
    assert len(store.known_snapshots(ask.lists)) == 6
    code, out, err = ask("prune", "--keep", "3", "--dry-run", "--format", "json")
    assert (code, "3 of 6 snapshots would be removed" in err) == (0, True)
    fates = [one["fate"] for one in json.loads(out)["snapshots"]]
    assert fates == ["in force", "before the one in force", "among the newest", *["removed"] * 3]
    assert len(store.known_snapshots(ask.lists)) == 6
    code, _, err = ask("prune", "--keep", "1")
    assert (code, "at least 2 are needed" in err) == (2, True)
    monkeypatch.setenv("SEKISHO_LISTS_KEEP", "2")
    assert ask("prune")[0] == 0
    assert len(store.known_snapshots(ask.lists)) == 2
    ask("add", "--host", "one-more.example")  # compiling keeps to it, too
    assert len(store.known_snapshots(ask.lists)) == 2
    monkeypatch.setenv("SEKISHO_LISTS_KEEP", "few")
    code, _, err = ask("prune")
    assert (code, "a whole number from 2 on is needed" in err) == (2, True)


def test_the_difference_of_two_states_names_each_row(ask):
    ask("add", "--host", "more.example")
    code, out, _ = ask("diff", "--exit-code")
    assert code == 3
    assert "1 entries added, 0 removed" in out
    assert "more.example" in out
