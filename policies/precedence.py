"""What each kind of statement means for each purpose: the precedence table, as data.

Holds one row a signal (`Row`, its value is the row's number in our reading of the specifications, lettered
where one row holds several statements) and one cell a purpose. Inside a family the family's own conflict rule
has already decided what the statement is; across families the most restrictive effect holds, and an explicit
permission never lifts the refusal of another family: only row 0, a contract with a document id, does.

Sources of the rows: RFC 9309; AIPREF vocabulary and attachment drafts (github.com/ietf-wg-aipref/drafts);
contentsignals.org; W3C TDMRep; RSL 1.0; the robots meta documentation of Google, Microsoft and DeviantArt;
CAWG and PLUS/IPTC. Where a specification speaks of a use that is no purpose of ours, or of a purpose only
by implication, the cell is our reading and says so by being `DENY_BY_POLICY`.

Pure: imports the vocabulary only, reads nothing, raises nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from policies.vocabulary import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Effect(StrEnum):
    """What a statement does to a page for one purpose, from nothing to everything.

    `MAY_DENY` and `DENY_UNLESS_RESEARCH_ORG` stand in cells only: `effect` resolves them by the policy.
    """

    NONE = "none"
    THROTTLE = "throttle"
    NO_EXCERPT = "no_excerpt"  # may be indexed, without its text
    NO_IMAGES = "no_images"  # the page may be kept, its images may not
    NO_COPY = "no_copy"  # may be indexed, no copy may be stored
    MAY_DENY = "may_deny"  # nothing, unless the operator's policy hardens the row
    DENY_BY_POLICY = "deny_by_policy"  # our reading refuses; the operator's policy may lift it
    DENY_UNLESS_RESEARCH_ORG = "deny_unless_research_org"  # Directive (EU) 2019/790, Article 3
    DENY = "deny"

    @property
    def denies(self) -> bool:
        """Whether the content is refused for the purpose. A cell that is not resolved counts as a refusal."""
        return _STRICTNESS[self] >= _STRICTNESS[Effect.MAY_DENY]


_STRICTNESS = {effect: rank for rank, effect in enumerate(Effect)}


class Row(StrEnum):
    """The rows of the table. The value is the row's number, and never changes its meaning."""

    OPERATOR_BLOCKLIST = "0"
    ROBOTS_UNREACHABLE = "1"
    ROBOTS_DISALLOW = "2"
    PEER_AI_BLOCKS = "3"
    AI_PROHIBITION = "3a"
    ROBOTS_DENIED = "4"
    CONTENT_USAGE_TRAIN_AI = "5"
    CONTENT_USAGE_SEARCH = "6"
    CONTENT_USAGE_MALFORMED = "6a"
    CONTENT_SIGNAL_AI_TRAIN = "7a"
    CONTENT_SIGNAL_AI_INPUT = "7b"
    CONTENT_SIGNAL_SEARCH = "7c"
    CONTENT_SIGNAL_MALFORMED = "7d"
    CONTENT_SIGNAL_USE_IMMEDIATE = "8a"
    CONTENT_SIGNAL_USE_REFERENCE = "8b"
    TDM_RESERVATION = "9"
    TDM_MALFORMED = "9a"
    LICENCE_TERMS = "10"
    LICENCE_UNKNOWN = "10a"
    AI_TXT = "11"
    TRUST_TXT = "11a"
    TRUST_TXT_INVALID = "11b"
    ACCESS_RESTRICTION = "12"
    PAYWALL = "13"
    PAYWALL_METERED = "13a"
    NOINDEX = "14"
    NOARCHIVE = "15"
    NOSNIPPET = "16"
    NOAI = "17"
    NOIMAGEAI = "17a"
    ASSET_MINING = "18"
    ASSET_MINING_EXCEPT_SEARCH = "18a"
    ASSET_TRAINING = "18b"
    ASSET_INFERENCE = "18c"
    PACE = "19"


class Moment(StrEnum):
    """When a row's statements can be known. What is known only after the download discards the body."""

    BEFORE = "before"
    HEADERS = "headers"
    PAGE = "page"
    ASSET = "asset"
    SCHEDULER = "scheduler"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCells:
    """One row: a label for people, what it does for each purpose, and when it can be known."""

    label: str
    cells: Mapping[Purpose, Effect]
    moments: tuple[Moment, ...]


