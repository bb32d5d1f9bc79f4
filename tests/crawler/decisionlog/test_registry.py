"""The registry remembers what a log was, and its signed checkpoints tell it to people who do not trust us."""

from __future__ import annotations

import base64
import shutil
import sqlite3
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import batch
from crawler.decisionlog.custody import Custody
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.findings import Problem
from crawler.decisionlog.keys import load_key
from crawler.decisionlog.notes import parse_checkpoint, parse_note, sign
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.registry import ClockJumped, Erased, decode, encode
from crawler.decisionlog.registry_state import KnownCheckpoint
from crawler.decisionlog.verify import verify_log

PARTS = ("record", "opening", "head", "rollup", "segment")


def verify(log, known=()):
    with log.reader() as reader:
        return verify_log(reader, known=known)


def problems(report):
    return {finding.problem for finding in report.findings}


def head_of(log):
    with log.reader() as reader:
        return KnownCheckpoint.read("kept", reader.newest_checkpoint().encode())


def beside(log, suffix):
    return log.path.with_name(log.path.name + suffix)


def tables(log):
    return [
        name
        for (name,) in log.raw().execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if name != "meta"
    ]


def truncate_to(log, before):
    """Take everything out of the log that was not in the copy, with the newest checkpoint's own file too."""
    shutil.copy(before, log.path)


@pytest.fixture
def two(log):
    """Two sealed runs, and copies of the log and of the checkpoint as they were between them."""
    log.write()
    shutil.copy(log.path, log.path.with_suffix(".old"))
    shutil.copy(beside(log, ".checkpoint"), log.path.with_suffix(".oldcheckpoint"))
    log.write(run_id="run-2")
    return log


def test_every_opening_and_every_seal_stands_in_the_registry_and_is_signed(two):
    kinds = [kind for (kind,) in two.raw().execute("SELECT kind FROM registry ORDER BY idx")]
    assert kinds == ["log_open", "key_add", "segment_open", "segment_seal", "segment_open", "segment_seal"]
    sizes = [size for (size,) in two.raw().execute("SELECT size FROM checkpoint ORDER BY size")]
    assert sizes == [3, 4, 5, 6]
    assert beside(two, ".checkpoint").read_text() == head_of(two).note.__str__()
    assert (beside(two, ".key").stat().st_mode & 0o777) == 0o600


# acceptance checks of the reference


@pytest.mark.parametrize("left", ["a middle row", "the last row", "a whole segment", "a whole run"])
def test_check_11_whatever_is_deleted_is_missed(two, left):
    connection = two.unguarded()
    if left == "a middle row":
        connection.execute("DELETE FROM record WHERE segment_id = 2 AND idx = 4")
    elif left == "the last row":
        connection.execute("DELETE FROM record WHERE segment_id = 2 AND idx = 9")
        connection.execute("DELETE FROM opening WHERE segment_id = 2 AND idx = 9")
    else:
        for table in PARTS:
            connection.execute(
                f"DELETE FROM {table} WHERE {'id' if table == 'segment' else 'segment_id'} = 2"
            )
    if left == "a whole run":
        connection.execute("DELETE FROM registry WHERE idx > 3")
        connection.execute("DELETE FROM checkpoint WHERE size > 4")
    report = verify(two)
    assert report.exit_code == ExitCode.TAMPERED
    expected = {
        "a middle row": Problem.RECORD_MISSING,
        "the last row": Problem.RECORD_MISSING,
        "a whole segment": Problem.SEGMENT_MISSING,
        "a whole run": Problem.ROLLED_BACK,
    }
    assert expected[left] in problems(report)


def test_check_11_records_cut_off_an_open_segment_behind_a_signed_head_are_missed(log, entry, documents):
    writer = log.open()
    for _ in range(30):
        writer.append(entry(), [documents["policy"], documents["blocklist"]])
    writer.close(seal=False)
    connection = log.unguarded()
    for table in ("record", "opening"):
        connection.execute(f"DELETE FROM {table} WHERE idx >= 29")
    connection.execute("DELETE FROM head")
    assert {Problem.HEAD_MISSING} <= problems(verify(log))
    with pytest.raises(IntegrityError, match="records 29 to 29 are gone"):
        log.open()


