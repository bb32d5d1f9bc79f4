"""What the soak calls growth: a leak of one object a page is seen, storms and garbage that goes are not."""

from __future__ import annotations

import math
import random

import pytest
from growth import growth_of_floor, growth_of_typical

SECONDS, PAGES_A_SECOND, WARM = 300, 400, 75.0
LIVE = 725_000  # objects that a soaked crawl holds, as measured


def objects(*, leaked_a_page=0.0):
    chance = random.Random(5)
    return [
        (
            float(at),
            LIVE * min(1.0, 0.8 + at / 100)  # caches that fill
            + chance.random() * 25_000  # what is under way
            + (30_000 if at % 60 < 4 else 0)  # storms
            + at % 5 * PAGES_A_SECOND  # garbage, until it is collected
            + leaked_a_page * at * PAGES_A_SECOND,
        )
        for at in range(SECONDS)
    ]


def test_a_crawl_that_holds_what_it_held_does_not_grow_however_it_breathes():
    for growth in (growth_of_floor, growth_of_typical):
        assert growth(objects(), warm=WARM, until=SECONDS).ratio == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("leaked", [0.5, 1.0, 10.0])
def test_half_an_object_a_page_that_stays_is_seen_within_five_minutes(leaked):
    assert growth_of_floor(objects(leaked_a_page=leaked), warm=WARM, until=SECONDS).ratio > 1.03


def test_what_happens_before_warm_up_and_after_the_last_page_does_not_count():
    samples = [(-1.0, math.inf), *objects(), (SECONDS + 1.0, math.inf)]
    assert growth_of_floor(samples, warm=WARM, until=SECONDS).ratio < 1.02
    assert growth_of_typical(samples, warm=WARM, until=SECONDS).most < math.inf


def test_too_few_samples_are_no_verdict():
    with pytest.raises(ValueError, match="too few"):
        growth_of_floor(objects(), warm=260.0, until=SECONDS)
