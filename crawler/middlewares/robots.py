"""Robots: fetches the origin's robots.txt when needed, and asks rules `robots` and `crawl_delay`.

Replaces Scrapy's RobotsTxtMiddleware: `meta["dont_obey_robotstxt"]` is not read, and what cannot be read
is not allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocklists.refresh_sources import pins_of
from crawler.checkpoint import Checkpoint
from crawler.errors import SetupError
from crawler.site_files import SiteFiles
from policies.rules.crawl_delay import judge_crawl_delay_of
from policies.rules.list_source import judge_list_source
from policies.rules.robots import judge_robots
from policies.vocabulary import Action, Evidence, Reason, RequestKind, Verdict

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler

_CRAWL_DELAY = Verdict(rule="crawl_delay", action=Action.FETCH, reason=Reason.NOT_APPLICABLE)
_RIGHTS_FILE = Evidence(
    source="policy",
    note="a file of rights is read for compliance whatever robots.txt says of it, and is not kept as content",
)
# What we ask for to know the rules: no robots.txt stands above it, and the pace holds all the same.
_SITE_FILES = {
    RequestKind.ROBOTS: (
        Verdict(rule="robots", action=Action.FETCH, reason=Reason.NOT_APPLICABLE),
        _CRAWL_DELAY,
    ),
    RequestKind.SITE_FILE: (
        Verdict(rule="robots", action=Action.FETCH, reason=Reason.NOT_APPLICABLE, evidence=(_RIGHTS_FILE,)),
        _CRAWL_DELAY,
    ),
}


class RobotsMiddleware:
    """See the module."""

    def __init__(self, crawler: Crawler) -> None:
        self._checkpoint = Checkpoint.of(crawler)
        self._stats = crawler.stats
        self.site_files = self._checkpoint.site_files = SiteFiles(crawler, self._checkpoint)
        self._token = self._checkpoint.agent.policy.token
        self._cap = self._checkpoint.agent.policy.robots.max_crawl_delay_seconds

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Ask what the site's robots.txt says of this request."""
        checkpoint = self._checkpoint
        visit = checkpoint.visit(request)
        if visit is None or visit.facts.origin is None:
            raise SetupError("robots was asked before identity: the middlewares are out of order")
        if visit.facts.kind is RequestKind.LIST:
            checkpoint.consult(request, judge_list_source(visit.facts, pins_of(checkpoint.config.blocklists)))
            checkpoint.consult(request, _CRAWL_DELAY)
            return
        if not visit.facts.kind.is_content:
            for verdict in _SITE_FILES[visit.facts.kind]:
                checkpoint.consult(request, verdict)
            return
        origin = visit.facts.origin
        site = self.site_files.usable(origin)
        if site is None:
            site = await checkpoint.pace.gate.room.inside(self.site_files.robots(origin))
        visit.readings = site.readings
        verdict = judge_robots(visit.facts, site.file, site.readings, self._token, checkpoint.intent)
        if verdict.reason is Reason.ROBOTS_DISALLOW:
            self._stats.inc_value("robotstxt/forbidden")
        elif verdict.reason is Reason.ROBOTS_UNREACHABLE:
            self._stats.inc_value("sekisho/robots_unreachable_count")
        checkpoint.consult(request, verdict)
        checkpoint.consult(request, judge_crawl_delay_of(site.readings, self._token, self._cap))
