"""No reader of signals is quadratic: four times the worst input takes about four times as long.

A ratio and not a time, because machines differ and are busy; the times are printed by `worst_inputs.py`.
"""

import importlib
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SMALL, LARGE = 100_000, 400_000
LOOKED_AT = 20_000
# Four would be linear. Less than this took is not worth a ratio: caches, tables and budgets begin somewhere.
MOST_GROWTH = 10
WORTH_IT_MS = 10


@pytest.fixture(scope="module")
def worst():
    """The worst inputs as their command loads them: from its own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        yield importlib.import_module("worst_inputs")
    for name in ("worst_inputs", "worst_pages", "worst_robots", "signal_targets"):
        del sys.modules[name]


def _growth(worst, target, form):
    small, large = (
        worst.milliseconds(target.read, worst.filled(form, size), best_of=1) for size in (SMALL, LARGE)
    )
    return large / max(small, 1.0) if large > WORTH_IT_MS else 1.0


def test_every_reader_has_worst_inputs(worst):
    assert set(worst.FORMS) == {target.name for target in worst.TARGETS}


def test_four_times_the_worst_input_takes_no_more_than_about_four_times_as_long(worst):
    slow = {}
    for target in worst.TARGETS:
        times = {
            form: worst.milliseconds(target.read, worst.filled(form, LOOKED_AT), best_of=1)
            for form in worst.FORMS[target.name]
        }
        for form in sorted(times, key=times.get)[-2:]:
            # A busy machine may lengthen one measurement; a quadratic reader grows sixteenfold every time.
            growths = (_growth(worst, target, form) for _ in range(3))
            if all(growth > MOST_GROWTH for growth in growths):
                slow[target.name, form] = times[form]
    assert slow == {}
