"""The paywall rule: a page that declares itself, or a part of itself, not free to read is not kept.

Sources: https://schema.org/isAccessibleForFree,
https://developers.google.com/search/docs/appearance/structured-data/paywalled-content, and the Open Graph
property `article:content_tier`. Principle-Code item PC-1.2c-1. That the full text was served all the same is
no permission, and a vendor's script on a page that declares nothing is no restriction.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from policies.signals.access_statement import Access
from policies.signals.content_tier import parse_content_tier
from policies.signals.page_markers import open_page
from policies.signals.schema_org import parse_free_access
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import ResponseFacts
    from policies.signals.access_statement import AccessStatement
    from policies.signals.page_markers import Page

RULE = "paywall"
_PASS = Verdict(rule=RULE, action=Action.KEEP, reason=Reason.KEPT)
# Statements that a verdict cites; a page may repeat itself a thousand times.
_CITED = 5
_READINGS = {
    Access.METERED: "metered",
    Access.UNREADABLE: "a value that cannot be read counts as a restriction",
}


def _evidence(response: ResponseFacts, statement: AccessStatement, sha256: str) -> Evidence:
    remarks = (statement.carrier.value, _READINGS.get(statement.access, ""), statement.note)
    return Evidence(
        source=response.url,
        line=statement.line,
        text=statement.text,
        sha256=sha256,
        note="; ".join(remark for remark in remarks if remark),
    )


def judge_opened_page(response: ResponseFacts, page: Page | None) -> Verdict:
    """Return SKIP when an opened page declares a restriction; `page` is `open_page(response)`."""
    if page is None:
        return _PASS
    structured = [statement for statement in parse_free_access(page) if statement.restricts]
    tiers = [statement for statement in parse_content_tier(page) if statement.restricts]
    found = structured + tiers
    if not found:
        return _PASS
    sha256 = hashlib.sha256(response.body).hexdigest()
    return Verdict(
        rule=RULE,
        action=Action.SKIP,
        reason=Reason.PAYWALL_STRUCTURED_DATA if structured else Reason.PAYWALL_MARKUP,
        evidence=tuple(_evidence(response, statement, sha256) for statement in found[:_CITED]),
    )


def judge_page(response: ResponseFacts) -> Verdict:
    """Return SKIP for a response whose HTML declares a paywall, else KEEP; other media always pass."""
    return judge_opened_page(response, open_page(response))
