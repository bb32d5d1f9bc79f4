"""Rule `rsl`: whether the RSL licences that a site or a page names permit what the agent collects for.

Implements RSL 1.0 (https://rslstandard.org/rsl) as a verdict: a prohibition beats a permission, a list of
permissions leaves everything else unpermitted, an offer that asks for payment, names other users or places,
or stands behind a licence server is not open to us; of several offers for one place one open offer is enough,
of several licences named for one place every one must hold. Terms that are announced and cannot be obtained
or read are unknown: refused for training, held back for everything else.

Which token a purpose needs: `ai-train` for training, `ai-input` for answers, `search` for search, `all` for
an archive, and `ai-train` for research, where a research organisation counts as a user of kind `education`.
We never ask a licence server and never send a licence token. Pure: no clock, no files, no network.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from policies.precedence import Effect, Row
from policies.rules.judged_rows import Finding, judge_findings, nothing_found
from policies.signals.licence_links import Place
from policies.signals.rights_fetch import RightsAccess
from policies.signals.rsl import USERS, RslDocument, parse_rsl
from policies.vocabulary import Action, Evidence, Purpose, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policies.rules.judged_rows import Intent
    from policies.signals.licence_links import LicenceLink
    from policies.signals.rights_fetch import RightsFile
    from policies.signals.rsl import Content, Offer
    from policies.vocabulary import Origin

RULE = "rsl"
_CITED = 5
_FREE = frozenset(("free", "attribution"))
# Purpose: the tokens that speak of it, the most exact one first.
_TOKENS: dict[Purpose, tuple[str, ...]] = {
    Purpose.AI_TRAINING: ("ai-train", "ai-all", "all"),
    Purpose.AI_INPUT: ("ai-input", "ai-all", "all"),
    Purpose.SEARCH: ("search", "all"),
    Purpose.ARCHIVE: ("all",),
    Purpose.RESEARCH: ("ai-train", "ai-all", "all"),
}


class Terms(IntEnum):
    """What the terms for one place come to for one purpose; the higher, the more restrictive."""

    OPEN = 0
    UNKNOWN = 1
    CLOSED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """The agent as RSL sees it. The empty value claims nothing, and then every limitation shuts us out.

    `users` are RSL user tokens that the operator declares to be; `country` where it uses what it collects
    (ISO 3166-1 alpha-2).
    """

    users: frozenset[str] = frozenset()
    country: str = ""


NOBODY = Party()


@dataclass(frozen=True, slots=True, kw_only=True)
class RslReading:
    """One naming of a licence with what was read of it. `file` is None for a document inside a page.

    `page_url` and `page_sha256` are those of the response whose body holds the document.
    """

    link: LicenceLink
    file: RightsFile | None
    document: RslDocument
    page_url: str = ""
    page_sha256: str | None = None

    def evidence(self, *, line: int | None = None, text: str = "", note: str = "") -> Evidence:
        """Return evidence that points into the document, or at the naming where there is no document."""
        named = f"named by {self.link.place.value}"
        where = f"{named} line {self.link.line}" if self.link.line else named
        notes = "; ".join(words for words in (note, where) if words)
        if self.file is not None:
            return self.file.evidence(line=line, text=text or self.link.text, note=notes)
        return Evidence(
            source=self.page_url or self.link.place.value,
            line=self.link.line,
            text=text or self.link.text,
            sha256=self.page_sha256,
            note=notes,
        )


def read_licence(
    link: LicenceLink, file: RightsFile | None, *, page_url: str = "", page_body: bytes | None = None
) -> RslReading:
    """Return what a naming of a licence comes to: its file, or its document where it has no address."""
    if file is not None and file.access is RightsAccess.OBTAINED:
        document = parse_rsl(file.body)
    elif file is not None:
        document = RslDocument(contents=(), problem=f"the licence was not obtained: {file.problem}")
    elif link.place is Place.FEED and page_body is not None:
        document = parse_rsl(page_body)
    elif link.problem or not link.document:
        document = RslDocument(contents=(), problem=link.problem or "the licence is empty")
    else:
        document = parse_rsl(link.document.encode("utf-8", "surrogatepass"))
    digest = hashlib.sha256(page_body).hexdigest() if page_body is not None else None
    return RslReading(link=link, file=file, document=document, page_url=page_url, page_sha256=digest)


def _users_of(purpose: Purpose, intent: Intent, party: Party) -> frozenset[str]:
    if purpose is Purpose.RESEARCH and intent.switched.research_org:
        return party.users | {"education"}
    return party.users


def _who_is_shut_out(offer: Offer, users: frozenset[str], country: str) -> str:
    """Return why an offer is not made to us, or ""."""
    permitted, prohibited = offer.permits.user, offer.prohibits.user
    if permitted is not None and not permitted >= USERS and not (users and users <= permitted):
        return f"offered to other users ({' '.join(sorted(permitted))})"
    if prohibited and (not users or users & prohibited):
        return f"not offered to some users ({' '.join(sorted(prohibited))})"
    if offer.permits.geo is not None and country not in offer.permits.geo:
        return f"offered elsewhere ({' '.join(sorted(offer.permits.geo))})"
    if offer.prohibits.geo and (not country or country in offer.prohibits.geo):
        return f"not offered everywhere ({' '.join(sorted(offer.prohibits.geo))})"
    return ""


def judge_offer(offer: Offer, purpose: Purpose, users: frozenset[str], country: str) -> tuple[Terms, str]:
    """Return what one offer comes to for one purpose, and why."""
    tokens = _TOKENS[purpose]
    prohibited = [token for token in tokens if token in (offer.prohibits.usage or ())]
    if prohibited:
        return Terms.CLOSED, f"prohibits {prohibited[0]}"
    if offer.unreadable:
        return Terms.UNKNOWN, f"cannot be read: {offer.unreadable}"
    if offer.permits.usage is not None and offer.permits.usage.isdisjoint(tokens):
        return Terms.CLOSED, f"{tokens[0]} is not among what it permits"
    charged = [kind for kind in offer.payments if kind not in _FREE]
    if charged:
        return Terms.CLOSED, f"asks for payment ({charged[0]})"
    shut_out = _who_is_shut_out(offer, users, country)
    if shut_out:
        return Terms.CLOSED, shut_out
    return Terms.OPEN, "attribution is owed" if "attribution" in offer.payments else "open"


def judge_content(
    content: Content, purpose: Purpose, users: frozenset[str], country: str
) -> tuple[Terms, str, Offer | None]:
    """Return what a place's offers come to for one purpose, why, and the offer that says so."""
    if content.server:
        return Terms.CLOSED, f"a licence must be obtained first from {content.server[:200]}", None
    if not content.offers:
        return Terms.UNKNOWN, "it makes no offer", None
    judged = [(*judge_offer(offer, purpose, users, country), offer) for offer in content.offers]
    return min(judged, key=lambda one: one[0])


