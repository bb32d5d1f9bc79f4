"""Shows one page to Chromium and answers everything that it asks for meanwhile.

The page itself is answered with the octets that were fetched and judged already: it is never asked for
twice. Its scripts, styles, frames and calls become requests of our own (`subrequests.py`). When the page
leads its own window elsewhere, rendering ends there, and the target is for the caller to ask for like a
redirect. Windows, dialogs and downloads are closed. Decides nothing about addresses: the rules do.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urldefrag

from crawler.browser.errors import RenderingEnded
from crawler.browser.limits import FLOOD, Limits, why_left_out
from crawler.browser.page_script import BINDING, PAGE_SCRIPT
from crawler.browser.showing import CALLS, is_shared, leading_to, shown_fields
from crawler.browser.subrequests import Subrequests, Wish
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.async_api import BrowserContext, Frame, Page, Route
    from playwright.async_api import Request as Asked
    from scrapy.http import Response

    from crawler.browser.closed_ways import ClosedWays

logger = logging.getLogger(__name__)
QUIET_SECONDS: Final = 0.5
SETTLE_SECONDS: Final = 10.0  # after its load event a page that is never quiet is taken as it is
MOST_TOLD: Final = 100  # closed ways that one page may tell of
_WAITS: Final = frozenset({"load", "domcontentloaded", "commit", "networkidle"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What rendering came to: the document as it stands, or where the page led its window.

    `results` are those of the page methods, in their order.
    """

    document: str
    left_for: str | None
    summary: str
    results: tuple[object, ...] = ()


