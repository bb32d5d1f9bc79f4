"""Asks for what a page needs, through the same middlewares, log and door as any page.

A request of the browser becomes a request of our own: only its address, its method and the few header fields
that say what is accepted and who asks are taken over. Redirects are followed here, hop by hop, each with its
own decision; nothing else follows, retries or caches them.
Cookies are Scrapy's alone: the page's jar for addresses of the page's own site, none for other sites.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urldefrag, urljoin

from scrapy import Request
from scrapy.exceptions import IgnoreRequest
from scrapy.http.request import NO_CALLBACK

from blocklists.domain import registrable_domain
from blocklists.host import split_origin
from crawler.errors import SekishoSkip
from crawler.site_fetch import REDIRECTS
from crawler.visit import header_fields
from policies.vocabulary import RequestKind

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from crawler.checkpoint import Checkpoint

MOST_HOPS: Final = 5
AT_ONCE: Final = 6  # requests to one host, as browsers do
# What is taken over of the browser's header. Authorization is, so that the rules see it and refuse.
TAKEN_FIELDS: Final = ("accept", "accept-language", "origin", "referer", "authorization")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the browser wants: `parent` is the address of the document that asks, `fields` its header."""

    url: str
    method: str
    parent: str
    fields: dict[str, str]
    follows: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What asking came to.

    `status` is None when nothing may be shown; `refused` says whether a rule forbade it; `location` is where
    a redirect leads that was not followed.
    """

    status: int | None = None
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    final_url: str = ""
    location: str | None = None
    refused: bool = False


def site_of(url: str) -> str:
    """Return the registrable domain that an address belongs to, or its host; empty when it has none."""
    parts = split_origin(url)
    return (registrable_domain(parts[1]) or parts[1]) if parts else ""


class Subrequests:
    """The requests of one page.

    `largest` is how many octets they may come to together, `seconds` how long one of them may take.
    """

    def __init__(
        self, crawler: Crawler, checkpoint: Checkpoint, page: Request, *, largest: int, seconds: float
    ) -> None:
        self._crawler = crawler
        self._checkpoint = checkpoint
        self._page = page
        self._site = site_of(page.url)
        self._largest = largest
        self._seconds = seconds
        self._lanes: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self.octets = 0
        self.open = True  # nothing is asked for a page that is gone

    @property
    def full(self) -> bool:
        """Whether the page has had as many octets as it may."""
        return self.octets >= self._largest

    async def ask(self, wish: Wish) -> Got:
        """Ask for one thing, following redirects where `wish.follows` says so."""
        url, parent = urldefrag(wish.url).url, wish.parent
        for _ in range(MOST_HOPS + 1):
            async with self._lanes[site_of(url)]:
                if not self.open:
                    return Got()
                got = await self._get(url, parent, wish)
            if got.location is None or not wish.follows:
                return got
            parent, url = url, urldefrag(got.location).url
        return Got()

    async def _get(self, url: str, parent: str, wish: Wish) -> Got:
        """Send one request through middlewares and door."""
        stats = self._crawler.stats
        try:
            request = self._request(url, parent, wish)
        except ValueError:
            return Got(refused=True)  # no address that anything could be sent to
        self._checkpoint.declare(request, RequestKind.SUBRESOURCE)
        stats.inc_value("sekisho/browser/request_count")
        engine: Any = self._crawler.engine
        try:
            response: Response = await engine.download_async(request)
        except IgnoreRequest as refusal:
            stats.inc_value("sekisho/browser/refused_count")
            return Got(refused=isinstance(refusal, SekishoSkip))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, there is nothing to show
            stats.inc_value(f"sekisho/browser/exception_count/{type(error).__name__}")
            return Got()
        self.octets += len(response.body)
        location: str | None = None
        if response.status in REDIRECTS and (named := response.headers.get(b"Location")):
            try:
                location = urljoin(url, named.decode("latin-1"))
            except ValueError:
                return Got()
        return Got(
            status=response.status,
            fields=header_fields(response),
            body=response.body,
            final_url=url,
            location=location,
        )

    def _request(self, url: str, parent: str, wish: Wish) -> Request:
        page = self._page.meta
        meta: dict[str, object] = {
            "dont_redirect": True,
            "dont_retry": True,
            "dont_cache": True,
            "allow_offsite": True,  # a page's parts often stand elsewhere; every rule is asked all the same
            "handle_httpstatus_all": True,
            "redirect_urls": [parent],
            "download_maxsize": max(1, min(self._largest - self.octets, self._most_of_one())),
            "download_warnsize": 0,
        }
        if site_of(url) != self._site or page.get("dont_merge_cookies"):
            meta["dont_merge_cookies"] = True
        usual = self._crawler.settings.getfloat("DOWNLOAD_TIMEOUT") or self._seconds
        meta["download_timeout"] = min(float(page.get("download_timeout") or usual), self._seconds)
        for name in ("cookiejar", "proxy"):
            if name in page:
                meta[name] = page[name]
        headers = {name: value for name, value in wish.fields.items() if name in TAKEN_FIELDS}
        return Request(
            url,
            method=wish.method,
            headers=headers,
            callback=NO_CALLBACK,
            priority=self._page.priority,
            meta=meta,
        )

    def _most_of_one(self) -> int:
        return self._crawler.settings.getint("DOWNLOAD_MAXSIZE") or self._largest