def test_check_13_history_rewritten_and_signed_with_the_stolen_key_is_found_by_one_older_checkpoint(
    two, tmp_path
):
    known = head_of(two)
    other = type(two)(tmp_path / "forged" if (tmp_path / "forged").mkdir() is None else None)
    shutil.copy(beside(two, ".key"), beside(other, ".key"))
    import secrets

    origin = known.note.text.split("\n")[0]
    custody = Custody(
        key_file=beside(other, ".key"), checkpoint_file=beside(other, ".checkpoint"), origin=origin
    )
    for run in ("run-1", "run-2", "run-3"):
        writer = other.open(run_id=run, custody=custody, entropy=secrets.token_bytes)
        writer.close(seal=True)
    assert verify(other).exit_code == ExitCode.DONE, "in itself it is without fault"
    report = verify(other, [known])
    assert problems(report) == {Problem.ROLLED_BACK}
    assert report.exit_code == ExitCode.TAMPERED


def test_check_14_yesterdays_copy_is_not_written_and_verify_says_that_it_was_rolled_back(two):
    shutil.copy(two.path.with_suffix(".old"), two.path)
    before = two.path.read_bytes()
    with pytest.raises(IntegrityError, match=r"rolled back.*Restore the newest copy"):
        two.open()
    assert two.path.read_bytes() == before
    report = verify(two)
    assert problems(report) == {Problem.ROLLED_BACK}
    assert "rolled back" in report.findings[0].text


def test_check_14_a_fork_of_the_same_size_is_refused_too(two):
    shutil.copy(two.path, two.path.with_suffix(".first"))
    kept = beside(two, ".checkpoint").read_bytes()
    shutil.copy(two.path.with_suffix(".old"), two.path)
    shutil.copy(two.path.with_suffix(".oldcheckpoint"), beside(two, ".checkpoint"))
    two.write(run_id="run-2")  # the other history
    beside(two, ".checkpoint").write_bytes(kept)
    with pytest.raises(IntegrityError, match="changed or forked"):
        two.open()
    assert problems(verify(two)) == {Problem.ROLLED_BACK}


def test_check_15_two_writers_have_two_segments_and_one_history(log):
    writers = [log.open(run_id=f"run-{number}") for number in range(5)]
    for writer in reversed(writers):
        writer.close(seal=True)
    report = verify(log)
    assert report.exit_code == ExitCode.DONE
    assert len(report.segments) == 5
    rows = log.raw().execute("SELECT size, root FROM checkpoint").fetchall()
    assert len(rows) == len({size for size, _ in rows}) == 10


RACE = """
import sys
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.writer import LogWriter
for number in range(int(sys.argv[2])):
    LogWriter.open(sys.argv[1], run_id=f"{sys.argv[3]}-{number}", agent="A", clock=SystemClock()).close(seal=True)
"""


def race(log, processes, times):
    running = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, log.url, str(times), str(number)], stderr=subprocess.PIPE
        )
        for number in range(processes)
    ]
    for process in running:
        _, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
    report = verify(log)
    assert report.exit_code == ExitCode.DONE, report.findings
    assert len(report.segments) == processes * times
    notes = [note for (note,) in log.raw().execute("SELECT note FROM checkpoint")]
    heads = [parse_checkpoint(parse_note(note.encode())) for note in notes]
    assert len({head.size for head in heads}) == len(heads) == 2 * processes * times


def test_check_15_racing_processes_never_sign_a_fork(log):
    race(log, 3, 15)


@pytest.mark.long
def test_check_15_racing_processes_never_sign_a_fork_in_a_thousand_checkpoints(log):
    race(log, 4, 125)


def resign(log, size, key, *, text=None):
    connection = log.unguarded()
    (note,) = connection.execute("SELECT note FROM checkpoint WHERE size = ?", (size,)).fetchone()
    text = text or parse_note(note.encode()).text
    signed = str(sign(text, text.split("\n")[0], key))
    connection.execute("UPDATE checkpoint SET note = ? WHERE size = ?", (signed, size))


