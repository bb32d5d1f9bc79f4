"""Several processes write the same package as one, and none of them stays behind, whatever becomes of the others."""

from __future__ import annotations

import filecmp
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blocklists.errors import ExitCode
from crawler.decisionlog.errors import IntegrityError, LogError
from crawler.decisionlog.package import arrow, copying, readers

HUNG_S = 60


@pytest.fixture
def small(monkeypatch):
    """Make a log of some records large enough for several processes and many chunks."""
    monkeypatch.setattr(copying, "WORTH_IT", 0)
    monkeypatch.setattr(arrow, "CHUNK", 3)


def same(one, other):
    """Whether two folders have the same files with the same octets."""
    names = [
        sorted(path.relative_to(each) for path in each.rglob("*") if path.is_file()) for each in (one, other)
    ]
    assert names[0] == names[1]
    return all(filecmp.cmp(one / name, other / name, shallow=False) for name in names[0])


def processes_of(pid):
    """Return the processes that one has started and that still run."""
    found = []
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [number for number in child.read_text().split() if runs(number)]
    return [number for number in found if b"import serve" in Path(f"/proc/{number}/cmdline").read_bytes()]


def runs(number):
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def started():
    return processes_of(os.getpid())


@pytest.mark.parametrize(
    "plan",
    [{}, {"committed": True}, {"urls": False}, {"runs": frozenset({"run-2"})}],
    ids=["all", "committed", "without-urls", "one-run"],
)
def test_two_processes_write_the_same_octets_as_one(packages, small, plan):
    alone = packages.make(**plan)
    together = packages.make(**plan, readers=2)
    assert same(alone, together)
    assert packages.verify(together).findings == packages.verify(alone).findings
    assert started() == []


def test_they_are_there_while_they_are_needed(packages, small, monkeypatch):
    seen = []
    real = readers._Reader.answer
    monkeypatch.setattr(readers._Reader, "answer", lambda self: seen.append(started()) or real(self))
    packages.make(readers=2)
    assert {len(each) for each in seen} == {2}
    assert started() == []


def test_a_machine_that_starts_no_process_is_told_of_and_nothing_is_left(packages, small, monkeypatch):
    def no_more(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(readers.subprocess, "Popen", no_more)
        with pytest.raises(LogError, match=r"no process can be started.*use --readers 1"):
            packages.make(readers=2)
    assert not list(packages.folder.glob("*package*"))


def test_urls_that_are_no_unicode_and_erased_ones_pass_through_the_processes(
    packages, small, entry, documents
):
    writer = packages.log.open(run_id="hostile")
    for url in ("http://a.example/\udcff", None, "http://a.example/ä", "http://a.example/\x00"):
        writer.append(entry(url=url, parent_url=url), documents.values())
    writer.close(seal=True)
    from crawler.cli import main

    erase = ["log", "erase", "--log", packages.log.url, "http://a.example/page/2"]
    assert main([*erase, "--basis", "request 1", "--actor", "office", "--yes"]) == 0
    alone, together = packages.make(), packages.make(readers=3)
    assert same(alone, together)
    assert packages.verify(together).findings == ()


def test_processes_are_not_started_for_a_small_log(packages, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr(copying, "ReaderProcesses", never)
    packages.make(readers=2)


def test_a_process_that_is_killed_ends_the_export_and_nothing_is_left(packages, small, monkeypatch):
    asked = []
    real = readers._Reader.ask

    def ask(self, *span):
        asked.append(span)
        if len(asked) == 3:
            self._process.kill()
            self._process.wait()
        real(self, *span)

    monkeypatch.setattr(readers._Reader, "ask", ask)
    with pytest.raises(LogError, match=r"ended .exit code -9. before it was done.*nothing is exported"):
        packages.make(readers=2)
    assert not list(packages.folder.glob("*package*"))
    assert started() == []


def test_a_record_that_no_writer_wrote_is_told_of_as_in_one_process(packages, small):
    with sqlite3.connect(packages.log.path) as raw:
        for trigger in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {trigger[0]}")
        raw.execute("UPDATE record SET reason = CAST(x'ff' AS TEXT) WHERE segment_id = 1 AND idx = 4")
    raw.close()
    said = []
    for count in (1, 2):
        with pytest.raises(IntegrityError, match="nothing that a writer writes") as caught:
            packages.make(readers=count)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert started() == []


def test_a_log_that_a_process_cannot_open_is_an_error_of_the_log(packages, small, monkeypatch):
    def elsewhere(_, *rest, **named):
        return readers.ReaderProcesses(Path("/nonexistent/log.db"), *rest, **named)

    monkeypatch.setattr(copying, "ReaderProcesses", elsewhere)
    with pytest.raises(LogError, match="folder /nonexistent of the log"):
        packages.make(readers=2)
    assert not list(packages.folder.glob("*package*"))


STALLED = """
import sys, time
from crawler.decisionlog.package import arrow, copying
from crawler.decisionlog.package.plan import PackagePlan
from crawler.decisionlog.package.write import write_package
from crawler.decisionlog.reader import LogReader
from pathlib import Path
copying.WORTH_IT, arrow.CHUNK = 0, 3

def wait(_):
    print("under way", flush=True)
    time.sleep(600)

with LogReader.open(sys.argv[1]) as reader:
    write_package(reader, Path(sys.argv[2]), PackagePlan(readers=2), now_us=0, progress=wait)
"""


def test_no_process_outlives_an_export_that_was_killed(packages, tmp_path):
    code = [sys.executable, "-c", STALLED, packages.log.url, str(tmp_path / "out")]
    with subprocess.Popen(code, stdout=subprocess.PIPE, text=True) as export:
        assert export.stdout.readline() == "under way\n"
        children = processes_of(export.pid)
        assert len(children) == 2
        export.send_signal(signal.SIGKILL)
    end = time.monotonic() + HUNG_S
    while any(map(runs, children)):
        assert time.monotonic() < end, f"still there: {children}"
        time.sleep(0.05)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", ["0", "4", "-1", "two", "1.5"])
def test_a_number_of_processes_that_makes_no_sense_is_refused(packages, tmp_path, capsys, count):
    from crawler.cli import main

    asked = [
        "log",
        "export",
        "--log",
        packages.log.url,
        "--package",
        str(tmp_path / "x"),
        f"--readers={count}",
    ]
    assert main(asked) == ExitCode.USAGE
    assert f"'{count}' is no number from 1 to 3" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
