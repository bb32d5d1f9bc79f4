"""AIPREF `Content-Usage`: what a site prefers to happen with its content, in robots.txt and in headers.

Implements the attachment and vocabulary drafts of the AIPREF working group
(https://datatracker.ietf.org/doc/draft-ietf-aipref-attach/, https://datatracker.ietf.org/doc/draft-ietf-aipref-vocab/),
which are drafts: the labels are data, in `LABELS`. The field is a Dictionary of RFC 9651; `y` and `n` as
Tokens say something, every other value is unknown and logged, a Dictionary that cannot be parsed leaves
everything unknown, and a label that is not in the vocabulary is ignored and logged. In robots.txt a path may
stand before it: the longest path wins, identical paths combine to the most restrictive. Our own readings:

* a line without a path is one for `/`;
* a path whose line says nothing about a label leaves the word to a shorter path that does, because silence
  is no permission;
* a line before any group refuses and does not permit;
* beyond `LINES_READ` different values or `OCTETS_READ` octets of a token, refusals are recognised by their
  letters.

Pure; never raises.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from policies.signals.group_lines import PathTable, path_and_rest, records_for
from policies.signals.robots_octets import shown
from policies.signals.statement import TEXT_LIMIT, Family, Problem, Source, Stance, Statement, combined
from policies.signals.structured_field import parse_dictionary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.signals.robots import RobotsRules
    from policies.signals.robots_match import Entry

TRAIN_AI = "train-ai"
SEARCH = "search"
#: The vocabulary as of draft 07.
LABELS = frozenset((TRAIN_AI, SEARCH))
FIELD = "content-usage"
LINES_READ = 500
"""Different values of one token's lines that are parsed as structured fields; a site has a handful."""

OCTETS_READ = 16_384
"""Octets of those values, all together."""

_STANCES = {"y": Stance.ALLOW, "n": Stance.DENY}
# Other vocabularies whose words are met here. Never a statement, only a better remark.
_ELSEWHERE = {
    "ai-train": "a word of Content-Signal",
    "ai-input": "a word of Content-Signal",
    "ai": "a word of an earlier draft",
    "genai": "a word of an earlier draft",
    "train-genai": "a word of an earlier draft",
    "bots": "a word of an earlier draft",
    "tdm": "a word of an earlier draft",
    "ai-use": "a word of an earlier draft",
}
_REFUSAL = re.compile(rb"(?<![A-Za-z0-9_.*-])(train-ai|search)=n(?![A-Za-z0-9:/!#$%&'*+.^_`|~-])")
_LABELS_REPORTED = 16


def parse_preference(
    octets: bytes, *, source: Source, text: str = "", line: int | None = None
) -> tuple[Statement, ...]:
    """Return what one statement of preference says, one value a label, unknown labels included."""

    def made(use: str, stance: Stance, problem: Problem, detail: str) -> Statement:
        return Statement(
            family=Family.CONTENT_USAGE,
            use=use,
            stance=stance,
            source=source,
            text=text,
            line=line,
            problem=problem,
            detail=detail,
        )

    members, problem = parse_dictionary(octets)
    if problem:
        return (made("", Stance.UNKNOWN, Problem.MALFORMED, problem),)
    found: list[Statement] = []
    ignored = 0
    for member in members:
        if member.key in LABELS:
            stance = _STANCES.get(member.token or "", Stance.UNKNOWN)
            if stance is Stance.UNKNOWN:
                found.append(
                    made(member.key, stance, Problem.MALFORMED, f"{member.written} is neither y nor n")
                )
            else:
                found.append(made(member.key, stance, Problem.NONE, ""))
        elif ignored < _LABELS_REPORTED:
            ignored += 1
            detail = _ELSEWHERE.get(member.key, "not in the vocabulary")
            found.append(made(member.key[:40], Stance.UNKNOWN, Problem.UNKNOWN_LABEL, detail))
    return tuple(found)


def parse_usage_header(values: Iterable[str]) -> tuple[Statement, ...]:
    """Return what the `Content-Usage` lines of one response say; several lines are one Dictionary.

    The caller leaves out responses without content of their own: a 304 and a redirect say nothing here.
    """
    joined = ", ".join(value for value in values if value.strip())
    if not joined:
        return ()
    octets = joined.encode("latin-1", "replace")
    return parse_preference(octets, source=Source.HEADER, text=f"{FIELD}: {joined}"[:TEXT_LIMIT])


