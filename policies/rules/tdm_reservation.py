"""Rule `tdm_reservation`: whether the rights holder reserves text and data mining.

Implements the TDM Reservation Protocol of the W3C community group
(https://github.com/w3c/tdm-reservation-protocol) through rows 9 and 9a of `policies/precedence.py`. Its
statements supersede one another in the order file, header, HTML, in-file metadata; absence never resets, and
what cannot be read leaves the statement before it standing. A research organisation in the sense of Article 3
of Directive (EU) 2019/790 is not bound, where the operator's policy declares it one.
Pure: no clock, no network.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from policies.precedence import Row
from policies.rules.judged_rows import Finding, judge_findings, nothing_found
from policies.signals.page_metas import find_metas
from policies.signals.tdm_header import POLICY, RESERVATION, TdmReading, parse_tdm_headers, parse_tdm_metas
from policies.signals.tdmrep import Layer, TdmReservation, superseding
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.facts import ResponseFacts
    from policies.rules.judged_rows import Intent
    from policies.signals.page_opened import Page

RULE = "tdm_reservation"


META_NAMES = frozenset((RESERVATION, POLICY, "tdm:reservation", "tdm:policy"))
_PLACES = {
    Layer.FILE: "the file",
    Layer.HEADER: "the header",
    Layer.META: "the page",
    Layer.EMBEDDED: "the asset's own metadata",
}


def _noted(evidence: Evidence, note: str) -> Evidence:
    return replace(evidence, note="; ".join(part for part in (evidence.note, note) if part))


def _finding(one: TdmReservation, evidence: Evidence, holds: TdmReservation) -> Finding:
    policy = f"policy {one.policy[:300]}" if one.policy else ""
    if one.layer != holds.layer:
        note = f"superseded by {_PLACES[holds.layer]}"
        return Finding(row=None, reason=Reason.TDM_RESERVATION, evidence=_noted(evidence, note))
    row = Row.TDM_RESERVATION if one.reserved else None
    note = "; ".join(part for part in (one.note, policy) if part)
    return Finding(row=row, reason=Reason.TDM_RESERVATION, evidence=_noted(evidence, note))


def judge_tdm_reservation(
    found: Sequence[tuple[TdmReservation, Evidence]],
    unreadable: Sequence[Evidence],
    intent: Intent,
    *,
    passed: Action,
) -> Verdict:
    """Return the verdict of all statements about one address, whatever layers they stand in.

    `unreadable` is evidence of statements that say nothing because their value is neither 0 nor 1; a policy
    may read them as reservations (`deny_malformed_reservations`), unless a readable statement stands.
    """
    if not found and not unreadable:
        return nothing_found(RULE, passed)
    holds = superseding(tuple(one for one, _ in found))
    findings = [_finding(one, evidence, holds) for one, evidence in found if holds is not None]
    findings += [
        Finding(row=None if found else Row.TDM_MALFORMED, reason=Reason.TDM_RESERVATION, evidence=evidence)
        for evidence in unreadable
    ]
    return judge_findings(RULE, findings, intent, passed=passed)


def _located(reading: TdmReading, evidence: Evidence) -> list[tuple[TdmReservation, Evidence]]:
    return [(one, replace(evidence, line=one.line, text=one.text)) for one in reading.reservations]


def judge_tdm_response(
    response: ResponseFacts,
    page: Page | None,
    intent: Intent,
    file: Sequence[tuple[TdmReservation, Evidence]] = (),
) -> Verdict:
    """Return the verdict on a response: its headers and, when opened, its page, over what the file said.

    `page` is `open_page(response)` or None; `file` are the file's statements about the address, so that what
    supersedes what is shown. A redirect or a 304 has headers about itself only, and says nothing here.
    """
    headers: TdmReading | None = None
    if not 300 <= response.status < 400:  # noqa: PLR2004 - the class of redirection and 304
        headers = parse_tdm_headers(response.headers)
    metas = parse_tdm_metas(find_metas(page, META_NAMES)) if page is not None and page.markers.tdm else None
    if not headers and not metas:
        return nothing_found(RULE, Action.KEEP)
    found = list(file)
    unreadable: list[Evidence] = []
    if headers:
        place = Evidence(source="response header")
        found += _located(headers, place)
        unreadable += [replace(place, note=problem) for problem in headers.problems]
    if metas:
        place = Evidence(source=response.url, sha256=hashlib.sha256(response.body).hexdigest())
        found += _located(metas, place)
        unreadable += [replace(place, note=problem) for problem in metas.problems]
    return judge_tdm_reservation(found, unreadable, intent, passed=Action.KEEP)
