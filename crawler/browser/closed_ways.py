"""Records what the browser wanted and no rule was asked about, because the way was closed or a limit met.

One record for each address and reason in a run; what comes again is counted. Nothing was sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from blocklists.host import split_origin
from policies.facts import RequestFacts
from policies.vocabulary import Action, Evidence, Origin, Reason, RequestKind, Verdict

if TYPE_CHECKING:
    from crawler.checkpoint import Checkpoint

RULE: Final = "browser"
LONGEST_ADDRESS: Final = 2_000
MOST_REMEMBERED: Final = 100_000
_SCHEMES: Final = {"ws": "http", "wss": "https"}


def _printable(words: str) -> str:
    """Return words of a page without what a record or a terminal cannot carry."""
    return "".join(sign if sign.isprintable() else "?" for sign in words)


def _origin(url: str) -> Origin | None:
    """Return the origin that an address names; a websocket's is the one of its handshake."""
    scheme, mark, rest = url.partition("://")
    parts = split_origin(f"{_SCHEMES.get(scheme, scheme)}{mark}{rest}")
    return Origin(scheme=parts[0], host=parts[1], port=parts[2]) if parts else None


class ClosedWays:
    """See the module."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._seen: set[int] = set()
        self.repeated = 0

    def refuse(
        self,
        url: str,
        reason: Reason,
        note: str,
        *,
        source: str,
        method: str = "GET",
        parent: str | None = None,
    ) -> None:
        """Record that something was wanted and not asked for, and why."""
        url, note = _printable(url[:LONGEST_ADDRESS]), _printable(note)[:500]
        key = hash((url, method, reason))
        if key in self._seen or len(self._seen) >= MOST_REMEMBERED:
            self.repeated += 1
            return
        self._seen.add(key)
        checkpoint = self._checkpoint
        facts = RequestFacts(
            url=url,
            method=_printable(method)[:20],
            user_agent=checkpoint.agent.policy.user_agent,
            kind=RequestKind.SUBRESOURCE,
            origin=_origin(url),
            parent_url=parent,
        )
        evidence = (Evidence(source=source, note=note),)
        verdict = Verdict(rule=RULE, action=Action.SKIP, reason=reason, evidence=evidence)
        checkpoint.record.refusal(facts, (verdict,))
        checkpoint.tally.skip(verdict, url)
