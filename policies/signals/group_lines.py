"""The lines of robots.txt beside Allow and Disallow that speak to one token, and the paths they name.

RFC 9309 section 2.2.4 (https://www.rfc-editor.org/rfc/rfc9309) leaves such records to other specifications;
those put theirs into user-agent groups, and the groups that apply are chosen as for rules. A record before
any group belongs to nobody: its restrictions count all the same and its permissions do not (our own reading;
the site's meaning is plain). Paths match as those of rules do (section 2.2.2).
Pure; linear; never raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policies.signals.robots_agent import CompiledRules, WrittenRule
from policies.signals.robots_lines import is_token
from policies.signals.robots_octets import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.signals.robots import RobotsRules
    from policies.signals.statement import Statement

_BLANKS = b" \t"


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
    if rules.problem:
        return ()
    entries = rules.other_lines(*keys)
    if not entries:
        return ()
    groups = {None, *rules.groups_for(token)}
    found: dict[tuple[bytes, bytes, int | None], GroupLine] = {}
    for entry in entries:
        key, value, _, _, group = entry
        if group in groups and (key, value, group) not in found:
            found[key, value, group] = GroupLine(*entry)
    return tuple(found.values())


def names_token(rules: RobotsRules, token: str) -> bool:
    """Return whether a group names the token itself, rather than everybody."""
    return is_token(token) and token.lower() in rules.named_tokens


def path_and_rest(value: bytes) -> tuple[bytes, bytes]:
    """Return the path at the beginning of a value (`/` when there is none) and what follows it."""
    if value[:1] != b"/":
        return b"/", value
    for index, octet in enumerate(value):
        if octet in _BLANKS:
            return value[:index], value[index:].lstrip(_BLANKS)
    return value, b""


class PathTable:
    """Statements by path: which one decides on a path. The longest path wins, and a refusal wins a tie.

    The matching is that of rules; they let the permission win a tie, so what refuses is entered as what
    wins. `Statement.detail` of what is entered plays no part; the path is given beside it.
    """

    __slots__ = ("_by_line", "_refusal", "_rules")

    def __init__(self, entries: Iterable[tuple[bytes, Statement]]) -> None:
        written: list[WrittenRule] = []
        self._by_line: list[Statement] = []
        self._refusal: Statement | None = None
        for path, statement in entries:
            if statement.denies and self._refusal is None:
                self._refusal = statement
            number = len(self._by_line)
            self._by_line.append(statement)
            written.append(
                WrittenRule(allow=statement.denies, value=path, line=number, raw=b"", group="", group_line=0)
            )
        self._rules = CompiledRules(written)

    def __bool__(self) -> bool:
        """Whether anything was entered."""
        return bool(self._by_line)

    def decide(self, path: str | None) -> Statement | None:
        """Return the statement for a path in normal form (`judged_path`), or None.

        None for a path means that the address could not be read: any refusal holds then, and so it does
        where deciding would cost too much.
        """
        if not self._by_line:
            return None
        if path is None or self._rules.is_too_costly(path):
            return self._refusal
        rule = self._rules.decide(path)
        return self._by_line[rule.line] if rule else None
