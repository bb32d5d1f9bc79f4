"""Pauses after trouble, as arithmetic: they grow, they are bounded, and good answers take them back."""

from hypothesis import given
from hypothesis import strategies as st

from crawler import pace_backoff as module
from crawler.pace_backoff import FIRST_FAILURE, FIRST_PAUSE, GOOD_ANSWERS, LONGEST_OWN, BackOff
from policies.vocabulary import Origin

HERE = Origin(scheme="https", host="a.example", port=443)
THERE = Origin(scheme="https", host="b.example", port=443)


def throttled(back_off, number, asked=None):
    """Return the pauses after so many troubles, each met by a request that was sent after the last."""
    return [
        back_off.throttled(HERE, asked, sent_at=10.0 * turn, now=10.0 * turn + 1) for turn in range(number)
    ]


def test_each_further_throttling_doubles_the_pause_up_to_a_bound():
    pauses = throttled(BackOff(), 40)
    assert pauses[:5] == [FIRST_PAUSE * factor for factor in (1, 2, 4, 8, 16)]
    assert max(pauses) == pauses[-1] == LONGEST_OWN


def test_what_was_under_way_when_a_pause_began_counts_as_one_trouble():
    back_off = BackOff()
    burst = [back_off.throttled(HERE, None, sent_at=100.0 + n / 10, now=110.0 + n) for n in range(8)]
    assert burst == [FIRST_PAUSE] * 8
    assert back_off.throttled(HERE, None, sent_at=200.0, now=201.0) == 2 * FIRST_PAUSE


def test_retry_after_is_obeyed_to_the_word_and_ours_grows_beside_it_when_that_was_not_enough():
    assert throttled(BackOff(), 6, asked=1.0) == [1.0, 5.0, 10.0, 20.0, 40.0, 80.0]
    assert throttled(BackOff(), 3, asked=60.0) == [60.0, 60.0, 60.0]


def test_a_retry_after_of_ten_years_is_not_cut_and_one_of_nothing_says_nothing():
    assert throttled(BackOff(), 1, asked=315_360_000.0) == [315_360_000.0]
    assert throttled(BackOff(), 2, asked=0.0) == [FIRST_PAUSE, 2 * FIRST_PAUSE]


def test_ten_good_answers_take_one_doubling_back_and_until_then_requests_go_alone():
    back_off = BackOff()
    throttled(back_off, 2)
    for _ in range(2 * GOOD_ANSWERS - 1):
        back_off.answered(HERE)
        assert back_off.is_alone(HERE)
    back_off.answered(HERE)
    assert not back_off.is_alone(HERE)
    assert len(back_off) == 0
    assert back_off.throttled(HERE, None, sent_at=900.0, now=901.0) == FIRST_PAUSE


def test_failed_connections_grow_apart_and_the_first_answer_forgets_them():
    back_off = BackOff()
    pauses = [back_off.failed(HERE, sent_at=10.0 * n, now=10.0 * n + 1) for n in range(30)]
    assert pauses[:4] == [FIRST_FAILURE * factor for factor in (1, 2, 4, 8)]
    assert max(pauses) <= LONGEST_OWN
    back_off.answered(HERE)
    assert len(back_off) == 0


def test_the_trouble_of_one_origin_is_none_of_another():
    back_off = BackOff()
    throttled(back_off, 3)
    assert not back_off.is_alone(THERE)
    assert back_off.throttled(THERE, None, sent_at=0.0, now=1.0) == FIRST_PAUSE


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED_ORIGINS", 50)
    back_off = BackOff()
    for number in range(500):
        back_off.failed(Origin(scheme="http", host=f"h{number}.example", port=80), sent_at=0.0, now=1.0)
    assert len(back_off) == 50


@given(st.lists(st.sampled_from(["throttled", "asked", "failed", "answered"]), max_size=200))
def test_whatever_happens_pauses_stay_within_their_bounds(events):
    back_off, now = BackOff(), 0.0
    for event in events:
        now += 1.0
        if event == "answered":
            back_off.answered(HERE)
        elif event == "failed":
            assert FIRST_FAILURE <= back_off.failed(HERE, sent_at=now, now=now) <= LONGEST_OWN
        else:
            asked = 7.0 if event == "asked" else None
            assert FIRST_PAUSE <= back_off.throttled(HERE, asked, sent_at=now, now=now) <= LONGEST_OWN
