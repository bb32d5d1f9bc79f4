"""The lines of a list file, a block at a time, and the loop that all line formats share.

Decides what a line is: octets up to LF, of at most 64 KiB. `splitlines` would also cut at U+2028 and shift
every line number after it. A file is never decoded whole: one emoji would quadruple 128 MiB.
Names that are already canonical, as nearly all are, take one pattern and two set look-ups; everything else
goes to the reader of its format.
Pure; never raises on hostile input.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blocklists.domain import suffix_rules
from blocklists.entry import EntryAction, Match
from blocklists.formats.names import LOCAL_NAMES, NotUnderstoodError, TooWideError
from blocklists.formats.row import MAX_ROW_TEXT, ParsedList, Row, RowDetails, RowProblem, Rows
from blocklists.host import MAX_HOST

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator

MAX_LINE = 65_536
_BOM = b"\xef\xbb\xbf"
_BLANKS = " \t\r"
# A list may be refused for one bad row in a hundred, so reading on beyond that serves nobody; the first
# thousand are always listed, so that a small list is reported whole.
_LEAST_PROBLEMS = 1_000
_ROWS_A_PROBLEM = 100

#: A name in canonical form with at least two labels; anything else is read with care.
NAME = r"(?:[a-z0-9_-]{1,63}\.)+[a-z_-][a-z0-9_-]{0,62}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a reader found in a row: a canonical pattern and what it orders."""

    pattern: str
    match: Match
    action: EntryAction = EntryAction.BLOCK
    important: bool = False
    details: RowDetails | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """How the lines of a format are read.

    `simple` matches a whole line that blocks its first group, a `NAME`, with the scope of the list. `read`
    takes any other line, without its blanks, and returns what it found (nothing for a line that belongs to
    the frame); it raises NotUnderstoodError or TooWideError. A line that begins with one of `comments`
    is none.
    """

    comments: tuple[str, ...]
    simple: re.Pattern[str]
    read: Callable[[str, Match], Iterable[Found]]