_D = Effect.DENY
_d = Effect.DENY_BY_POLICY
_m = Effect.MAY_DENY
_r = Effect.DENY_UNLESS_RESEARCH_ORG
_o = Effect.NONE
_B, _H, _P, _A, _S = Moment


def _row(
    label: str,
    moments: tuple[Moment, ...],
    *,
    training: Effect,
    ai_input: Effect,
    search: Effect,
    archive: Effect,
    research: Effect,
) -> RowCells:
    cells = {
        Purpose.AI_TRAINING: training,
        Purpose.AI_INPUT: ai_input,
        Purpose.SEARCH: search,
        Purpose.ARCHIVE: archive,
        Purpose.RESEARCH: research,
    }
    return RowCells(label=label, cells=MappingProxyType(cells), moments=moments)


def _all(label: str, moments: tuple[Moment, ...], cell: Effect) -> RowCells:
    return _row(label, moments, training=cell, ai_input=cell, search=cell, archive=cell, research=cell)


# fmt: off
#: In the order of evaluation. Cells: training, retrieval for answers, search, archive, research.
TABLE: Mapping[Row, RowCells] = MappingProxyType({
    Row.OPERATOR_BLOCKLIST: _all("operator's block list", (_B,), _D),
    Row.ROBOTS_UNREACHABLE: _all("robots.txt unreachable", (_B,), _D),
    Row.ROBOTS_DISALLOW: _all("robots.txt Disallow", (_B,), _D),
    Row.PEER_AI_BLOCKS: _row("robots.txt refuses other AI agents", (_B,),
        training=_d, ai_input=_d, search=_o, archive=_o, research=_o),
    Row.AI_PROHIBITION: _row("unregistered robots.txt line against AI use", (_B,),
        training=_d, ai_input=_o, search=_o, archive=_o, research=_o),
    Row.ROBOTS_DENIED: _all("robots.txt answered 401 or 403", (_B,), _d),
    Row.CONTENT_USAGE_TRAIN_AI: _row("Content-Usage train-ai=n", (_B, _H),
        training=_D, ai_input=_o, search=_o, archive=_o, research=_d),
    Row.CONTENT_USAGE_SEARCH: _row("Content-Usage search=n", (_B, _H),
        training=_o, ai_input=_d, search=_D, archive=_o, research=_o),
    Row.CONTENT_USAGE_MALFORMED: _all("Content-Usage that cannot be read", (_B, _H), _m),
    Row.CONTENT_SIGNAL_AI_TRAIN: _row("Content-Signal ai-train=no", (_B, _H),
        training=_D, ai_input=_o, search=_o, archive=_o, research=_d),
    Row.CONTENT_SIGNAL_AI_INPUT: _row("Content-Signal ai-input=no", (_B, _H),
        training=_o, ai_input=_D, search=_o, archive=_o, research=_o),
    Row.CONTENT_SIGNAL_SEARCH: _row("Content-Signal search=no", (_B, _H),
        training=_o, ai_input=_d, search=_D, archive=_d, research=_o),
    Row.CONTENT_SIGNAL_MALFORMED: _all("Content-Signal that cannot be read", (_B, _H), _m),
    Row.CONTENT_SIGNAL_USE_IMMEDIATE: _row("Content-Signal use=immediate", (_B, _H),
        training=_D, ai_input=_D, search=_D, archive=_D, research=_d),
    Row.CONTENT_SIGNAL_USE_REFERENCE: _row("Content-Signal use=reference", (_B, _H),
        training=_D, ai_input=_D, search=_o, archive=_D, research=_d),
    Row.TDM_RESERVATION: _row("tdm-reservation 1", (_B, _H, _P),
        training=_D, ai_input=_D, search=_d, archive=_d, research=_r),
    Row.TDM_MALFORMED: _all("tdm-reservation that cannot be read", (_B, _H, _P), _m),
    # Whether the terms cover a purpose (token, user, place, payment) is judged before this row is asked.
    Row.LICENCE_TERMS: _all("RSL terms do not permit the purpose", (_B, _H, _P), _D),
    Row.LICENCE_UNKNOWN: _row("RSL terms announced and not readable", (_B, _H, _P),
        training=_D, ai_input=_d, search=_d, archive=_d, research=_d),
    Row.AI_TXT: _row("ai.txt refuses", (_B,),
        training=_D, ai_input=_o, search=_o, archive=_o, research=_o),
    Row.TRUST_TXT: _row("trust.txt datatrainingallowed=no", (_B,),
        training=_D, ai_input=_o, search=_o, archive=_o, research=_o),
    Row.TRUST_TXT_INVALID: _row("trust.txt with a no among contradictions", (_B,),
        training=_d, ai_input=_o, search=_o, archive=_o, research=_o),
    Row.ACCESS_RESTRICTION: _all("access refused or challenged", (_H,), _D),
    Row.PAYWALL: _row("declared paywall or login wall", (_P,),
        training=_D, ai_input=_D, search=_d, archive=_D, research=_D),
    Row.PAYWALL_METERED: _all("metered access", (_P,), _d),
    Row.NOINDEX: _row("noindex, none or expired", (_B, _H, _P),
        training=_d, ai_input=_D, search=_D, archive=_d, research=_d),
    Row.NOARCHIVE: _row("noarchive or nocache", (_H, _P),
        training=_d, ai_input=_d, search=Effect.NO_COPY, archive=_D, research=_o),
    Row.NOSNIPPET: _row("nosnippet or max-snippet:0", (_H, _P),
        training=_d, ai_input=_D, search=Effect.NO_EXCERPT, archive=_o, research=_o),
    Row.NOAI: _row("noai", (_H, _P),
        training=_D, ai_input=_d, search=_o, archive=_o, research=_o),
    Row.NOIMAGEAI: _row("noimageai", (_H, _P),
        training=Effect.NO_IMAGES, ai_input=_o, search=_o, archive=_o, research=_o),
    Row.ASSET_MINING: _row("data mining refused in the asset", (_A,),
        training=_D, ai_input=_D, search=_D, archive=_d, research=_d),
    Row.ASSET_MINING_EXCEPT_SEARCH: _row("data mining except search refused in the asset", (_A,),
        training=_D, ai_input=_D, search=_o, archive=_d, research=_d),
    Row.ASSET_TRAINING: _row("training refused in the asset", (_A,),
        training=_D, ai_input=_o, search=_o, archive=_d, research=_d),
    Row.ASSET_INFERENCE: _row("inference refused in the asset", (_A,),
        training=_o, ai_input=_D, search=_o, archive=_o, research=_o),
    Row.PACE: _all("Crawl-delay, Request-rate, Visit-time, Retry-After", (_S,), Effect.THROTTLE),
})
# fmt: on