def test_check_20_a_checkpoint_signed_with_a_retired_key_is_found(log, tmp_path, capsys, monkeypatch):
    log.write()
    old = load_key(beside(log, ".key"))
    new = tmp_path / "new.key"
    assert main(["log", "key", "rotate", "--log", log.url, "--new-key-file", str(new), "--why", "test"]) == 0
    monkeypatch.setenv("SEKISHO_LOG_KEY_FILE", str(new))
    log.write(run_id="run-2")
    assert verify(log).exit_code == ExitCode.DONE
    (last,) = log.raw().execute("SELECT max(size) FROM checkpoint").fetchone()
    resign(log, last, old)
    beside(log, ".checkpoint").unlink()
    assert Problem.CHECKPOINT_WRONG in problems(verify(log))
    resign(log, last, load_key(new))
    resign(log, 4, load_key(new))  # and one from before the new key was
    assert Problem.CHECKPOINT_WRONG in problems(verify(log))


def test_check_20_a_registry_whose_time_goes_back_is_found(two):
    connection = two.unguarded()
    (body,) = connection.execute("SELECT body FROM registry WHERE idx = 5").fetchone()
    leaf = decode(body)
    older = encode(leaf.event, idx=5, ts_us=leaf.ts_us - 10**12)
    connection.execute(
        "UPDATE registry SET body = ?, ts_us = ?, leaf_hash = ? WHERE idx = 5",
        (older.body, older.ts_us, older.hash),
    )
    assert Problem.TIME_WRONG in problems(verify(two))


def test_a_key_that_no_older_key_signed_for_is_found(two):
    stranger = Ed25519PrivateKey.generate()
    with two.reader() as reader:
        origin = reader.newest_checkpoint().split("\n")[0]
    from crawler.decisionlog.notes import Checkpoint, verifier_key
    from crawler.decisionlog.registry import KeyAdded
    from crawler.decisionlog.tree import CompactRange

    connection = two.unguarded()
    added = encode(KeyAdded(vkey=str(verifier_key(origin, stranger))), idx=6, ts_us=2 * 10**15)
    connection.execute(
        "INSERT INTO registry VALUES (6, ?, 'key_add', NULL, ?, ?)", (added.ts_us, added.body, added.hash)
    )
    leaves = [leaf for (leaf,) in connection.execute("SELECT leaf_hash FROM registry ORDER BY idx")]
    head = Checkpoint(origin=origin, size=7, root=CompactRange(leaves).root())
    connection.execute(
        "INSERT INTO checkpoint VALUES (7, ?, ?, ?)",
        (added.ts_us, head.root, str(sign(head.text, origin, stranger))),
    )
    assert Problem.CHECKPOINT_WRONG in problems(verify(two))


# what is outside the database


def test_a_log_without_its_checkpoint_file_goes_on_and_says_so_for_ever(two):
    beside(two, ".checkpoint").unlink()
    assert verify(two).exit_code == ExitCode.UNVERIFIABLE
    two.write(run_id="run-3")
    kinds = [kind for (kind,) in two.raw().execute("SELECT kind FROM registry")]
    assert "checkpoint_missing" in kinds


def test_a_checkpoint_file_that_was_named_must_be_there(two, tmp_path, monkeypatch):
    monkeypatch.setenv("SEKISHO_LOG_CHECKPOINT_FILE", str(tmp_path / "elsewhere.checkpoint"))
    with pytest.raises(LogError, match=r"is not there.*sekisho log head >"):
        two.open()


def test_a_new_log_beside_the_checkpoint_of_a_deleted_one_is_refused(two):
    two.path.unlink()
    with pytest.raises(IntegrityError, match="this log is new: restore the log"):
        two.open()


