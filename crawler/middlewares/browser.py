"""Browser: renders the pages for which a spider asks that, once they were judged and before they are kept.

Takes the meta keys of scrapy-playwright: `playwright`, `playwright_page_methods` and, of
`playwright_page_goto_kwargs`, `wait_until`. The page is fetched through the door like any other and judged as
it came; only what passes is shown to Chromium. Then the rendered document is judged once more, since a script
can put a gate or a reservation there, and that judgement is the recorded one.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakKeyDictionary

from scrapy import signals
from scrapy.downloadermiddlewares.redirect import RedirectMiddleware
from scrapy.exceptions import NotConfigured
from scrapy.http import HtmlResponse

from crawler.browser.chromium import WINDOW_KEYS, Chromium
from crawler.browser.closed_ways import RULE
from crawler.browser.errors import BrowserMissingError, RenderingEnded
from crawler.browser.limits import Limits
from crawler.browser.locate import require_browser
from crawler.browser.rendering import Rendered, Rendering
from crawler.browser.subrequests import Subrequests
from crawler.checkpoint import Checkpoint
from crawler.errors import SekishoSkip, SetupError
from crawler.middlewares.access import AccessPageMiddleware
from crawler.middlewares.rights import RightsMiddleware
from policies.vocabulary import Action, Assessment, Evidence, Reason, RequestKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from crawler.visit import Visit

logger = logging.getLogger(__name__)
KEY: Final = "playwright"
_Middleware = TypeVar("_Middleware")
# Keys of scrapy-playwright that would give the browser itself out of hand, or into other hands.
REFUSED_KEYS: Final = (
    "playwright_include_page",
    "playwright_page",
    "playwright_page_event_handlers",
    "playwright_page_init_callback",
)
_HTML: Final = b"text/html; charset=utf-8"


def _verdict(action: Action, reason: Reason, note: str, *, text: str = "") -> Verdict:
    evidence = Evidence(source="browser", text=text[:500], note=note[:500])
    return Verdict(rule=RULE, action=action, reason=reason, evidence=(evidence,))


def _methods(request: Request) -> Sequence[Any]:
    given = request.meta.get("playwright_page_methods") or ()
    return tuple(given.values()) if isinstance(given, dict) else tuple(given)


def what_is_not_offered(request: Request) -> str:
    """Return what a request asks of the browser that it may not have, or an empty text."""
    for key in REFUSED_KEYS:
        if request.meta.get(key):
            return (
                f"meta[{key!r}] is not offered: the browser stays in our hands; use playwright_page_methods"
            )
    window = request.meta.get("playwright_context_kwargs") or {}
    odd = sorted(str(key) for key in window if key not in WINDOW_KEYS)
    if odd:
        known = ", ".join(sorted(WINDOW_KEYS))
        return f"meta['playwright_context_kwargs'] may hold {known}; not {', '.join(odd)}"
    for method in _methods(request):
        if not all(hasattr(method, name) for name in ("method", "args", "kwargs")):
            return f"meta['playwright_page_methods'] holds {type(method).__name__}, which is no PageMethod"
    return ""


class BrowserMiddleware:
    """See the module."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        checkpoint = self._checkpoint = Checkpoint.of(crawler)
        config = checkpoint.config
        self._limits = Limits(
            seconds=config.browser_timeout,
            requests=config.browser_requests,
            octets=config.browser_bytes,
            skipped=config.browser_skip,
        )
        self._chromium = Chromium(checkpoint, wanted=config.browser, sandbox=config.browser_sandbox)
        self._pages = asyncio.Semaphore(config.browser_pages)
        self._held: WeakKeyDictionary[Request, tuple[object, ...]] = WeakKeyDictionary()
        self._complained = False
        self._listens = False
        self._redirects: RedirectMiddleware | None
        try:
            self._redirects = RedirectMiddleware.from_crawler(crawler)
        except NotConfigured:  # the user follows no redirects, these neither
            self._redirects = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl, and end the browser with the crawl."""
        middleware = cls(crawler)
        crawler.signals.connect(middleware.spider_closed, signal=signals.spider_closed)
        return middleware

    def response_received(self, request: Request) -> None:
        """Hand over what page methods took from a page, now that the page itself is handed over."""
        for method, result in zip(_methods(request), self._held.pop(request, ()), strict=False):
            method.result = result

    async def spider_closed(self) -> None:
        """End the browser; what it may still want is recorded before the run is sealed."""
        await self._chromium.close()

    def process_request(self, request: Request) -> None:
        """Refuse what could not be rendered, before anything is sent for it."""
        if not request.meta.get(KEY):
            return
        note = what_is_not_offered(request)
        if not note:
            try:
                require_browser(self._checkpoint.config.browser)
            except BrowserMissingError as missing:
                note = str(missing)
        if note:
            self._complain(note)
            self._checkpoint.consult(request, _verdict(Action.SKIP, Reason.RENDER_FAILED, note))

    async def process_response(self, request: Request, response: Response) -> Response | Request:
        """Return the rendered page in place of the page as it came."""
        checkpoint = self._checkpoint
        visit = checkpoint.visit(request)
        if (
            not request.meta.get(KEY)
            or visit is None
            or visit.facts.kind is not RequestKind.PAGE
            or request.method != "GET"
            or not isinstance(response, HtmlResponse)
            or not 200 <= response.status < 300  # noqa: PLR2004
        ):
            return response
        if visit.response is None or visit.response.body is not response.body or not visit.rights:
            raise SetupError(f"{request.url} was to be rendered before its rights were asked")
        if not all(
            verdict.action.passes
            for verdict in self._live(AccessPageMiddleware).judge(request, visit, visit.response)
        ):
            return response  # the next middleware says so
        try:
            rendered = await self._render(request, response)
        except (RenderingEnded, BrowserMissingError) as ended:
            raise self._give_up(request, response, visit, ended) from None
        self._crawler.stats.inc_value("sekisho/browser/page_count")
        if rendered.left_for is not None:
            return self._leave(request, response, visit, rendered)
        return await self._judge_again(request, response, visit, rendered)

    async def _render(self, request: Request, response: Response) -> Rendered:
        async with self._pages:
            context = await self._chromium.context(request.meta.get("playwright_context_kwargs") or {})
            try:
                goto = request.meta.get("playwright_page_goto_kwargs") or {}
                parts = Subrequests(
                    self._crawler,
                    self._checkpoint,
                    request,
                    largest=self._limits.octets,
                    seconds=self._limits.seconds,
                )
                rendering = Rendering(
                    answer=response,
                    parts=parts,
                    closed=self._chromium.closed,
                    limits=self._limits,
                    wait_until=str(goto.get("wait_until", "load")),
                )
                return await rendering.render(context, _methods(request))
            finally:
                await self._chromium.drop(context)

    async def _judge_again(
        self, request: Request, response: Response, visit: Visit, rendered: Rendered
    ) -> Response:
        """Put the rendered document before the rules of rights; those of access stand next."""
        if visit.response is None:
            raise SetupError(f"{request.url} lost its answer while it was rendered")
        body = rendered.document.encode("utf-8", "replace")
        page = response.replace(body=body, encoding="utf-8")
        page.headers[b"Content-Type"] = _HTML
        page.flags = [*page.flags, KEY]
        fields = tuple((name, value) for name, value in visit.response.headers if name != "content-type")
        visit.response = dataclasses.replace(
            visit.response, headers=(*fields, ("content-type", _HTML.decode())), body=page.body
        )
        shown = _verdict(
            Action.KEEP,
            Reason.KEPT,
            f"the document after its scripts ran: {rendered.summary}",
            text=f"Chromium {self._chromium.version}",
        )
        visit.head = (*visit.head, *visit.rights, shown)
        if rendered.results:
            self._held[request] = rendered.results
            if not self._listens:  # a signal for every page costs also where none is rendered
                self._listens = True
                self._crawler.signals.connect(self.response_received, signal=signals.response_received)
        return await self._live(RightsMiddleware).process_response(request, page)

    def _live(self, kind: type[_Middleware]) -> _Middleware:
        """Return the middleware of a kind that is at work in this crawl."""
        engine: Any = self._crawler.engine
        for one in engine.downloader.middleware.middlewares:
            if type(one) is kind:
                return one
        raise SetupError(f"{kind.__module__} is not at work; remove what disables it")

    def _leave(self, request: Request, response: Response, visit: Visit, rendered: Rendered) -> Request:
        """Return the request for where a page led its window; it is judged like any other."""
        target = rendered.left_for or ""
        verdict = _verdict(
            Action.SKIP, Reason.REDIRECT, f"the page leads elsewhere: {rendered.summary}", text=target
        )
        self._judge(response, visit, verdict)
        if self._redirects is None or request.meta.get("dont_redirect"):
            raise SekishoSkip(verdict, request.url)
        following = self._redirects._redirect_request_using_get(request, response, target)  # noqa: SLF001 - as Scrapy
        following.meta.pop("playwright_page_methods", None)  # they were meant for the page that was left
        return self._redirects._redirect(following, request, "browser")  # noqa: SLF001 - as above

    def _give_up(
        self, request: Request, response: Response, visit: Visit, ended: RenderingEnded | BrowserMissingError
    ) -> SekishoSkip:
        reason = ended.reason if isinstance(ended, RenderingEnded) else Reason.RENDER_FAILED
        if isinstance(ended, BrowserMissingError):
            self._complain(str(ended))
        verdict = _verdict(Action.SKIP, reason, str(ended))
        self._judge(response, visit, verdict)
        return SekishoSkip(verdict, request.url)

    def _judge(self, response: Response, visit: Visit, verdict: Verdict) -> None:
        verdicts = (*visit.head, *visit.rights, verdict)
        self._checkpoint.judge_response(visit, Assessment(verdicts=verdicts), response)

    def _complain(self, note: str) -> None:
        if not self._complained:
            self._complained = True
            logger.error("sekisho: pages cannot be rendered: %s", note)
