"""A writer that ended at the worst moment, and files that came back in part: the next one goes on, or says why not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import batch, store_sqlite
from crawler.decisionlog.custody import Custody
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.registry import Recovered, SegmentSealed
from crawler.decisionlog.store import LOCK_TIMEOUT_S
from crawler.decisionlog.verify import verify_log

# Writes a run and kills itself at a call: argument 2 names module and attribute, 3 how often it is survived.
DYING = """
import importlib, os, signal, sys
from hashlib import sha256
from crawler.decisionlog import batch
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.record import Document, Entry
from crawler.decisionlog.writer import LogWriter
from policies.vocabulary import RequestKind, Stage

url, place, survived, records = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if place:
    module, _, name = place.partition(":")
    owner = importlib.import_module(module)
    *path, name = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    real, calls = getattr(owner, name), []
    def dying(*args, **more):
        calls.append(1)
        if len(calls) > survived:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **more)
    setattr(owner, name, dying)
batch.CHECKPOINT_EVERY_US = 0
docs = [Document(kind="policy", body=b"p"), Document(kind="blocklist", body=b"l")]
policy, lists = (sha256(document.body).hexdigest() for document in docs)
log = LogWriter.open(url, run_id=f"dying-{os.getpid()}", agent="a", clock=SystemClock())
print(log.segment, flush=True)
for number in range(records):
    host = f"h{number % 50_000}.example"
    ticket = log.append(Entry(stage=Stage.REQUEST, verdict="fetch", reason="allowed", agent="a",
        policy_sha256=policy, blocklist_sha256=lists, kind=RequestKind.PAGE, method="GET",
        url=f"http://{host}/{number}", host=host), docs if number == 0 else (), wait=number % 5000 == 4999)
    if number < 20 or ticket.wait:
        ticket.result(60)
        print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

AT = {
    "between the lock and the commit of the opening": ("crawler.decisionlog.store:commit", 0),
    "between the commit of the opening and its checkpoint": (
        "crawler.decisionlog.custody:CheckpointFile.publish",
        0,
    ),
    "between a commit and its checkpoint": ("crawler.decisionlog.custody:CheckpointFile.publish", 2),
    "while the key is made": ("crawler.decisionlog.keys:sync", 0),
    "in the middle": ("", 0),
}