def test_a_checkpoint_of_another_log_is_refused(two, tmp_path):
    (tmp_path / "b").mkdir()
    other = type(two)(tmp_path / "b")
    other.write()
    shutil.copy(beside(other, ".checkpoint"), beside(two, ".checkpoint"))
    with pytest.raises(IntegrityError, match="of another log"):
        two.open()
    assert problems(verify(two)) == {Problem.ROLLED_BACK}


@pytest.mark.parametrize("octets", [b"", b"x", b"\xff" * 40, b"a\n1\n\n\n", b"a" * 100_000])
def test_a_checkpoint_file_with_anything_else_in_it_is_refused(two, octets):
    beside(two, ".checkpoint").write_bytes(octets)
    with pytest.raises(IntegrityError, match="holds no checkpoint"):
        two.open()


def test_a_key_that_others_can_read_is_refused(two):
    beside(two, ".key").chmod(0o640)
    with pytest.raises(LogError, match=r"mode 0640.*chmod 600"):
        two.open()


@pytest.mark.parametrize(
    "octets", [b"", b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", b"\0" * 64]
)
def test_a_broken_key_is_refused_and_never_replaced(two, octets):
    beside(two, ".key").write_bytes(octets)
    with pytest.raises(LogError, match="no private key"):
        two.open()
    assert beside(two, ".key").read_bytes() == octets


def test_a_missing_key_is_not_replaced_by_a_new_one(two):
    beside(two, ".key").unlink()
    with pytest.raises(LogError, match="cannot be read"):
        two.open()
    assert not beside(two, ".key").exists()


def test_the_wrong_key_is_refused(two, tmp_path):
    (tmp_path / "b").mkdir()
    other = type(two)(tmp_path / "b")
    other.write()
    shutil.copy(beside(other, ".key"), beside(two, ".key"))
    with pytest.raises(LogError, match="this log is signed with"):
        two.open()


def test_a_key_that_is_retired_while_a_run_writes_stops_that_run(log, tmp_path, entry, documents):
    writer = log.open()
    docs = [documents["policy"], documents["blocklist"]]
    writer.append(entry(), docs, wait=True).result(10)
    new = str(tmp_path / "new.key")
    assert main(["log", "key", "rotate", "--log", log.url, "--new-key-file", new, "--why", "stolen"]) == 0
    log.clock.now += batch.CHECKPOINT_EVERY_US
    with pytest.raises(LogError, match="was retired while this log was being written"):
        writer.append(entry(), docs, wait=True).result(10)


def test_a_checkpoint_that_cannot_be_kept_outside_stops_the_run(log, entry, documents, monkeypatch):
    writer = log.open()
    docs = [documents["policy"], documents["blocklist"]]
    writer.append(entry(), docs, wait=True).result(10)
    beside(log, ".checkpoint").unlink()
    beside(log, ".checkpoint").mkdir()
    log.clock.now += batch.CHECKPOINT_EVERY_US
    with pytest.raises(LogError, match="last checkpoint"):
        writer.append(entry(), docs, wait=True).result(10)
    assert writer.failed is not None


def test_the_registry_gets_a_head_of_an_open_segment_every_ten_seconds(log, entry, documents):
    writer = log.open()
    docs = [documents["policy"], documents["blocklist"]]
    for _ in range(4):
        log.clock.now += 4_000_000
        writer.append(entry(), docs, wait=True).result(10)
    kinds = [kind for (kind,) in log.raw().execute("SELECT kind FROM registry")]
    assert kinds.count("segment_head") == 1
    assert verify(log).exit_code == ExitCode.DONE
    writer.close(seal=True)


def test_a_clock_that_was_set_back_is_said_in_the_registry_whose_time_never_goes_back(log):
    log.write()
    log.clock.now -= 10**10
    log.write(run_id="run-2")
    rows = log.raw().execute("SELECT ts_us, body FROM registry ORDER BY idx").fetchall()
    assert [ts_us for ts_us, _ in rows] == sorted(ts_us for ts_us, _ in rows)
    assert any(isinstance(decode(body).event, ClockJumped) for _, body in rows)
    report = verify(log)
    assert report.exit_code == ExitCode.DONE
    assert any("clock of a writer went back" in note for note in report.notes)


# bodies


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers(0, 2**40),
    st.integers(0, 2**50),
)
@settings(max_examples=200)
def test_a_body_says_what_was_put_into_it(text, idx, ts_us):
    event = Erased(segment=text, idx_erased=idx, basis=text, actor=text)
    leaf = encode(event, idx=idx, ts_us=ts_us)
    assert decode(leaf.body) == leaf


