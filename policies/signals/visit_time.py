"""`Visit-time: 0600-0845`: the hours of the day, in UTC, at which robots may call.

A line of the groups of robots.txt that no RFC knows (the extended standard for robot exclusion, 1996).
Windows of one group are alternatives; where several groups apply, each must be open. A line without a
readable window says nothing and is kept as a problem. Pure: the time is an argument; never raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.signals.clock_window import Window, parse_window
from policies.signals.group_lines import lines_for

if TYPE_CHECKING:
    from policies.signals.group_lines import GroupLine
    from policies.signals.robots import RobotsRules

KEYS = ("visit-time", "visit time", "visit_time", "visittime")
LINES_READ = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHours:
    """One line that names hours, and where it stands."""

    window: Window
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitTimes:
    """The hours of every group that applies: one inner tuple a group, alternatives inside."""

    groups: tuple[tuple[OpenHours, ...], ...] = ()
    unreadable: tuple[GroupLine, ...] = ()

    def __bool__(self) -> bool:
        """Whether any hours are named."""
        return bool(self.groups)

    def is_open(self, now_us: int) -> bool:
        """Return whether every group's hours include the moment."""
        return all(any(hours.window.holds(now_us) for hours in group) for group in self.groups)

    def closed(self, now_us: int) -> tuple[OpenHours, ...]:
        """Return the hours of the first group that is closed at the moment, or nothing."""
        for group in self.groups:
            if not any(hours.window.holds(now_us) for hours in group):
                return group
        return ()

    def next_opening(self, now_us: int) -> int | None:
        """Return the next moment at which all groups are open, UTC microseconds; None when there is none.

        Every such moment is now or the beginning of some window, so those are tried in order.
        """
        if self.is_open(now_us):
            return now_us
        starts = sorted({hours.window.next_start(now_us) for group in self.groups for hours in group})
        return next((moment for moment in starts if self.is_open(moment)), None)


def read_visit_times(rules: RobotsRules, token: str) -> VisitTimes:
    """Return the hours at which a robots.txt lets a token call."""
    groups: dict[int | None, dict[Window, OpenHours]] = {}
    unreadable: list[GroupLine] = []
    for line in lines_for(rules, token, *KEYS)[:LINES_READ]:
        window = parse_window(line.value)
        if window is None:
            unreadable.append(line)
        else:
            hours = OpenHours(window=window, line=line.line, text=line.text)
            groups.setdefault(line.group, {}).setdefault(window, hours)
    return VisitTimes(
        groups=tuple(tuple(group.values()) for group in groups.values()), unreadable=tuple(unreadable)
    )
