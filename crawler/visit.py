"""A visit: one request on its way, what the rules said of it so far, and where its decision stands."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from blocklists.host import split_origin
from policies.facts import RequestFacts
from policies.vocabulary import Origin

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.http import Response

    from crawler.decisionlog.record import Receipt
    from crawler.pacer import Turn
    from policies.facts import ResponseFacts
    from policies.rules.robots import RobotsReadings
    from policies.signals.page_opened import Page
    from policies.vocabulary import Evidence, RequestKind, Verdict


def header_fields(response: Response) -> tuple[tuple[str, str], ...]:
    """Return the headers of a response in order, repeats included, with names in lower case."""
    return tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, values in response.headers.items()
        for value in values
    )


@dataclass(slots=True)
class Visit:
    """One request on its way: its facts, what the rules said so far, and where its decision stands."""

    facts: RequestFacts
    attempt: int
    lists: str = ""  # digest of the state of the block lists that judged it
    verdicts: list[Verdict] = field(default_factory=list)
    receipt: Receipt | None = None
    turn: Turn | None = None
    response: ResponseFacts | None = None
    asked_pause: float | None = None  # seconds, by the Retry-After of a 429 or 503
    head: tuple[Verdict, ...] = ()
    readings: RobotsReadings | None = None
    rights: tuple[Verdict, ...] = ()
    nofollow: Evidence | None = None  # what forbids to follow the links of its answer
    page: Page | None = None
    judged: bool = False
    digested: tuple[bytes, str] | None = None
    media_type: str | None = None
    typed: bool = False

    def digest(self, body: bytes) -> str:
        """Return the hex SHA-256 of a body, computed once while it stays the same object."""
        if self.digested is None or self.digested[0] is not body:
            self.digested = (body, hashlib.sha256(body).hexdigest())
        return self.digested[1]

    def declared_type(self, response: Response) -> str | None:
        """Return the declared media type of a response without parameters, or None; read once a visit."""
        if not self.typed:
            self.typed = True
            declared = response.headers.get(b"Content-Type")
            if declared:
                bare = declared.split(b";", 1)[0].strip().lower().decode("latin-1")
                self.media_type = bare[:100] or None
        return self.media_type

    def end_turn(self) -> None:
        """Give the turn back if one is held."""
        if self.turn is not None:
            self.turn.done()
            self.turn = None


_PREFIX = re.compile(r"[^:/?#]+://[^/?#\\]*")


@lru_cache(maxsize=8192)
def _origin(prefix: str) -> tuple[Origin | None, bool]:
    """Return the origin that a URL's scheme and authority name, and whether they hold user information."""
    parts = split_origin(prefix)
    origin = Origin(scheme=parts[0], host=parts[1], port=parts[2]) if parts else None
    return origin, "@" in prefix


def origin_of(url: str) -> Origin | None:
    """Return the origin of a URL, as `request_facts` reads it; None when it names none."""
    found = _PREFIX.match(url)
    return _origin(found[0])[0] if found and url[found.end() : found.end() + 1] != "\\" else None


def request_facts(request: Request, kind: RequestKind, user_agent: str) -> RequestFacts:
    """Return the facts of a Scrapy request as it would be sent."""
    url = request.url
    found = _PREFIX.match(url)
    # A backslash after the authority is part of what is judged: readers disagree on it.
    prefix = (
        url[: found.end() + 1] if found and url[found.end() : found.end() + 1] == "\\" else found and found[0]
    )
    origin, has_userinfo = _origin(prefix) if prefix else (None, False)
    hops = request.meta.get("redirect_urls")
    referer = None if hops else request.headers.get(b"Referer")
    parent = str(hops[-1]) if hops else referer.decode("utf-8", "replace") if referer else None
    return RequestFacts(
        url=url,
        method=request.method,
        user_agent=user_agent,
        kind=kind,
        origin=origin,
        parent_url=parent,
        carries_credentials=has_userinfo or b"Authorization" in request.headers or bool(request.cookies),
    )
