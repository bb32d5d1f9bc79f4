"""What is kept is kept, what goes is announced, signed and named, and a hold goes before everything."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import ExitCode, UsageError
from crawler.cli import main
from crawler.decisionlog import schema
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.lookup import lookup, parse_target
from crawler.decisionlog.registry_state import KnownCheckpoint
from crawler.decisionlog.retention import prune
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.retention.plan import State, plan
from crawler.decisionlog.retention.prune import HeldError, finish, intend
from crawler.decisionlog.retention.schedule import Schedule, Series, load_schedule
from crawler.decisionlog.verify import verify_log

ROOT = Path(__file__).resolve().parents[3]
YEARS_LATER = 1_800_000_000_000_000 + 6 * 366 * 86_400 * 10**6
ACTOR = ["--actor", "tests"]


@pytest.fixture
def schedule(tmp_path):
    path = tmp_path / "retention.toml"
    shutil.copy(ROOT / "policies" / "retention.toml", path)
    return path


@pytest.fixture
def kept(log, monkeypatch):
    """Three sealed runs: two that are due after five years, the middle one a trial; and the clock of then."""
    log.write()
    log.write(run_id="run-2", retention="trial")
    log.write(run_id="run-3")
    monkeypatch.setattr("crawler.decisionlog.clock.SystemClock.now_us", lambda self: YEARS_LATER)
    return log


def verify(log, known=()):
    with log.reader() as reader:
        return verify_log(reader, known=known)


def head_of(log):
    with log.reader() as reader:
        return KnownCheckpoint.read("kept", reader.newest_checkpoint().encode())


def run(*words):
    return main([*words])


def items(log, schedule, now_us=YEARS_LATER):
    with Actor(log.url) as actor:
        return plan(actor.connection, load_schedule(schedule), now_us=now_us)


def prune_run(log, schedule, name, **options):
    with Actor(log.url, pruning=True) as actor:
        item = next(one for one in items(log, schedule) if one.run == name)
        intend(actor, item, who="tests", manifest=None, now_us=YEARS_LATER, **options)
        return finish(actor, item, now_us=YEARS_LATER)


def test_the_plan_says_what_is_due_and_what_is_not(kept, schedule, capsys):
    assert {one.run: one.state for one in items(kept, schedule)} == dict.fromkeys(
        ("run-1", "run-2", "run-3"), State.DUE
    )
    half_a_year = 1_800_000_000_000_000 + 180 * 86_400 * 10**6
    assert [one.state for one in items(kept, schedule, half_a_year)] == [State.KEPT, State.DUE, State.KEPT]
    assert run("retention", "plan", "--log", kept.url, "--schedule", str(schedule)) == ExitCode.FINDINGS
    assert "due" in capsys.readouterr().out


def test_check_22_after_pruning_all_else_verifies_against_checkpoints_from_before(kept, schedule):
    before = head_of(kept)
    assert prune_run(kept, schedule, "run-2") == 10
    report = verify(kept, [before])
    assert report.findings == ()
    assert report.exit_code == ExitCode.UNVERIFIABLE
    assert "was pruned under trial P90D" in report.unverifiable[0]
    assert [part.run for part in report.segments] == ["run-1", "run-3"]
    counts = kept.raw().execute(
        "SELECT (SELECT count(*) FROM record WHERE segment_id = 2), (SELECT count(*) FROM opening WHERE segment_id = 2), (SELECT count(*) FROM rollup WHERE segment_id = 2)"
    )
    assert counts.fetchone() == (0, 0, 1), "the sums stay"


def test_check_22_a_hold_blocks_it_even_when_it_comes_after_the_plan(kept, schedule, capsys):
    with Actor(kept.url, pruning=True) as actor:
        item = items(kept, schedule)[1]
        assert (
            run(
                "hold",
                "add",
                "--log",
                kept.url,
                "--scope",
                "host:example",
                "--reason",
                "claim",
                "--authority",
                "court",
                *ACTOR,
            )
            == 0
        )
        with pytest.raises(HeldError, match="claim"):
            intend(actor, item, who="tests", manifest=None, now_us=YEARS_LATER)
    assert {one.state for one in items(kept, schedule)} == {State.HELD}
    name = capsys.readouterr().out.strip()
    assert run("hold", "release", name, "--log", kept.url, "--reason", "settled", *ACTOR) == 0
    assert {one.state for one in items(kept, schedule)} == {State.DUE}
    assert verify(kept).exit_code == ExitCode.DONE


def test_check_22_what_is_not_expired_cannot_be_pruned(kept, schedule):
    early = items(kept, schedule, 1_800_000_000_000_000 + 10**12)[1]
    assert early.state is State.KEPT
    with Actor(kept.url, pruning=True) as actor, pytest.raises(ValueError, match="not due"):
        intend(actor, early, who="tests", manifest=None, now_us=YEARS_LATER)
    assert verify(kept).exit_code == ExitCode.DONE


@pytest.mark.parametrize(
    "table", ["url_key", "url_posting", "opening", "posting", "head", "record", "document"]
)
def test_check_22_a_crash_between_intent_and_delete_resumes(kept, schedule, table, monkeypatch):
    monkeypatch.setattr(prune, "BATCH", 3)
    real = prune.delete

    def crash(given):
        if given.name == table:
            raise KeyboardInterrupt
        return real(given)

    with monkeypatch.context() as patch:
        patch.setattr(prune, "delete", crash)
        if table == "document":  # none goes, because others need them
            patch.setattr(prune, "announced", lambda _: crash(schema.document))
        with pytest.raises(KeyboardInterrupt):
            prune_run(kept, schedule, "run-2")
    report = verify(kept)
    assert report.findings == ()
    assert "is being pruned" in report.unverifiable[0]
    item = items(kept, schedule)[1]
    assert item.state is State.UNDER_WAY
    code = run("retention", "apply", "--log", kept.url, "--schedule", str(schedule), *ACTOR, "--yes")
    assert code == ExitCode.USAGE, "the others want an export first; nothing was touched"
    with Actor(kept.url, pruning=True) as actor:
        finish(actor, item, now_us=YEARS_LATER)
    report = verify(kept)
    assert report.findings == ()
    assert "was pruned" in report.unverifiable[0]


def test_check_22_deletion_without_an_entry_is_found(kept, schedule):
    prune_run(kept, schedule, "run-2")
    connection = kept.unguarded()
    connection.execute("DELETE FROM record WHERE segment_id = 3")
    connection.execute("DELETE FROM opening WHERE segment_id = 3")
    assert verify(kept).exit_code == ExitCode.TAMPERED
    connection.execute("INSERT INTO pruning SELECT 3, registry_idx FROM pruning")
    report = verify(kept)
    assert report.exit_code == ExitCode.TAMPERED
    assert Problem.RECORD_MISSING in {finding.problem for finding in report.findings}


def test_documents_that_only_the_pruned_segment_needs_go_with_it_and_no_others(
    log, schedule, entry, documents, monkeypatch
):
    docs = [documents["policy"], documents["blocklist"]]
    for number in (1, 2):
        writer = log.open(run_id=f"run-{number}", retention="trial")
        writer.append(entry(basis=b"shared"), docs)
        writer.append(entry(basis=b"own %d" % number), docs)
        writer.close(seal=True)
    prune_run(log, schedule, "run-1")
    bodies = {body for (body,) in log.raw().execute("SELECT body FROM document WHERE kind = 'basis'")}
    assert bodies == {b"shared", b"own 2"}
    assert verify(log).findings == ()
    log.unguarded().execute("DELETE FROM document WHERE body = ?", (b"own 2",))
    assert Problem.DOCUMENT_MISSING in {finding.problem for finding in verify(log).findings}


def test_apply_wants_a_verified_export_and_records_it(kept, schedule, tmp_path, capsys):
    words = ("retention", "apply", "--log", kept.url, "--schedule", str(schedule), *ACTOR)
    assert run(*words) == ExitCode.USAGE
    assert "wants an export first" in capsys.readouterr().err
    package = tmp_path / "package"
    assert run("log", "export", "--log", kept.url, "--package", str(package), "--format", "jsonl") == 0
    assert run(*words, "--export", str(package)) == 0
    assert "add --yes" in capsys.readouterr().err
    assert verify(kept).exit_code == ExitCode.DONE, "a preview removes nothing"
    assert run(*words, "--export", str(package), "--yes") == 0
    assert kept.raw().execute("SELECT count(*) FROM record").fetchone() == (0,)
    assert run("retention", "plan", "--log", kept.url, "--schedule", str(schedule)) == 0
    report = verify(kept)
    assert report.findings == ()
    manifests = {
        json.loads(body)["manifest"]
        for (body,) in kept.raw().execute("SELECT body FROM registry WHERE kind = 'prune_intent'")
    }
    assert len(manifests) == 1
    assert None not in manifests


def test_a_damaged_export_does_not_count(kept, schedule, tmp_path, capsys):
    package = tmp_path / "package"
    assert run("log", "export", "--log", kept.url, "--package", str(package), "--format", "jsonl") == 0
    target = next(
        path
        for path in sorted(package.rglob("*"))
        if path.is_file() and path.name not in {"manifest.json", "README.txt"}
    )
    target.write_bytes(target.read_bytes()[:-1])
    words = ("retention", "apply", "--log", kept.url, "--schedule", str(schedule), *ACTOR, "--yes")
    assert run(*words, "--export", str(package)) == ExitCode.USAGE
    assert "not intact" in capsys.readouterr().err
    assert verify(kept).exit_code == ExitCode.DONE


@pytest.mark.parametrize("words", [["--without-urls"], ["--without-urls", "--format", "jsonl"]])
def test_an_export_without_urls_is_none_for_what_is_removed(kept, schedule, tmp_path, words, capsys):
    package = tmp_path / "package"
    assert run("log", "export", "--log", kept.url, "--package", str(package), *words) == 0
    words = ("retention", "apply", "--log", kept.url, "--schedule", str(schedule), *ACTOR, "--yes")
    assert run(*words, "--export", str(package)) == ExitCode.USAGE
    assert "without URLs" in capsys.readouterr().err
    assert verify(kept).exit_code == ExitCode.DONE


def test_an_export_of_another_log_with_the_same_records_is_none_for_what_is_removed(
    kept, schedule, tmp_path, capsys
):
    """Its registry could say of every URL that it was erased, and be whole."""
    copy = type(kept)(tmp_path / "copy")
    copy.path.parent.mkdir()
    kept_rows = sqlite3.connect(kept.path)
    kept_rows.execute("VACUUM INTO ?", (str(copy.path),))
    copy.of_format_1().close()
    assert run("log", "migrate", "--log", copy.url, "--yes") == 0
    package = tmp_path / "package"
    words = ("--package", str(package), "--format", "jsonl")
    assert run("log", "export", "--log", copy.url, *words) == 0, capsys.readouterr().err
    words = ("retention", "apply", "--log", kept.url, "--schedule", str(schedule), *ACTOR, "--yes")
    assert run(*words, "--export", str(package)) == ExitCode.USAGE
    assert "not intact" in capsys.readouterr().err
    assert verify(kept).exit_code == ExitCode.DONE


def test_a_pruned_segment_is_never_said_not_to_have_been_crawled(kept, schedule, capsys):
    prune_run(kept, schedule, "run-2")
    with kept.reader() as reader:
        answer = lookup(reader, parse_target("a.example"))
    assert {one.run: one.state for one in answer.hosts} == {
        "run-1": "sealed",
        "run-2": "pruned",
        "run-3": "sealed",
    }
    assert run("log", "lookup", "a.example", "--log", kept.url) == 0
    assert "was pruned on 2033" in (out := capsys.readouterr().out)
    assert "under rule trial P90D" in out


# erasure

URL = "http://a.example/page/1"


def octets_of(log):
    found = log.path.read_bytes()
    for suffix in ("-wal", "-journal", "-shm"):
        path = log.path.with_name(log.path.name + suffix)
        found += path.read_bytes() if path.exists() else b""
    return found


def test_check_23_an_erased_url_is_nowhere_in_the_database(log, capsys):
    log.write()
    assert URL.encode() in octets_of(log)
    words = ("log", "erase", URL, "--log", log.url, "--basis", "request 17", *ACTOR)
    assert run(*words) == 0
    assert "would be erased" in capsys.readouterr().out
    assert URL.encode() in octets_of(log), "a preview erases nothing"
    assert run(*words, "--yes") == 0
    assert URL.encode() not in octets_of(log)
    report = verify(log)
    assert report.findings == ()
    assert report.exit_code == ExitCode.DONE
    with log.reader() as reader:
        erased = [record for record in reader.records() if not record.opened]
        assert len(erased) == 3
        assert all(record.url is None and record.host == "a.example" for record in erased)
        assert lookup(reader, parse_target(URL)).unopened == 3
    (salts,) = log.raw().execute("SELECT count(*) FROM opening").fetchone()
    assert salts == 6, "without its salt no guess of the URL can be confirmed"
    assert run(*words, "--yes") == ExitCode.USAGE, "there is nothing left to erase"


def test_check_23_an_opening_that_is_missing_without_an_entry_is_found(log):
    log.write()
    run("log", "erase", URL, "--log", log.url, "--basis", "x", *ACTOR, "--yes")
    connection = log.unguarded()
    connection.execute("DELETE FROM opening WHERE idx = 1")
    report = verify(log)
    assert {finding.problem for finding in report.findings} == {Problem.URL_MISSING}
    assert [finding.idx for finding in report.findings] == [1]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM erasure WHERE idx = 4",
        "UPDATE erasure SET idx = 1 WHERE idx = 4",
        "INSERT INTO erasure SELECT segment_id, 1, registry_idx FROM erasure LIMIT 1",
    ],
)
def test_what_is_said_to_be_erased_is_what_the_registry_says(log, sql):
    log.write()
    run("log", "erase", URL, "--log", log.url, "--basis", "x", *ACTOR, "--yes")
    log.unguarded().execute(sql)
    assert verify(log).exit_code == ExitCode.TAMPERED


def test_a_document_in_which_the_url_stands_goes_too_and_the_log_stays_intact(log, entry, documents, capsys):
    writer = log.open()
    docs = [documents["policy"], documents["blocklist"]]
    writer.append(entry(url=URL, basis=b"about " + URL.encode()), docs)
    writer.append(entry(url=URL + "0", basis=b"other"), docs)
    writer.close(seal=True)
    assert run("log", "erase", URL, "--log", log.url, "--basis", "x", *ACTOR, "--yes") == 0
    assert "in which it stands" in capsys.readouterr().out
    assert b"about " + URL.encode() not in octets_of(log)
    report = verify(log)
    assert report.findings == ()
    log.unguarded().execute("DELETE FROM document WHERE body = ?", (b"other",))
    assert Problem.DOCUMENT_MISSING in {finding.problem for finding in verify(log).findings}


def test_a_hold_goes_before_an_erasure(log, capsys):
    log.write()
    assert (
        run(
            "hold",
            "add",
            "--log",
            log.url,
            "--scope",
            "run:run-1",
            "--reason",
            "claim",
            "--authority",
            "court",
            *ACTOR,
            "--name",
            "H",
        )
        == 0
    )
    assert run("log", "erase", URL, "--log", log.url, "--basis", "x", *ACTOR, "--yes") == ExitCode.REFUSED
    assert "a hold goes before an erasure" in capsys.readouterr().err
    assert URL.encode() in octets_of(log)
    assert verify(log).exit_code == ExitCode.DONE


# holds and schedules as people write them


def test_holds_are_listed_with_their_ends(log, capsys):
    log.write()
    for words in (
        ("add", "--scope", "all", "--reason", "a", "--authority", "b", *ACTOR, "--name", "H-1"),
        ("add", "--scope", "host:EXAMPLE.org", "--reason", "a", "--authority", "b", *ACTOR, "--name", "H-2"),
        ("release", "H-1", "--reason", "done", *ACTOR),
    ):
        assert run("hold", *words, "--log", log.url) == 0
    capsys.readouterr()
    assert run("hold", "list", "--log", log.url, "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)["holds"]
    assert [(row["hold"], row["scope"], row["released"] is None) for row in rows] == [
        ("H-1", "all", False),
        ("H-2", "host:example.org", True),
    ]
    assert run("hold", "release", "H-1", "--reason", "again", *ACTOR, "--log", log.url) == ExitCode.USAGE
    assert (
        run(
            "hold",
            "add",
            "--scope",
            "all",
            "--reason",
            "a",
            "--authority",
            "b",
            *ACTOR,
            "--name",
            "H-2",
            "--log",
            log.url,
        )
        == ExitCode.USAGE
    )


@pytest.mark.parametrize("scope", ["", "everything", "host:", "host:a b", "segment:1", "run:", "all:x"])
def test_a_scope_that_names_nothing_is_refused(log, scope):
    log.write()
    words = ("hold", "add", "--scope", scope, "--reason", "a", "--authority", "b", *ACTOR, "--log", log.url)
    assert run(*words) == ExitCode.USAGE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "schema"),
        ("schema = 'sekisho.retention/2'", "schema"),
        ("schema = 'sekisho.retention/1'\nowner = 'x'\nseries = []", "series"),
        (
            "schema = 'sekisho.retention/1'\nowner = 'x'\n[[series]]\nname='a'\nrecords='b'\nperiod='5 years'\nreason='c'\nauthority='d'",
            "P3Y",
        ),
        (
            "schema = 'sekisho.retention/1'\nowner = 'x'\n[[series]]\nname='a'\nrecords='b'\nperiod='P'\nreason='c'\nauthority='d'",
            "P3Y",
        ),
        ("not toml", "cannot be read"),
    ],
)
def test_a_schedule_that_cannot_be_applied_is_refused_with_its_place(tmp_path, text, said):
    path = tmp_path / "retention.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_schedule(path)
    with pytest.raises(UsageError, match="a log without one is never pruned"):
        load_schedule(tmp_path / "absent.toml")


def test_the_published_schema_is_that_of_the_model():
    published = json.loads((ROOT / "policies" / "retention.schema.json").read_text())
    assert published == Schedule.model_json_schema(), "regenerate policies/retention.schema.json"


def series(period):
    return Series(name="a", records="b", period=period, reason="c", authority="d")


@pytest.mark.parametrize(
    ("start", "period", "end"),
    [
        ("2024-02-29T12:00:00+00:00", "P1Y", "2025-02-28T12:00:00+00:00"),
        ("2024-02-29T12:00:00+00:00", "P4Y", "2028-02-29T12:00:00+00:00"),
        ("2026-01-31T00:00:00+00:00", "P1M", "2026-02-28T00:00:00+00:00"),
        ("2026-11-22T00:00:00+00:00", "P1Y2M3D", "2028-01-25T00:00:00+00:00"),
        ("2026-12-31T23:59:59+00:00", "P1D", "2027-01-01T23:59:59+00:00"),
    ],
)
def test_a_period_is_of_the_calendar(start, period, end):
    from datetime import datetime

    due = series(period).due_us(int(datetime.fromisoformat(start).timestamp()) * 10**6)
    assert due == int(datetime.fromisoformat(end).timestamp()) * 10**6


@given(st.integers(0, 2**51), st.integers(0, 2**51), st.integers(0, 30), st.integers(0, 400))
def test_a_later_start_is_never_due_earlier(first, second, months, days):
    one = series(f"P{months}M{days}D")
    first, second = sorted((first, second))
    assert first <= one.due_us(first) <= one.due_us(second)


@pytest.mark.parametrize(
    "left",
    [
        "INSERT INTO head VALUES (2, 5, x'00', 1)",
        "INSERT INTO opening VALUES (2, 5, 'http://a.example/', NULL, x'00112233445566778899aabbccddeeff')",
        "INSERT INTO opening VALUES (2, -1, 'http://a.example/', NULL, x'00112233445566778899aabbccddeeff')",
        (
            "CREATE TABLE one AS SELECT * FROM record WHERE segment_id = 1 AND idx = 0;"
            "UPDATE one SET segment_id = 2, idx = -1; INSERT INTO record SELECT * FROM one; DROP TABLE one"
        ),
        "INSERT INTO posting VALUES ('example.a.', 2, x'00')",
    ],
)
def test_what_somebody_puts_into_a_run_that_was_pruned_is_found(kept, schedule, left):
    prune_run(kept, schedule, "run-2")
    assert verify(kept).findings == ()
    kept.unguarded().executescript(left)
    assert len(verify(kept).findings) >= 1
