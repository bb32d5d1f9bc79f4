"""Identity: every request carries the declared User-Agent, whatever a spider, a setting or a default says.

Opens the visit of a request and asks rule `scope`, since what an agent may ask for is part of who it is.
Stands first, and replaces Scrapy's UserAgentMiddleware.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.checkpoint import Checkpoint
from policies.rules.scope import judge_scope

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler


class IdentityMiddleware:
    """See the module."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        return cls(Checkpoint.of(crawler))

    def process_request(self, request: Request) -> None:
        """Set the declared User-Agent and ask whether the agent may ask for this at all."""
        checkpoint = self._checkpoint
        request.headers[b"User-Agent"] = checkpoint.user_agent
        visit = checkpoint.open_visit(request)
        checkpoint.consult(request, judge_scope(visit.facts, loopback_only=checkpoint.loopback_only))
