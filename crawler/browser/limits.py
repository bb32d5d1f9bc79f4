"""What one page may cost while it is rendered, and why a part of it is not even put before the rules.

Pure: counts and types in, words out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from policies.vocabulary import Reason

FLOOD: Final = 10  # times the most requests: a page that goes on asking is given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds, requests and octets of one page; and which types of parts are not asked for."""

    seconds: float
    requests: int
    octets: int
    skipped: frozenset[str]


def why_left_out(kind: str, limits: Limits, *, asked: int, full: bool) -> tuple[Reason, str, str] | None:
    """Return why a part of this type is left out: reason, words and where they stand; None when it is not.

    `kind` is Chromium's resource type, `asked` counts what was asked for the page so far, and `full` says
    that the page has had its octets.
    """
    if kind == "eventsource":
        note = "a stream of events has no end and no answer to be judged; nothing was sent"
        return Reason.UNGOVERNED, note, "browser"
    if kind in limits.skipped:
        return (
            Reason.REFUSED_BY_SPIDER,
            f"parts of type {kind} are not asked for",
            "setting SEKISHO_BROWSER_SKIP",
        )
    if asked >= limits.requests:
        note = f"at most {limits.requests} requests for one page"
        return Reason.RENDER_LIMIT, note, "setting SEKISHO_BROWSER_REQUESTS"
    if full:
        note = f"at most {limits.octets} octets for one page"
        return Reason.RENDER_LIMIT, note, "setting SEKISHO_BROWSER_BYTES"
    return None
