"""The piracy rule: a listed host is not visited, and the refusal cites every entry that names it.

Decides from the block lists alone; which weights block is the caller's policy (`blocklists.entry.BLOCKING`,
or a profile). A site that the operator freed passes, and the record cites the override and all that it
suppressed.
Judges the host that would be connected to, once for every request: start, link, redirect, robots.txt, media.
Japan's Principle-Code asks crawlers to keep away from sites that distribute pirated copies, and the EU GPAI
Code of Practice (copyright chapter, measure 1.2) to exclude sites that courts or authorities recognised as
infringing; both need the authority behind an entry, so that it can be shown.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocklists.entry import BLOCKING
from blocklists.matcher import overriding_hits, standing_blocks
from blocklists.profile import Profile
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
    weights: frozenset[Weight] | Profile = BLOCKING,
) -> Verdict:
    """Return SKIP for a host that a list of a blocking weight names, else FETCH.

    `now_us` is UTC in microseconds, for entries with a term. A host that only non-blocking entries name, or
    that the operator freed by an override, passes with those entries as evidence. A request without a usable
    origin is left to the rule that refuses it (`unparsable_url`).
    """
    if request.origin is None:
        return _NO_HOST
    hits = matcher.match(request.origin.host, now_us=now_us, url=request.url)
    if not hits:
        return _NOT_LISTED
    blocking = standing_blocks(hits, weights=weights)
    overrides = overriding_hits(hits)
    if blocking and not overrides:
        evidence = _evidence(blocking[0], hits, note=_appeal(blocking[0], _why(blocking[0], weights)))
        return Verdict(rule=RULE, action=Action.SKIP, reason=Reason.PIRACY_LIST, evidence=(evidence,))
    if blocking:
        freed = overrides[0].entry
        note = (
            f"override by {freed.authority} until {freed.valid_until}: {freed.decision_ref}; "
            f"{len(blocking)} entries would block without it"
        )
        evidence = _evidence(overrides[0], hits, note=note[:_MAX_TEXT])
        return Verdict(rule=RULE, action=Action.FETCH, reason=Reason.ALLOWED, evidence=(evidence,))
    listed = next((hit for hit in hits if hit not in overrides), None)
    if listed is None:
        return _NOT_LISTED
    note = _why(listed, weights) or "listed, but by no entry that blocks"
    evidence = _evidence(listed, hits, note=note)
    return Verdict(rule=RULE, action=Action.FETCH, reason=Reason.ALLOWED, evidence=(evidence,))


def _why(hit: Hit, weights: frozenset[Weight] | Profile) -> str:
    return weights.why(hit.entry, hit.source)[:_MAX_TEXT] if isinstance(weights, Profile) else ""


def _appeal(hit: Hit, why: str) -> str:
    """Return a note with the place that takes complaints about an entry, where one is known."""
    place = hit.source.report_url or hit.entry.source_url
    told = f"a wrong entry is reported to {place}" if place else ""
    return "; ".join(part for part in (why.rstrip("."), told) if part)[:_MAX_TEXT] if told else why


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
