"""How findings become a verdict: the precedence table is asked for every purpose, the strictest answer holds.

A rule about reservations finds statements and says which row of `policies/precedence.py` each belongs to;
this file turns them into one verdict, so that every family is judged alike: nothing found passes without
evidence, something found is always shown, with what it meant for which purpose.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from policies.precedence import DEFAULTS, TABLE, Effect, Row, Switched, effect, refused_purposes
from policies.vocabulary import Action, Evidence, Purpose, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

EVIDENCE_LIMIT = 12
"""Findings that a verdict shows; a hostile page repeats itself a thousand times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """The agent's side of the question: who asks (product token), for what, under which deviations."""

    token: str
    purposes: frozenset[Purpose]
    switched: Switched = DEFAULTS

    def effect(self, row: Row | None) -> Effect:
        """Return what a row does to this agent; no row does nothing."""
        return Effect.NONE if row is None else effect(row, self.purposes, self.switched)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One statement with the row that it belongs to, the reason code of a refusal, and where it stands.

    Without a row it has no effect: a permission, or what says nothing; it is shown all the same.
    """

    row: Row | None
    reason: Reason
    evidence: Evidence


@lru_cache(maxsize=256)
def nothing_found(rule: str, passed: Action) -> Verdict:
    """Return the one verdict of a rule without findings: it passes, and absence is no evidence."""
    reason = Reason.KEPT if passed is Action.KEEP else Reason.NOT_APPLICABLE
    return Verdict(rule=rule, action=passed, reason=reason)


def _names(purposes: tuple[Purpose, ...]) -> str:
    return ", ".join(purpose.value for purpose in purposes)


def meaning(row: Row, intent: Intent) -> str:
    """Say in words what a row means for an agent."""
    refused = refused_purposes(row, intent.purposes, intent.switched)
    found = intent.effect(row)
    label = f"{TABLE[row].label} (row {row.value})"
    if refused:
        by_policy = " by policy" if found is Effect.DENY_BY_POLICY else ""
        return f"{label}: refused{by_policy} for {_names(refused)}"
    words = {
        Effect.NO_COPY: "no copy may be stored",
        Effect.NO_EXCERPT: "its text may not be shown",
        Effect.NO_IMAGES: "its images may not be used",
        Effect.THROTTLE: "slows the crawl",
    }
    return f"{label}: {words.get(found, 'no effect on this agent')}"


def _shown(finding: Finding, intent: Intent) -> Evidence:
    evidence = finding.evidence
    words = "no restriction" if finding.row is None else meaning(finding.row, intent)
    return replace(evidence, note=f"{evidence.note}; {words}" if evidence.note else words)


def judge_findings(rule: str, findings: Sequence[Finding], intent: Intent, *, passed: Action) -> Verdict:
    """Return SKIP when a finding's row refuses any purpose of the agent, else `passed` with the evidence.

    What refuses by the specification comes first, then what refuses by policy, then the rest. The reasons of
    all that refuses are named: the first decides, the others stand beside it.
    """
    if not findings:
        return nothing_found(rule, passed)
    rank = list(Effect).index
    ordered = sorted(findings, key=lambda finding: -rank(intent.effect(finding.row)))
    evidence = tuple(_shown(finding, intent) for finding in ordered[:EVIDENCE_LIMIT])
    first = ordered[0]
    if intent.effect(first.row).denies:
        reasons = dict.fromkeys(one.reason for one in ordered if intent.effect(one.row).denies)
        others = tuple(reason for reason in reasons if reason is not first.reason)
        return Verdict(rule=rule, action=Action.SKIP, reason=first.reason, evidence=evidence, others=others)
    reason = Reason.KEPT if passed is Action.KEEP else Reason.ALLOWED
    return Verdict(rule=rule, action=passed, reason=reason, evidence=evidence)
