"""Each call with which a writer reaches the disk fails in turn, or is the last one it makes.

After a failure nothing more is answered, what was answered is there, and a new writer goes on in a new segment:
in the same process, or in the next one after this one has died on the spot.
"""

from __future__ import annotations

import shutil
import signal
from random import Random

import pytest
from traced_log import NAMES, SYNCS, WRITES, answered, calls, chosen, traced

from blocklists.errors import ExitCode
from crawler.decisionlog.verify import verify_log

HOW = ("continue", "die", "kill")
COMMITS = 2  # with the opening and the seal, all that a writer ever does


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """The calls of a writer that nothing happens to."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    folder = tmp_path_factory.mktemp("log")
    trace = folder.with_name(f"{folder.name}.trace")
    done = traced(f"sqlite:///{folder / 'sekisho.db'}", trace, commits=COMMITS)
    if done.returncode and b"ptrace" in done.stderr:
        pytest.skip("tracing is not permitted here")
    assert done.stdout.endswith(b"closed\n"), done.stderr
    found = [call for call in calls(trace, folder) if call.name != "answer"]
    assert {call.name for call in found} >= {*SYNCS, *NAMES, "pwrite64", "write"}
    return found


def check(log, tmp_path, call, how, *, error="EIO"):
    """Let one call go wrong, and see that the law holds then and after."""
    fault = "signal=SIGKILL" if how == "kill" else f"error={error}"
    done = traced(
        log.url,
        tmp_path / "trace",
        inject=f"{call.name}:{fault}:when={call.nth}",
        afterwards="die" if how == "die" else "continue",
        commits=COMMITS,
    )
    said = done.stdout.decode()
    if how == "kill":
        assert done.returncode == -signal.SIGKILL, "strace dies of what its child died of"
    else:
        assert (tmp_path / "trace").read_text().count("(INJECTED)") == 1, "the fault came"
        assert b"Traceback" not in done.stderr, done.stderr.decode()[-3000:]
        assert how == "die" or said.endswith("closed\n"), "the same process goes on in a new segment"
    if "failed:" in said:
        assert said.count("failed:") == 1
        assert f"{log.path.name}" in said
    promised = answered(done.stdout)
    log.clock.now = 1_900_000_000_000_000
    log.write(run_id="after")
    with log.reader() as reader:
        found = {(str(record.segment), record.idx) for record in reader.records()}
        report = verify_log(reader)
    assert promised <= found, "an acknowledged record is gone"
    assert report.exit_code is ExitCode.DONE, report.findings
    assert report.unsealed == ()


def in_turn(plan, names, number, seed):
    return chosen(number, [call for call in plan if call.name in names], Random(seed))


@pytest.mark.parametrize("how", HOW)
def test_check_04_a_sync_that_fails_ends_the_run_and_loses_nothing(plan, log, tmp_path, how):
    for number, call in enumerate(in_turn(plan, SYNCS, 3, how)):
        fresh = type(log)(tmp_path / f"{number}" if (tmp_path / f"{number}").mkdir() is None else None)
        check(fresh, tmp_path, call, how)


@pytest.mark.parametrize("how", HOW)
def test_check_04_a_write_that_fails_ends_the_run_and_loses_nothing(plan, log, tmp_path, how):
    for number, call in enumerate(in_turn(plan, (*WRITES, *NAMES), 3, how)):
        fresh = type(log)(tmp_path / f"{number}" if (tmp_path / f"{number}").mkdir() is None else None)
        check(fresh, tmp_path, call, how, error="EROFS" if number == 1 else "EIO")


@pytest.mark.long
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("names", [SYNCS, WRITES, NAMES], ids="+".join)
def test_check_04_each_call_in_turn_may_fail_or_be_the_last(plan, log, tmp_path, how, names):
    for number, call in enumerate(call for call in plan if call.name in names):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        try:
            check(type(log)(folder), tmp_path, call, how)
        except Exception as error:
            raise AssertionError(
                f"{call.name} number {call.nth} of {call.paths or call.file}, {how}"
            ) from error
        shutil.rmtree(folder)
