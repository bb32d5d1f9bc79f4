"""What the log says of the block lists themselves: how they were refreshed, and what the operator freed.

A refresh, a change of state and an override are decisions like any other, so each is counted by a query;
what a single event was about stands in the document that its record names. A document that is missing or
cannot be read leaves its event without words, and is reported by the caller's check of the log.
Asks the log; writes nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.disclosure.bases import PERMIT_BASES
from exporters.disclosure.figures import Figure, Query, ask
from exporters.disclosure.probes import among
from policies.rules import piracy
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from exporters.disclosure.bases import Bases
    from exporters.disclosure.figures import Log, Row, Scope
    from exporters.disclosure.sources import ListsInForce

#: Events that are told one by one, the newest first; all are counted.
TOLD = 100
#: So many bases are named in the query for the uses of overrides; beyond, the number would be too low.
MOST_BASES = 5_000
OVERRIDES_SOURCE = "list:overrides"
LIST_REASONS = (
    Reason.LIST_REFRESHED,
    Reason.LIST_UNCHANGED,
    Reason.LIST_HELD,
    Reason.LIST_FAILED,
    Reason.LISTS_CHANGED,
    Reason.LISTS_KEPT,
)
_EVENTS = (
    "stage = 'run' AND reason IN (" + ", ".join(f"'{one.value}'" for one in LIST_REASONS) + ")\n  AND {scope}"
)

OUTCOMES = Query(
    id="list_outcomes",
    columns=("reason", "count", "first_us", "last_us"),
    sql="SELECT reason, COUNT(*), MIN(ts_us), MAX(ts_us) FROM decisions\n"  # noqa: S608 - constants of this module
    f"WHERE {_EVENTS}\nGROUP BY reason\nORDER BY reason",
)
EVENTS = Query(
    id="list_events",
    columns=("ts_us", "reason", "document_sha256"),
    sql="SELECT ts_us, reason, COALESCE(body_sha256, '') FROM decisions\n"  # noqa: S608 - as above
    f"WHERE {_EVENTS}\nORDER BY ts_us DESC, segment, idx DESC\nLIMIT {TOLD}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEvent:
    """One refresh of a list, or one change of state (`list` is empty then). Digests may be empty."""

    ts_us: int
    reason: str
    list: str
    entries: int | None
    before_sha256: str
    sha256: str
    by_operator: bool
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRecord:
    """See the module. `uncounted` is the number of bases that the uses of overrides had to leave out."""

    figures: dict[str, Figure]
    events: tuple[ListEvent, ...]
    uncounted: int

    @property
    def uses(self) -> Figure:
        """Permits for hosts that an override had freed: host, permits, first, last."""
        return self.figures["override_uses"]


def read_list_record(log: Log, scope: Scope, bases: Bases, lists: tuple[ListsInForce, ...]) -> ListRecord:
    """Return what the records of a scope say of the lists; bases are only read where overrides stood."""
    events = ask(log, EVENTS, scope)
    digests: list[str] = []
    if any(known.overrides for known in lists):
        named = (str(row[0]) for row in ask(log, PERMIT_BASES, scope).rows)
        digests = [sha256 for sha256 in named if _is_override(bases, sha256)]
    uses = ask(log, _uses(len(digests[:MOST_BASES])), scope, *digests[:MOST_BASES])
    figures = {"list_outcomes": ask(log, OUTCOMES, scope), "list_events": events, "override_uses": uses}
    return ListRecord(
        figures=figures,
        events=tuple(_event(log, row) for row in events.rows),
        uncounted=max(0, len(digests) - MOST_BASES),
    )


def _uses(count: int) -> Query:
    return Query(
        id="override_uses",
        columns=("host", "permits", "first_us", "last_us"),
        sql="SELECT host, COUNT(*), MIN(ts_us), MAX(ts_us) FROM decisions\n"  # noqa: S608 - a row of `?`
        "WHERE stage = 'request' AND verdict = 'fetch' AND kind = 'page' AND {scope}\n"
        f"  AND basis_sha256 IN {among(('',) * count)}\n"
        "GROUP BY host\nORDER BY 2 DESC, host",
    )


def _is_override(bases: Bases, sha256: str) -> bool:
    """Whether a decision rests on an override of the operator."""
    assessment = bases.read(sha256)
    return assessment is not None and any(
        evidence.source == OVERRIDES_SOURCE
        for verdict in assessment.verdicts
        if verdict.rule == piracy.RULE
        for evidence in verdict.evidence
    )


def _event(log: Log, row: Row) -> ListEvent:
    ts_us, reason, sha256 = row
    members = _document(log, str(sha256))
    entries = members.get("entries")
    return ListEvent(
        ts_us=ts_us if isinstance(ts_us, int) else 0,
        reason=str(reason),
        list=_text(members, "list"),
        entries=entries if isinstance(entries, int) else None,
        before_sha256=_text(members, "before_sha256") or _text(members, "from"),
        sha256=_text(members, "sha256") or _text(members, "to"),
        by_operator=members.get("accepted_by_operator") is True,
        words=_words(members),
    )


def _document(log: Log, sha256: str) -> dict[str, object]:
    """Return the members of an event's document; none when it is missing, altered or unreadable."""
    raw = log.document(sha256) if sha256 else None
    if raw is None or hashlib.sha256(raw).hexdigest() != sha256:
        return {}
    try:
        members = json.loads(raw)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def _text(members: dict[str, object], key: str) -> str:
    value = members.get(key)
    return value if isinstance(value, str) else ""


def _words(members: dict[str, object]) -> tuple[str, ...]:
    concerns = members.get("concerns")
    told = [
        _text(one, "words") or _text(one, "concern")
        for one in (concerns if isinstance(concerns, list) else ())
        if isinstance(one, dict)
    ]
    error = _text(members, "error")
    return tuple(text for text in (*told, error) if text)
