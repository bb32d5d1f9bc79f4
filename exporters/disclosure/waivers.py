"""Which licences and contracts were used to lift refusals of sites, read from the bases of the decisions.

A decision that needed a waiver has the reason `waiver_used`, so that the numbers come from SQL; which
document it was stands in the decision's basis, and is read from there. Asks the log; writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.disclosure.figures import Query, ask
from policies.waivers import grants_of

if TYPE_CHECKING:
    from exporters.disclosure.bases import Bases
    from exporters.disclosure.figures import Log, Scope
    from policies.waivers import Grant

_BASES = Query(
    id="waiver_bases",
    columns=("basis_sha256", "host"),
    sql=(
        "SELECT DISTINCT COALESCE(basis_sha256, ''), COALESCE(host, '') FROM decisions\n"
        "WHERE reason = 'waiver_used' AND kind = 'page' AND {scope}\nORDER BY 1, 2"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverUsed:
    """One document that was used: what it lifted (reason codes), and where. `expires` is an ISO date."""

    document: str
    granted_by: str
    owner: str
    expires: str
    reasons: tuple[str, ...]
    hosts: tuple[str, ...]


def waivers_used(log: Log, scope: Scope, bases: Bases) -> tuple[WaiverUsed, ...]:
    """Return the documents used within a scope, by their ids; several versions of one are told apart."""
    reasons: dict[tuple[str, str, str, str], set[str]] = {}
    hosts: dict[tuple[str, str, str, str], set[str]] = {}
    for sha256, host in ask(log, _BASES, scope).rows:
        assessment = bases.read(str(sha256))
        for verdict in assessment.verdicts if assessment is not None else ():
            for grant in grants_of(verdict):
                key = _key(grant)
                reasons.setdefault(key, set()).add(grant.reason)
                hosts.setdefault(key, set()).add(str(host))
    return tuple(
        WaiverUsed(
            document=document,
            granted_by=granted_by,
            owner=owner,
            expires=expires,
            reasons=tuple(sorted(reasons[document, granted_by, owner, expires])),
            hosts=tuple(sorted(hosts[document, granted_by, owner, expires])),
        )
        for document, granted_by, owner, expires in sorted(reasons)
    )


def _key(grant: Grant) -> tuple[str, str, str, str]:
    return grant.document, grant.granted_by, grant.owner, grant.expires
