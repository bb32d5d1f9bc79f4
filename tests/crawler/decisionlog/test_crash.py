"""Kill, fill, lock: what was acknowledged stays, what was not is never claimed, and the next run goes on."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crawler.decisionlog.errors import LogError
from crawler.decisionlog.verify import verify_log

# Appends with waiting, as a crawl does, and prints an index only after its receipt.
WRITER = """
import os, sys
from pathlib import Path
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.record import Document, Entry
from crawler.decisionlog.writer import LogWriter
from hashlib import sha256
from policies.vocabulary import RequestKind, Stage

docs = [Document(kind="policy", body=b"p"), Document(kind="blocklist", body=b"l")]
policy, lists = (sha256(document.body).hexdigest() for document in docs)

def entry(number):
    return Entry(stage=Stage.REQUEST, verdict="fetch", reason="allowed", agent="a", policy_sha256=policy,
                 blocklist_sha256=lists, kind=RequestKind.PAGE, method="GET", url=f"http://a.example/{number}",
                 host="a.example", basis=b"{}" * (number % 50))

def answered(tickets):
    os.write(1, b"".join(b"%d\\n" % ticket.idx for ticket in tickets if ticket.error is None))

writer = LogWriter.open(sys.argv[1], run_id=sys.argv[2], agent="a", clock=SystemClock(), on_batch=answered)
print("segment", writer.segment, flush=True)
LIMIT = int(sys.argv[3])
number = 0
while number < LIMIT:
    tickets = [writer.append(entry(number + more), docs, wait=more % 3 == 0) for more in range(40)]
    number += 40
    tickets[0].result(60)
