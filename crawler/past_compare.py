"""Compares a recorded decision with its replay, rule by rule.

A rule whose evidence is not at hand is left out and named, never counted as the same; behind one that decided
nothing is compared, because a replay that could not ask it goes on where the record ended. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.decide import REQUEST_RULES
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policies.vocabulary import Verdict

_HEADERS_MISSING = "headers of answers are not in the log, and a challenge or refusal may have stood in them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One rule that says another thing when replayed; `why` is what is known of the reason."""

    rule: str
    recorded: str
    replayed: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Whether a replay says the same: None where no rule could be compared.

    `left_out` says in words what was not compared, and why.
    """

    same: bool | None
    differences: tuple[Difference, ...] = ()
    left_out: tuple[str, ...] = ()


def compare(
    recorded: Sequence[Verdict], replayed: Sequence[Verdict], missing: Mapping[str, str]
) -> Comparison:
    """Return how a replay compares; `missing` says for rules why their evidence is not at hand."""
    before = {verdict.rule: verdict for verdict in recorded}
    again = {verdict.rule: verdict for verdict in replayed}
    # What a run refused for its own state came before or between the rules: compared is what was asked.
    foreign = [verdict for verdict in recorded if verdict.rule not in REQUEST_RULES]
    left_out = [f"{one.rule}: {one.reason.value} comes from the run and not from evidence" for one in foreign]
    compared: list[str] = []
    for rule in REQUEST_RULES:
        verdict = before.get(rule)
        if rule in missing:
            if verdict is not None and (verdict.evidence or not verdict.action.passes):
                left_out.append(f"{rule}: {missing[rule]}")
                if not verdict.action.passes:
                    break
        elif verdict is not None or (rule in again and not foreign):
            compared.append(rule)
    differences = tuple(
        Difference(
            rule=rule,
            recorded=_words(before.get(rule)),
            replayed=_words(again.get(rule)),
            why=_why(before.get(rule), again.get(rule)),
        )
        for rule in compared
        if _words(before.get(rule)) != _words(again.get(rule))
        or _place(before.get(rule)) != _place(again.get(rule))
    )
    decided = next((verdict for verdict in recorded if not verdict.action.passes), None)
    told = decided is None or decided.rule in compared
    same = None if not compared or (not told and not differences) else not differences
    return Comparison(same=same, differences=differences, left_out=tuple(left_out))


def _words(verdict: Verdict | None) -> str:
    return "not reached" if verdict is None else f"{verdict.action.value} {verdict.reason.value}"


def _place(verdict: Verdict | None) -> tuple[str, int | None, str, str | None] | None:
    """Return what a verdict cites first; a grant of a waiver file is cited by its words alone."""
    if verdict is None or not verdict.evidence:
        return None
    first = verdict.evidence[0]
    if verdict.reason is Reason.WAIVER_USED:
        return "", first.line, first.text, first.sha256
    return first.source, first.line, first.text, first.sha256


def _why(recorded: Verdict | None, replayed: Verdict | None) -> str:
    ours, theirs = _place(recorded), _place(replayed)
    if ours is not None and theirs is not None and ours[3] and theirs[3] and ours[3] != theirs[3]:
        return f"it used another copy: sha256 {ours[3][:12]}, replayed {theirs[3][:12]}"
    if recorded is not None and recorded.reason in {Reason.ROBOTS_UNREACHABLE, Reason.LICENCE_UNKNOWN}:
        return _HEADERS_MISSING
    if replayed is not None and replayed.reason in {Reason.ROBOTS_UNREACHABLE, Reason.LICENCE_UNKNOWN}:
        return replayed.evidence[0].note if replayed.evidence else ""
    return ""
