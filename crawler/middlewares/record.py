"""Record: writes the decision to fetch, waits until it is durable, and issues the permit.

Stands nearest to the network. It asks no rule; it refuses a request that some required rule did not pass,
that was changed since it was judged, or whose User-Agent another component replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.checkpoint import Checkpoint
from policies.decide import REQUEST_RULES
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler

    from crawler.visit import Visit

RULE = "record"


def what_is_amiss(visit: Visit, request: Request) -> str:
    """Return why a judged request may not go on, or an empty text."""
    if tuple(verdict.rule for verdict in visit.verdicts) != REQUEST_RULES:
        consulted = ", ".join(verdict.rule for verdict in visit.verdicts) or "none"
        return f"rules consulted: {consulted}; required: {', '.join(REQUEST_RULES)}"
    if visit.facts.url != request.url or visit.facts.method != request.method:
        return f"judged as {visit.facts.method} {visit.facts.url}, then changed"
    if b"Authorization" in request.headers:
        return "an Authorization header was added after the request was judged"
    return ""


class RecordMiddleware:
    """See the module."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        return cls(Checkpoint.of(crawler))

    async def process_request(self, request: Request) -> None:
        """Record the decision and issue the permit, or refuse."""
        checkpoint = self._checkpoint
        visit = checkpoint.visit(request) or checkpoint.open_visit(request)
        amiss = what_is_amiss(visit, request)
        if amiss:
            evidence = Evidence(source="record", text=request.url[:500], note=amiss)
            visit.verdicts.append(
                Verdict(rule=RULE, action=Action.SKIP, reason=Reason.NO_PERMIT, evidence=(evidence,))
            )
            raise checkpoint.refuse(visit)
        # A component between `identity` and here may have set another one: the declared one is sent.
        request.headers[b"User-Agent"] = checkpoint.user_agent
        await checkpoint.permit(request, visit)
