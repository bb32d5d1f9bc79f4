"""Whoever waits for a crawl that was started learns how it ends, also of one that says too much or nothing."""

from __future__ import annotations

import subprocess
import sys
import time

import held
import pytest

NOISE = 1 << 20  # far more than a pipe holds


@pytest.fixture
def running():
    """Start a program in place of a crawl."""
    started = []

    def run(code):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


WAITS = {
    "for words": lambda process: held.read_until(process, "words"),
    "for a state": lambda process: held.until(process, lambda: False),
    "for its end": lambda process: held.ended(None, process),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_a_crawl_that_says_nothing_more_is_waited_for_no_longer_than_said_and_ended(
    running, monkeypatch, wait
):
    monkeypatch.setattr(held, "HUNG_S", 1.0)
    process = running("import sys, time; print('begun', file=sys.stderr, flush=True); time.sleep(15)")
    begin = time.monotonic()
    with pytest.raises(AssertionError, match=r"hung:\nbegun"):
        wait(process)
    assert time.monotonic() - begin < 10
    assert process.poll() is not None


def test_a_crawl_that_says_much_is_not_stopped_by_whoever_waits_and_all_of_it_is_kept(
    running, monkeypatch, tmp_path
):
    monkeypatch.setattr(held, "HUNG_S", 20.0)
    code = f"import sys, pathlib; sys.stderr.write('é' * {NOISE}); print('x' * {NOISE}); pathlib.Path({{!r}}).touch()"
    done = tmp_path / "done"
    process = running(code.format(str(done)) + "; import time; time.sleep(0.5)")
    held.until(process, done.exists)
    stdout, stderr = process.communicate(timeout=20)
    assert (len(stdout), len(stderr)) == (NOISE + 1, NOISE)


def test_words_are_found_while_a_crawl_goes_on_and_in_the_last_that_it_says(running):
    process = running(
        "import sys, time; print('one', file=sys.stderr, flush=True); time.sleep(1); sys.exit('two')"
    )
    held.read_until(process, "one")
    assert process.poll() is None
    held.read_until(process, "two")
    with pytest.raises(AssertionError, match="ended without 'three'"):
        held.read_until(process, "three")
