"""The piracy rule: a listed host is not visited, and the refusal cites every entry that names it.

Decides from the block lists alone; which weights block is the caller's policy (`blocklists.entry.BLOCKING`).
Judges the host that would be connected to, once for every request: start, link, redirect, robots.txt, media.
Japan's Principle-Code asks crawlers to keep away from sites that distribute pirated copies, and the EU GPAI
Code of Practice (copyright chapter, measure 1.2) to exclude sites that courts or authorities recognised as
infringing; both need the authority behind an entry, so that it can be shown.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocklists.entry import BLOCKING
from blocklists.matcher import blocking_hits
from policies.vocabulary import Action, Citation, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from blocklists.entry import Weight
    from blocklists.matcher import Hit, Matcher
    from policies.facts import RequestFacts

RULE = "piracy"
_MAX_TEXT = 500
_NOT_LISTED = Verdict(rule=RULE, action=Action.FETCH, reason=Reason.ALLOWED)
_NO_HOST = Verdict(rule=RULE, action=Action.FETCH, reason=Reason.NOT_APPLICABLE)


def judge_piracy(
    request: RequestFacts,
    matcher: Matcher,
    *,
    now_us: int,
    weights: frozenset[Weight] = BLOCKING,
) -> Verdict:
    """Return SKIP for a host that a list of a blocking weight names, else FETCH.

    `now_us` is UTC in microseconds, for entries with a term. A host that only non-blocking entries name
    passes with those entries as evidence. A request without a usable origin is left to the rule that
    refuses it (`unparsable_url`).
    """
    if request.origin is None:
        return _NO_HOST
    hits = matcher.match(request.origin.host, now_us=now_us, url=request.url)
    if not hits:
        return _NOT_LISTED
    blocking = blocking_hits(hits, weights=weights)
    if blocking:
        evidence = _evidence(blocking[0], hits, note="")
        return Verdict(rule=RULE, action=Action.SKIP, reason=Reason.PIRACY_LIST, evidence=(evidence,))
    evidence = _evidence(hits[0], hits, note="listed, but by no entry that blocks")
    return Verdict(rule=RULE, action=Action.FETCH, reason=Reason.ALLOWED, evidence=(evidence,))


def _evidence(deciding: Hit, hits: tuple[Hit, ...], *, note: str) -> Evidence:
    return Evidence(
        source=f"list:{deciding.source.source_id}",
        line=deciding.entry.line_no,
        text=deciding.entry.pattern_raw[:_MAX_TEXT],
        sha256=deciding.source.sha256,
        fetched_at=deciding.source.fetched_at,
        note=note,
        citations=tuple(_citation(hit) for hit in hits),
    )


def _citation(hit: Hit) -> Citation:
    entry = hit.entry
    return Citation(
        source_id=entry.source_id,
        pattern=entry.pattern,
        match=entry.match.value,
        weight=entry.weight.value,
        line=entry.line_no,
        text=entry.pattern_raw[:_MAX_TEXT],
        source_sha256=hit.source.sha256,
        source_url=entry.source_url,
        authority=entry.authority,
        decision_ref=entry.decision_ref,
        decision_date=entry.decision_date.isoformat() if entry.decision_date else "",
        fetched_at=hit.source.fetched_at,
    )