@given(st.binary(max_size=200))
@settings(max_examples=500)
def test_any_octets_are_a_leaf_or_a_valueerror(octets):
    try:
        leaf = decode(octets)
    except ValueError:
        return
    assert leaf.body == octets


@pytest.mark.parametrize(
    "body",
    [
        b'{"behind_us":1,"idx":0,"kind":"clock_jump","ts_us":1} ',
        b'{"behind_us":1,"idx":0,"kind":"clock_jump","more":1,"ts_us":1}',
        b'{"behind_us":"1","idx":0,"kind":"clock_jump","ts_us":1}',
        b'{"behind_us":true,"idx":0,"kind":"clock_jump","ts_us":1}',
        b'{"behind_us":1.0,"idx":0,"kind":"clock_jump","ts_us":1}',
        b'{"idx":0,"kind":"clock_jump","ts_us":1}',
        b'{"behind_us":1,"idx":0,"kind":"future","ts_us":1}',
        b'{"behind_us":1,"behind_us":1,"idx":0,"kind":"clock_jump","ts_us":1}',
        b"[" * 100_000,
    ],
)
def test_a_body_has_one_form_only(body):
    with pytest.raises(ValueError):
        decode(body)


def test_a_future_kind_of_entry_is_a_finding_and_no_crash(two):
    connection = two.unguarded()
    connection.execute(
        "INSERT INTO registry VALUES (6, 9, 'future', NULL, ?, ?)",
        (b'{"idx":6,"kind":"future","ts_us":9}', b"\0" * 32),
    )
    assert Problem.REGISTRY_CHANGED in problems(verify(two))


# the command


def test_the_head_that_is_published_verifies_the_log_ever_after(two, tmp_path, capsys):
    assert main(["log", "head", "--log", two.url]) == 0
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(capsys.readouterr().out)
    two.write(run_id="run-3")
    assert main(["log", "verify", "--log", two.url, "--known-checkpoint", str(kept)]) == 0
    assert "2 checkpoints from outside met" in capsys.readouterr().out
    assert main(["log", "verify", "--log", two.url, "--known-checkpoint", str(two.path)]) == 2


def test_verify_wants_the_key_that_was_given(two, capsys):
    with two.reader() as reader:
        (leaf,) = reader.leaves({"key_add"})
    assert main(["log", "verify", "--log", two.url, "--key", leaf.event.vkey]) == 0
    name, hexid, encoded = leaf.event.vkey.split("+", 2)
    octets = bytearray(base64.b64decode(encoded))
    octets[5] ^= 1
    wrong = f"{name}+{hexid}+{base64.b64encode(octets).decode()}"
    assert main(["log", "verify", "--log", two.url, "--key", wrong]) == 2
    assert "mistyped" in capsys.readouterr().err


def test_a_log_of_format_1_is_read_and_verified_and_no_longer_written(log):
    log.write()
    log.of_format_1()
    for suffix in (".key", ".checkpoint"):
        beside(log, suffix).unlink()
    report = verify(log)
    assert report.findings == ()
    assert report.exit_code == ExitCode.UNVERIFIABLE, "who rewrites a log whole can give it this format too"
    assert "has no registry" in " ".join(report.unverifiable)
    with LogReader.open(log.url) as reader:
        assert len(list(reader.records())) == 10
        assert reader.newest_checkpoint() is None
        assert list(reader.leaves()) == []
    with pytest.raises(LogError, match=r"format 1.*sekisho log migrate"):
        log.open()
    assert sqlite3.connect(log.path).execute("SELECT count(*) FROM record").fetchone() == (10,)
