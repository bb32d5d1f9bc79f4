"""Asks for block lists, through the same middlewares, log and door as any page.

Each request needs a permit and is recorded; its octets are not stored in the log, only their digest.
Redirects are followed here and only to pinned hosts, each hop with its own decision. What becomes of an
answer is decided in `blocklists/refresh_judge.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from scrapy import Request
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.http.request import NO_CALLBACK

from blocklists.refresh_judge import MAX_ANSWER_OCTETS, Answer, is_pinned
from crawler.errors import SekishoSkip
from policies.vocabulary import Action, Reason, RequestKind, Verdict

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from crawler.checkpoint import Checkpoint

RULE = "list_file"
MOST_HOPS = 3
TIMEOUT_SECONDS = 120
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEPT = Verdict(rule=RULE, action=Action.KEEP, reason=Reason.LIST_FILE)


class ListFiles:
    """See the module."""

    def __init__(self, crawler: Crawler, checkpoint: Checkpoint) -> None:
        self._crawler = crawler
        self._checkpoint = checkpoint

    async def ask(
        self, url: str, *, pinned_hosts: frozenset[str], headers: tuple[tuple[str, str], ...] = ()
    ) -> Answer:
        """Return what an address answered in the end."""
        parent: str | None = None
        for _ in range(MOST_HOPS + 1):
            response, problem = await self._get(url, parent, headers)
            if response is None:
                return problem
            location = response.headers.get(b"Location")
            if response.status not in REDIRECTS or not location:
                return Answer(
                    url=url,
                    status=response.status,
                    body=response.body,
                    etag=_text(response, b"ETag"),
                    last_modified=_text(response, b"Last-Modified"),
                )
            parent, url = url, urljoin(url, location.decode("latin-1"))
            if not is_pinned(url, pinned_hosts):
                return Answer(url=url, status=response.status)
        return Answer(url=url, error=f"more than {MOST_HOPS} redirects")

    async def _get(
        self, url: str, parent: str | None, headers: tuple[tuple[str, str], ...]
    ) -> tuple[Response | None, Answer]:
        """Send one request through middlewares and door."""
        try:
            request = Request(url, callback=NO_CALLBACK, headers=dict(headers), meta=_meta(parent))
        except ValueError as error:
            return None, Answer(url=url, error=f"an address that cannot be asked: {error}")
        self._checkpoint.declare(request, RequestKind.LIST)
        try:
            response: Response = await self._crawler.engine.download_async(request)
        except SekishoSkip as refusal:
            return None, Answer(url=url, error=f"not asked: {refusal}")
        except (DownloadCancelledError, IgnoreRequest) as error:
            return None, Answer(url=url, error=_short(error), too_large=_is_too_large(error))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, there is no list
            return None, Answer(url=url, error=_short(error))
        visit = self._checkpoint.visit(request)
        if visit is not None and visit.receipt is not None:
            self._checkpoint.record.response(visit, (_KEPT,), _KEPT, response)
        return response, Answer(url=url)


def _is_too_large(error: BaseException) -> bool:
    """Whether Scrapy gave up a body above the limit: as it arrived, or as it unpacked."""
    return "larger than download" in str(error) or "exceeded DOWNLOAD_MAXSIZE" in str(error)


def _meta(parent: str | None) -> dict[str, object]:
    return {
        "dont_redirect": True,
        "dont_retry": True,
        "dont_cache": True,
        "dont_merge_cookies": True,
        "allow_offsite": True,
        "handle_httpstatus_all": True,
        "download_timeout": TIMEOUT_SECONDS,
        "download_maxsize": MAX_ANSWER_OCTETS,
        "download_warnsize": 0,
        **({"redirect_urls": [parent]} if parent else {}),
    }


def _text(response: Response, name: bytes) -> str:
    value = response.headers.get(name)
    return value.decode("latin-1")[:200] if value else ""


def _short(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