class _Said(NamedTuple):
    """What one value says, without its place: all of it, and what is looked up by path, each with its table.

    There is a table for each label, and two for what says nothing and is shown all the same.
    """

    statements: tuple[Statement, ...]
    held: tuple[tuple[str, bool, Statement], ...]


_TABLES = (*sorted(LABELS), Problem.MALFORMED, Problem.UNKNOWN_LABEL)


def _said(statements: tuple[Statement, ...]) -> _Said:
    held: dict[str, Statement] = {}
    for one in statements:
        held.setdefault(one.problem if one.stance is Stance.UNKNOWN else one.use, one)
    return _Said(statements, tuple((table, one.denies, one) for table, one in held.items()))


_SAYS_NOTHING = _said(())


def _placed(statement: Statement, line: int, raw: bytes) -> Statement:
    return replace(statement, line=line, text=shown(raw))


class UsagePreferences:
    """What the Content-Usage lines of one robots.txt say to one token, for each path."""

    __slots__ = ("_lines", "_tables")

    def __init__(self, lines: list[tuple[bytes, int, bytes, _Said]]) -> None:
        """Take the lines that say anything: path, line, raw line, and what it says."""
        self._lines = {line: (raw, said) for _, line, raw, said in lines}
        entries: dict[str, list[Entry]] = {table: [] for table in _TABLES}
        for path, line, raw, said in lines:
            for table, denies, _ in said.held:
                entries[table].append((denies, path, line, raw, None))
        self._tables = tuple(
            PathTable(entries[table], partial(self._statement, table)) for table in _TABLES if entries[table]
        )

    def __bool__(self) -> bool:
        """Whether there is any statement at all."""
        return bool(self._lines)

    def _statement(self, table: str, entry: Entry) -> Statement:
        _, _, line, raw, _ = entry
        held = self._lines[line][1].held
        return _placed(next(one for name, _, one in held if name == table), line, raw)

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Every statement in order, for those who explain."""
        return tuple(
            _placed(one, line, raw) for line, (raw, said) in self._lines.items() for one in said.statements
        )

    def at(self, path: str | None) -> tuple[Statement, ...]:
        """Return the statement of each label that holds for a path.

        One that could not be read follows, and one of an unknown label: neither says anything.
        """
        return tuple(statement for table in self._tables if (statement := table.decide(path)) is not None)


def _refusal(label: str, problem: Problem, detail: str = "") -> Statement:
    return Statement(
        family=Family.CONTENT_USAGE,
        use=label,
        stance=Stance.DENY,
        source=Source.ROBOTS_TXT,
        problem=problem,
        detail=detail,
    )


def _beyond(value: bytes) -> _Said:
    """Return the refusals of a value, recognised by their letters."""
    if _REFUSAL.search(value) is None:
        return _SAYS_NOTHING
    labels = dict.fromkeys(_REFUSAL.findall(value))
    return _said(tuple(_refusal(label.decode(), Problem.BEYOND_LIMIT) for label in labels))


def _before_groups(said: _Said) -> _Said:
    """Return what a value says that belongs to nobody: its refusals."""
    return _said(
        tuple(
            _refusal(one.use, Problem.MISPLACED, "before any User-agent line")
            for one in said.statements
            if one.denies
        )
    )


def read_usage_preferences(rules: RobotsRules, token: str) -> UsagePreferences:
    """Return what a robots.txt prefers of one token."""
    lines: list[tuple[bytes, int, bytes, _Said]] = []
    read: dict[tuple[bytes, bool], _Said] = {}
    repeated: set[tuple[bytes, int | None]] = set()
    octets = 0
    for _, value, line, raw, group in records_for(rules, token, FIELD):
        if (value, group) in repeated:
            continue
        repeated.add((value, group))
        path, rest = path_and_rest(value)
        said = read.get((rest, group is None))
        if said is None:
            octets += len(rest)
            full = len(read) < LINES_READ and octets <= OCTETS_READ
            said = _said(parse_preference(rest, source=Source.ROBOTS_TXT)) if full else _beyond(rest)
            said = read[rest, group is None] = _before_groups(said) if full and group is None else said
        if said.statements:
            lines.append((path, line, raw, said))
    return UsagePreferences(lines)


def stance_on(label: str, statements: Iterable[Statement]) -> Stance:
    """Return what statements of any origin come to for a label: any refusal, else any permission."""
    return combined(tuple(one.stance for one in statements if one.use == label))
