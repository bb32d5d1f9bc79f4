"""Remembers which cookies the sites of this crawl set, so that no other cookie is sent.

A cookie from elsewhere, an exported session for instance, is a key like an Authorization header: it could
open what is closed to everybody. Cookies that a site sets in this crawl are its own conversation with us, and
Scrapy may return them to that site; those of an answer that refuses access never reach it.
Holds digests of name and value, never the values, by registrable domain; bounded. A cookie that was forgotten
is one that nobody set: its request is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from blocklists.domain import registrable_domain
from crawler.visit import origin_of

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.http import Response

    from crawler.checkpoint import Checkpoint

REMEMBERED_OF_A_SITE = 20_000
"""Cookies of one registrable domain: one that sets another value with every answer forgets its own."""
REMEMBERED_COOKIES = 300_000
"""Cookies of all together, about 500 octets each where a site sets three; the site that was met longest ago
is forgotten first."""
_books: WeakKeyDictionary[Checkpoint, SiteCookies] = WeakKeyDictionary()


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace").strip()  # as Scrapy reads them into its jars


def _site(url: str) -> str:
    origin = origin_of(url)
    return registrable_domain(origin.host) if origin else ""


class SiteCookies:
    """See the module. One for each crawl: `SiteCookies.of(checkpoint)`."""

    def __init__(self) -> None:
        self._sites: OrderedDict[str, dict[int, None]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """Return how many cookies are remembered."""
        return self._count

    @staticmethod
    def of(checkpoint: Checkpoint) -> SiteCookies:
        """Return the book of a crawl, made when it is first asked for."""
        book = _books.get(checkpoint)
        if book is None:
            book = _books[checkpoint] = SiteCookies()
        return book

    def learn(self, response: Response) -> None:
        """Remember the cookies that an answer sets."""
        values = response.headers.getlist(b"Set-Cookie")
        if not values:
            return
        site = _site(response.url)
        known = self._sites.setdefault(site, {})
        self._sites.move_to_end(site)
        before = len(known)
        for value in values:
            name, equals, content = _text(value).partition(";")[0].partition("=")
            key = hash(f"{name.strip()}={content.strip()}" if equals else name.strip())
            known.pop(key, None)
            known[key] = None  # the newest comes last
            if len(known) > REMEMBERED_OF_A_SITE:
                del known[next(iter(known))]
        self._count += len(known) - before
        while self._count > REMEMBERED_COOKIES:
            self._count -= len(self._sites.popitem(last=False)[1])

    def foreign(self, request: Request) -> str:
        """Return the name of the first cookie of a request that its site did not set in this crawl, or ""."""
        values = request.headers.getlist(b"Cookie")
        if not values:
            return ""
        site = _site(request.url)
        known = self._sites.get(site, {})
        for value in values:
            for pair in _text(value).split(";"):
                if not (cookie := pair.strip()):
                    continue
                key = hash(cookie)
                if key not in known:
                    return cookie.partition("=")[0][:100] or "a nameless one"
                known[key] = known.pop(key)
                self._sites.move_to_end(site)
        return ""
