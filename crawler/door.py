"""The door: the last step before the socket. It holds no opinion; it asks for the permit.

`Downloader` is Scrapy's own with two changes: its handlers ask for a permit, and `meta["download_slot"]`
cannot choose another queue than the host's. `GuardedHandlers` is the one place in the process that sees
everything that Scrapy sends, whatever scheduled it, with its final URL, method and headers
(`core/downloader/handlers/__init__.py` of Scrapy 2.19). A request without a fitting permit is refused and
the refusal is recorded; if even that cannot be recorded, the crawl stops.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from scrapy.core.downloader.handlers import DownloadHandlers
from scrapy.utils.defer import deferred_from_coro
from scrapy.utils.httpobj import urlparse_cached
from twisted.python.failure import Failure

from crawler.browser.locate import is_browser_handler
from crawler.chain import MiddlewareChain
from crawler.checkpoint import Checkpoint
from crawler.errors import SekishoSkip, SetupError
from crawler.exit_code import exit_refused
from crawler.handlers import send_once, sign_connections, stand_behind
from crawler.middlewares.record import what_forbids_proxy
from crawler.pace_downloader import PacedDownloader
from crawler.pace_gate import as_it_was
from crawler.pacer import LeftAlone, Postponed
from crawler.tripwire import tripwire
from crawler.visit import request_facts
from policies.vocabulary import Action, Evidence, Reason, RequestKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractContextManager

    from scrapy import Request, Spider
    from scrapy.core.downloader import Slot
    from scrapy.crawler import Crawler
    from scrapy.http import Response
    from twisted.internet.defer import Deferred

    from crawler.visit import Visit

logger = logging.getLogger(__name__)
RULE = "door"
NOT_GUARDED = "sekisho_not_guarded"
"""The reason for which a crawl is closed in which a part of the guard is not in place."""
_Result = TypeVar("_Result")
LONGEST_ERROR = 300


def _short(error: BaseException) -> str:
    """Return an error in one bounded line for the log."""
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return words[:LONGEST_ERROR]


@lru_cache(maxsize=4096)
def _host(authority: str) -> str:
    """Return the host of a URL's authority as Scrapy reads it, empty when there is none."""
    return SplitResult("", authority, "", "", "").hostname or ""


@lru_cache(maxsize=4096)
def _reached(scheme: str, authority: str) -> tuple[str, int]:
    """Return host and port that a URL with this scheme and authority leads to, as Scrapy reads them."""
    parts = SplitResult(scheme, authority, "", "", "")
    return parts.hostname or "", parts.port or (443 if scheme == "https" else 80)


class GuardedHandlers(DownloadHandlers):
    """Download handlers that open for a permit only."""

    def __init__(self, crawler: Crawler) -> None:
        self._checkpoint = Checkpoint.of(crawler)
        self._wire = tripwire()
        self._by_context: set[str] = set()  # schemes whose connections the wire tells by their context
        self._passing: set[Request] = set()  # between the door and its handler, where nothing is awaited
        super().__init__(crawler)

    def _load_handler(self, scheme: str, skip_lazy: bool = False) -> Any:  # noqa: ANN401 - Scrapy's type is wider
        """Load a handler that sends what it is given once, and only what the door lets through."""
        handler: Any = super()._load_handler(scheme, skip_lazy)
        if is_browser_handler(handler):
            raise SetupError(
                f"DOWNLOAD_HANDLERS[{scheme!r}] is made from scrapy-playwright's, whose browser goes to "
                "the network by itself; remove it: meta['playwright'] works without"
            )
        if handler is not None:
            send_once(handler)
            if sign_connections(handler, self._wire):
                self._by_context.add(scheme)
            stand_behind(handler, self._let_through)
        return handler

    def _let_through(self, request: Request) -> None:
        """Raise SekishoSkip, recorded, when a handler was called past the door."""
        if request not in self._passing:
            raise self._refuse(request, "a download handler was called past the door")
        self._passing.discard(request)

    def _errand(self, request: Request) -> AbstractContextManager[None]:
        """Tell the tripwire whom a request that is let through reaches: its host, or its proxy."""
        asked = urlparse_cached(request)
        proxy = request.meta.get("proxy")
        if proxy:
            parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            host, port = _reached(parts.scheme, parts.netloc)
        else:
            host, port = _reached(asked.scheme, asked.netloc)
        return self._wire.errand(host, port, by_context=asked.scheme in self._by_context)

    def _refuse(self, request: Request, why: str) -> SekishoSkip:
        """Record that a request without a fitting permit stood at the door."""
        facts = request_facts(request, RequestKind.PAGE, self._checkpoint.agent.policy.user_agent)
        sent_as = request.headers.get(b"User-Agent")
        verdict = Verdict(
            rule=RULE,
            action=Action.SKIP,
            reason=Reason.NO_PERMIT,
            evidence=(
                Evidence(
                    source="door",
                    text=sent_as.decode("latin-1")[:500] if sent_as else "",
                    note=why,
                ),
            ),
        )
        self._checkpoint.record.refusal(facts, (verdict,))
        self._checkpoint.tally.skip(verdict, request.url)
        logger.warning("Refused at the door: %(request)s: %(why)s", {"request": request, "why": why})
        return SekishoSkip(verdict, request.url)

    async def _settle(self, request: Request, visit: Visit) -> None:
        """Return when nothing that happened since the decision stands against a request.

        It may have waited in Scrapy's queue, or here, while its site asked for a pause or other block lists
        came into force; both are looked at again until neither changed in the meantime. Raises SekishoSkip.
        """
        checkpoint = self._checkpoint
        gate = checkpoint.pace.gate
        while True:
            if gate.is_closing and gate.is_scheduled(request):
                checkpoint.withdraw(request)  # a crawl that ends finishes what has left, and nothing else
                raise Postponed(0.0)
            try:
                await checkpoint.pace.leave(visit)
            except LeftAlone as held:
                checkpoint.withdraw(request)
                skip = checkpoint.leave_alone(visit, held)
                raise Postponed(held.seconds) if checkpoint.pace.keeps(request) else skip from None
            except Postponed:
                checkpoint.withdraw(request)
                raise
            if visit.lists == checkpoint.snapshot.sha256:
                return
            await checkpoint.renew_permit(request, visit)
            proxy = request.meta.get("proxy")
            amiss = what_forbids_proxy(str(proxy), checkpoint) if proxy else ""
            if amiss:
                checkpoint.withdraw(request)
                raise self._refuse(request, amiss)

    async def download_request_async(self, request: Request) -> Response:
        """Send a request whose permit fits, and record what came of it."""
        checkpoint = self._checkpoint
        visit = checkpoint.visit(request)
        if visit is not None:
            await self._settle(request, visit)
        # From here to the handler nothing is awaited: what fits its permit is what is sent.
        permit, why = checkpoint.permits.redeem(request)
        if permit is None or visit is None:
            raise self._refuse(request, why or "nothing judged this request")
        checkpoint.require_log()
        self._get_handler(urlparse_cached(request).scheme)  # loaded first: the errand depends on it
        self._passing.add(request)
        try:
            with self._errand(request):
                response = await super().download_request_async(request)
        except BaseException as error:
            self._passing.discard(request)
            checkpoint.pace.failed(visit, error)
            visit.end_turn()
            checkpoint.tally.failed += 1
            checkpoint.record.failed(visit, permit.receipt, _short(error))
            checkpoint.collector.answered(0)  # an error and the frames that it names refer to each other
            raise
        checkpoint.heed(visit, response)  # before anything else of this origin leaves
        visit.end_turn()
        checkpoint.record.received(visit, permit.receipt, response)
        checkpoint.collector.answered(len(response.body))
        return response


