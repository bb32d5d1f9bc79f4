"""What to ask for, when, and with which conditions: everything about a refresh that needs no network.

Decides which lists are due (their own `Expires`, held within six hours and seven days), with which
conditional headers they are asked for (RFC 9110 section 13.1), and how old a list may be before it is stale.
Pure: times arrive as UTC microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
SHORTEST_HOURS = 6
LONGEST_HOURS = 7 * 24
USUAL_HOURS = 24
#: After a failure a list is asked for again no later than this.
RETRY_HOURS = 6
#: Ages of a fetched list, in days, after which a crawl warns and does not start; settings change them.
WARN_DAYS = 14.0
REFUSE_DAYS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What is known of one fetched list. Times are UTC microseconds, None when it never happened.

    `sha256` names the octets in force (empty: none); `etag` and `last_modified` are what their server said of
    them, `address` where they came from. `checked_at` is the last time at which a server confirmed or
    replaced them; `tried_at` the last attempt; `problem` what came of it if it failed or was held, with
    digest and address of what is held.
    """

    sha256: str = ""
    etag: str = ""
    last_modified: str = ""
    address: str = ""
    fetched_at: int | None = None
    checked_at: int | None = None
    tried_at: int | None = None
    expires_hours: int | None = None
    failures: int = 0
    problem: str = ""
    held_sha256: str = ""
    held_address: str = ""


class Freshness(StrEnum):
    """How old a list is, by the operator's policy."""

    FRESH = "fresh"
    STALE = "stale"  # older than the days after which to warn
    EXPIRED = "expired"  # older than the days after which a crawl refuses to start


def clamp_hours(expires_hours: int | None) -> int:
    """Return the hours until a list is asked for again: what it says itself, from 6 h to 7 d; else 24."""
    if expires_hours is None:
        return USUAL_HOURS
    return min(max(expires_hours, SHORTEST_HOURS), LONGEST_HOURS)


def due_at(state: SourceState) -> int:
    """Return when a list is to be asked for; 0 when nothing is known of it."""
    if state.tried_at is None:
        return 0
    hours = clamp_hours(state.expires_hours)
    if state.failures or not state.sha256:
        hours = min(hours, RETRY_HOURS)
    return state.tried_at + hours * HOUR_US


def is_due(state: SourceState, now_us: int) -> bool:
    """Whether a list is to be asked for; a moment in the future (a clock set back) counts as long ago."""
    return now_us >= due_at(state) or (state.tried_at or 0) > now_us


def conditional_headers(state: SourceState) -> tuple[tuple[str, str], ...]:
    """Return the headers of a request: conditional when octets are in force that its server described."""
    if not state.sha256:
        return ()
    headers = []
    if state.etag:
        headers.append(("If-None-Match", state.etag))
    if state.last_modified:
        headers.append(("If-Modified-Since", state.last_modified))
    return tuple(headers)


def judge_age(last_us: int | None, now_us: int, *, warn_days: float, refuse_days: float) -> Freshness:
    """Say how old a list is that was last confirmed at `last_us`; None means nobody ever confirmed it."""
    if last_us is None:
        return Freshness.EXPIRED
    days = (now_us - last_us) / DAY_US
    if days > refuse_days:
        return Freshness.EXPIRED
    return Freshness.STALE if days > warn_days else Freshness.FRESH


def age_words(last_us: int | None, now_us: int) -> str:
    """Return an age for people: `3 days`, `5 hours`, `never`."""
    if last_us is None:
        return "never"
    hours = max(0, now_us - last_us) // HOUR_US
    days, rest = divmod(hours, 24)
    return f"{days} days" if days > 1 else f"{days * 24 + rest} hours"
