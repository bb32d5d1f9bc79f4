"""`sekisho log` answers on standard output, complains on standard error, and exits as documented."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from crawler.cli import main
from crawler.decisionlog import encoding


@pytest.fixture
def sekisho(log, capsysbinary, monkeypatch):
    """Call `sekisho log …` with the log of the test; returns exit code, standard output, standard error."""
    monkeypatch.delenv("SEKISHO_LOG", raising=False)

    def call(*arguments, url=None):
        code = main(["log", *arguments, "--log", url or log.url])
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return call


def test_show_lists_runs_with_counts_and_heads(log, sekisho):
    head = log.write()
    log.write(run_id="run-2", seal=False)
    code, out, err = sekisho("show")
    assert (code, err) == (0, "")
    assert "run-1" in out
    assert out.count("sealed") == 1
    code, out, _ = sekisho("show", "--format", "json")
    (first, second) = json.loads(out)["runs"]
    assert first["head_root"] == head.root.hex()
    assert (first["records"], first["fetch"], first["keep"], first["skip"]) == (10, 3, 3, 0)
    assert second["state"] == "open"


def test_show_tells_one_run(log, sekisho):
    segment = log.write().segment
    for name in ("run-1", "run", str(segment)[:8]):
        code, out, _ = sekisho("show", name)
        assert code == 0
        assert str(segment) in out
        assert re.search(r"request +fetch +allowed +3 ", out)
    counts = [json.loads(line) for line in sekisho("show", "run-1", "--format", "jsonl")[1].splitlines()]
    assert sum(row["count"] for row in counts) == 10
    assert counts[0]["stage"] == "run"


def test_show_tells_one_record_with_its_evidence(log, sekisho):
    segment = str(log.write().segment)
    code, out, _ = sekisho("show", f"{segment[:8]}#1")
    assert code == 0
    for words in (
        f"record {segment}#1 of run run-1", "http://a.example/robots.txt line 2: Disallow: /private", "group       *",
        "robots  skip    robots_disallow", "Every rule that was consulted lets the request pass.", "leaf_hash",
    ):  # fmt: skip
        assert words in out
    assert json.loads(sekisho("show", f"{segment}#2", "--format", "json")[1])["record"]["status"] == 200
    assert "missing or damaged" not in sekisho("show", f"{segment}#2")[1]
    log.unguarded().execute("DELETE FROM document")
    assert "missing or damaged" in sekisho("show", f"{segment}#1")[1]


@pytest.mark.parametrize(
    "what", ["nobody", "#1", "zz#1", "{segment}#10", "{segment}#-1", "{segment}#x", "{segment}#"]
)
def test_show_says_what_there_is_instead(log, sekisho, what):
    segment = log.write().segment
    code, out, err = sekisho("show", what.format(segment=segment))
    assert (code, out) == (2, "")
    assert err.startswith("sekisho: ")
    assert err.count("\n") == 1


def test_hostile_texts_do_not_reach_the_terminal_raw(log, entry, sekisho):
    writer = log.open()
    writer.append(entry(url="http://a/\x1b[2J", error="\u202e\x07"))
    segment = writer.close(seal=True).segment
    for arguments in (["show", f"{segment}#0"], ["export"], ["show", "run-1"]):
        out = sekisho(*arguments)[1]
        assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_verify_says_that_all_is_well_and_counts(log, sekisho):
    log.write()
    code, out, err = sekisho("verify")
    assert (code, err) == (0, "")
    assert (
        "recomputed 10 records in 1 segment, 9 URLs, 1 head, 7 documents, 4 entries of the registry, 2 checkpoints."
        in out
    )
    assert "Nothing was changed, and nothing is missing." in out
    members = json.loads(sekisho("verify", "--format", "json")[1])
    assert (members["schema"], members["intact"], members["records"]) == ("sekisho.verify/1", True, 10)
    assert sekisho("verify", "--format", "jsonl")[1].strip() == ""


def test_verify_names_what_was_changed_and_exits_4(log, sekisho):
    segment = log.write().segment
    log.unguarded().execute("UPDATE record SET status = 404 WHERE idx = 5")
    code, out, _ = sekisho("verify")
    assert code == 4
    assert f"FOUND record_changed {segment}#5" in out
    (finding,) = (json.loads(line) for line in sekisho("verify", "--format", "jsonl")[1].splitlines())
    assert (finding["problem"], finding["segment"], finding["idx"]) == ("record_changed", str(segment), 5)


def test_verify_exits_6_for_what_only_another_version_can_verify(log, sekisho, monkeypatch):
    with monkeypatch.context() as later:
        later.setattr(encoding, "SCHEMA_VERSION", 2)
        log.write()
    code, out, _ = sekisho("verify")
    assert code == 6
    assert "Not verifiable here" in out


def test_verify_reports_an_unsealed_segment_without_failing(log, sekisho):
    log.write(seal=False)
    code, out, _ = sekisho("verify")
    assert code == 0
    assert "Not sealed: " in out


def test_export_selects_and_exits_0(log, sekisho):
    log.write()
    code, out, err = sekisho("export", "--stage", "response", "--host", "A.Example", "--from", "2027-01-15")
    assert (code, err) == (0, "")
    assert [json.loads(line)["idx"] for line in out.splitlines()] == [3, 6, 9]
    assert len(sekisho("export")[1].splitlines()) == 9
    assert len(sekisho("export", "--run-records")[1].splitlines()) == 10
    assert sekisho("export", "--to", "2027-01-14")[1] == ""
    assert sekisho("export", "--format", "csv")[1].startswith("\ufeffts,run,segment,idx")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--verdict", "skipp"], ["--reason", "robots"], ["--stage", "requests"], ["--from", "soon"], ["--host", "a b"],
        ["--run", "run-9"], ["--fromm", "2026-01-01"], ["--format", "xlsx"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_filter_that_can_match_nothing_is_a_usage_error(log, sekisho, arguments):
    log.write()
    code, out, err = sekisho("export", *arguments)
    assert (code, out) == (2, "")
    assert err


def test_export_exits_4_when_evidence_is_lost(log, sekisho):
    log.write()
    log.unguarded().execute("DELETE FROM document WHERE kind = 'basis'")
    code, out, err = sekisho("export")
    assert code == 4
    assert len(out.splitlines()) == 9
    assert "6 decisions have lost their evidence" in err


def test_a_missing_log_is_refused_with_one_line(log, sekisho):
    for action in ("show", "verify", "export"):
        code, out, err = sekisho(action)
        assert (code, out) == (5, "")
        assert "there is no log" in err
        assert err.count("\n") == 1


def test_help_begins_with_examples(capsys):
    for arguments in (["log", "--help"], ["log", "export", "--help"], ["log", "show", "--help"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out.startswith("Examples:\n  sekisho log ")


def test_an_export_can_be_cut_short_by_its_reader(log, entry):
    writer = log.open()
    for number in range(3000):
        writer.append(entry(size=number))
    writer.close(seal=True)
    command = f"{sys.executable} -m crawler.cli log export --log {log.url} | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert json.loads(done.stdout)["idx"] == 0
    assert "Traceback" not in done.stderr
