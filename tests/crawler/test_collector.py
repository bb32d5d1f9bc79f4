"""The collector of a crawl: what it promises about memory, and that the process gets its own back."""

from __future__ import annotations

import gc
import weakref

import pytest

from crawler.collector import ANSWERS, OCTETS, ROUNDS, SHARE, YOUNG_OBJECTS, Collector


class _Page:
    """Garbage as a parsed page leaves it: it refers to itself."""

    def __init__(self) -> None:
        self.selector = self


def _left_behind() -> weakref.ref[_Page]:
    return weakref.ref(_Page())


@pytest.fixture
def collector():
    before = gc.get_threshold()
    one = Collector()
    one.calm()
    yield one
    one.restore()
    assert gc.get_threshold() == before


@pytest.mark.usefixtures("collector")
def test_a_crawl_raises_the_threshold_of_the_young_and_nothing_else():
    young, *others = gc.get_threshold()
    assert young >= YOUNG_OBJECTS
    assert others == [10, 10]
    assert gc.isenabled()


def test_what_answers_left_is_collected_after_a_number_of_them(collector):
    page = _left_behind()
    for _ in range(ANSWERS - 1):
        collector.answered(0)
    assert page() is not None
    collector.answered(0)
    assert page() is None


def test_large_answers_are_collected_after_as_many_octets(collector):
    page = _left_behind()
    collector.answered(OCTETS)
    assert page() is None
    page = _left_behind()
    collector.answered(OCTETS - 1)
    assert page() is not None
    collector.answered(1)
    assert page() is None


def _grown_old():
    """Return something that was in use while a round was collected, and is garbage since."""
    page = _Page()
    gc.collect(1)
    assert any(one is page for one in gc.get_objects(2))
    return weakref.ref(page)


def test_what_was_in_use_during_a_round_is_collected_some_rounds_later(collector):
    page = _grown_old()
    for _ in range(ROUNDS - 1):
        collector.answered(OCTETS)
    assert page() is not None
    collector.answered(OCTETS)
    assert page() is None


def test_looking_through_the_old_takes_one_part_in_a_hundred_of_the_time_and_no_more():
    now, cost = 0.0, 0.5

    def clock():
        nonlocal now
        now += cost  # the collector asks before and after
        return now

    one = Collector(clock)
    for _ in range(ROUNDS):
        one.answered(OCTETS)
    ended = now
    page = _grown_old()
    cost = 0.0
    now = ended + SHARE * 0.5 - 0.01
    for _ in range(3 * ROUNDS):
        one.answered(OCTETS)
    assert page() is not None
    now += 0.02
    one.answered(OCTETS)
    assert page() is None


def test_whoever_switched_the_collector_off_is_obeyed(collector):
    page = _left_behind()
    gc.disable()
    try:
        collector.answered(OCTETS)
        assert page() is not None
    finally:
        gc.enable()


def test_of_two_crawls_in_one_process_the_last_puts_the_threshold_back():
    before = gc.get_threshold()
    first, second = Collector(), Collector()
    first.calm()
    second.calm()
    first.restore()
    assert gc.get_threshold() != before
    second.restore()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