class Licences:
    """The licences that hold for one place (an origin, or one page), and the verdicts made so far."""

    __slots__ = ("_verdicts", "readings")

    def __init__(self, readings: Sequence[RslReading]) -> None:
        self.readings = tuple(readings)
        self._verdicts: dict[tuple[object, ...], Verdict] = {}

    def judge(
        self, url: str, origin: Origin, intent: Intent, *, passed: Action, party: Party = NOBODY
    ) -> Verdict:
        """Return the verdict on a URL of `origin`: `passed`, SKIP, or DEFER where terms are unknown.

        `passed` is FETCH before a request and KEEP after its response; after it nothing can be put off, and
        what would be is skipped. The same contents and intent give the same object.
        """
        if not self.readings:
            return nothing_found(RULE, passed)
        applying = tuple(reading.document.contents_for(url, origin) for reading in self.readings)
        key = (tuple(tuple(map(id, contents)) for contents in applying), intent, party, passed)
        known = self._verdicts.get(key)
        if known is None:
            known = self._verdicts[key] = self._judge(applying, intent, party, passed)
        return known

    def _judge(
        self, applying: Sequence[tuple[Content, ...]], intent: Intent, party: Party, passed: Action
    ) -> Verdict:
        worst: dict[Purpose, Terms] = {}
        evidence: dict[Terms, dict[Evidence, None]] = {terms: {} for terms in Terms}
        for purpose in sorted(intent.purposes or Purpose):
            users = _users_of(purpose, intent, party)
            for terms, shown in self._answers(applying, purpose, users, party.country):
                worst[purpose] = max(worst.get(purpose, Terms.OPEN), terms)
                if len(evidence[terms]) < _CITED:
                    evidence[terms].setdefault(shown)
        if not worst:
            return nothing_found(RULE, passed)
        strictest = max(worst.values())
        cited = tuple(evidence[strictest])
        if strictest is Terms.OPEN:
            reason = Reason.KEPT if passed is Action.KEEP else Reason.ALLOWED
            return Verdict(rule=RULE, action=passed, reason=reason, evidence=cited)
        purposes = frozenset(purpose for purpose, terms in worst.items() if terms is strictest)
        verdict = self._refusal(strictest, cited, replace(intent, purposes=purposes), passed)
        if (
            strictest is Terms.CLOSED
            and evidence[Terms.UNKNOWN]
            and intent.effect(Row.LICENCE_UNKNOWN).denies
        ):
            # Behind terms that refuse stand others that nobody could read.
            verdict = replace(
                verdict,
                others=(Reason.LICENCE_UNKNOWN,),
                evidence=(*verdict.evidence, *evidence[Terms.UNKNOWN]),
            )
        return verdict

    def _answers(
        self,
        applying: Sequence[tuple[Content, ...]],
        purpose: Purpose,
        users: frozenset[str],
        country: str,
    ) -> Iterable[tuple[Terms, Evidence]]:
        for reading, contents in zip(self.readings, applying, strict=True):
            if reading.document.problem:
                yield Terms.UNKNOWN, reading.evidence(note=reading.document.problem)
            for content in contents:
                terms, why, offer = judge_content(content, purpose, users, country)
                line, text = (offer.line, offer.text) if offer else (content.line, "")
                note = f"{purpose.value} at {content.url or 'every address'}: {why}"
                yield terms, reading.evidence(line=line, text=text, note=note)

    def _refusal(self, terms: Terms, cited: tuple[Evidence, ...], intent: Intent, passed: Action) -> Verdict:
        closed = terms is Terms.CLOSED
        row = Row.LICENCE_TERMS if closed else Row.LICENCE_UNKNOWN
        reason = Reason.LICENCE_TERMS if closed else Reason.LICENCE_UNKNOWN
        findings = [Finding(row=row, reason=reason, evidence=one) for one in cited]
        verdict = judge_findings(RULE, findings, intent, passed=passed)
        held = passed is Action.FETCH and intent.effect(row) is Effect.DENY_BY_POLICY
        if not held or verdict.action is not Action.SKIP:
            return verdict
        again = [reading.file.expires_at for reading in self.readings if reading.file is not None]
        return replace(verdict, action=Action.DEFER, retry_at=min(again, default=None))
