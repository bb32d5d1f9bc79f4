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
* behind the first `LINES_READ` lines of a token, refusals are recognised by their letters.

Pure; never raises.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policies.signals.group_lines import PathTable, lines_for, path_and_rest
from policies.signals.statement import TEXT_LIMIT, Family, Problem, Source, Stance, Statement, combined
from policies.signals.structured_field import parse_dictionary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.signals.group_lines import GroupLine
    from policies.signals.robots import RobotsRules

TRAIN_AI = "train-ai"
SEARCH = "search"
#: The vocabulary as of draft 07.
LABELS = frozenset((TRAIN_AI, SEARCH))
FIELD = "content-usage"
LINES_READ = 1_000
"""Lines of one token that are parsed as structured fields; a site has a handful."""

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


class UsagePreferences:
    """What the Content-Usage lines of one robots.txt say to one token, for each path.

    `statements` are all of them in order, for those who explain; `at` says what holds for one path.
    """

    __slots__ = ("_remarks", "_tables", "statements")

    def __init__(self, entries: tuple[tuple[bytes, Statement], ...]) -> None:
        self.statements = tuple(statement for _, statement in entries)
        self._tables = tuple(
            table
            for label in sorted(LABELS)
            if (
                table := PathTable(
                    entry
                    for entry in entries
                    if entry[1].use == label and entry[1].stance is not Stance.UNKNOWN
                )
            )
        )
        self._remarks = tuple(
            PathTable(entry for entry in entries if entry[1].problem is problem)
            for problem in (Problem.MALFORMED, Problem.UNKNOWN_LABEL)
        )

    def __bool__(self) -> bool:
        """Whether there is any statement at all."""
        return bool(self.statements)

    def at(self, path: str | None) -> tuple[Statement, ...]:
        """Return the statement of each label that holds for a path.

        One that could not be read follows, and one of an unknown label: neither says anything.
        """
        tables = (*self._tables, *self._remarks)
        return tuple(statement for table in tables if (statement := table.decide(path)) is not None)


def _beyond(line: GroupLine, rest: bytes) -> tuple[Statement, ...]:
    return tuple(
        Statement(
            family=Family.CONTENT_USAGE,
            use=label.decode(),
            stance=Stance.DENY,
            source=Source.ROBOTS_TXT,
            text=line.text,
            line=line.line,
            problem=Problem.BEYOND_LIMIT,
        )
        for label in dict.fromkeys(_REFUSAL.findall(rest))
    )


def _of_line(line: GroupLine, rest: bytes, *, read: bool) -> tuple[Statement, ...]:
    if not read:
        return _beyond(line, rest)
    said = parse_preference(rest, source=Source.ROBOTS_TXT, text=line.text, line=line.line)
    if not line.before_groups:
        return said
    return tuple(
        Statement(
            family=statement.family,
            use=statement.use,
            stance=Stance.DENY,
            source=statement.source,
            text=statement.text,
            line=statement.line,
            problem=Problem.MISPLACED,
            detail="before any User-agent line",
        )
        for statement in said
        if statement.denies
    )


def read_usage_preferences(rules: RobotsRules, token: str) -> UsagePreferences:
    """Return what a robots.txt prefers of one token."""
    entries: list[tuple[bytes, Statement]] = []
    for number, line in enumerate(lines_for(rules, token, FIELD)):
        path, rest = path_and_rest(line.value)
        entries += [(path, statement) for statement in _of_line(line, rest, read=number < LINES_READ)]
    return UsagePreferences(tuple(entries))


def stance_on(label: str, statements: Iterable[Statement]) -> Stance:
    """Return what statements of any origin come to for a label: any refusal, else any permission."""
    return combined(tuple(one.stance for one in statements if one.use == label))
