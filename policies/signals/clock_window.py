"""Hours of the day as robots.txt writes them: `HHMM-HHMM`, in UTC, perhaps across midnight.

Used by `Visit-time` and `Request-rate` (the extended standard for robot exclusion, S. Conner 1996; no RFC).
The end is not part of the window; equal ends mean the whole day; `2400` is the end of a day.
Time arrives as UTC microseconds. Pure; never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MINUTE_US = 60_000_000
_DAY_MINUTES = 24 * 60
_DAY_US = _DAY_MINUTES * _MINUTE_US
_WINDOW = re.compile(rb"(\d{1,2}):?(\d{2})[ \t]{0,9}-[ \t]{0,9}(\d{1,2}):?(\d{2})(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Minutes of the UTC day from `start` up to, not including, `end`; an earlier `end` wraps midnight."""

    start: int
    end: int

    def holds(self, now_us: int) -> bool:
        """Return whether a moment lies in the window."""
        minute = now_us % _DAY_US // _MINUTE_US
        if self.start == self.end:
            return True
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def next_start(self, now_us: int) -> int:
        """Return the next moment, not before now, at which the window begins; UTC microseconds."""
        return now_us + (self.start * _MINUTE_US - now_us % _DAY_US) % _DAY_US

    def next_end(self, now_us: int) -> int:
        """Return the next moment after now at which the window is over; UTC microseconds."""
        return now_us + ((self.end * _MINUTE_US - now_us % _DAY_US) % _DAY_US or _DAY_US)

    def __str__(self) -> str:
        """Return the window as `HHMM-HHMM UTC`."""
        return f"{_clock(self.start)}-{_clock(self.end)} UTC"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}{minute % 60:02d}"


def parse_window(value: bytes) -> Window | None:
    """Return the first window that a value names, or None; `HH:MM` is read as well."""
    found = _WINDOW.search(value[:200])
    if found is None:
        return None
    hours, minutes = (int(found[1]), int(found[3])), (int(found[2]), int(found[4]))
    start, end = (hour * 60 + minute for hour, minute in zip(hours, minutes, strict=True))
    if max(minutes) >= 60 or max(start, end) > _DAY_MINUTES:  # noqa: PLR2004 - minutes of an hour
        return None
    return Window(start=start % _DAY_MINUTES, end=end % _DAY_MINUTES)
