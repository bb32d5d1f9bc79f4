"""All that a rule may look at. Values only; imports the vocabulary and nothing else.

Middlewares (and `sekisho explain`) fill these in; rules read them. Nothing here is fetched or computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from policies.vocabulary import Origin, RequestKind  # noqa: TC001 - dataclass fields, wanted at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """One request exactly as it would be sent.

    `url` is what would go on the wire (after Scrapy's own encoding); `origin` is None when the URL has no
    usable http(s) authority, and then nothing may be fetched; `host` is the canonical host of `origin`;
    `carries_credentials` says that the URL holds userinfo, or that the request brings an Authorization header
    or cookies of its own.
    """

    url: str
    method: str
    user_agent: str
    kind: RequestKind
    origin: Origin | None
    parent_url: str | None = None
    carries_credentials: bool = False

    @property
    def host(self) -> str:
        """The canonical host, empty when there is none."""
        return self.origin.host if self.origin else ""


class RobotsAccess(StrEnum):
    """What asking for robots.txt came to (RFC 9309 section 2.3.1)."""

    RULES = "rules"  # 2xx: the body is to be read (section 2.3.1.1)
    UNAVAILABLE = "unavailable"  # 4xx: no rules (section 2.3.1.3)
    DENIED = "denied"  # 401/403: RFC permits access, our default policy does not
    UNREACHABLE = "unreachable"  # 5xx, 429, network, challenge, too many hops: complete disallow (2.3.1.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsFile:
    """One origin's robots.txt as it was obtained.

    `url` is the well-known address of the initial origin; `final_url` where redirects ended; `status` the
    last HTTP status (None when no response came); `body` the raw octets obeyed (cut at the size limit);
    `sha256` the hex digest of exactly those octets; times are UTC microseconds; `problem` says in words
    why the file is UNREACHABLE or DENIED, or what was odd about it; `stale` marks a last good copy that is
    used because a refetch failed.
    """

    url: str
    final_url: str
    access: RobotsAccess
    status: int | None
    body: bytes
    sha256: str
    fetched_at: int
    expires_at: int
    problem: str = ""
    stale: bool = False
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFacts:
    """One response as received. `headers` keeps order and repeats, names in lower case.

    `body` is decoded from its content-encoding when `decoded`; `location` is the absolute redirect target.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    location: str | None = None

    def header(self, name: str) -> str | None:
        """Return the first value of a header (name in lower case), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    @property
    def media_type(self) -> str:
        """The media type without parameters, lower case, empty when none was declared."""
        return (self.header("content-type") or "").split(";", 1)[0].strip().lower()
