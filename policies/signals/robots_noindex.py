"""Lines of robots.txt that speak about paths without being rules: `Noindex:`, and lines against AI use.

`Noindex` is unofficial (Google ended its support in 2019) and still written; a matching path asks not to be
indexed. `DisallowAITraining` and its relatives are in no specification, but what they mean is plain, so they
are handed back as statements of their own for the operator's policy to judge. Paths match as those of rules
(RFC 9309 section 2.2.2); a leading `*` is read, as for Disallow. An empty value says nothing, nor does a
value that denies the prohibition (`no`, `false`, `0`). Pure; linear; never raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.signals.group_lines import PathTable, lines_for
from policies.signals.statement import Family, Problem, Source, Stance, Statement

if TYPE_CHECKING:
    from policies.signals.group_lines import GroupLine
    from policies.signals.robots import RobotsRules

NOINDEX_KEYS = ("noindex", "no-index")
#: Field names without `-`, `_`, `.` and blanks. `disallow ai` and the like are read as Disallow already.
AI_PROHIBITIONS = frozenset(
    (
        "disallowai",
        "disallowaiagents",
        "disallowaicrawling",
        "disallowaitraining",
        "disallowaiuse",
        "disallowllm",
        "disallowllmtraining",
        "disallowmltraining",
        "blockai",
        "denyai",
        "noai",
        "noaitraining",
        "nollm",
        "nollmtraining",
    )
)
LINES_READ = 20_000
_NEGATIONS = frozenset((b"no", b"n", b"false", b"0", b"off"))
_WITHOUT = bytes.maketrans(b"", b"")


def _statement(family: Family, use: str, line: GroupLine) -> Statement:
    return Statement(
        family=family,
        use=use,
        stance=Stance.DENY,
        source=Source.ROBOTS_TXT,
        text=line.text,
        line=line.line,
        problem=Problem.MISPLACED if line.before_groups else Problem.NONE,
        detail="before any User-agent line" if line.before_groups else "",
    )


def read_noindex(rules: RobotsRules, token: str) -> PathTable:
    """Return the Noindex lines of the groups that apply to a token, by path."""
    lines = lines_for(rules, token, *NOINDEX_KEYS)[:LINES_READ]
    return PathTable(
        (line.value, _statement(Family.ROBOTS_NOINDEX, "noindex", line))
        for line in lines
        if line.value[:1] in (b"/", b"*")
    )


def is_ai_prohibition(key: bytes) -> bool:
    """Return whether a field name plainly speaks against AI use."""
    return key.translate(_WITHOUT, b"-_. ").decode("ascii", "replace") in AI_PROHIBITIONS


def read_ai_prohibitions(rules: RobotsRules, token: str) -> PathTable:
    """Return the lines against AI use of the groups that apply to a token, by path; no path means all."""
    keys = {key for key in rules.other_keys if is_ai_prohibition(key)}
    if not keys:
        return PathTable(())
    lines = lines_for(rules, token, *(key.decode("ascii", "replace") for key in keys))[:LINES_READ]
    return PathTable(
        (
            line.value if line.value[:1] in (b"/", b"*") else b"/",
            _statement(Family.AI_PROHIBITION, line.key.decode("ascii", "replace"), line),
        )
        for line in lines
        if line.value and line.value.lower() not in _NEGATIONS
    )
