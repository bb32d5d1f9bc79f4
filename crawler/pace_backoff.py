"""How long a site is left alone after trouble: 429, 503, connections that fail. Remembered for the run.

A `Retry-After` that says something is obeyed as it stands (RFC 9110 section 10.2.3; for 429, RFC 6585
section 4). Where it says nothing, or trouble comes back, the pause doubles each time, as clients of public
interfaces do and as Nutch's `fetcher.exceptions.per.queue.delay` does; what was under way when a pause began
counts as one trouble. Ten good answers in a row take one doubling back. Until all are taken back, requests
to the origin go one at a time.
Decides how long; `pacer.py` keeps it. Pure arithmetic: the time is an argument.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.vocabulary import Origin

REMEMBERED_ORIGINS = 100_000
FIRST_PAUSE = 5.0
"""Seconds of the first pause after a 429 or 503 that does not say how long."""
FIRST_FAILURE = 0.5
"""Seconds of the first pause after a connection that failed."""
LONGEST_OWN = 3_600.0
"""Seconds above which no pause of ours grows; what the site itself asks for is not cut."""
GOOD_ANSWERS = 10
_MOST_DOUBLINGS = 16


@dataclass(slots=True)
class _Trouble:
    strikes: int = 0
    struck_at: float = float("-inf")
    good: int = 0
    failures: int = 0
    failed_at: float = float("-inf")


class BackOff:
    """The troubles of each origin. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._troubles: OrderedDict[Origin, _Trouble] = OrderedDict()
        self.pauses = 0  # that were begun or made longer

    def __len__(self) -> int:
        """Return how many origins are in trouble."""
        return len(self._troubles)

    def _of(self, origin: Origin) -> _Trouble:
        trouble = self._troubles.get(origin)
        if trouble is None:
            trouble = self._troubles[origin] = _Trouble()
            if len(self._troubles) > REMEMBERED_ORIGINS:
                self._troubles.popitem(last=False)
        self._troubles.move_to_end(origin)
        return trouble

    def is_alone(self, origin: Origin) -> bool:
        """Whether requests to an origin go one at a time because of what happened."""
        return origin in self._troubles

    def throttled(self, origin: Origin, asked: float | None, *, sent_at: float, now: float) -> float:
        """Note a 429 or 503 and return the seconds for which the origin is to be left alone.

        `asked` are the seconds of its Retry-After; None, zero and a date in the past say nothing.
        """
        trouble = self._of(origin)
        if sent_at >= trouble.struck_at:
            self.pauses += 1
            trouble.strikes += 1
            trouble.struck_at = now
            trouble.good = 0
        grown = _doubled(FIRST_PAUSE, trouble.strikes - 1)
        if not asked:
            return grown
        # Once it is obeyed to the word; when that was not enough, ours grows beside it.
        return asked if trouble.strikes == 1 else max(asked, grown / 2)

    def failed(self, origin: Origin, *, sent_at: float, now: float) -> float:
        """Note a connection that failed and return the seconds for which the origin is to be left alone."""
        trouble = self._of(origin)
        if sent_at >= trouble.failed_at:
            self.pauses += 1
            trouble.failures += 1
            trouble.failed_at = now
            trouble.good = 0
        return _doubled(FIRST_FAILURE, trouble.failures - 1)

    def answered(self, origin: Origin) -> None:
        """Note an answer that is no trouble."""
        trouble = self._troubles.get(origin)
        if trouble is None:
            return
        trouble.failures = 0
        trouble.good += 1
        if trouble.good >= GOOD_ANSWERS:
            trouble.good = 0
            trouble.strikes -= 1
        if trouble.strikes <= 0:
            del self._troubles[origin]


def _doubled(first: float, times: int) -> float:
    return min(first * 2.0 ** min(max(times, 0), _MOST_DOUBLINGS), LONGEST_OWN)