class Rendering:
    """One page on its way through Chromium. Used once."""

    def __init__(
        self,
        *,
        answer: Response,
        parts: Subrequests,
        closed: ClosedWays,
        limits: Limits,
        wait_until: str = "load",
    ) -> None:
        self._answer = answer
        self._parts = parts
        self._closed = closed
        self._limits = limits
        self._wait_until = wait_until if wait_until in _WAITS else "load"
        self._page: Page | None = None
        self._shown = False
        self._under_way = 0
        self._last_change = 0.0
        self._told = 0
        self._ended = asyncio.Event()
        self._stays = asyncio.Event()  # it wanted to leave its window and could not
        self._why: RenderingEnded | None = None
        self._left_for: str | None = None
        self.counts: Counter[str] = Counter()
        self.results: list[object] = []

    async def render(self, context: BrowserContext, methods: Sequence[Any]) -> Rendered:
        """Return what the page comes to; RenderingEnded when it comes to nothing within its limits.

        `methods` are scrapy-playwright's page methods, applied in order once the page has settled.
        """
        from playwright.async_api import Error  # noqa: PLC0415 - the extra

        work = asyncio.ensure_future(self._work(context, methods))
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait(
                (work, ended), timeout=self._limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if self._why is not None:
                raise self._why
            if self._left_for is not None:
                return Rendered(document="", left_for=self._left_for, summary=self.summary())
            if not work.done():
                raise RenderingEnded(
                    Reason.RENDER_LIMIT,
                    f"not finished after {self._limits.seconds:g} s; SEKISHO_BROWSER_TIMEOUT sets the limit",
                )
            return Rendered(
                document=work.result(),
                left_for=None,
                summary=self.summary(),
                results=tuple(self.results),
            )
        except Error as error:
            raise RenderingEnded(Reason.RENDER_FAILED, " ".join(str(error).split())[:300]) from error
        finally:
            self._parts.open = False
            for task in (work, ended):
                task.cancel()
            await asyncio.gather(work, ended, return_exceptions=True)

    def summary(self) -> str:
        """Return in one line what was asked for while the page was rendered."""
        return (
            ", ".join(f"{number} {what}" for what, number in sorted(self.counts.items())) or "nothing asked"
        )

    async def _work(self, context: BrowserContext, methods: Sequence[Any]) -> str:
        await context.expose_binding(BINDING, self._on_closed_way)
        await context.add_init_script(PAGE_SCRIPT)
        await context.route("**/*", self._on_route)
        page = self._page = await context.new_page()
        page.set_default_timeout(self._limits.seconds * 1000)
        context.on("page", self._on_window)
        page.on("dialog", self._on_dialog)
        page.on("crash", self._on_crash)
        await page.goto(self._answer.url, wait_until="commit", timeout=0)
        await self._loaded(page)
        await self._settle()
        for method in methods:
            await self._apply(page, method)
            await self._settle()
        size = await page.evaluate("document.documentElement ? document.documentElement.outerHTML.length : 0")
        if not isinstance(size, int) or size > self._limits.octets:
            raise RenderingEnded(
                Reason.RENDER_LIMIT,
                f"the document has grown past {self._limits.octets} octets; see SEKISHO_BROWSER_BYTES",
            )
        return await page.content()

    async def _loaded(self, page: Page) -> None:
        """Return when the page has come as far as its spider waits for.

        Playwright waits for ever once the page has begun to leave for an address that it does not get.
        """
        if self._wait_until == "commit":
            return
        state: Any = self._wait_until
        loading = asyncio.ensure_future(page.wait_for_load_state(state, timeout=0))
        staying = asyncio.ensure_future(self._stays.wait())
        try:
            await asyncio.wait((loading, staying), return_when=asyncio.FIRST_COMPLETED)
            if loading.done():
                loading.result()
        finally:
            for task in (loading, staying):
                task.cancel()
            await asyncio.gather(loading, staying, return_exceptions=True)

    async def _apply(self, page: Page, method: Any) -> None:  # noqa: ANN401 - scrapy-playwright's PageMethod
        """Apply one page method as scrapy-playwright does: a name or a function, and arguments."""
        named = method.method
        call = partial(named, page) if callable(named) else getattr(page, named, None)
        if call is None:
            raise RenderingEnded(Reason.RENDER_FAILED, f"a page has no method {named!r}")
        result = call(*method.args, **method.kwargs)
        self.results.append(await result if inspect.isawaitable(result) else result)

    async def _settle(self) -> None:
        """Return when nothing is under way for a moment, or when waiting longer makes no sense."""
        loop = asyncio.get_running_loop()
        start = self._last_change = loop.time()
        while (now := loop.time()) - start < SETTLE_SECONDS:
            if not self._under_way and now - self._last_change >= QUIET_SECONDS:
                return
            await asyncio.sleep(0.05)

    def _end(self, reason: Reason, note: str) -> None:
        if self._why is None:
            self._why = RenderingEnded(reason, note)
        self._ended.set()

    # what the browser tells

    def _on_window(self, page: Page) -> None:
        self.counts["windows closed"] += 1
        asyncio.ensure_future(_quietly(page.close()))  # noqa: RUF006 - ends by itself or with its context

    def _on_dialog(self, dialog: Any) -> None:  # noqa: ANN401 - Playwright's Dialog
        self.counts["dialogs closed"] += 1
        asyncio.ensure_future(_quietly(dialog.dismiss()))  # noqa: RUF006 - as above

    def _on_crash(self, _: Page) -> None:
        self._end(Reason.RENDER_FAILED, "the page crashed in Chromium")

    def _on_closed_way(self, _: object, way: object, where: object) -> None:
        self._close_way(str(way)[:40], str(where))

    def _close_way(self, way: str, url: str) -> None:
        self._told += 1
        if self._told > MOST_TOLD:
            return
        self.counts["ways closed"] += 1
        note = f"{way}: it cannot be put before the rules, so it is closed to pages; nothing was sent"
        self._closed.refuse(url, Reason.UNGOVERNED, note, source="browser", parent=self._answer.url)

    # what the browser asks for

    async def _on_route(self, route: Route) -> None:
        self._under_way += 1
        try:
            await self._answer_one(route)
        except Exception as error:  # noqa: BLE001 - a page that is gone, a browser that ended: nothing is shown
            logger.debug("Not answered: %s: %s", type(error).__name__, error)
            await _quietly(route.abort("failed"))
        finally:
            self._under_way -= 1
            self._last_change = asyncio.get_running_loop().time()

    async def _answer_one(self, route: Route) -> None:
        asked = route.request
        frame = _frame_of(asked)
        if asked.is_navigation_request() and (frame is None or frame.parent_frame is None):
            await self._answer_window(route, frame)
            return
        number = self.counts["asked"] + self.counts["left out"]
        if number > FLOOD * self._limits.requests:
            self._end(Reason.RENDER_LIMIT, f"the page goes on asking after {number} requests")
        refusal = why_left_out(
            asked.resource_type, self._limits, asked=self.counts["asked"], full=self._parts.full
        )
        if refusal is not None:
            reason, note, source = refusal
            self.counts["left out"] += 1
            self._closed.refuse(
                asked.url, reason, note, source=source, method=asked.method, parent=self._answer.url
            )
            await route.abort("blockedbyclient")
            return
        self.counts["asked"] += 1
        await self._show(route, frame)

    async def _answer_window(self, route: Route, frame: Frame | None) -> None:
        """Answer a request for the document of a window: the page's own first one, and no other."""
        asked, page = route.request, self._page
        if frame is None or page is None or frame is not page.main_frame:
            note = "a window of its own: pages open none here; nothing was sent"
            self._closed.refuse(
                asked.url,
                Reason.UNGOVERNED,
                note,
                source="browser",
                method=asked.method,
                parent=self._answer.url,
            )
            await route.abort("blockedbyclient")
            return
        if not self._shown:
            self._shown = True
            answer = self._answer
            fields = tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, values in answer.headers.items()
                for value in values
            )
            await route.fulfill(status=answer.status, headers=shown_fields(fields), body=answer.body)
            return
        self.counts["navigations ended"] += 1
        self._stays.set()
        if asked.method != "GET":
            # The rules say why not, and their words are recorded; whatever they say, the document stays.
            await self._parts.ask(
                Wish(url=asked.url, method=asked.method, parent=self._answer.url, fields=asked.headers)
            )
        elif urldefrag(asked.url).url != urldefrag(self._answer.url).url:
            self._left_for = asked.url
            self._ended.set()
        await route.abort("aborted")

    async def _show(self, route: Route, frame: Frame | None) -> None:
        """Ask for a part, and show the browser what may be shown of it."""
        asked = route.request
        kind = asked.resource_type
        document = asked.is_navigation_request()
        parent = frame.parent_frame.url if frame and document and frame.parent_frame else frame and frame.url
        if not parent or not parent.startswith("http"):
            parent = self._answer.url
        wish = Wish(
            url=asked.url,
            method=asked.method,
            parent=urldefrag(parent).url,
            fields=asked.headers,
            follows=not document and kind != "stylesheet",
        )
        got = await self._parts.ask(wish)
        if got.status is None or (kind in CALLS and not is_shared(got, parent)):
            self.counts["refused" if got.refused else "failed"] += 1
            await route.abort("blockedbyclient" if got.refused else "failed")
        elif got.location is not None:
            # Chromium would follow a redirect past us; it is given a document that leads there instead.
            await route.fulfill(
                status=200,
                headers={
                    "content-type": "text/html" if document else "text/css",
                    "access-control-allow-origin": "*",
                },
                body=leading_to(got.location, document=document),
            )
        else:
            await route.fulfill(status=got.status, headers=shown_fields(got.fields), body=got.body)


def _frame_of(asked: Asked) -> Frame | None:
    """Return the frame that asks, or None: a worker, or a window that has none yet."""
    from playwright.async_api import Error  # noqa: PLC0415 - the extra

    try:
        return asked.frame
    except Error:
        return None


async def _quietly(doing: Any) -> None:  # noqa: ANN401 - any awaitable of Playwright's
    """Await something that may fail because its page is gone."""
    with suppress(Exception):
        await doing
