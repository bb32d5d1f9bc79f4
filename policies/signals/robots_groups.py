"""The lines of robots.txt in one pass: groups, their rules, and every other record.

Implements the grouping of RFC 9309 sections 2.2 and 2.2.4 (https://www.rfc-editor.org/rfc/rfc9309): a group
begins with User-agent lines, ends where a User-agent line follows a rule, and no other record ends it.
Which choices are ours is said in `robots.py`; what a line says is decided in `robots_lines.py`.
The pass does for each line only what the grouping needs: what stands before the colon is understood once for
all lines that begin alike, and what stands behind it is cleaned when a question is asked about its group.
Linear in the octets; raises nothing; reads no clock and no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import merge
from itertools import compress, count
from operator import itemgetter
from typing import TYPE_CHECKING

from policies.signals.robots_lines import (
    CRAWL_DELAY_KEYS,
    Field,
    agent_name,
    crawl_delay_seconds,
    field_name,
    read_bare,
    read_key,
    without_last_blanks,
    without_wide_blanks,
)
from policies.signals.robots_octets import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policies.signals.robots_agent import Named
    from policies.signals.robots_lines import Key
    from policies.signals.robots_match import Entry

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

Record = tuple[bytes, bytes, int, bytes, int | None]
"""A line of another kind: its key in lower case, its value, its line from 1, the raw line, its group."""

# A rule as it stands: whether it allows, what is behind its colon, its line, the raw line.
_Line = tuple[bool, bytes, int, bytes]
_COMMENT = ord("#")


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredLine:
    """A line that said nothing to us, and why."""

    line: int
    text: str
    why: str


def _without_comment(rest: bytes) -> bytes:
    return (rest.partition(b"#")[0] if _COMMENT in rest else rest).strip()


def _pattern(allow: bool, rest: bytes) -> tuple[bytes, str]:
    """Return the path pattern of a rule by what is behind its colon, or b"" and why it has none.

    Where nothing is behind the colon there is nothing to say about it.
    """
    value = _without_comment(rest)
    if value[:1] == b"/":
        return value, ""
    if not allow:
        value = without_wide_blanks(value)
        if value[:1] in {b"/", b"*"}:
            return value, ""
    if value[:4].lower() == b"http":
        return b"", "rule is an absolute URL"
    return b"", "rule does not begin with a slash" if value else ""


class GroupReader:
    """What one pass over the lines leaves: the file by groups, to be asked about some of them."""

    __slots__ = (
        "_agents",
        "_by_key",
        "_by_name",
        "_by_value",
        "_delays",
        "_others",
        "_rules",
        "_stray",
        "_unread",
    )

    def __init__(self) -> None:
        # As the lines stand: the rules of each group, those before any group, and each User-agent value with
        # its line and group.
        self._rules: list[list[_Line]] = []
        self._stray: list[_Line] = []
        self._agents: list[tuple[bytes, int, int]] = []
        self._others: list[Record] = []
        self._unread: list[tuple[int, bytes, str]] = []
        self._by_name: dict[str, Named] | None = None
        self._by_key: dict[bytes, list[Record]] | None = None
        self._by_value: dict[bytes, list[tuple[bytes, int, int]]] | None = None
        self._delays: dict[int, tuple[float, Record]] | None = None

    def read(self, octets: bytes) -> str:
        """Read every line; a line ends with CR, LF or CRLF and with nothing else.

        Return "", or in words why nothing was read.
        """
        lines = octets.splitlines()
        if len(lines) <= MOST_LINES:
            self._pass(enumerate(lines, 1))
            return ""
        numbers = list(compress(count(1), lines))
        lines = list(filter(None, lines))
        if len(lines) > MOST_LINES:
            stripped = list(map(bytes.strip, lines))
            numbers, lines = list(compress(numbers, stripped)), list(compress(lines, stripped))
        if len(lines) > MOST_LINES:
            return f"more than {MOST_LINES} lines that are not empty"
        self._pass(zip(numbers, lines, strict=True))
        return ""

    def _pass(self, lines: Iterable[tuple[int, bytes]]) -> None:  # noqa: C901, PLR0912 - one loop, for its speed
        keys: dict[bytes, Key] = {}
        rules, group, is_open = self._stray, -1, False
        other, disallow, allow, agent = Field.OTHER, Field.DISALLOW, Field.ALLOW, Field.USER_AGENT
        for number, raw in lines:
            written, colon, rest = raw.partition(b":")
            key = keys.get(written) if colon else None
            if key is None and colon and _COMMENT not in written:
                key = read_key(written)
                if not key.word:  # such a beginning is hardly met twice
                    keys[written] = key
            if key is None:
                field, rest = _read_bare(written)
                if field is None:
                    continue
            elif key.exact:
                field = key.field
            elif key.field is other and not key.word:
                self._others.append((key.name, rest, number, raw, group if group >= 0 else None))
                continue
            else:
                field, rest = key.read(rest.partition(b"#")[0])
            if field is disallow or field is allow:
                rules.append((field is allow, rest, number, raw))
                is_open = False
            elif field is agent:
                if not is_open:  # otherwise the line still belongs to the group before it
                    rules, group, is_open = [], group + 1, True
                    self._rules.append(rules)
                self._agents.append((rest, number, group))
            elif field is other:
                self._others.append((field_name(written), rest, number, raw, group if group >= 0 else None))
            elif field is Field.NOT_GRANTING:
                is_open = False
                self._unread.append((number, raw, "a permission must be written as Allow:"))
            else:
                self._unread.append((number, raw, "no field name and colon"))

    @property
    def group_count(self) -> int:
        """The number of groups, before merging."""
        return len(self._rules)

    def agents(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield every User-agent value as written, with its line and the index of its group."""
        for rest, line, group in self._agents:
            yield (_without_comment(rest) if _COMMENT in rest else rest.strip()), line, group

    @property
    def by_name(self) -> dict[str, Named]:
        """The groups by the product tokens (lower case) that they name, `*` among them."""
        if self._by_name is None:
            found: dict[str, Named] = {}
            names: dict[bytes, str] = {}
            for value, line, group in self.agents():
                name = names.get(value)
                if name is None:
                    name = names[value] = agent_name(value)
                known = found.get(name)
                if known is None:
                    found[name] = {group: (value, line)}
                elif group not in known:
                    known[group] = value, line
            found.pop("", None)
            self._by_name = found
        return self._by_name

    def written_as(self, name: str) -> Named:
        """Return the groups with exactly this User-agent value, case apart; each with its first such line."""
        if self._by_value is None:
            self._by_value = {}
            for entry in self.agents():
                lowered = entry[0].lower()
                listed = self._by_value.get(lowered)
                if listed is None:
                    self._by_value[lowered] = [entry]
                else:
                    listed.append(entry)
        entries = self._by_value.get(name.encode("utf-8", "surrogatepass").lower(), [])
        found: Named = {}
        for value, line, group in entries:
            found.setdefault(group, (value, line))
        return found

    def rules(self, group: int) -> Iterator[Entry]:
        """Yield the readable rules of a group: allow, pattern, line, raw line, the group's index."""
        for allow, rest, line, raw in self._rules[group]:
            value = rest.strip()
            if value[:1] != b"/" or _COMMENT in value:
                value = _pattern(allow, rest)[0]
            if value:
                yield allow, value, line, raw, group

    def others(self, keys: Iterable[bytes]) -> list[Record]:
        """Return the other records with one of these keys (lower case), in order."""
        found = [self.by_key[key] for key in keys if key in self.by_key]
        records = found[0] if len(found) == 1 else list(merge(*found, key=itemgetter(2)))
        values = [record[1].strip() for record in records]
        joined = b"".join(values)
        if _COMMENT in joined or not joined.isascii():
            values = [without_last_blanks(_without_comment(value)) for value in values]
        return [
            (key, value, line, raw, group)
            for value, (key, _, line, raw, group) in zip(values, records, strict=True)
        ]

    @property
    def by_key(self) -> dict[bytes, list[Record]]:
        """The other records as they stand, by their field names; made when first asked for."""
        if self._by_key is None:
            found: dict[bytes, list[Record]] = {}
            for record in self._others:
                listed = found.get(record[0])
                if listed is None:
                    found[record[0]] = [record]
                else:
                    listed.append(record)
            self._by_key = found
        return self._by_key

    def longest_delay(self, group: int) -> tuple[float, Record] | None:
        """Return the largest Crawl-delay of a group in seconds, and the first line that asks for it."""
        if self._delays is None:
            self._delays = {}
            for record in self.others(CRAWL_DELAY_KEYS):
                seconds = crawl_delay_seconds(record[1]) if record[4] is not None else None
                if seconds is not None and record[4] is not None:
                    known = self._delays.get(record[4])
                    if known is None or seconds > known[0]:
                        self._delays[record[4]] = seconds, record
        return self._delays.get(group)

    def ignored(self) -> Iterator[IgnoredLine]:
        """Yield every line that said nothing, in order."""
        found = [(line, raw, "rule before any User-agent line") for _, _, line, raw in self._stray]
        for rules in self._rules:
            for allow, rest, line, raw in rules:
                why = _pattern(allow, rest)[1]
                if why:
                    found.append((line, raw, why))
        for line, raw, why in sorted(found + self._unread):
            yield IgnoredLine(line=line, text=shown(raw), why=why)


def _read_bare(written: bytes) -> tuple[Field | None, bytes]:
    """Return field and value of a line without a colon before its comment; None for one without anything."""
    content = (written.partition(b"#")[0] if _COMMENT in written else written).strip()
    if not content:
        return None, b""
    return read_bare(content) if content[:1] in _MAY_LACK_COLON else (Field.NOTHING, b"")