def die(log, place="", survived=0, records=40):
    """Let a writer die; return its segment and how many records it had acknowledged."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, log.url, place, str(survived), str(records)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    segment, *numbers = done.stdout.split() or [""]
    return segment, len(numbers)


def verified(log):
    with log.reader() as reader:
        report = verify_log(reader)
        assert report.exit_code is ExitCode.DONE, report.findings
        assert report.unsealed == ()
        return {str(info.segment): info.size for info in reader.segments()}


def litter(log):
    """Return what is beside a log and should not be there when nobody writes it."""
    known = {log.path.name + suffix for suffix in ("", ".key", ".checkpoint", "-journal", "-wal", "-shm")}
    return {path.name for path in log.path.parent.iterdir()} - known


@pytest.mark.parametrize("moment", AT)
def test_the_next_writer_goes_on_whenever_the_one_before_was_killed(log, moment):
    place, survived = AT[moment]
    log.clock.now = 1_900_000_000_000_000
    segment, promised = die(log, place, survived)
    log.write(run_id="after")
    sizes = verified(log)
    assert sizes.get(segment, 0) >= promised
    assert litter(log) == set()
    log.write(run_id="and-again")
    assert len(verified(log)) == len(sizes) + 1


def test_a_named_checkpoint_that_was_never_written_is_asked_for_and_the_advice_helps(
    log, tmp_path, monkeypatch, capsys
):
    kept = tmp_path / "kept.checkpoint"
    monkeypatch.setenv("SEKISHO_LOG_CHECKPOINT_FILE", str(kept))
    die(log, "crawler.decisionlog.custody:CheckpointFile.publish")
    with pytest.raises(LogError, match=r"is not there.*sekisho log head > ") as refused:
        log.open()
    assert refused.value.exit_code is ExitCode.REFUSED
    assert main(["log", "head", "--log", log.url]) == 0
    kept.write_text(capsys.readouterr().out)
    log.clock.now = 1_900_000_000_000_000
    log.write(run_id="after")
    verified(log)


def test_many_writers_that_open_at_once_seal_what_is_left_once(log):
    dead = [die(log, records=30)[0] for _ in range(2)]
    connection = log.unguarded()
    assert connection.execute("SELECT count(*) FROM segment WHERE sealed_us IS NULL").fetchone() == (1,)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", DYING, log.url, "", "0", "25"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for process in running:
        _, err = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL, err
    log.clock.now = 1_900_000_000_000_000
    log.write(run_id="last")
    assert len(verified(log)) == len(dead) + len(running) + 1
    with log.reader() as reader:
        leaves = [leaf.event for leaf in reader.leaves()]
    recovered = [event.segment for event in leaves if isinstance(event, Recovered)]
    sealed = [event.segment for event in leaves if isinstance(event, SegmentSealed)]
    assert len(recovered) == len(set(recovered)) == len(dead) + len(running)
    assert len(sealed) == len(set(sealed)) == len(recovered) + 1


PEAK = """
import resource, sys, time
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.writer import LogWriter
begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
LogWriter.open(sys.argv[1], run_id="after", agent="a", clock=SystemClock()).close(seal=True)
print(time.monotonic() - begun, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def recover(log, records):
    """Recover a dead segment of so many records over 50,000 hosts; return seconds and MiB."""
    die(log, records=records)
    done = subprocess.run([sys.executable, "-c", PEAK, log.url], capture_output=True, text=True, check=True)
    seconds, peak = map(float, done.stdout.split())
    print(f"a dead segment of {records:,} records was sealed in {seconds:.1f} s with {peak:.0f} MiB more")
    verified(log)
    return seconds, peak


@pytest.mark.long
def test_a_dead_segment_of_a_million_records_is_sealed_in_time_and_little_memory(log):
    seconds, peak = recover(log, 1_000_000)
    assert seconds < LOCK_TIMEOUT_S, "who waits for the log meanwhile does not give up"
    assert peak < 400


# disks


@pytest.fixture
def disk(tmp_path):
    """A file system of 2 MiB that can be made read-only; skips where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
    if not mount or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def remount(folder, how):
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


def fill(folder, spare):
    """Fill a file system but for so many octets; return the file to remove."""
    ballast = folder / "ballast"
    room = os.statvfs(folder)
    ballast.write_bytes(bytes(room.f_bavail * room.f_frsize - spare))
    return ballast


def test_check_05_a_disk_that_is_full_when_the_run_is_sealed_leaves_it_to_the_next(
    log, disk, entry, documents
):
    log.path = disk / "sekisho.db"
    log.url = f"sqlite:///{log.path}"
    writer = log.open()
    docs = [documents["policy"], documents["blocklist"]]
    for number in range(300):
        ticket = writer.append(entry(host=f"h{number}.example", url=f"http://h{number}.example/"), docs)
    ticket.result(10)
    ballast = fill(disk, 12_288)
    assert writer.close(seal=True) is None
    assert "the disk is full: free space" in str(writer.failed)
    with log.reader() as reader:
        assert verify_log(reader).findings == ()
    with pytest.raises(LogError, match="full"):
        log.open()
    ballast.unlink()
    log.write(run_id="after")
    assert sorted(verified(log).values()) == [10, 300]
    assert litter(log) == set()


def test_check_05_a_crawl_on_a_full_disk_goes_on_in_a_new_segment_once_there_is_space(
    log, disk, entry, documents
):
    log.path = disk / "sekisho.db"
    log.url = f"sqlite:///{log.path}"
    writer = log.open()
    docs = [documents["policy"], documents["blocklist"]]
    acknowledged = -1

    def crawl():
        nonlocal acknowledged
        for _ in range(20_000):
            acknowledged = writer.append(entry(), docs, wait=True).result(10).idx

    with pytest.raises(LogError, match="full"):
        crawl()
    assert acknowledged > 100
    with pytest.raises(LogError):
        writer.append(entry(), docs)
    assert writer.close(seal=True) is None
    with log.reader() as reader:
        assert reader.segments()[0].size > acknowledged
    remount(disk, "size=8m")
    log.write(run_id="after")
    assert len(verified(log)) == 2


def test_a_checkpoint_that_can_no_longer_be_written_stops_the_run_in_mid_crawl(log, disk, entry, documents):
    custody = Custody(key_file=disk / "k", checkpoint_file=disk / "c", named=False)
    docs = [documents["policy"], documents["blocklist"]]
    writer = log.open(custody=custody)
    writer.append(entry(), docs, wait=True).result(10)
    remount(disk, "ro")
    log.clock.now += batch.CHECKPOINT_EVERY_US
    with pytest.raises(LogError, match=r"last checkpoint .* cannot be written: Read-only file system"):
        writer.append(entry(), docs, wait=True).result(10)
    with pytest.raises(LogError):
        writer.append(entry(), docs)
    assert writer.close(seal=True) is None
    with pytest.raises(LogError, match="Read-only file system"):
        log.open(custody=custody)
    remount(disk, "rw")
    writer = log.open(run_id="after", custody=custody)
    assert writer.close(seal=True) is not None
    assert {path.name for path in disk.iterdir()} == {"k", "c"}


def test_a_log_on_a_disk_that_became_read_only_is_refused_for_writing_and_can_be_verified(log, disk, capsys):
    log.path = disk / "sekisho.db"
    log.url = f"sqlite:///{log.path}"
    log.write()
    remount(disk, "ro")
    with pytest.raises(LogError, match="give this user write access") as refused:
        log.open()
    assert refused.value.exit_code is ExitCode.REFUSED
    assert main(["log", "verify", "--log", log.url]) == ExitCode.DONE
    remount(disk, "rw")
    die(log, "crawler.decisionlog.custody:CheckpointFile.publish", 2)
    remount(disk, "ro")
    assert main(["log", "verify", "--log", log.url]) == ExitCode.DONE
    capsys.readouterr()
    remount(disk, "rw")
    log.clock.now = 1_900_000_000_000_000
    log.write(run_id="after")
    verified(log)


# files that came back in part


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_half_copied_database_is_named_as_damaged_by_every_command_and_not_written(log, share, capsys):
    log.write()
    log.write(run_id="run-2")
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[: int(len(whole) * share)])
    part = log.path.read_bytes()
    for command in (["verify"], ["show"], ["lookup", "a.example"], ["head"], ["export"]):
        code = main(["log", *command, "--log", log.url])
        captured = capsys.readouterr()
        assert code in {ExitCode.TAMPERED, ExitCode.REFUSED}, command
        assert "malformed" in captured.out + captured.err, command
    with pytest.raises(IntegrityError, match=r"damaged: keep it as evidence, restore a copy"):
        log.open()
    assert log.path.read_bytes() == part
    log.path.write_bytes(whole)
    log.write(run_id="run-3")
    verified(log)


def refused(log):
    """Let another run write; return the line with which it was refused, or None when it went on."""
    try:
        writer = log.open(run_id="after")
    except LogError as error:
        return str(error)
    writer.close(seal=True)
    return None if writer.failed is None else str(writer.failed)


def test_a_page_of_zeros_in_a_database_is_an_integrity_failure_or_harms_nothing_and_never_a_crash(
    log, capsys
):
    log.write()
    log.write(run_id="run-2")
    whole, kept = log.path.read_bytes(), log.path.with_name("sekisho.db.checkpoint").read_bytes()
    found = 0
    for page in range(1, len(whole) // 4096):
        log.path.write_bytes(whole[: page * 4096] + bytes(4096) + whole[(page + 1) * 4096 :])
        codes = [main(["log", command, "--log", log.url]) for command in ("verify", "show", "export")]
        capsys.readouterr()
        assert set(codes) <= {ExitCode.TAMPERED, ExitCode.REFUSED, ExitCode.DONE}, page
        line = refused(log)
        assert line is None or "\n" not in line
        found += codes[0] == ExitCode.TAMPERED
        log.path.write_bytes(whole)
        log.path.with_name("sekisho.db.checkpoint").write_bytes(kept)
        log.path.with_name("sekisho.db-journal").unlink(missing_ok=True)
    assert found > len(whole) // 4096 / 2, "other pages are free, or an index"


def test_a_truncated_wal_loses_at_most_what_no_checkpoint_had_and_otherwise_is_refused(
    log, monkeypatch, capsys
):
    monkeypatch.setattr(store_sqlite, "wal_is_safe", lambda _: True)
    dying = DYING.replace(
        "batch.CHECKPOINT_EVERY_US = 0",
        "from crawler.decisionlog import store_sqlite; store_sqlite.wal_is_safe = lambda version: True",
    )
    done = subprocess.run(
        [sys.executable, "-c", dying, log.url, "", "0", "400"], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder = log.path.parent
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    wal = (kept / "sekisho.db-wal").read_bytes()
    assert len(wal) > 50_000
    outcomes = set()
    for size in range(0, len(wal), len(wal) // 12):
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        (folder / "sekisho.db-wal").write_bytes(wal[:size])
        (folder / "sekisho.db-shm").unlink()
        code = main(["log", "verify", "--log", log.url])
        capsys.readouterr()
        log.clock.now = 1_900_000_000_000_000
        line = refused(log)
        if line is None:
            assert code == ExitCode.DONE
            verified(log)
        else:
            assert code in {ExitCode.TAMPERED, ExitCode.REFUSED}, line
            assert "\n" not in line
        outcomes.add("went on" if line is None else "refused")
    assert outcomes == {"refused", "went on"}
