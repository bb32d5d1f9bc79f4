"""The paywall rule: a page that declares itself, or a part of itself, not free to read is not kept.

Sources: https://schema.org/isAccessibleForFree,
https://developers.google.com/search/docs/appearance/structured-data/paywalled-content, and the Open Graph
property `article:content_tier`. Principle-Code item PC-1.2c-1. That the full text was served all the same is
no permission. A vendor's script on a page that declares nothing is no restriction by itself; together with a
visible gate, or a text that breaks off, it is one. Rows 13 and 13a of `policies/precedence.py` say for whom.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from policies.precedence import Row
from policies.rules.judged_rows import Intent, meaning
from policies.signals.access_parts import find_closed_parts, without_closed_parts
from policies.signals.access_statement import Access
from policies.signals.content_tier import parse_content_tier
from policies.signals.gate_words import NO_VENDORS
from policies.signals.page_gate import GateKind, find_gate
from policies.signals.page_markers import open_page
from policies.signals.schema_org import parse_free_access
from policies.vocabulary import Action, Evidence, Purpose, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import ResponseFacts
    from policies.signals.access_statement import AccessStatement
    from policies.signals.gate_words import VendorTable
    from policies.signals.page_opened import Page

RULE = "paywall"
_PASS = Verdict(rule=RULE, action=Action.KEEP, reason=Reason.KEPT)
# Statements that a verdict cites; a page may repeat itself a thousand times.
_CITED = 5
_NOTE = 500
_READINGS = {
    Access.METERED: "metered",
    Access.UNREADABLE: "a value that cannot be read counts as a restriction",
}
_GATES = {
    GateKind.GATE: "words of a gate",
    GateKind.METER: "an allowance is counted down",
    GateKind.BROKEN_OFF: "the text breaks off",
}
# An agent of which nothing is known gets what one with every purpose would.
EVERY_PURPOSE = Intent(token="", purposes=frozenset(Purpose))


def _evidence(response: ResponseFacts, statement: AccessStatement, sha256: str) -> Evidence:
    remarks = (statement.carrier.value, _READINGS.get(statement.access, ""), statement.note)
    return Evidence(
        source=response.url,
        line=statement.line,
        text=statement.text,
        sha256=sha256,
        note="; ".join(remark for remark in remarks if remark),
    )


def _verdict(
    row: Row, reason: Reason, evidence: tuple[Evidence, ...], intent: Intent, others: tuple[Reason, ...] = ()
) -> Verdict:
    """Return what a row of the precedence table makes of a restriction for an agent."""
    if intent.effect(row).denies:
        return Verdict(rule=RULE, action=Action.SKIP, reason=reason, evidence=evidence, others=others)
    shown = replace(evidence[0], note=f"{evidence[0].note}; {meaning(row, intent)}")
    return Verdict(rule=RULE, action=Action.KEEP, reason=Reason.KEPT, evidence=(shown, *evidence[1:]))


def find_free_text(page: Page) -> str | None:
    """Return the text of a page without its closed parts, where the rest of it is declared free.

    None for every other page: one that is free, one that is closed, and one whose parts cannot be told apart.
    """
    if not page.markers.accessible or any(one.restricts for one in parse_content_tier(page)):
        return None
    parts = find_closed_parts(page)
    if parts is None:
        return None
    restrictions = sum(statement.restricts for statement in parse_free_access(page))
    return without_closed_parts(page, parts) if restrictions == parts.statements else None


def _judge_statements(response: ResponseFacts, page: Page, intent: Intent) -> Verdict | None:
    """Return the verdict on what a page declares; None when it declares no restriction."""
    structured = [statement for statement in parse_free_access(page) if statement.restricts]
    tiers = [statement for statement in parse_content_tier(page) if statement.restricts]
    found = structured + sorted(tiers, key=lambda statement: statement.access is Access.METERED)
    if not found:
        return None
    sha256 = hashlib.sha256(response.body).hexdigest()
    evidence = tuple(_evidence(response, statement, sha256) for statement in found[:_CITED])
    if find_free_text(page) is not None:
        shown = replace(evidence[0], note=f"{evidence[0].note}; the closed parts are taken out of the page")
        return Verdict(rule=RULE, action=Action.KEEP, reason=Reason.KEPT, evidence=(shown, *evidence[1:]))
    if all(statement.access is Access.METERED for statement in found):
        return _verdict(Row.PAYWALL_METERED, Reason.PAYWALL_METERED, evidence, intent)
    reason = Reason.PAYWALL_STRUCTURED_DATA if structured else Reason.PAYWALL_MARKUP
    others = (Reason.PAYWALL_MARKUP,) if structured and tiers else ()
    return _verdict(Row.PAYWALL, reason, evidence, intent, others)


def _judge_gate(response: ResponseFacts, page: Page, vendors: VendorTable, intent: Intent) -> Verdict:
    gate = find_gate(page, vendors)
    if gate is None:
        return _PASS
    evidence = Evidence(
        source=response.url,
        line=gate.line,
        text=gate.text,
        sha256=hashlib.sha256(response.body).hexdigest(),
        note=f"{_GATES[gate.kind]} on a page with {gate.marks}"[:_NOTE],
    )
    if gate.kind is GateKind.METER:
        return _verdict(Row.PAYWALL_METERED, Reason.PAYWALL_METERED, (evidence,), intent)
    return _verdict(Row.PAYWALL, Reason.PAYWALL_GATE, (evidence,), intent)


def judge_opened_page(
    response: ResponseFacts,
    page: Page | None,
    vendors: VendorTable = NO_VENDORS,
    intent: Intent = EVERY_PURPOSE,
) -> Verdict:
    """Return SKIP when an opened page declares a restriction, or shows a gate to its reader.

    `page` is `open_page(response, token, vendors)`; `vendors` is the table of paywalls, without which gates
    are not looked for; `intent` is the agent's.
    """
    if page is None:
        return _PASS
    declared = _judge_statements(response, page, intent)
    if declared is None or declared.action.passes:
        gate = _judge_gate(response, page, vendors, intent)
        return gate if declared is None or not gate.action.passes else declared
    gate = _judge_gate(response, page, vendors, intent)
    if gate.action.passes:
        return declared
    # Whoever may read what is declared as paid still gets no article where a gate stands in its place.
    return replace(
        declared,
        evidence=(*declared.evidence, *gate.evidence),
        others=(*declared.others, gate.reason),
    )


def judge_page(response: ResponseFacts) -> Verdict:
    """Return SKIP for a response whose HTML declares a paywall, else KEEP; other media always pass."""
    return judge_opened_page(response, open_page(response))
