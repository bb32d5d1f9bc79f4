"""The ready-made spider: `scrapy crawl site -a url=URL[,URL...]`.

Follows the links of the start URLs' hosts and yields one small item a page kept: its URL, title, media
type, size and digest. What it leaves out by itself (other schemes, files that are not pages) is recorded
like every other refusal.
"""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.http import HtmlResponse, TextResponse
from scrapy.linkextractors import IGNORED_EXTENSIONS

from blocklists.errors import UsageError
from blocklists.host import split_origin
from crawler.refusals import Refusals
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from typing import Self

    from scrapy.crawler import Crawler
    from scrapy.http import Response

# The longest first, so that `.tar.gz` is called so; as in Scrapy's own link extractor the path's end decides.
_NOT_PAGES = tuple(sorted((f".{extension}" for extension in IGNORED_EXTENSIONS), key=len, reverse=True))


class SiteSpider(Spider):
    """See the module. Arguments: `url`, one or more URLs with commas between; `follow=0` for these only.

    `render=1` has every page rendered in a browser first; see `middlewares/browser.py`.
    """

    name = "site"

    def __init__(self, url: str | None = None, follow: str = "1", render: str = "0", **kwargs: str) -> None:
        super().__init__(**kwargs)
        self.start_urls = [part.strip() for part in (url or "").split(",") if part.strip()]
        if not self.start_urls:
            raise UsageError("name a start: scrapy crawl site -a url=https://www.example.com/")
        self._follow = follow not in ("0", "false", "no")
        self._meta = {"playwright": True} if render not in ("0", "false", "no") else {}
        hosts: list[str] = []
        for start in self.start_urls:
            parts = split_origin(start)
            if parts is None:
                raise UsageError(f"{start!r} is not an http or https URL; write it in full, with https://")
            if parts[1] not in hosts:
                hosts.append(parts[1])
        self.allowed_domains = hosts

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: str, **kwargs: str) -> Self:
        """Build it for a crawler; a wrong argument ends the process with one line and exit code 2."""
        try:
            return super().from_crawler(crawler, *args, **kwargs)
        except UsageError as error:
            sys.stderr.write(f"sekisho: {error}\n")
            raise SystemExit(int(error.exit_code)) from None

    async def start(self) -> AsyncIterator[Any]:
        """Yield the start URLs; each once, whatever a resumed crawl has seen."""
        for url in self.start_urls:
            yield Request(url, callback=self.parse, meta=dict(self._meta))

    def parse(self, response: Response) -> Iterator[Any]:
        """Yield what was kept of a page, and the links to follow."""
        title = ""
        if isinstance(response, HtmlResponse):
            title = (response.css("title::text").get() or "").strip()[:300]
        yield {
            "url": response.url,
            "title": title,
            "media_type": (response.headers.get(b"Content-Type") or b"").decode("latin-1").split(";")[0],
            "bytes": len(response.body),
            "sha256": hashlib.sha256(response.body).hexdigest(),
        }
        if self._follow and isinstance(response, HtmlResponse):
            yield from self._links(response)

    def _links(self, response: TextResponse) -> Iterator[Request]:
        seen: set[str] = set()
        unwanted: dict[str, None] = {}
        for element in response.css("a[href], area[href]"):
            href = element.attrib["href"]
            if "nofollow" in element.attrib.get("rel", "").lower().split():
                unwanted[href] = None
                continue
            try:
                target = response.urljoin(href.strip()).split("#", 1)[0]
                path = urlsplit(target).path.lower()
                if not target.startswith(("http://", "https://")) or target in seen:
                    continue
                seen.add(target)
                request = Request(target, callback=self.parse, meta=dict(self._meta))
            except ValueError:
                continue  # not an address: there is nothing that could be asked for
            if path.endswith(_NOT_PAGES):
                extension = next(ending for ending in _NOT_PAGES if path.endswith(ending))
                Refusals.of(self.crawler).refuse(
                    request,
                    Reason.REFUSED_BY_SPIDER,
                    source="spider site",
                    note=f"{extension} is not a page",
                    parent_url=response.url,
                )
                continue
            yield request
        self._leave_out(response, unwanted, seen)

    def _leave_out(self, response: TextResponse, unwanted: Iterable[str], followed: set[str]) -> None:
        """Record the links that ask not to be followed, unless another link of the page names them too."""
        for href in unwanted:
            try:
                target = response.urljoin(href.strip()).split("#", 1)[0]
                if target in followed or not target.startswith(("http://", "https://")):
                    continue
                request = Request(target)
            except ValueError:
                continue
            Refusals.of(self.crawler).refuse(
                request,
                Reason.NOFOLLOW,
                source=response.url,
                note='link with rel="nofollow"',
                parent_url=response.url,
            )