print("closed", writer.close(seal=True) is not None, flush=True)
"""


def start(log, run, limit=10**9, **options):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, log.url, run, str(limit)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def acknowledged(out):
    """Return the segment and the acknowledged indices; a line that was cut off does not count."""
    lines = out.decode().split("\n")[:-1]
    return lines[0].removeprefix("segment "), {int(line) for line in lines[1:] if line.isdigit()}


def kill_runs(log, times):
    chance = random.Random(20261121)
    promised = {}
    for number in range(times):
        process = start(log, f"run-{number}")
        first = process.stdout.readline()
        time.sleep(chance.random() * 0.25)
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=30)
        assert not err, err
        segment, indices = acknowledged(first + out)
        promised[segment] = indices
    with log.reader() as reader:
        report = verify_log(reader)
        assert report.findings == ()
        found = {str(info.segment): info.size for info in reader.segments()}
        for segment, indices in promised.items():
            assert max(indices, default=-1) < found[segment], "an acknowledged record is gone"
    assert len(report.unsealed) == 1, "each run sealed what the one before had left"
    assert sum(len(indices) for indices in promised.values()) > times, (
        "the test has no teeth if nothing was answered"
    )


def test_check_03_a_killed_writer_loses_nothing_that_it_acknowledged(log):
    kill_runs(log, 10)


@pytest.mark.long
def test_check_03_two_hundred_killed_writers_lose_nothing_that_they_acknowledged(log):
    kill_runs(log, 200)


def test_check_15_two_processes_write_one_log_side_by_side(log):
    both = [start(log, f"run-{number}", limit=2000) for number in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
        assert out.endswith(b"closed True\n")
    with log.reader() as reader:
        report = verify_log(reader)
        assert report.findings == ()
        assert sorted((part.run, part.records, part.sealed) for part in report.segments) == [
            ("run-0", 2000, True), ("run-1", 2000, True),
        ]  # fmt: skip


def check_full(log, process, err):
    """A writer whose disk is full stops with a readable line, and what it acknowledged is there."""
    out, err = process.communicate(timeout=60)
    segment, indices = acknowledged(out)
    assert process.returncode == 1
    assert indices
    assert b"crawler.decisionlog.errors.LogError" in err
    with log.reader() as reader:
        (info,) = reader.segments()
        assert str(info.segment) == segment
        assert info.size > max(indices)
        assert not info.sealed
        assert verify_log(reader).findings == ()
    return err.decode()


def test_a_file_that_may_not_grow_stops_the_writer_and_keeps_what_was_acknowledged(log):
    def no_growth():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    message = check_full(log, start(log, "run-0", preexec_fn=no_growth), None)
    assert (
        "disk I/O error; the disk reported an error" in message or "the disk is full: free space" in message
    )
    log.write(run_id="run-1")
    with log.reader() as reader:
        assert [info.size for info in reader.segments()][1:] == [10], "with space again a new segment goes on"
        assert verify_log(reader).findings == ()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB; skips where none may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if (
        not mount
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no file system may be mounted here; the test with a limited file size covers the rest")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_check_05_a_full_disk_stops_the_writer_and_a_new_segment_goes_on_when_there_is_space(log, small_disk):
    log.path = small_disk / "sekisho.db"
    log.url = f"sqlite:///{log.path}"
    message = check_full(log, start(log, "run-0"), None)
    assert "database or disk is full; the disk is full: free space, then start again" in message


def test_check_05_a_disk_that_is_full_already_refuses_the_log(log, small_disk):
    (small_disk / "ballast").write_bytes(bytes(1024 * 1024))
    log.url = f"sqlite:///{small_disk / 'sekisho.db'}"
    with pytest.raises(LogError, match=r"cannot open the log .*full"):
        log.open()


def test_check_02_a_locked_log_stalls_the_writer_and_lets_it_go_on(log, entry):
    writer = log.open()
    writer.append(entry(), wait=True).result(10)
    holder = log.raw()
    holder.execute("BEGIN EXCLUSIVE")
    tickets = [writer.append(entry(), wait=True) for _ in range(10)]
    time.sleep(0.3)
    assert not any(ticket.done for ticket in tickets), "nothing is acknowledged while the log is locked"
    holder.execute("ROLLBACK")
    assert [ticket.result(10).idx for ticket in tickets] == list(range(1, 11))
    writer.close(seal=True)


def test_a_reader_in_a_long_transaction_stalls_the_writer_no_longer_than_it_lasts(log, entry):
    writer = log.open()
    writer.append(entry(), wait=True).result(10)
    holder = log.raw()
    holder.execute("BEGIN")
    holder.execute("SELECT count(*) FROM record").fetchone()
    ticket = writer.append(entry(), wait=True)
    time.sleep(0.2)
    holder.execute("COMMIT")
    assert ticket.result(10).idx == 1
    writer.close(seal=True)


def test_a_log_that_stays_locked_ends_the_run_with_a_clear_line(log, entry):
    writer = log.open(lock_timeout=0.2)
    writer.append(entry(), wait=True).result(10)
    holder = log.raw()
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogError, match="another process has held it locked for too long"):
        writer.append(entry(), wait=True).result(10)
    assert writer.close(seal=True) is None
    holder.execute("ROLLBACK")


def test_check_02_a_stopped_writer_answers_nothing_and_resumes(log):
    process = start(log, "run-0")
    process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGSTOP)
    os.set_blocking(process.stdout.fileno(), False)
    time.sleep(0.05)
    while process.stdout.read(65536):
        pass
    time.sleep(0.2)
    assert not process.stdout.read(65536)
    process.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + 20
    while not process.stdout.read(65536):
        assert time.monotonic() < deadline, "it does not resume"
        time.sleep(0.02)
    process.kill()
    os.set_blocking(process.stdout.fileno(), True)
    process.communicate(timeout=30)
    with log.reader() as reader:
        assert verify_log(reader).findings == ()


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_check_08_every_commit_reaches_the_disk_before_it_is_answered(log, tmp_path):
    trace = tmp_path / "trace"
    command = [
        "strace", "-f", "-qq", "-y", "-e", "trace=fsync,fdatasync,write", "-o", trace,
        sys.executable, "-c", WRITER, log.url, "run-0", "400",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip("tracing is not permitted here")
    assert done.returncode == 0, done.stderr
    synced, answers = set(), 0
    for line in Path(trace).read_text().splitlines():
        if "sync(" in line:
            synced.add(
                "journal"
                if "-journal" in line or "-wal" in line
                else "database"
                if "sekisho.db" in line
                else "folder"
            )
        elif "write(1<" in line and "\\n" in line and any(char.isdigit() for char in line.split('"')[1][:1]):
            assert "journal" in synced, "answered without a sync of the journal since the last answer"
            assert "database" in synced or "-wal" in line
            synced.clear()
            answers += 1
    assert answers >= 10
