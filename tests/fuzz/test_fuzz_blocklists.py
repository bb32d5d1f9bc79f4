"""A short run of the fuzzer over every list parser; the long run is a command (see the module)."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def fuzz():
    """The fuzzer as its command loads it: from its own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        yield importlib.import_module("fuzz_blocklists")
    for name in ("fuzz_blocklists", "fuzzing"):
        del sys.modules[name]


def test_no_parser_raises_anything_but_its_own_refusal(fuzz):
    tally = fuzz.run(10_000, seed=20_261_122, larges=0)
    assert tally.executions == 10_000
    assert {line for line in tally.wrong if " ms for " not in line} == set()


def test_no_parser_is_quadratic(fuzz):
    tally = fuzz.run(0, seed=5, larges=4)
    assert tally.wrong == []


def test_every_format_is_fuzzed_and_its_seed_is_a_good_list(fuzz):
    assert set(fuzz.SEEDS) == set(fuzz.FORMATS)
    for form, (first, *more) in fuzz.SEEDS.items():
        assert fuzz.read(form, first, b"".join(more)) == "", form


@pytest.mark.parametrize("words", ["ValueError", "an empty list", "does not read well"])
def test_what_is_wrong_would_be_reported(fuzz, monkeypatch, words):
    def parse(*_, **__):
        raise ValueError("x")

    if words == "ValueError":
        monkeypatch.setattr(fuzz, "parse_list", parse)
    elif words == "an empty list":
        monkeypatch.setattr(fuzz, "build_source", lambda *_: type("Loaded", (), {"entries": ()}))
    else:
        monkeypatch.setattr(fuzz, "LONGEST_WORDS", 0)
    tally = fuzz.Tally()
    octets = b"bad.example\n" if words != "does not read well" else b"<html>"
    tally.execute(fuzz.Format.PLAIN, octets)
    assert words in tally.wrong[0]
