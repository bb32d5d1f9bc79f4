"""Permits: in-memory, one-use proofs that a durable `fetch` decision exists for exactly this request.

A permit names method, URL and User-Agent and is tied to the request object it was issued for; it is taken
out of the book when the door looks at it, whatever the door then says, so that it can never serve twice.
Nothing in `Request.meta` can make one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

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
        if request.url != permit.url:
            return None, f"the URL was changed after the decision for {permit.url}"
        if request.method != permit.method:
            return None, f"the method was changed from {permit.method} after the decision"
        if request.headers.get(b"User-Agent") != permit.user_agent:
            return None, "the User-Agent was changed after the decision"
        return permit, ""
