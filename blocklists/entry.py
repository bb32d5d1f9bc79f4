"""One row of a block list: what it names, how far it reaches, and who says so.

Holds values only; the fields are those that a refusal has to cite.
What a weight means in law is the operator's business; which weights block is `BLOCKING`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003 - dataclass field
from enum import StrEnum

_MICROSECONDS_A_DAY = 86_400_000_000
_EPOCH_ORDINAL = 719_163  # date(1970, 1, 1).toordinal()


class Match(StrEnum):
    """How far an entry reaches."""

    HOST = "host"  # this host only
    SUBTREE = "subtree"  # this host and every host below it
    BELOW = "below"  # every host below this one and not the host itself (RPZ `*.x` alone)
    URL_PREFIX = "url_prefix"  # this host and path, and every path below it
    IP = "ip"  # URLs that are written with this address; never a name that resolves to it


class EntryAction(StrEnum):
    """What an entry orders. ALLOW lifts blocks of its own source; OVERRIDE, the operator's, those of all."""

    BLOCK = "block"
    ALLOW = "allow"
    OVERRIDE = "override"


class Weight(StrEnum):
    """The legal weight of a source: who recognised the site as infringing, and how."""

    COURT_ORDER = "court_order"
    AUTHORITY_DECISION = "authority_decision"
    GOVERNMENT_REPORT_NO_FINDING = "government_report_no_finding"
    RIGHTS_HOLDER_LIST = "rights_holder_list"
    INDUSTRY_BODY_RECOMMENDATION = "industry_body_recommendation"
    COMMUNITY = "community"
    OPERATOR = "operator"


# An operator puts a list into the folder in order to have it honoured, so every weight blocks, but one:
# government reports (USTR Notorious Markets, EU Watch List) say of themselves that they find nothing, and
# name general platforms. Those hits are recorded and pass.
BLOCKING: frozenset[Weight] = frozenset(Weight) - {Weight.GOVERNMENT_REPORT_NO_FINDING}

# These cite a decision, so somebody has to be named who decided.
NEEDS_AUTHORITY: frozenset[Weight] = frozenset({Weight.COURT_ORDER, Weight.AUTHORITY_DECISION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One list file in one state.

    `sha256` is the hex digest of its raw octets; `fetched_at` is UTC in microseconds, None when not stated.
    `reviewed_on` is the day on which the operator went through the list, None when nobody did: some profiles
    let a list of a weak weight block only after that. `report_url` is where its publisher takes complaints.
    """

    source_id: str
    title: str
    sha256: str
    weight: Weight
    url: str = ""
    licence: str = ""
    fetched_at: int | None = None
    reviewed_on: date | None = None
    report_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row. `pattern_raw` is the row as read; `pattern` is canonical (A-labels, lower case).

    A `url_prefix` pattern is host, path and optional query as one string. `line_no` counts from 1.
    Both ends of the term are included, as UTC days; None means no limit. `important` resists the allow
    entries of its own source. An OVERRIDE carries its owner as `authority` and its reason as `decision_ref`.
    """

    pattern_raw: str
    pattern: str
    match: Match
    source_id: str
    line_no: int
    weight: Weight
    action: EntryAction = EntryAction.BLOCK
    source_url: str = ""
    category: str = ""
    authority: str = ""
    jurisdiction: str = ""
    decision_ref: str = ""
    decision_date: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    important: bool = False

    def in_force(self, now_us: int) -> bool:
        """Whether the term covers a moment (UTC, microseconds since the epoch)."""
        if self.valid_from is None and self.valid_until is None:
            return True
        today = now_us // _MICROSECONDS_A_DAY + _EPOCH_ORDINAL
        if self.valid_from is not None and today < self.valid_from.toordinal():
            return False
        return self.valid_until is None or today <= self.valid_until.toordinal()