class Downloader(PacedDownloader):
    """Scrapy's downloader behind the door."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._checkpoint = Checkpoint.of(crawler)
        # Scrapy builds its own handlers first; none of them has connected anywhere yet.
        self.handlers = GuardedHandlers(crawler)
        self.middleware = MiddlewareChain.like(self.middleware)

    def get_slot_key(self, request: Request) -> str:
        """Return the queue of a request: its host, never what its meta asks for."""
        request.meta.pop(self.DOWNLOAD_SLOT, None)
        if self.ip_concurrency:
            return super().get_slot_key(request)
        return _host(urlparse_cached(request).netloc)

    def fetch(
        self,
        request: Request,
        spider: Spider | None = None,  # noqa: ARG002 - Scrapy's signature
    ) -> Deferred[Response | Request]:
        """Pass a request through the middlewares, and give its turn back however that ends.

        It counts for its host from here on, also while it waits for the pace that the site asked for: the
        scheduler takes the next request from the host with the fewest, so that others are not kept waiting.
        It counts as under way at once and not when its task begins: that is what makes `needs_backout` true.
        """
        as_it_was(request)
        slot: Slot | None = None
        with suppress(ValueError):  # no address: the rules will say so
            slot = self._get_slot(request)[1]
            slot.active.add(request)
        self.active.add(request)
        exchange = deferred_from_coro(self.middleware.download_async(self._enqueue_request, request))
        return exchange.addBoth(self._release, request, slot).addBoth(self.end_pace, request)

    def _wait_for_download(
        self, slot: Slot, request: Request, queue_dfd: Deferred[Response]
    ) -> Coroutine[Any, Any, None]:
        """Count a request as under way at once, not when its task begins.

        Otherwise Scrapy 2.19 empties a host's whole queue before the first one counts, whatever
        CONCURRENT_REQUESTS_PER_DOMAIN says.
        """
        slot.transferring.add(request)
        return super()._wait_for_download(slot, request, queue_dfd)

    def _release(self, result: _Result, request: Request, slot: Slot | None) -> _Result:
        self.active.discard(request)
        visit = self._checkpoint.visit(request)
        if visit is not None:
            visit.end_turn()
            if isinstance(result, Failure) and not isinstance(result.value, Postponed | None):
                self._checkpoint.give_up(visit, _short(result.value))
        if slot is not None:
            slot.active.discard(request)
        return result


def check_door(crawler: Crawler) -> None:
    """Raise SetupError unless the running downloader and its handlers are ours."""
    downloader: Any = crawler.engine.downloader
    handlers = getattr(downloader, "handlers", None)  # somebody's own downloader need not have any
    if type(downloader) is not Downloader or type(handlers) is not GuardedHandlers:
        raise SetupError(
            f"the downloader is {type(downloader).__module__}.{type(downloader).__qualname__}, not the door; "
            "remove the setting or the code that replaces DOWNLOADER"
        )


def end_without_door(crawler: Crawler) -> bool:
    """End a running crawl whose downloader is not the door, and say so; whether it is ended.

    Only the door gives back what the paced queue hands out: without it the queue would wait for ever.
    """
    try:
        check_door(crawler)
    except SetupError as error:
        logger.critical("sekisho: %s", error)
        exit_refused()
        engine: Any = crawler.engine
        asyncio.ensure_future(engine.close_spider_async(reason=NOT_GUARDED))  # noqa: RUF006 - the engine holds it
        return True
    return False
