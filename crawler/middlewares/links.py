"""Links: Scrapy's depth and URL length limits, with a record for every link that they drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrapy.spidermiddlewares.depth import DepthMiddleware
from scrapy.spidermiddlewares.urllength import UrlLengthMiddleware

from crawler.refusals import Refusals
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.http import Response


class RecordedDepthMiddleware(DepthMiddleware):
    """Depth limit."""

    def get_processed_request(self, request: Request, response: Response | None) -> Request | None:
        """Return the request, or None, recorded, when it lies too deep."""
        processed = super().get_processed_request(request, response)
        if processed is None:
            Refusals.of(self.crawler).refuse(
                request,
                Reason.DEPTH_LIMIT,
                source="setting DEPTH_LIMIT",
                note=f"depth {request.meta.get('depth')}; at most {self.maxdepth}",
                parent_url=response.url if response else None,
            )
        return processed


class RecordedUrlLengthMiddleware(UrlLengthMiddleware):
    """URL length limit."""

    def get_processed_request(self, request: Request, response: Response | None) -> Request | None:
        """Return the request, or None, recorded, when its URL is too long."""
        processed = super().get_processed_request(request, response)
        if processed is None:
            Refusals.of(self.crawler).refuse(
                request,
                Reason.URL_LENGTH,
                source="setting URLLENGTH_LIMIT",
                note=f"{len(request.url)} characters; at most {self.maxlength}",
                parent_url=response.url if response else None,
            )
        return processed
