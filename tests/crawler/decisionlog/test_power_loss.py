"""The power goes at any moment: what was not synced may be there, or not, or in parts. What was answered is.

The calls of a writer are recorded with their octets, then replayed up to a moment onto a disk that keeps only
what was synced, and of the rest what chance leaves. On what is then there, the next writer goes on.
"""

from __future__ import annotations

import shutil
from random import Random

import pytest
from traced_log import SYNCS, Disk, answered, calls, chosen, traced

from blocklists.errors import ExitCode
from crawler.decisionlog import store_sqlite
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.verify import verify_log
from crawler.decisionlog.writer import LogWriter

SHARES = (0, 0.5, 1)  # of what was not synced: nothing is there, some of it, all of it


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return what records a writer's calls, once for each way to keep the log."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    known = {}

    def of(journal, synchronous):
        if (journal, synchronous) not in known:
            folder = tmp_path_factory.mktemp("log")
            trace = folder.with_name(f"{folder.name}.trace")
            done = traced(
                f"sqlite:///{folder / 'sekisho.db'}",
                trace,
                data=True,
                journal=journal,
                synchronous=synchronous,
            )
            if done.returncode and b"ptrace" in done.stderr:
                pytest.skip("tracing is not permitted here")
            assert done.stdout.endswith(b"closed\n"), done.stderr
            found = calls(trace, folder)
            assert sum(call.name == "answer" for call in found) == len(answered(done.stdout)) == 4
            known[journal, synchronous] = (folder, found)
        return known[journal, synchronous]

    return of


class Clock:
    """After every time of the recorded writer."""

    now = 1_900_000_000_000_000

    def now_us(self):
        self.now += 1000
        return self.now

    def mono_ns(self):
        return self.now


def records(url):
    """Return the (segment, index) of each record that can be read."""
    with LogReader.open(url) as reader:
        return {(str(record.segment), record.idx) for record in reader.records()}


def what_is_lost(folder, promised):
    """Let the next writer go on in a folder; return what is wrong then, in words, or nothing."""
    database = folder / "sekisho.db"
    url = f"sqlite:///{database}"
    if not database.exists():
        return f"lost with the file: {promised}" if promised else ""
    try:
        if promised and not promised <= (found := records(url)):
            return f"lost {sorted(promised - found)}"
        LogWriter.open(url, run_id="after", agent="a", clock=Clock()).close(seal=True)
        found = records(url)
        with LogReader.open(url) as reader:
            report = verify_log(reader)
    except LogError as error:
        return f"refused, {type(error).__name__}: {error}"
    if not promised <= found:
        return f"lost {sorted(promised - found)} on the way"
    return "" if report.exit_code is ExitCode.DONE and not report.unsealed else str(report.findings)


def after_power_cuts(recorded, tmp_path, moments):
    """Cut the power at some moments, each in three ways; return what was lost."""
    folder, found = recorded
    disk, promised, wrong = Disk(folder), set(), []
    chance = Random(20261122)
    wanted = set(map(id, moments(found)))
    for number, call in enumerate(found):
        if call.name == "answer":
            promised |= answered(call.octets)
        else:
            disk.apply(call)
        if id(call) in wanted:
            for share in SHARES:
                left = tmp_path / f"{number}-{share}"
                left.mkdir()
                disk.cut_power(left, chance, share)
                if lost := what_is_lost(left, promised):
                    wrong.append(f"after call {number} ({call.name} {call.paths}), {share} left: {lost}")
                shutil.rmtree(left)
    return wrong


def just_before_and_after_syncs(number):
    """Return what chooses moments: answers, what stands before a sync, and others by chance."""

    def choose(found):
        edges = [
            call
            for call, after in zip(found, [*found[1:], None], strict=True)
            if call.name in ("answer", "rename", *SYNCS) or (after is not None and after.name in SYNCS)
        ]
        answers = [call for call in found if call.name == "answer"]
        return [*answers, *chosen(number, edges, Random(6))]

    return choose


@pytest.mark.parametrize("journal", ["persist", "wal"])
def test_check_06_a_power_cut_takes_nothing_that_was_answered(recorded, tmp_path, journal, monkeypatch):
    monkeypatch.setattr(store_sqlite, "wal_is_safe", lambda _: journal == "wal")
    assert after_power_cuts(recorded(journal, "FULL"), tmp_path, just_before_and_after_syncs(5)) == []


@pytest.mark.long
@pytest.mark.parametrize("journal", ["persist", "wal"])
def test_check_06_a_power_cut_after_any_call_takes_nothing_that_was_answered(
    recorded, tmp_path, journal, monkeypatch
):
    monkeypatch.setattr(store_sqlite, "wal_is_safe", lambda _: journal == "wal")
    assert after_power_cuts(recorded(journal, "FULL"), tmp_path, lambda found: found) == []


@pytest.mark.parametrize(("journal", "synchronous"), [("wal", "NORMAL"), ("persist", "OFF")])
def test_check_06_with_less_syncing_the_same_test_fails(
    recorded, tmp_path, journal, synchronous, monkeypatch
):
    monkeypatch.setattr(store_sqlite, "wal_is_safe", lambda _: journal == "wal")
    wrong = after_power_cuts(recorded(journal, synchronous), tmp_path, just_before_and_after_syncs(0))
    assert any("lost" in line for line in wrong)
