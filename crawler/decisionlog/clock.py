"""Where a log gets its time from: an argument, so that tests own it. Integers only, UTC only."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings: the wall for people, the monotonic one for order within a run."""

    def now_us(self) -> int:
        """Return UTC in microseconds since 1970-01-01."""
        ...

    def mono_ns(self) -> int:
        """Return nanoseconds that never go backwards within one process."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_us(self) -> int:
        """Return UTC in microseconds since 1970-01-01."""
        return time.time_ns() // 1000

    def mono_ns(self) -> int:
        """Return nanoseconds of the machine's monotonic clock."""
        return time.monotonic_ns()
