"""Links: what a page says of following them, and Scrapy's depth and URL length limits.

There is a record for every link that is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrapy.spidermiddlewares.base import BaseSpiderMiddleware
from scrapy.spidermiddlewares.depth import DepthMiddleware
from scrapy.spidermiddlewares.urllength import UrlLengthMiddleware

from crawler.checkpoint import Checkpoint
from crawler.refusals import Refusals
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.http import Response


class NofollowMiddleware(BaseSpiderMiddleware):
    """Drops what a spider wants to ask for because of a page whose links must not be followed.

    Only the page itself may be asked for again. A link with `rel=nofollow` of its own can be told apart by
    the spider alone; the ready-made one leaves it out.
    """

    def get_processed_request(self, request: Request, response: Response | None) -> Request | None:
        """Return the request, or None, recorded, when its page forbids to follow links."""
        if response is None or response.request is None or request.url == response.url:
            return request
        visit = Checkpoint.of(self.crawler).visit(response.request)
        if visit is None or visit.nofollow is None:
            return request
        Refusals.of(self.crawler).refuse(
            request,
            Reason.NOFOLLOW,
            source=response.url,
            note=visit.nofollow.text[:200],
            parent_url=response.url,
        )
        return None


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
