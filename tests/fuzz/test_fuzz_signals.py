"""A short run of the fuzzer over every reader of signals; the long run is a command (see the module)."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SIGNALS = HERE.parents[1] / "policies/signals"


@pytest.fixture(scope="module")
def fuzz():
    """The fuzzer as its command loads it: from its own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        yield importlib.import_module("fuzz_signals")
    for name in ("fuzz_signals", "signal_targets", "fuzzing"):
        del sys.modules[name]


def test_no_reader_raises_whatever_it_is_given(fuzz):
    tally = fuzz.run(12_000, seed=20_261_122, larges=0)
    assert tally.executions == 12_000
    assert {line for line in tally.wrong if " ms for " not in line} == set()


def test_no_reader_is_quadratic(fuzz):
    # A shared machine may be slow; a quadratic reader needs minutes for a megabyte, a linear one never this.
    tally = fuzz.run(0, seed=3, larges=3)
    slow = {name: took for name, (took, _) in tally.slowest.items() if took > 20 * fuzz.LIMIT_MS}
    assert slow == {}


def test_an_exception_and_a_slow_reading_would_be_reported(fuzz):
    def raises(octets):
        raise ValueError(octets)

    def burns(octets):
        sum(range(20_000_000))  # far over the limit on any machine

    for read, words in ((raises, "ValueError"), (burns, " ms for ")):
        tally = fuzz.Tally()
        tally.execute(fuzz.Target("broken", read, (b"x",)), b"x")
        assert words in tally.wrong[0]


def test_no_module_of_signals_is_left_out(fuzz):
    ran = set()

    def note(frame, event, _):
        if event == "call" and frame.f_code.co_name != "<module>":
            ran.add(Path(frame.f_code.co_filename))

    sys.setprofile(note)
    try:
        for target in fuzz.TARGETS:
            for seed in target.seeds:
                target.read(seed)
    finally:
        sys.setprofile(None)
    assert {path.name for path in set(SIGNALS.glob("*.py")) - ran} == {"__init__.py"}
