"""What today's verdicts mean for a page that an earlier run kept: it stands, is withdrawn, or is undecided.

An opt-out works backwards (Principle-Code PC-1.2c; Directive (EU) 2019/790, Article 4): what a site refuses
today, what a list names today and what today's policy does not cover is to be withdrawn. Pace is no statement
about content, and what could not be asked is no answer: neither withdraws anything, and the second is said.
Pure: values in, values out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from policies.rules.judged_rows import EVIDENCE_LIMIT
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

RULE = "reapply"
KEPT_BY = "kept by run "
# How fast and at what hours a site may be visited says nothing of what was fetched.
_PACE = frozenset({Reason.CRAWL_DELAY_TOO_LONG, Reason.RATE_LIMITED, Reason.VISIT_TIME})
# Nobody answered, or nobody may be asked by this agent: what the site says today is not known.
_UNKNOWN = frozenset(
    {
        Reason.ROBOTS_UNREACHABLE,
        Reason.POLICY_SCOPE,
        Reason.UNPARSABLE_URL,
        Reason.HTTP_ERROR,
        Reason.REDIRECT,
        Reason.BOT_CHALLENGE,
        Reason.ERROR_NETWORK,
        Reason.ERROR_INTERNAL,
        Reason.NO_PERMIT,
        Reason.LOG_UNAVAILABLE,
    }
)


class Again(StrEnum):
    """What became of a kept page."""

    STANDS = "stands"
    WITHDRAW = "withdraw"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged:
    """The outcome for one page: the verdicts that refuse it, or those that leave it undecided."""

    outcome: Again
    because: tuple[Verdict, ...] = ()


def judge_again(verdicts: Iterable[Verdict]) -> Rejudged:
    """Return what verdicts of today, waivers applied, mean for a page that was kept.

    One refusal withdraws, whatever else is unknown; what is put off is undecided.
    """
    refusing: list[Verdict] = []
    unknown: list[Verdict] = []
    for verdict in verdicts:
        if verdict.action.passes or verdict.reason in _PACE:
            continue
        if verdict.action is Action.DEFER or verdict.reason in _UNKNOWN:
            unknown.append(verdict)
        else:
            refusing.append(verdict)
    if refusing:
        return Rejudged(outcome=Again.WITHDRAW, because=tuple(refusing))
    if unknown:
        return Rejudged(outcome=Again.UNDECIDED, because=tuple(unknown))
    return Rejudged(outcome=Again.STANDS)


def withdrawal(
    segment: str, idx: int, *, run: str, kept_us: int, body_sha256: str | None, because: tuple[Verdict, ...]
) -> tuple[Verdict, ...]:
    """Return the verdicts of the decision that withdraws a record: the withdrawal, then what refuses.

    The first one's evidence names the record of the keeping (segment and index), its time in UTC microseconds
    and the digest of the body that was kept; behind it stands what refuses the page, so that whoever reads
    the decision alone sees why. `withdrawn_record` reads the record back.
    """
    kept = Evidence(
        source="decision log",
        text=f"{segment}#{idx}",
        sha256=body_sha256,
        fetched_at=kept_us,
        note=f"{KEPT_BY}{run}",
    )
    why = tuple(islice((shown for verdict in because for shown in verdict.evidence), EVIDENCE_LIMIT))
    first = Verdict(rule=RULE, action=Action.SKIP, reason=Reason.WITHDRAWN, evidence=(kept, *why))
    return (first, *because)


def withdrawn_record(verdicts: Iterable[Verdict]) -> tuple[str, int] | None:
    """Return segment and index of the record that a recorded decision withdraws; None when it does not."""
    for verdict in verdicts:
        if verdict.rule == RULE and verdict.reason is Reason.WITHDRAWN and verdict.evidence:
            segment, _, idx = verdict.evidence[0].text.rpartition("#")
            if segment and idx.isascii() and idx.isdigit():
                return segment, int(idx)
    return None