#: Rows with a refusal that is our reading and not the specification's: the policy may lift it.
LIFTABLE = frozenset(row for row, cells in TABLE.items() if _d in cells.cells.values())
#: Rows that say nothing by the specification, and that a strict policy may read as a refusal.
HARDENABLE = frozenset(row for row, cells in TABLE.items() if _m in cells.cells.values())

#: The names under which an operator's policy switches rows; each switch stands for one behaviour.
SWITCHES: Mapping[str, tuple[Row, ...]] = MappingProxyType(
    {
        "honour_peer_ai_blocks": (Row.PEER_AI_BLOCKS,),
        "honour_ai_prohibitions": (Row.AI_PROHIBITION,),
        "honour_denied_robots": (Row.ROBOTS_DENIED,),
        "honour_preferences_by_analogy": (
            Row.CONTENT_USAGE_TRAIN_AI,
            Row.CONTENT_USAGE_SEARCH,
            Row.CONTENT_SIGNAL_AI_TRAIN,
            Row.CONTENT_SIGNAL_SEARCH,
            Row.CONTENT_SIGNAL_USE_IMMEDIATE,
            Row.CONTENT_SIGNAL_USE_REFERENCE,
        ),
        "honour_tdm_beyond_mining": (Row.TDM_RESERVATION,),
        "honour_unknown_licences": (Row.LICENCE_UNKNOWN,),
        "honour_contradictory_trust_txt": (Row.TRUST_TXT_INVALID,),
        "honour_paywalls_for_search": (Row.PAYWALL,),
        "honour_metering": (Row.PAYWALL_METERED,),
        "honour_page_directives_by_analogy": (Row.NOINDEX, Row.NOARCHIVE, Row.NOSNIPPET, Row.NOAI),
        "honour_asset_rights_by_analogy": (
            Row.ASSET_MINING,
            Row.ASSET_MINING_EXCEPT_SEARCH,
            Row.ASSET_TRAINING,
        ),
        "deny_malformed_preferences": (Row.CONTENT_USAGE_MALFORMED, Row.CONTENT_SIGNAL_MALFORMED),
        "deny_malformed_reservations": (Row.TDM_MALFORMED,),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """The operator's deviations from the table's defaults; the empty value is the default policy.

    `lifted` rows lose their `DENY_BY_POLICY` cells and nothing else; `hardened` rows refuse where the table
    says `MAY_DENY`; `research_org` declares the operator a research organisation in the sense of Article 3
    of Directive (EU) 2019/790, which lifts exactly the cells that name it.
    """

    lifted: frozenset[Row] = frozenset()
    hardened: frozenset[Row] = frozenset()
    research_org: bool = False


DEFAULTS = Switched()


def cell(row: Row, purpose: Purpose) -> Effect:
    """Return what the table says, before any switch."""
    return TABLE[row].cells[purpose]


def _resolved(row: Row, found: Effect, switched: Switched) -> Effect:
    if found is Effect.DENY_BY_POLICY and row in switched.lifted:
        return Effect.NONE
    if found is Effect.MAY_DENY:
        return Effect.DENY_BY_POLICY if row in switched.hardened else Effect.NONE
    if found is Effect.DENY_UNLESS_RESEARCH_ORG:
        return Effect.NONE if switched.research_org else Effect.DENY
    return found


def strictest(effects: Iterable[Effect]) -> Effect:
    """Return the most restrictive of some effects; of none, NONE."""
    return max(effects, key=_STRICTNESS.__getitem__, default=Effect.NONE)


@lru_cache(maxsize=4096)
def _effect(row: Row, purposes: frozenset[Purpose], switched: Switched) -> Effect:
    cells = TABLE[row].cells
    # An agent without a purpose is a mistake elsewhere; it gets what an agent with all of them would.
    return strictest(_resolved(row, cells[purpose], switched) for purpose in purposes or Purpose)


def effect(row: Row, purposes: Iterable[Purpose], switched: Switched = DEFAULTS) -> Effect:
    """Return the most restrictive effect of a row over all purposes of an agent, switches applied.

    The result is never MAY_DENY nor DENY_UNLESS_RESEARCH_ORG.
    """
    return _effect(row, frozenset(purposes), switched)


def refused_purposes(
    row: Row, purposes: Iterable[Purpose], switched: Switched = DEFAULTS
) -> tuple[Purpose, ...]:
    """Return which of an agent's purposes a row refuses, in the order of the vocabulary."""
    given = frozenset(purposes) or frozenset(Purpose)
    return tuple(
        purpose
        for purpose in Purpose
        if purpose in given and _resolved(row, cell(row, purpose), switched).denies
    )


def switched_by(values: Mapping[str, bool], *, research_org: bool = False) -> Switched:
    """Return the deviations that a policy's switches amount to.

    `honour_…` false lifts, `deny_…` true hardens; what is not named keeps the table's default.
    Raises ValueError for a name that is not in `SWITCHES`.
    """
    unknown = sorted(set(values) - set(SWITCHES))
    if unknown:
        known = ", ".join(SWITCHES)
        raise ValueError(f"unknown signal switch {unknown[0]!r}; the known ones are: {known}")
    lifted = [
        row for name, on in values.items() if name.startswith("honour_") and not on for row in SWITCHES[name]
    ]
    hardened = [
        row for name, on in values.items() if name.startswith("deny_") and on for row in SWITCHES[name]
    ]
    return Switched(lifted=frozenset(lifted), hardened=frozenset(hardened), research_org=research_org)
