"""`Request-rate: 1/10m 0600-0845`: how many documents in how much time, perhaps at some hours only.

A line of the groups of robots.txt that no RFC knows (the extended standard for robot exclusion, 1996):
documents, a slash, a number with a unit (s, m, h, d; seconds without one), and a window in UTC. The lowest
rate holds, of several lines and of several groups. A rate of no documents at all is the longest pause there
is. What is not readable says nothing and is kept as a problem. Pure: the time is an argument; never raises.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.signals.clock_window import Window, parse_window
from policies.signals.group_lines import lines_for

if TYPE_CHECKING:
    from policies.signals.group_lines import GroupLine
    from policies.signals.robots import RobotsRules

KEYS = ("request-rate", "request rate", "request_rate", "requestrate")
LINES_READ = 500
_RATE = re.compile(
    rb"(\d{1,9}(?:\.\d{1,9})?)[ \t]{0,9}/[ \t]{0,9}(\d{0,9}(?:\.\d{1,9})?)[ \t]{0,9}([A-Za-z]*)"
)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One line: seconds between two requests, the hours at which it holds (None: always), and its place."""

    seconds: float
    window: Window | None
    line: int
    text: str

    def holds(self, now_us: int) -> bool:
        """Return whether the rate applies at a moment."""
        return self.window is None or self.window.holds(now_us)


def parse_rate(value: bytes) -> float | None:
    """Return the seconds between two requests that a value asks for, or None."""
    found = _RATE.match(value[:200])
    if found is None or not (found[2] or found[3]):
        return None
    unit = _UNITS.get(found[3][:1].decode("ascii").lower())
    if unit is None:
        return None
    documents, time = float(found[1]), float(found[2] or 1) * unit
    return min(time / documents, sys.float_info.max) if documents else sys.float_info.max


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRates:
    """Every readable rate of the groups that apply, and the lines that could not be read."""

    rates: tuple[Rate, ...] = ()
    unreadable: tuple[GroupLine, ...] = ()

    def __bool__(self) -> bool:
        """Whether any rate is asked for."""
        return bool(self.rates)

    def slowest(self, now_us: int) -> Rate | None:
        """Return the rate with the longest pause among those that hold at a moment, or None."""
        return max(
            (rate for rate in self.rates if rate.holds(now_us)), key=lambda rate: rate.seconds, default=None
        )


def read_request_rates(rules: RobotsRules, token: str) -> RequestRates:
    """Return the rates that a robots.txt asks of a token."""
    rates: list[Rate] = []
    unreadable: list[GroupLine] = []
    for line in lines_for(rules, token, *KEYS)[:LINES_READ]:
        seconds = parse_rate(line.value)
        if seconds is None:
            unreadable.append(line)
            continue
        rest = line.value.partition(b"/")[2].partition(b" ")[2]
        rates.append(Rate(seconds=seconds, window=parse_window(rest), line=line.line, text=line.text))
    return RequestRates(rates=tuple(rates), unreadable=tuple(unreadable))
