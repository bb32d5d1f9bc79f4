"""The lines of robots.txt beside Allow and Disallow that speak to one token, and the paths they name.

RFC 9309 section 2.2.4 (https://www.rfc-editor.org/rfc/rfc9309) leaves such records to other specifications;
those put theirs into user-agent groups, and the groups that apply are chosen as for rules. A record before
any group belongs to nobody: its restrictions count all the same and its permissions do not (our own reading;
the site's meaning is plain). Paths match as those of rules do (section 2.2.2).
Pure; linear; never raises.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from policies.signals.robots_lines import is_token
from policies.signals.robots_match import TOO_COSTLY, CompiledRules
from policies.signals.robots_octets import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from policies.signals.robots import RobotsRules
    from policies.signals.robots_groups import Record
    from policies.signals.robots_match import Entry
    from policies.signals.statement import Statement

_BLANKS = b" \t"
_TAB = ord("\t")
_PATH = re.compile(rb"(/[^ \t]*)[ \t]*")


class GroupLine(NamedTuple):
    """One record that speaks to a token: key in lower case, value, line from 1, raw octets, group or None."""

    key: bytes
    value: bytes
    line: int
    raw: bytes
    group: int | None

    @property
    def before_groups(self) -> bool:
        """Whether the line belongs to no group."""
        return self.group is None

    @property
    def text(self) -> str:
        """The line as evidence shows it."""
        return shown(self.raw)


def lines_for(rules: RobotsRules, token: str, *keys: str) -> tuple[GroupLine, ...]:
    """Return the records with these keys (lower case) in the groups that apply to a token, in order.

    None of a file that could not be read: there the robots rule refuses everything. Of lines that repeat
    one another word for word only the first of a group is returned.
    """
    found: dict[tuple[bytes, bytes, int | None], GroupLine] = {}
    for record in records_for(rules, token, *keys):
        key, value, line, raw, group = record
        if (key, value, group) not in found:
            found[key, value, group] = GroupLine(key, value, line, raw, group)
    return tuple(found.values())


def records_for(rules: RobotsRules, token: str, *keys: str) -> list[Record]:
    """Return what `lines_for` does, repeats included, without an object for each."""
    entries = [] if rules.problem else rules.other_lines(*keys)
    if not entries:
        return []
    groups = {None, *rules.groups_for(token)}
    return [entry for entry in entries if entry[4] in groups]


def names_token(rules: RobotsRules, token: str) -> bool:
    """Return whether a group names the token itself, rather than everybody."""
    return is_token(token) and rules.names(token)


def path_and_rest(value: bytes) -> tuple[bytes, bytes]:
    """Return the path at the beginning of a value (`/` when there is none) and what follows it."""
    path, blank, rest = value.partition(b" ")
    if blank and path[:1] == b"/" and _TAB not in path:
        return path, rest.lstrip(_BLANKS)
    found = _PATH.match(value)
    return (found[1], value[found.end() :]) if found else (b"/", value)


class PathTable:
    """Statements by path: which one decides on a path. The longest path wins, and a refusal wins a tie.

    The matching is that of rules; they let the permission win a tie, so what refuses is entered as what
    wins. A statement is made when it is first asked for, because a hostile file has tens of thousands of
    lines and a question concerns one of them; the same line always gives the same object.
    """

    __slots__ = ("_entries", "_made", "_make", "_rules")

    def __init__(self, entries: Iterable[Entry], make: Callable[[Entry], Statement]) -> None:
        """Take one entry a line: whether it refuses, its path, its line, the raw line, its group or None."""
        self._entries = list(entries)
        self._make = make
        self._made: dict[int, Statement] = {}
        self._rules = CompiledRules(self._entries)

    def __bool__(self) -> bool:
        """Whether anything was entered."""
        return bool(self._entries)

    def decide(self, path: str | None) -> Statement | None:
        """Return the statement for a path in normal form (`judged_path`), or None.

        None for a path means that the address could not be read: any refusal holds then, and so it does
        where deciding would cost too much.
        """
        entry = TOO_COSTLY if path is None else self._rules.decide(path)
        if entry is TOO_COSTLY:
            entry = next((one for one in self._entries if one[0]), None)
        return None if entry is None else self._statement(entry)

    def _statement(self, entry: Entry) -> Statement:
        made = self._made.get(entry[2])
        if made is None:
            made = self._made[entry[2]] = self._make(entry)
        return made
