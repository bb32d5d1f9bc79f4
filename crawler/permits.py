"""Permits: in-memory, one-use proofs that a durable `fetch` decision exists for exactly this request.

A permit names method, URL, User-Agent and proxy and is tied to the request object it was issued for. It is
taken out of the book when the door looks at it, whatever the door then says: it never serves twice.
Nothing in `Request.meta` can make one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from scrapy.utils.httpobj import urlparse_cached

if TYPE_CHECKING:
    from scrapy import Request

    from crawler.decisionlog.record import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """One durable decision to fetch: what it covers, and where it stands in the log."""

    method: str
    url: str
    user_agent: bytes
    receipt: Receipt
    proxy: str | None = None
    cookie: bytes | None = None


def _targets(request: Request) -> tuple[str, str]:
    """Return what a request asks its host for, as its URL is written and as Twisted sends it.

    Scrapy's handler and `twisted.web.client.URI` both take a URL to pieces and join what is not empty.
    """
    parts = urlparse_cached(request)
    url = request.url.partition("#")[0]
    written = url[len(parts.scheme) + 3 + len(parts.netloc) :]
    sent = parts.path
    if parts.params:
        sent += f";{parts.params}"
    if parts.query:
        sent += f"?{parts.query}"
    return written or "/", sent or "/"


def what_misleads(request: Request) -> str:
    """Return what makes another request of this one than its URL and method say, or an empty text.

    A Host header picks another site behind the same address (RFC 9110 section 7.2). Content of a GET can be
    read as a second request (section 9.3.1). And an empty part of a URL is lost on the way: `/a;` would be
    sent as `/a`, of which robots.txt may think otherwise.
    """
    written, sent = _targets(request)
    if written != sent or not sent.startswith("/"):
        return f"the URL would be sent as another one: {sent[:200]}"
    headers = request.headers
    if b"Authorization" in headers:
        return "an Authorization header would open an access restriction"
    if b"Host" in headers and headers.getlist(b"Host") != [urlparse_cached(request).netloc.encode()]:
        return "a Host header names another site than the URL"
    if request.body:
        return f"a {request.method} with content: it could be read as another request"
    return ""


def _what_changed(request: Request, permit: Permit) -> str:
    """Return what does not fit between a request at the door and its permit, or an empty text."""
    if request.url != permit.url:
        return f"the URL was changed after the decision for {permit.url}"
    if request.method != permit.method:
        return f"the method was changed from {permit.method} after the decision"
    if request.headers.getlist(b"User-Agent") != [permit.user_agent]:
        return "the User-Agent was changed after the decision"
    if request.meta.get("proxy") != permit.proxy:
        return "the proxy was changed after the decision"
    if request.headers.get(b"Cookie") != permit.cookie:
        return "the cookies were changed after the decision"
    misleading = what_misleads(request)
    return f"{misleading}; it was added after the decision" if misleading else ""


class PermitBook:
    """The permits that were issued and not used yet."""

    def __init__(self) -> None:
        self._permits: WeakKeyDictionary[Request, Permit] = WeakKeyDictionary()

    def issue(self, request: Request, permit: Permit) -> None:
        """Remember a permit for this very request object."""
        self._permits[request] = permit

    def redeem(self, request: Request) -> tuple[Permit | None, str]:
        """Take the permit of a request out of the book.

        Returns the permit and an empty text, or None and the words that say what does not fit.
        """
        permit = self._permits.pop(request, None)
        if permit is None:
            return None, "no decision to fetch this request was recorded"
        changed = _what_changed(request, permit)
        return (None, changed) if changed else (permit, "")

    def withdraw(self, request: Request) -> bool:
        """Take the permit of a request out of the book unused; whether there was one."""
        return self._permits.pop(request, None) is not None