class RawLines:
    """Finds the text of a line by its number, from the octets of the file and where its blocks begin."""

    __slots__ = ("_at", "_lines", "_numbers", "_octets", "_positions")

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._numbers: list[int] = []
        self._positions: list[int] = []
        self._at = -1
        self._lines: list[str] = []

    def blocks(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of the first line of every block of lines, and the lines.

        A line of more than 64 KiB is a block of its own, cut to its first 2,000 octets and marked by being
        longer than any format allows.
        """
        position = len(_BOM) if self._octets.startswith(_BOM) else 0
        number = 1
        while position < len(self._octets):
            self._numbers.append(number)
            self._positions.append(position)
            end, lines = self._block(position)
            yield number, lines
            number += len(lines)
            position = end + 1

    def text(self, line_no: int) -> str:
        """Return a line without the blanks around it, cut to 500 characters."""
        at = bisect_right(self._numbers, line_no) - 1
        if at < 0:
            return ""
        if at != self._at:
            self._at, self._lines = at, self._block(self._positions[at])[1]
        place = line_no - self._numbers[at]
        return self._lines[place].strip(_BLANKS)[:MAX_ROW_TEXT] if place < len(self._lines) else ""

    def _block(self, position: int) -> tuple[int, list[str]]:
        """Return where a block ends, and its lines."""
        octets = self._octets
        end = len(octets)
        if end - position > MAX_LINE:
            end = octets.rfind(b"\n", position, position + MAX_LINE)
        if end < 0:
            end = octets.find(b"\n", position + MAX_LINE)
            end = end if end >= 0 else len(octets)
            start = octets[position : position + 4 * MAX_ROW_TEXT].decode("utf-8", "backslashreplace")
            return end, [start.ljust(MAX_LINE, "…")]
        return end, octets[position:end].decode("utf-8", "backslashreplace").split("\n")


class _GiveUpError(Exception):
    """More rows are wrong than any list may have."""


class Collector:
    """Gathers the rows of one file, and its problems up to the number that any list may have."""

    def __init__(self, octets: bytes, scope: Match) -> None:
        self.scope = scope
        self.raw = RawLines(octets)
        self.patterns: list[str] = []
        self.line_nos = array("I")
        self.seen: set[str] = set()
        self.special: dict[int, Row] = {}
        self.rejected: list[RowProblem] = []
        self.quarantined: list[RowProblem] = []
        self.duplicates = 0
        self.verbatim = True
        self.fault = ""
        self._seen_special: set[tuple[str, Match, EntryAction, bool, RowDetails | None]] = set()
        self._most = max(_LEAST_PROBLEMS, (octets.count(b"\n") + 1) // _ROWS_A_PROBLEM)

    def add(self, line_no: int, text: str, found: Found) -> None:
        """Accept a row; a repetition only counts."""
        if text != found.pattern:
            self.verbatim = False
        plain = (
            found.match is self.scope
            and found.action is EntryAction.BLOCK
            and not found.important
            and found.details is None
        )
        if plain:
            if found.pattern in self.seen:
                self.duplicates += 1
                return
            self.seen.add(found.pattern)
        else:
            key = (found.pattern, found.match, found.action, found.important, found.details)
            if key in self._seen_special:
                self.duplicates += 1
                return
            self._seen_special.add(key)
            self.special[len(self.patterns)] = Row(
                line_no=line_no,
                text=text[:MAX_ROW_TEXT],
                pattern=found.pattern,
                match=found.match,
                action=found.action,
                important=found.important,
                details=found.details,
            )
        self.patterns.append(found.pattern)
        self.line_nos.append(line_no)

    def take(self, line_no: int, text: str, read: Callable[[str, Match], Iterable[Found]]) -> None:
        """Let a reader have a line, and note what comes of it."""
        try:
            if len(text) >= MAX_LINE:
                raise NotUnderstoodError(f"longer than {MAX_LINE} octets")  # noqa: TRY301 - one place for refusals
            for found in read(text, self.scope):
                self.add(line_no, text, found)
        except NotUnderstoodError as problem:
            self.reject(line_no, text, str(problem))
        except TooWideError as problem:
            self.quarantined.append(RowProblem(line_no=line_no, text=text[:MAX_ROW_TEXT], why=str(problem)))
            self._stop_if_hopeless(line_no)

    def reject(self, line_no: int, text: str, why: str) -> None:
        """Note a row that is not understood."""
        self.rejected.append(RowProblem(line_no=line_no, text=text[:MAX_ROW_TEXT], why=why))
        self._stop_if_hopeless(line_no)

    def _stop_if_hopeless(self, line_no: int) -> None:
        if len(self.rejected) + len(self.quarantined) > self._most:
            self.fault = f"more than {self._most} rows up to line {line_no} cannot be applied"
            raise _GiveUpError

    def result(self, *, records: int | None = None) -> ParsedList:
        """Return what was gathered."""
        return ParsedList(
            rows=Rows(
                scope=self.scope,
                patterns=self.patterns,
                line_nos=self.line_nos,
                special=self.special,
                raw=None if self.verbatim else self.raw,
            ),
            rejected=tuple(self.rejected),
            quarantined=tuple(self.quarantined),
            duplicates=self.duplicates,
            records=records,
            fault=self.fault,
        )


def each_line(collector: Collector, comments: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Yield number and text of every line that is neither blank nor a comment."""
    for first, lines in collector.raw.blocks():
        for line_no, line in enumerate(lines, first):
            text = line.strip(_BLANKS)
            if text and not text.startswith(comments):
                yield line_no, text


def collect(work: Callable[[], None]) -> None:
    """Do the reading, up to the point where too much is wrong to go on."""
    try:
        work()
    except _GiveUpError:
        return


def parse_lines(octets: bytes, syntax: Syntax, scope: Match) -> ParsedList:
    """Return the rows of a list of one syntax; see the parser of each format for what it accepts."""
    collector = Collector(octets, scope)
    collect(lambda: _read_all(collector, syntax))
    return collector.result()


def unsafe_names() -> tuple[frozenset[str], frozenset[str]]:
    """Return the names, and the parents of names, that must not be taken without a closer look."""
    rules = suffix_rules()
    return rules.names | LOCAL_NAMES, rules.parents


def _read_all(collector: Collector, syntax: Syntax) -> None:
    """Take lines in canonical form at once, and give every other one to the reader of the format.

    Everything is local because this loop runs once a row of a million.
    """
    careful, careful_parents = unsafe_names()
    simple = syntax.simple.fullmatch
    comments, read = syntax.comments, syntax.read
    seen, patterns, line_nos = collector.seen, collector.patterns, collector.line_nos
    for first, lines in collector.raw.blocks():
        for line_no, line in enumerate(lines, first):
            row = simple(line)
            if row is not None:
                name = row[1]
                if name in seen:
                    collector.duplicates += 1
                    continue
                if (
                    name not in careful
                    and name.partition(".")[2] not in careful_parents
                    and len(name) <= MAX_HOST
                    and "xn--" not in name
                ):
                    seen.add(name)
                    patterns.append(name)
                    line_nos.append(line_no)
                    collector.verbatim = collector.verbatim and len(name) == len(line)
                    continue
            text = line.strip(_BLANKS)
            if text and not text.startswith(comments):
                collector.take(line_no, text, read)
