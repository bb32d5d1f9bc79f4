"""Record: writes the decision to fetch, waits until it is durable, and issues the permit.

Stands nearest to the network. It asks no rule; it refuses a request that some required rule did not pass,
that was changed since it was judged, that its headers or content turn into another one, or that would go
through a proxy where the agent must not go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocklists.host import split_origin
from crawler.checkpoint import Checkpoint
from crawler.exit_code import exit_refused
from crawler.permits import what_misleads
from crawler.site_cookies import SiteCookies
from policies.decide import REQUEST_RULES
from policies.facts import RequestFacts
from policies.rules.piracy import judge_piracy
from policies.rules.scope import judge_scope
from policies.vocabulary import Action, Evidence, Origin, Reason, RequestKind, Verdict

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler

    from crawler.visit import Visit

RULE = "record"
_REQUIRED = list(REQUEST_RULES)


def what_is_amiss(visit: Visit, request: Request) -> str:
    """Return why a judged request may not go on, or an empty text."""
    if [verdict.rule for verdict in visit.verdicts] != _REQUIRED:
        consulted = ", ".join(verdict.rule for verdict in visit.verdicts) or "none"
        return f"rules consulted: {consulted}; required: {', '.join(REQUEST_RULES)}"
    if visit.facts.url != request.url or visit.facts.method != request.method:
        return f"judged as {visit.facts.method} {visit.facts.url}, then changed"
    return what_misleads(request)


def what_forbids_proxy(proxy: str, checkpoint: Checkpoint) -> str:
    """Return why nothing may be sent to a proxy, or an empty text: it sees whatever goes through it."""
    url = proxy if "://" in proxy else f"http://{proxy}"
    parts = split_origin(url)
    facts = RequestFacts(
        url=url,
        method="GET",
        user_agent=checkpoint.agent.policy.user_agent,
        kind=RequestKind.PAGE,
        origin=Origin(scheme=parts[0], host=parts[1], port=parts[2]) if parts else None,
    )
    for verdict in (
        judge_scope(facts, loopback_only=checkpoint.loopback_only),
        judge_piracy(
            facts,
            checkpoint.snapshot.matcher,
            now_us=checkpoint.clock.now_us(),
            weights=checkpoint.profile,
        ),
    ):
        if not verdict.action.passes:
            host = facts.host or "an address that cannot be read"
            return f"the proxy is {host}, where this agent must not go: {verdict.reason.value}"
    return ""


class RecordMiddleware:
    """See the module."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._cookies = SiteCookies.of(checkpoint)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        return cls(Checkpoint.of(crawler))

    async def process_request(self, request: Request) -> None:
        """Record the decision and issue the permit, or refuse."""
        checkpoint = self._checkpoint
        visit = checkpoint.visit(request) or checkpoint.open_visit(request)
        amiss = what_is_amiss(visit, request)
        if not amiss and (cookie := self._cookies.foreign(request)):
            amiss = f"a cookie that no site set in this crawl ({cookie}) could open an access restriction"
        proxy = request.meta.get("proxy")
        if proxy and not amiss:
            amiss = what_forbids_proxy(str(proxy), checkpoint)
        if not checkpoint.armed:
            amiss = "the guard has not armed this run"
            exit_refused()
        if amiss:
            evidence = Evidence(source="record", text=request.url[:500], note=amiss)
            visit.verdicts.append(
                Verdict(rule=RULE, action=Action.SKIP, reason=Reason.NO_PERMIT, evidence=(evidence,))
            )
            raise checkpoint.refuse(visit)
        checkpoint.renew_lists(visit)
        # A component between `identity` and here may have set another one: the declared one is sent.
        request.headers[b"User-Agent"] = checkpoint.user_agent
        await checkpoint.permit(request, visit)
