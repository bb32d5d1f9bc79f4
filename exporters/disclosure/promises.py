"""What keeping each honoured measure means in records: the rules to consult, and what contradicts them.

Every item of the vocabulary of honours is in exactly one of these tables; a test holds it. Pure data.
"""

from __future__ import annotations

from dataclasses import dataclass

from exporters.disclosure.families import FAMILIES, Family
from policies.agents import Honour
from policies.rules import (
    ai_txt,
    content_signal,
    crawl_delay,
    login,
    paywall,
    peer_blocks,
    piracy,
    request_rate,
    robots,
    robots_meta,
    robots_noindex,
    rsl,
    tdm_reservation,
    trust_txt,
    usage_preference,
)
from policies.vocabulary import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What keeping a page contradicts: these statuses, these reasons, or `rule` not consulted (if any)."""

    statuses: tuple[int, ...]
    reasons: tuple[Reason, ...]
    rule: str = ""


KEPT: dict[Honour, Promise] = {
    Honour.PAYWALLS: Promise(statuses=(402,), reasons=FAMILIES[Family.PAYWALL], rule=paywall.RULE),
    Honour.ACCESS_RESTRICTIONS: Promise(
        statuses=(401, 403, 407),
        reasons=(
            Reason.HTTP_401,
            Reason.HTTP_403,
            Reason.HTTP_407,
            Reason.BOT_CHALLENGE,
            Reason.CRAWLER_CHARGED,
            Reason.CREDENTIALS_REQUESTED,
        ),
    ),
    Honour.LOGIN_WALLS: Promise(statuses=(401,), reasons=(Reason.LOGIN_REQUIRED,), rule=login.RULE),
    Honour.LEGAL_BLOCKS: Promise(statuses=(451,), reasons=(Reason.LEGAL_BLOCK,)),
}
ASKED: dict[Honour, tuple[str, tuple[Reason, ...]]] = {
    Honour.ROBOTS_TXT: (robots.RULE, FAMILIES[Family.ROBOTS]),
    Honour.CRAWL_DELAY: (crawl_delay.RULE, (Reason.CRAWL_DELAY_TOO_LONG,)),
    Honour.PIRACY_LISTS: (piracy.RULE, FAMILIES[Family.PIRACY]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Obeyed:
    """What a family of signals says before a request and after its answer.

    `before` and `after` are the rules without which no page is permitted or kept, "" where none has to be
    asked; `reasons` are the refusals that contradict a permit or a kept page.
    """

    reasons: tuple[Reason, ...]
    before: str = ""
    after: str = ""


OBEYED: dict[Honour, Obeyed] = {
    Honour.RATE_AND_HOURS: Obeyed(reasons=(Reason.RATE_LIMITED, Reason.VISIT_TIME), before=request_rate.RULE),
    Honour.USAGE_PREFERENCES: Obeyed(
        reasons=(Reason.USAGE_PREFERENCE,), before=usage_preference.RULE, after=usage_preference.RULE
    ),
    Honour.CONTENT_SIGNALS: Obeyed(
        reasons=(Reason.CONTENT_SIGNAL,), before=content_signal.RULE, after=content_signal.RULE
    ),
    Honour.TDM_RESERVATIONS: Obeyed(
        reasons=(Reason.TDM_RESERVATION,), before=tdm_reservation.RULE, after=tdm_reservation.RULE
    ),
    Honour.RSL_LICENCES: Obeyed(reasons=(Reason.LICENCE_TERMS, Reason.LICENCE_UNKNOWN), before=rsl.RULE),
    Honour.AI_TXT: Obeyed(reasons=(Reason.AI_TXT,), before=ai_txt.RULE),
    Honour.TRUST_TXT: Obeyed(reasons=(Reason.TRUST_TXT,), before=trust_txt.RULE),
    Honour.ROBOTS_METAS: Obeyed(
        reasons=(Reason.ROBOTS_NOINDEX, Reason.X_ROBOTS_TAG, Reason.ROBOTS_META, Reason.NOFOLLOW),
        before=robots_noindex.NOINDEX_RULE,
        after=robots_meta.HEADER_RULE,
    ),
    Honour.NOAI: Obeyed(reasons=(Reason.NOAI,), after=robots_meta.HEADER_RULE),
    Honour.ASSET_RIGHTS: Obeyed(reasons=(Reason.ASSET_RIGHTS,)),
    Honour.AI_AGENT_BLOCKS: Obeyed(
        reasons=(Reason.AI_AGENTS_BLOCKED, Reason.AI_PROHIBITION), before=peer_blocks.RULE
    ),
}
