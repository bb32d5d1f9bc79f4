"""What every family of signals says of one address, for each purpose, and what was not looked at and why.

A crawl stops at the first refusal and asks for its own purposes only; a reader of an explanation wants to see
the rest. Pure: readings in, values out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policies.console import shorten, table
from policies.decide import judge_every_rule
from policies.facts import RobotsAccess
from policies.rights_rules import FILE_RIGHTS
from policies.rules.judged_rows import Intent
from policies.vocabulary import Action, Purpose, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.decide import SiteSide, Standing
    from policies.facts import RequestFacts
    from policies.vocabulary import Evidence, Verdict

PAGE_NOT_ASKED = "the page is not asked for"
_WIDEST = 58


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family: its name for programs, its label for people, and the rule that judges it."""

    name: str
    label: str
    rule: str


#: In the order of judgement; before a request.
BEFORE = tuple(
    Family(name=name, label=label, rule=rule)
    for name, label, rule in (
        ("lists", "block lists", "piracy"),
        ("robots", "robots.txt Allow, Disallow", "robots"),
        ("crawl_delay", "Crawl-delay", "crawl_delay"),
        ("request_rate", "Request-rate", "request_rate"),
        ("visit_time", "Visit-time", "visit_time"),
        ("content_usage", "Content-Usage (AIPREF)", "usage_preference"),
        ("content_signal", "Content-Signal", "content_signal"),
        ("robots_noindex", "Noindex in robots.txt", "robots_noindex"),
        ("ai_prohibition", "other lines against AI use", "ai_prohibition"),
        ("peer_blocks", "blocks of other AI agents", "peer_blocks"),
        ("tdmrep", "tdmrep.json", "tdm_reservation"),
        ("rsl", "RSL licences in robots.txt", "rsl"),
        ("ai_txt", "ai.txt", "ai_txt"),
        ("trust_txt", "trust.txt", "trust_txt"),
    )
)
#: By the answer.
AFTER = tuple(
    Family(name=name, label=label, rule=rule)
    for name, label, rule in (
        ("access", "status and challenges", "access"),
        ("login", "login redirects and pages", "login"),
        ("paywall", "declared paywalls", "paywall"),
        ("page_directives", "X-Robots-Tag, robots meta, noai", "robots_meta"),
        ("usage_header", "Content-Usage header", "usage_preference"),
        ("signal_header", "Content-Signal header", "content_signal"),
        ("tdm_answer", "tdm-reservation header, meta", "tdm_reservation"),
        ("rsl_answer", "RSL licences in header, page", "rsl"),
        ("assets", "PLUS, CAWG, TDM in images", "asset_rights"),
    )
)
_UNREAD = frozenset({RobotsAccess.UNREACHABLE, RobotsAccess.DENIED})
_OF_FILES = {"tdm_reservation": "tdmrep", "ai_txt": "ai_txt", "trust_txt": "trust_txt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one family says: what was found, and what it means for each purpose.

    `not_evaluated` says in words why nothing is known, and is empty otherwise.
    """

    family: Family
    stage: str
    found: tuple[Evidence, ...] = ()
    meanings: tuple[tuple[Purpose, str], ...] = ()
    not_evaluated: str = ""


def _meaning(verdict: Verdict) -> str:
    if verdict.reason is Reason.WAIVER_USED:
        return "waived"
    if verdict.action is Action.DEFER:
        return "put off"
    if not verdict.action.passes:
        return "refused"
    return "open" if verdict.evidence else "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unasked:
    """Why sides are missing, in words: the lists, a whole site, its files of rights; empty where none is."""

    lists: str = ""
    site: str = "the site was not asked"
    files: str = "nothing more is asked where robots.txt is unreachable or refused"


def _why_not(family: Family, side: SiteSide | None, unasked: Unasked) -> str:
    """Return why a family was not looked at, or an empty text."""
    if family.rule == "piracy":
        return unasked.lists
    if side is None:
        return unasked.site
    if family.rule not in FILE_RIGHTS:
        unread = side.readings.file.access in _UNREAD and family.rule != "robots"
        return "robots.txt could not be read" if unread else ""
    if side.files is None:
        return unasked.files
    if family.rule in _OF_FILES and getattr(side.files, _OF_FILES[family.rule]) is None:
        return "not asked for: it concerns no purpose of this agent, or is not on record"
    return ""


def said_by_families(
    request: RequestFacts, standing: Standing, side: SiteSide | None, *, now_us: int, unasked: Unasked
) -> tuple[Said, ...]:
    """Return what each family says of a request, in order; `unasked` says why a side is missing."""
    readings, files = (side.readings, side.files) if side is not None else (None, None)
    base = standing.intent or Intent(token=standing.token, purposes=frozenset())
    verdicts: dict[Purpose, Mapping[str, Verdict]] = {}
    for purpose in Purpose:
        intent = replace(base, purposes=frozenset({purpose}))
        judged = judge_every_rule(request, replace(standing, intent=intent), readings, files, now_us=now_us)
        verdicts[purpose] = {verdict.rule: verdict for verdict in judged}
    return (
        *(_before(family, side, verdicts, unasked) for family in BEFORE),
        *(Said(family=family, stage="response", not_evaluated=PAGE_NOT_ASKED) for family in AFTER),
    )


def _before(
    family: Family,
    side: SiteSide | None,
    verdicts: Mapping[Purpose, Mapping[str, Verdict]],
    unasked: Unasked,
) -> Said:
    why = _why_not(family, side, unasked)
    if why:
        return Said(family=family, stage="request", not_evaluated=why)
    mine = {purpose: by_rule[family.rule] for purpose, by_rule in verdicts.items() if family.rule in by_rule}
    found = {(one.source, one.line, one.text): one for verdict in mine.values() for one in verdict.evidence}
    return Said(
        family=family,
        stage="request",
        found=tuple(found.values()),
        meanings=tuple((purpose, _meaning(verdict)) for purpose, verdict in mine.items()),
    )


def families_text(said: tuple[Said, ...], after: str = PAGE_NOT_ASKED) -> str:
    """Return the families as a table: what was found, and one column a purpose.

    Families in which nothing was found, or that were not looked at, are named in lines below it; `after` says
    why those that only an answer could show were not looked at.
    """
    before = [one for one in said if one.stage == "request"]
    rows = [
        [one.family.label, shorten(_found(one), _WIDEST), *(words for _, words in one.meanings)]
        for one in before
        if one.found
    ]
    lines: list[str] = []
    if rows:
        lines += table(["FAMILY", "FOUND", *(purpose.value for purpose in Purpose)], rows).splitlines()
    nothing = [one.family.label for one in before if not one.found and not one.not_evaluated]
    if nothing:
        lines.append(f"nothing found: {'; '.join(nothing)}")
    whys: dict[str, list[str]] = {}
    for one in said:
        why = after if one.stage == "response" else one.not_evaluated
        if why:
            whys.setdefault(why, []).append(one.family.label)
    lines += [f"not evaluated ({why}): {'; '.join(labels)}" for why, labels in whys.items()]
    return "\n".join(f"  {line}" for line in lines)


def _found(said: Said) -> str:
    first = said.found[0]
    words = first.text or first.note or first.source
    where = f"line {first.line}: {words}" if first.line else words
    more = f" (and {len(said.found) - 1} more)" if len(said.found) > 1 else ""
    return f"{where}{more}"


def families_members(said: tuple[Said, ...]) -> list[dict[str, object]]:
    """Return the families as plain values."""
    return [
        {
            "family": one.family.name,
            "label": one.family.label,
            "rule": one.family.rule,
            "stage": one.stage,
            "found": [
                {"source": found.source, "line": found.line, "text": found.text, "sha256": found.sha256}
                for found in one.found
            ],
            "purposes": {purpose.value: words for purpose, words in one.meanings},
            "not_evaluated": one.not_evaluated or None,
        }
        for one in said
    ]
