"""Rule `scope`: what an agent may ask for at all, before any site is considered.

Only GET and HEAD over http or https (draft-illyes-aipref-cbcp asks crawlers for GET), no credentials
(Principle-Code PC-1.2c-1: access restrictions are respected, so none are opened with a key), a URL with a
usable authority, and loopback only for an agent whose contact is a placeholder.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import RequestFacts

RULE = "scope"
METHODS = frozenset({"GET", "HEAD"})
LONGEST_URL = 65_536  # octets; longer ones are refused whatever URLLENGTH_LIMIT says
_PASS = Verdict(rule=RULE, action=Action.FETCH, reason=Reason.ALLOWED)


@lru_cache(maxsize=4096)
def is_loopback(host: str) -> bool:
    """Whether a canonical host can only be this machine: loopback addresses and RFC 6761 `localhost`."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _refusal(reason: Reason, source: str, note: str) -> Verdict:
    return Verdict(
        rule=RULE, action=Action.SKIP, reason=reason, evidence=(Evidence(source=source, note=note),)
    )


def judge_scope(request: RequestFacts, *, loopback_only: bool) -> Verdict:
    """Return whether the agent may ask for this at all.

    `loopback_only` is true for an agent whose contact is a placeholder.
    """
    if len(request.url) > LONGEST_URL:
        note = f"{len(request.url)} characters; at most {LONGEST_URL} are fetched"
        return _refusal(Reason.URL_LENGTH, "request URL", note)
    if request.origin is None:
        note = "no http or https address with a valid host and port"
        return _refusal(Reason.UNPARSABLE_URL, "request URL", note)
    if request.method not in METHODS:
        return _refusal(
            Reason.POLICY_SCOPE, "request method", f"{request.method}: only GET and HEAD are sent"
        )
    if request.carries_credentials:
        note = "credentials in the URL, an Authorization header or cookies of the spider would open a door"
        return _refusal(Reason.POLICY_SCOPE, "request credentials", note)
    if loopback_only and not is_loopback(request.host):
        note = "the agent's contact is a placeholder, so it may crawl loopback only; declare a real contact"
        return _refusal(Reason.POLICY_SCOPE, "agent policy", note)
    return _PASS
