"""Sends the requests for the files in which a site states its rules, whatever file it is.

Each is asked for through the same middlewares, log and door as any page: it needs a permit, it is paced, and
its octets are stored as evidence. Redirects are followed here, hop by hop, each with its own decision;
nothing else follows, retries or caches them. How an answer is read is decided in `policies/signals/`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urljoin

from scrapy import Request
from scrapy.exceptions import IgnoreRequest
from scrapy.http.request import NO_CALLBACK

from crawler.visit import header_fields
from policies.signals.robots_fetch import MAX_HOPS
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from crawler.checkpoint import Checkpoint
    from policies.vocabulary import RequestKind

RULE = "site_file"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEPT = Verdict(rule=RULE, action=Action.KEEP, reason=Reason.SITE_FILE)

Headers = tuple[tuple[str, str], ...]


_Key = TypeVar("_Key")
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What asking came to, at the end of all redirects.

    `final_url` is the address asked last, `hops` counts the redirects met; `status` is None and `error` says
    why when there is no usable response; `headers` keeps order and repeats, names in lower case.
    """

    final_url: str
    status: int | None
    headers: Headers
    body: bytes
    fetched_at: int
    hops: int
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one kind of file is asked for.

    `largest` is the size in octets above which a download is given up; `stored` cuts a body to what is read,
    which is what the log keeps; `stats` begins the names of the counters; `heard` is told every response.
    """

    kind: RequestKind
    largest: int
    stored: Callable[[bytes], bytes]
    stats: str
    heard: Callable[[Request, Response], Awaitable[None]] | None = None


class SharedAsks(Generic[_Key, _Found]):
    """What is being asked for: each key once at a time, however many callers wait."""

    def __init__(self) -> None:
        self._asking: dict[_Key, asyncio.Future[_Found]] = {}

    async def get(self, key: _Key, ask: Callable[[], Coroutine[Any, Any, _Found]]) -> _Found:
        """Return what asking for a key comes to, joining those who ask for it already."""
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(ask())
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        # One caller that goes away must not take the answer from the others.
        return await asyncio.shield(asking)


class SiteFetch:
    """See the module."""

    def __init__(self, crawler: Crawler, checkpoint: Checkpoint, manner: Manner) -> None:
        self._crawler = crawler
        self._checkpoint = checkpoint
        self._manner = manner

    async def ask(self, first: str, parent: str | None = None) -> Answer:
        """Ask for a file, following redirects; `parent` is the address that named it."""
        url, hops = first, 0
        while True:
            response, error = await self._get(url, parent)
            location = _location(response)
            if location is not None:
                hops += 1
                if hops <= MAX_HOPS:
                    parent, url = url, location
                    continue
            return Answer(
                final_url=url,
                status=None if response is None else response.status,
                headers=() if response is None else header_fields(response),
                body=b"" if response is None else response.body,
                fetched_at=self._checkpoint.clock.now_us(),
                hops=hops,
                error=error,
            )

    async def _get(self, url: str, parent: str | None) -> tuple[Response | None, str | None]:
        """Send one request through middlewares and door; return the response, or why there is none."""
        stats, prefix = self._crawler.stats, self._manner.stats
        try:
            request = self._request(url, parent)
        except ValueError as error:
            return None, f"an address that cannot be asked: {error}"
        self._checkpoint.declare(request, self._manner.kind)
        stats.inc_value(f"{prefix}/request_count")
        try:
            response = await self._crawler.engine.download_async(request)
        except IgnoreRequest as refusal:
            return None, f"not asked: {refusal}"
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the file was not obtained
            stats.inc_value(f"{prefix}/exception_count/{type(error)}")
            return None, f"{type(error).__name__}: {error}"[:300]
        stats.inc_value(f"{prefix}/response_count")
        stats.inc_value(f"{prefix}/response_status_count/{response.status}")
        self._store(request, response)
        if self._manner.heard is not None and response.status not in REDIRECTS:
            await self._manner.heard(request, response)
        return response, None

    def _request(self, url: str, parent: str | None) -> Request:
        return Request(
            url,
            priority=1000,
            callback=NO_CALLBACK,
            meta={
                "dont_redirect": True,
                "dont_retry": True,
                "dont_cache": True,
                "dont_merge_cookies": True,
                "allow_offsite": True,
                "handle_httpstatus_all": True,
                "download_timeout": self._checkpoint.config.robots_timeout,
                "download_maxsize": self._manner.largest,
                "download_warnsize": 0,
                **({"redirect_urls": [parent]} if parent else {}),
            },
        )

    def _store(self, request: Request, response: Response) -> None:
        """Record the response with the octets that are read, as evidence."""
        visit = self._checkpoint.visit(request)
        if visit is None or visit.receipt is None:
            return
        verdict = _KEPT
        if response.status in REDIRECTS:
            where = response.headers.get(b"Location", b"") or b""
            note = f"redirects to {where.decode('latin-1')[:400]}"
            evidence = Evidence(source="response header Location", note=note)
            verdict = Verdict(rule=RULE, action=Action.KEEP, reason=Reason.SITE_FILE, evidence=(evidence,))
        self._checkpoint.record.response(
            visit, (verdict,), verdict, response, document=self._manner.stored(response.body)
        )


def _location(response: Response | None) -> str | None:
    """Return where a response redirects to, or None when it does not."""
    if response is None or response.status not in REDIRECTS:
        return None
    location = response.headers.get(b"Location")
    if not location:
        return None
    try:
        return urljoin(response.url, location.decode("latin-1"))
    except ValueError:
        return None
