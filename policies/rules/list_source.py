"""The rule for addresses of block lists: asked only where the operator said so, in a file.

Decides whether a request of kind LIST may go without a robots verdict: its host must be one that a source
definition pins whose licence the operator accepted. Nothing in a request can claim that for itself.
Pure: the pinned hosts arrive as an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import RequestFacts

RULE = "robots"  # it answers in the place of that rule, which does not concern lists
_PINNED = Verdict(rule=RULE, action=Action.FETCH, reason=Reason.NOT_APPLICABLE)


def judge_list_source(request: RequestFacts, pinned_hosts: frozenset[str]) -> Verdict:
    """Return FETCH for a GET of a pinned host without credentials, else SKIP."""
    if request.method == "GET" and request.host in pinned_hosts and not request.carries_credentials:
        return _PINNED
    evidence = Evidence(
        source="definitions of block lists",
        text=request.url[:500],
        note=f"asked for as a block list, but no accepted definition pins {request.host or 'its host'}",
    )
    return Verdict(rule=RULE, action=Action.SKIP, reason=Reason.POLICY_SCOPE, evidence=(evidence,))
