"""Content Signals: `Content-Signal: search=yes, ai-input=no, ai-train=no, use=reference`, and what it says.

Implements https://contentsignals.org/ and draft-romm-aipref-contentsignals: yes permits collecting for a use,
no reserves it, an absent signal does neither; `use` is the highest level of consumption, where
immediate < reference < full. It stands in the groups of robots.txt, and as a response header.
Our own readings:

* words are compared without regard to case, and separators may be missing, because a reservation was meant;
* contradictory repeats come to no, several levels to the lowest;
* a value that is none of the words says nothing and is logged; so is a label of another vocabulary;
* a line before any group refuses and does not permit.

No form with a path is known: what stands before the signals is skipped, and they hold for everything.
Pure; linear; never raises.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from policies.signals.group_lines import lines_for
from policies.signals.statement import TEXT_LIMIT, Family, Problem, Source, Stance, Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policies.signals.group_lines import GroupLine
    from policies.signals.robots import RobotsRules

FIELD = "content-signal"
AI_TRAIN = "ai-train"
AI_INPUT = "ai-input"
SEARCH = "search"
USE = "use"
LABELS = frozenset((AI_TRAIN, AI_INPUT, SEARCH))
#: Levels of consumption from the lowest; full refuses nothing.
LEVELS = ("immediate", "reference", "full")
STATEMENTS_KEPT = 200
"""Statements kept of one place: every refusal of a label once, the rest up to this number."""

VALUE_LIMIT = 16_384
"""Characters of one value that are read; behind them refusals are recognised by their letters."""

LINES_READ = 1_000
"""Lines of one token that are read; behind them refusals are recognised by their letters."""
_WORDS = {"yes": Stance.ALLOW, "no": Stance.DENY}
_SEPARATORS = str.maketrans(",;\t\r\n\f\v", "       ")
_REFUSAL = re.compile(
    r"(?:(ai-train|ai-input|search)\s{0,9}=\s{0,9}no|use\s{0,9}=\s{0,9}(immediate|reference))(?![a-z])"
)
_QUOTES = "\"'"


def _pairs(value: str) -> Iterator[tuple[str, str]]:
    """Yield label and value of each `label=value`, blanks and missing separators tolerated."""
    pieces = value.translate(_SEPARATORS).lower().split("=")
    for before, after in pairwise(pieces):
        label, word = before.split()[-1:], after.split()[:1]
        if label:
            yield label[0], word[0].strip(_QUOTES) if word else ""


def _statement(label: str, word: str, source: Source, text: str, line: int | None) -> Statement:
    stance, problem, detail = Stance.UNKNOWN, Problem.NONE, ""
    if label == USE and word in LEVELS:
        stance = Stance.ALLOW if word == LEVELS[-1] else Stance.DENY
        detail = word
    elif label in LABELS and word in _WORDS:
        stance = _WORDS[word]
    elif label == USE or label in LABELS:
        problem, detail = Problem.MALFORMED, f"{word[:40]!r} is no value of {label}"
    else:
        problem = Problem.UNKNOWN_LABEL
        detail = "a word of Content-Usage" if label == "train-ai" else "not in the vocabulary"
    return Statement(
        family=Family.CONTENT_SIGNAL,
        use=label[:40],
        stance=stance,
        source=source,
        text=text,
        line=line,
        problem=problem,
        detail=detail,
    )


def parse_signals(
    value: str, *, source: Source, text: str = "", line: int | None = None
) -> tuple[Statement, ...]:
    """Return every signal of one value in order, unknown ones included."""
    said = [_statement(label, word, source, text, line) for label, word in _pairs(value[:VALUE_LIMIT])]
    if len(value) > VALUE_LIMIT:
        said += _beyond(value[VALUE_LIMIT:], source, text, line)
    return tuple(said)


def _beyond(value: str, source: Source, text: str, line: int | None) -> list[Statement]:
    """Return the refusals that a text holds, recognised by their letters."""
    return [
        Statement(
            family=Family.CONTENT_SIGNAL,
            use=label or USE,
            stance=Stance.DENY,
            source=source,
            text=text,
            line=line,
            problem=Problem.BEYOND_LIMIT,
            detail=level,
        )
        for label, level in dict.fromkeys(_REFUSAL.findall(value.lower()))
    ]


def _distinct(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Return statements without repeats of the same words: the first place is the one to cite."""
    kept: dict[tuple[str, Stance, str], Statement] = {}
    for statement in statements:
        key = (statement.use, statement.stance, statement.detail)
        if key not in kept and (len(kept) < STATEMENTS_KEPT or statement.denies):
            kept[key] = statement
    return tuple(kept.values())


def parse_signal_header(values: Iterable[str]) -> tuple[Statement, ...]:
    """Return what the `Content-Signal` lines of one response say."""
    return _distinct(
        statement
        for value in values
        for statement in parse_signals(value, source=Source.HEADER, text=f"{FIELD}: {value}"[:TEXT_LIMIT])
    )


def _said(lines: tuple[GroupLine, ...]) -> Iterator[tuple[GroupLine, Statement]]:
    for number, line in enumerate(lines):
        value = line.value.decode("utf-8", "replace")
        if number < LINES_READ:
            said = parse_signals(value, source=Source.ROBOTS_TXT, text=line.text, line=line.line)
        else:
            said = tuple(_beyond(value, Source.ROBOTS_TXT, line.text, line.line))
        for statement in said:
            yield line, statement


def read_content_signals(rules: RobotsRules, token: str) -> tuple[Statement, ...]:
    """Return the signals of the groups that apply to a token, each distinct one with its first line."""
    return _distinct(
        statement
        if not line.before_groups
        else Statement(
            family=statement.family,
            use=statement.use,
            stance=statement.stance,
            source=statement.source,
            text=statement.text,
            line=statement.line,
            problem=Problem.MISPLACED,
            detail=statement.detail,
        )
        for line, statement in _said(lines_for(rules, token, FIELD))
        if statement.denies or not line.before_groups
    )


def in_force(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Return the statement that holds for each label: a refusal before a permission, the lowest `use`.

    The first that could not be read follows, and the first label of another vocabulary, which says nothing
    and is shown all the same.
    """
    held: dict[str, Statement] = {}
    shown: dict[Problem, Statement] = {}
    for statement in statements:
        if statement.problem in {Problem.MALFORMED, Problem.UNKNOWN_LABEL}:
            shown.setdefault(statement.problem, statement)
        if statement.stance is Stance.UNKNOWN:
            continue
        known = held.get(statement.use)
        if known is None or _strictness(statement) > _strictness(known):
            held[statement.use] = statement
    return (*held.values(), *shown.values())


def _strictness(statement: Statement) -> int:
    if statement.use == USE:
        return -LEVELS.index(statement.detail)
    return int(statement.denies)
