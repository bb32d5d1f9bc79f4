"""Retry-After (RFC 9110 section 10.2.3): how long a server asks to be left alone.

Delta seconds or an HTTP date. What is neither says nothing. Pure; never raises.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

_MOST_DIGITS = 12


def parse_retry_after(value: str, *, now_us: int) -> float | None:
    """Return the seconds that are asked for, not negative, or None when the value says nothing.

    `now_us` is UTC in microseconds, for values that are dates.
    """
    value = value.strip()
    if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now_us / 1_000_000)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
