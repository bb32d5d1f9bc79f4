"""A memory that sites fill is bounded by number and by octets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler.remembered import Remembered


def memory(most=3, most_octets=100):
    return Remembered(most=most, most_octets=most_octets, octets_of=len)


def test_of_too_many_the_one_used_longest_ago_is_forgotten():
    kept = memory()
    for key in "abc":
        kept.keep(key, b"x")
    kept.use("a")
    kept.keep("d", b"x")
    assert [key for key in "abcd" if kept.get(key) is not None] == ["a", "c", "d"]


def test_large_entries_drive_out_others_and_the_last_stays_however_large_it_is():
    kept = memory()
    kept.keep("a", b"x" * 60)
    kept.keep("b", b"x" * 60)
    assert kept.get("a") is None
    assert len(kept.get("b")) == 60
    kept.keep("c", b"x" * 1000)
    assert (len(kept), len(kept.get("c"))) == (1, 1000)
    kept.keep("d", b"")
    assert (len(kept), kept.get("c")) == (1, None)


@given(st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=40)), max_size=60))
def test_whatever_is_kept_the_bounds_hold_and_an_entry_in_place_of_another_counts_once(entries):
    kept = memory(most=5)
    for key, value in entries:
        kept.keep(key, value)
        assert kept.get(key) == value
        held = [found for key in range(10) if (found := kept.get(key)) is not None]
        assert len(held) == len(kept) <= 5
        assert sum(map(len, held)) <= 100
