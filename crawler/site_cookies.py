"""Remembers which cookies the sites of this crawl set, so that no other cookie is sent.

A cookie from elsewhere, an exported session for instance, is a key like an Authorization header: it could
open what is closed to everybody. Cookies that a site sets in this crawl are its own conversation with us, and
Scrapy may return them; those of an answer that refuses access never reach it.
Holds digests of name and value, never the values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.http import Response

    from crawler.checkpoint import Checkpoint

_books: WeakKeyDictionary[Checkpoint, SiteCookies] = WeakKeyDictionary()


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace").strip()  # as Scrapy reads them into its jars


class SiteCookies:
    """See the module. One for each crawl: `SiteCookies.of(checkpoint)`."""

    def __init__(self) -> None:
        self._set: set[int] = set()

    @staticmethod
    def of(checkpoint: Checkpoint) -> SiteCookies:
        """Return the book of a crawl, made when it is first asked for."""
        book = _books.get(checkpoint)
        if book is None:
            book = _books[checkpoint] = SiteCookies()
        return book

    def learn(self, response: Response) -> None:
        """Remember the cookies that an answer sets."""
        for value in response.headers.getlist(b"Set-Cookie"):
            name, equals, content = _text(value).partition(";")[0].partition("=")
            self._set.add(hash(f"{name.strip()}={content.strip()}" if equals else name.strip()))

    def foreign(self, request: Request) -> str:
        """Return the name of the first cookie of a request that no site set in this crawl, or ""."""
        for value in request.headers.getlist(b"Cookie"):
            for pair in _text(value).split(";"):
                if (cookie := pair.strip()) and hash(cookie) not in self._set:
                    return cookie.partition("=")[0][:100] or "a nameless one"
        return ""
