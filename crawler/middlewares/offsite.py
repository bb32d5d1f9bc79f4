"""Offsite: Scrapy's own rule, with a record for every request that it drops.

A link that is not followed is a decision too; stock Scrapy counts it and forgets which it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrapy.downloadermiddlewares.offsite import OffsiteMiddleware
from scrapy.exceptions import IgnoreRequest

from crawler.refusals import Refusals
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request, Spider
    from scrapy.crawler import Crawler


class RecordedOffsiteMiddleware(OffsiteMiddleware):
    """See the module."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        middleware = super().from_crawler(crawler)
        middleware._refusals = Refusals.of(crawler)  # noqa: SLF001 - our own attribute
        return middleware

    _refusals: Refusals

    def process_request(self, request: Request, spider: Spider | None = None) -> None:  # noqa: ARG002
        """Drop a request to another site, and record it."""
        try:
            super().process_request(request)
        except IgnoreRequest:
            allowed = ", ".join(getattr(self.crawler.spider, "allowed_domains", None) or ())
            self._refusals.refuse(request, Reason.OFFSITE, source="allowed_domains", note=f"only {allowed}")
            raise
