"""A short run of the fuzzer over every reader of signals; the long run is a command (see the module)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def fuzz():
    name = "fuzz_signals"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
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
        sum(range(6_000_000))

    for read, words in ((raises, "ValueError"), (burns, " ms for ")):
        tally = fuzz.Tally()
        tally.execute(fuzz.Target("broken", read, (b"x",)), b"x")
        assert words in tally.wrong[0]
