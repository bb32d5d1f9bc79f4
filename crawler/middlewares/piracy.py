"""Piracy: asks whether the host is listed, before anything is sent to it, robots.txt included.

A downloader middleware, because start requests, redirects, refreshes, media and robots.txt pass here and
not through spider middlewares. Neither `dont_filter` nor `allow_offsite` is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.checkpoint import Checkpoint
from crawler.errors import SetupError

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler


class PiracyMiddleware:
    """See the module."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        return cls(Checkpoint.of(crawler))

    def process_request(self, request: Request) -> None:
        """Ask what the block lists say of this request's host."""
        visit = self._checkpoint.visit(request)
        if visit is None:
            raise SetupError("piracy was asked before identity: the middlewares are out of order")
        self._checkpoint.consult(request, self._checkpoint.judge_lists(visit))
