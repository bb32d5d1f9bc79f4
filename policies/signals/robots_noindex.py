"""Lines of robots.txt that speak about paths without being rules: `Noindex:`, and lines against AI use.

`Noindex` is unofficial (Google ended its support in 2019) and still written; a matching path asks not to be
indexed. `DisallowAITraining` and its relatives are in no specification, but what they mean is plain, so they
are handed back as statements of their own for the operator's policy to judge. Paths match as those of rules
(RFC 9309 section 2.2.2); a leading `*` is read, as for Disallow. An empty value says nothing, nor does a
value that denies the prohibition (`no`, `false`, `0`). Pure; linear; never raises.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from policies.signals.group_lines import PathTable, records_for
from policies.signals.robots_octets import shown
from policies.signals.statement import Family, Problem, Source, Stance, Statement

if TYPE_CHECKING:
    from policies.signals.robots import RobotsRules
    from policies.signals.robots_match import Entry

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
_NEGATIONS = frozenset((b"no", b"n", b"false", b"0", b"off"))
_PATHS = frozenset((b"/", b"*"))
_WITHOUT = bytes.maketrans(b"", b"")


def _statement(family: Family, use: str, entry: Entry) -> Statement:
    _, _, line, raw, group = entry
    return Statement(
        family=family,
        use=use,
        stance=Stance.DENY,
        source=Source.ROBOTS_TXT,
        text=shown(raw),
        line=line,
        problem=Problem.MISPLACED if group is None else Problem.NONE,
        detail="before any User-agent line" if group is None else "",
    )


def read_noindex(rules: RobotsRules, token: str) -> PathTable:
    """Return the Noindex lines of the groups that apply to a token, by path."""
    entries = [
        (True, value, line, raw, group)
        for _, value, line, raw, group in records_for(rules, token, *NOINDEX_KEYS)
        if value[:1] in _PATHS
    ]
    return PathTable(entries, partial(_statement, Family.ROBOTS_NOINDEX, "noindex"))


def is_ai_prohibition(key: bytes) -> bool:
    """Return whether a field name plainly speaks against AI use."""
    return key.translate(_WITHOUT, b"-_. ").decode("ascii", "replace") in AI_PROHIBITIONS


def read_ai_prohibitions(rules: RobotsRules, token: str) -> PathTable:
    """Return the lines against AI use of the groups that apply to a token, by path; no path means all."""
    keys = [key for key in rules.other_keys if is_ai_prohibition(key)]
    records = records_for(rules, token, *(key.decode("ascii", "replace") for key in keys)) if keys else []

    def statement(entry: Entry) -> Statement:
        key = next(record[0] for record in records if record[2] == entry[2])
        return _statement(Family.AI_PROHIBITION, key.decode("ascii", "replace"), entry)

    entries = [
        (True, value if value[:1] in _PATHS else b"/", line, raw, group)
        for _, value, line, raw, group in records
        if value and (value[:1] in _PATHS or value.lower() not in _NEGATIONS)
    ]
    return PathTable(entries, statement)
