"""The lines of robots.txt in one pass: groups, their rules, and every other record.

Implements the grouping of RFC 9309 sections 2.2 and 2.2.4 (https://www.rfc-editor.org/rfc/rfc9309): a group
begins with User-agent lines, ends where a User-agent line follows a rule, and no other record ends it.
Which choices are ours is said in `robots.py`; what a line says is decided in `robots_lines.py`.
Linear in the octets; raises nothing; reads no clock and no network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policies.signals.robots_lines import (
    CRAWL_DELAY_KEYS,
    EXACT_FIELDS,
    Field,
    read_lenient,
    without_wide_blanks,
)
from policies.signals.robots_octets import shown

IGNORED_LIMIT = 100
"""Ignored lines that are kept with their text; all are counted."""

MOST_LINES = 40_000
"""Lines with anything in them that a file may have; the longest real file that we know has 20,000.

With more, a file of 500 KiB has fewer than thirteen octets a line, which is no file that anybody writes.
A file beyond it cannot be read, and that refuses everything; it bounds the time that a hostile file costs.
"""

# What a line without a colon must begin with to say anything at all: the first letter of a rule, or the first
# octet of a Unicode blank before it.
_MAY_LACK_COLON = frozenset(bytes((octet,)) for octet in b"dDuUaA\xc2\xe1\xe2\xe3")


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredLine:
    """A line that said nothing to us, and why."""

    line: int
    text: str
    why: str


@dataclass(slots=True)
class Group:
    """One group while it is read: its user-agent values, its rules, its Crawl-delay lines."""

    agents: list[tuple[bytes, int]] = field(default_factory=list)
    rules: list[tuple[bool, bytes, int, bytes]] = field(default_factory=list)
    delays: list[tuple[bytes, int, bytes]] = field(default_factory=list)


class GroupReader:
    """The state of one pass over the lines."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.others: list[tuple[bytes, bytes, int, bytes, int | None]] = []
        self.ignored: list[IgnoredLine] = []
        self.ignored_count = 0
        self._open = False  # whether a further User-agent line still belongs to the last group

    def read(self, octets: bytes) -> str:
        """Read every line; a line ends with CR, LF or CRLF and with nothing else.

        Return "", or in words why nothing was read.
        """
        exact = EXACT_FIELDS
        lines = octets.splitlines()
        if (
            len(lines) - lines.count(b"") > MOST_LINES
            and sum(map(bool, map(bytes.strip, lines))) > MOST_LINES
        ):
            return f"more than {MOST_LINES} lines that are not empty"
        for number, raw in enumerate(lines, 1):
            if not raw or raw.isspace():
                continue
            content = (raw.partition(b"#")[0] if b"#" in raw else raw).strip()
            if not content:
                continue
            key, colon, value = content.partition(b":")
            if not colon and content[:1] not in _MAY_LACK_COLON:
                self._ignore(number, raw, "no field name and colon")
                continue
            kind = exact.get(key.rstrip().lower()) if colon else None
            if kind is None:
                kind, key, value = read_lenient(content)
            else:
                value = value.strip()
            self._take(kind, key, value, number, raw)
        return ""

    def _take(self, kind: Field, key: bytes, value: bytes, number: int, raw: bytes) -> None:
        if kind is Field.DISALLOW or kind is Field.ALLOW:
            self._rule(kind is Field.ALLOW, value, number, raw)
        elif kind is Field.USER_AGENT:
            if not self._open:
                self.groups.append(Group())
                self._open = True
            self.groups[-1].agents.append((value, number))
        elif kind is Field.OTHER:
            self._other(key, value, number, raw)
        elif kind is Field.NOT_GRANTING:
            self._open = False
            self._ignore(number, raw, "a permission must be written as Allow:")
        else:
            self._ignore(number, raw, "no field name and colon")

    def _rule(self, allow: bool, value: bytes, number: int, raw: bytes) -> None:
        self._open = False
        if not allow and value[:1] != b"/":
            value = without_wide_blanks(value)
        if not self.groups:
            self._ignore(number, raw, "rule before any User-agent line")
        elif value[:1] == b"/" or (value[:1] == b"*" and not allow):
            self.groups[-1].rules.append((allow, value, number, raw))
        elif value[:4].lower() == b"http":
            self._ignore(number, raw, "rule is an absolute URL")
        elif value:
            self._ignore(number, raw, "rule does not begin with a slash")

    def _other(self, key: bytes, value: bytes, number: int, raw: bytes) -> None:
        if self.groups and key in CRAWL_DELAY_KEYS:
            self.groups[-1].delays.append((value, number, raw))
        self.others.append((key, value, number, raw, len(self.groups) - 1 if self.groups else None))

    def _ignore(self, number: int, raw: bytes, why: str) -> None:
        self.ignored_count += 1
        if len(self.ignored) < IGNORED_LIMIT:
            self.ignored.append(IgnoredLine(line=number, text=shown(raw), why=why))
