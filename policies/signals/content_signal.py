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
from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING

from policies.signals.group_lines import records_for
from policies.signals.robots_octets import shown
from policies.signals.statement import TEXT_LIMIT, Family, Problem, Source, Stance, Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policies.signals.robots import RobotsRules
    from policies.signals.robots_groups import Record

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

OCTETS_READ = 65_536
"""Octets of those lines that are read, all together."""

_BETWEEN_LINES = "\0\0"
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


def _misplaced(statement: Statement) -> Statement:
    return replace(statement, problem=Problem.MISPLACED)


def _first_refusals(records: list[Record]) -> Iterator[Statement]:
    """Yield the first refusal of each kind in lines that are not read in full, by its letters."""
    values = [record[1].decode("utf-8", "replace").lower() for record in records]
    ends = list(accumulate(len(value) + len(_BETWEEN_LINES) for value in values))
    seen: set[str] = set()
    for found in _REFUSAL.finditer(_BETWEEN_LINES.join(values)):
        kind = f"{found[1]} {found[2]}"
        if kind not in seen:
            seen.add(kind)
            _, _, line, raw, group = records[bisect_right(ends, found.start())]
            for statement in _beyond(found[0], Source.ROBOTS_TXT, shown(raw), line):
                yield _misplaced(statement) if group is None else statement


def read_content_signals(rules: RobotsRules, token: str) -> tuple[Statement, ...]:
    """Return the signals of the groups that apply to a token, each distinct one with its first line."""
    lines = {(record[1], record[4]): record for record in reversed(records_for(rules, token, FIELD))}
    records = sorted(lines.values(), key=itemgetter(2))
    octets = accumulate(len(record[1]) for record in records[:LINES_READ])
    full = sum(length <= OCTETS_READ for length in octets)
    said: list[Statement] = []
    for _, value, line, raw, group in records[:full]:
        text = value.decode("utf-8", "replace")
        statements = parse_signals(text, source=Source.ROBOTS_TXT, text=shown(raw), line=line)
        # Before any group a refusal counts, and a permission does not.
        said += statements if group is not None else [_misplaced(one) for one in statements if one.denies]
    return _distinct((*said, *_first_refusals(records[full:])))


def in_force(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Return the statement that holds for each label: a refusal before a permission, the lowest `use`.

    The first that could not be read follows, and the first label of another vocabulary, which says nothing
    and is shown all the same.
    """
    held: dict[str, Statement] = {}
    unread: dict[Problem, Statement] = {}
    for statement in statements:
        if statement.problem in {Problem.MALFORMED, Problem.UNKNOWN_LABEL}:
            unread.setdefault(statement.problem, statement)
        if statement.stance is Stance.UNKNOWN:
            continue
        known = held.get(statement.use)
        if known is None or _strictness(statement) > _strictness(known):
            held[statement.use] = statement
    return (*held.values(), *unread.values())


def _strictness(statement: Statement) -> int:
    if statement.use == USE:
        return -LEVELS.index(statement.detail)
    return int(statement.denies)
