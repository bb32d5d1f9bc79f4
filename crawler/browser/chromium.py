"""One Chromium for a crawl: started when the first page is to be rendered, without a way to the network.

Every way out is closed at least twice: all requests of a page are answered by `rendering.py`, and what is
none (see `dead_end.py`) meets a proxy that leads nowhere, in a browser that resolves no name and speaks no
UDP. The proxy is also that of Playwright's own HTTP client (`page.request`), which page methods could use.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from crawler.browser.closed_ways import ClosedWays
from crawler.browser.dead_end import DeadEnd
from crawler.browser.errors import BrowserMissingError
from crawler.browser.locate import require_browser
from crawler.tripwire import tripwire

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Playwright

    from crawler.checkpoint import Checkpoint

logger = logging.getLogger(__name__)
CLOSING_SECONDS: Final = 5.0
STARTING_SECONDS: Final = 60.0
_NOWHERE: Final = "http://127.0.0.1:9/"  # the discard port; and the proxy stands before it
# Each with what it closes.
FLAGS: Final = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # names, also for prefetching
    "--dns-prefetch-disable",
    "--disable-quic",  # HTTP/3 and WebTransport
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",  # STUN, TURN, media
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",  # the same, by its other name
    "--no-pings",  # <a ping>
    "--disable-domain-reliability",  # reports to the browser's maker
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",  # and their updates
    "--disable-sync",
    f"--gaia-url={_NOWHERE}",
    f"--google-apis-url={_NOWHERE}",
    f"--component-updater=url-source={_NOWHERE}",
)
# What a spider may say of the window that a page is shown in; nothing of it changes what is sent.
WINDOW_KEYS: Final = frozenset({"viewport", "locale", "timezone_id", "color_scheme", "reduced_motion"})


class Chromium:
    """See the module. `wanted` is SEKISHO_BROWSER."""

    def __init__(self, checkpoint: Checkpoint, *, wanted: str, sandbox: bool) -> None:
        self._wanted = wanted
        self._sandbox = sandbox and os.geteuid() != 0  # Chromium's sandbox does not exist for root
        self._user_agent = checkpoint.agent.policy.user_agent
        self.closed = ClosedWays(checkpoint)
        self._dead_end = DeadEnd(self.closed)
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._starting = asyncio.Lock()
        self.version = ""

    async def context(self, window: dict[str, object]) -> BrowserContext:
        """Return a fresh context, without cookies, storage or history. Raises BrowserMissingError.

        `window` may hold the members of `WINDOW_KEYS` only.
        """
        async with self._starting:
            if self._browser is None or not self._browser.is_connected():
                await self._start()
        if self._browser is None:
            raise BrowserMissingError("Chromium ended as soon as it had started")
        options: dict[str, Any] = {**window}
        return await self._browser.new_context(
            user_agent=self._user_agent,
            service_workers="block",
            accept_downloads=False,
            **options,
        )

    async def _start(self) -> None:
        path = require_browser(self._wanted)
        from playwright.async_api import Error  # noqa: PLC0415 - the extra

        try:
            if self._playwright is None:
                self._playwright = await self._start_driver()
            self._browser = await self._playwright.chromium.launch(
                executable_path=path,
                args=list(FLAGS),
                chromium_sandbox=self._sandbox,
                proxy={"server": f"http://127.0.0.1:{self._dead_end.port}", "bypass": "<-loopback>"},
                # The crawl ends the browser; a signal to the crawl must not end it in the middle of a page.
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
                timeout=STARTING_SECONDS * 1000,
            )
        except Error as error:
            words = " ".join(str(error).split())[:600]
            raise BrowserMissingError(
                f"{path} does not start: {words}; where the system forbids Chromium its sandbox, "
                "set SEKISHO_BROWSER_SANDBOX = False and confine the whole crawl instead"
            ) from error
        self.version = self._browser.version
        logger.info(
            "Sekisho: pages are rendered by Chromium %s (%s), sandbox %s",
            self.version,
            path,
            "on" if self._sandbox else "off",
        )

    async def _start_driver(self) -> Playwright:
        """Start the program that comes with Playwright and starts Chromium for it, and open the dead end."""
        from playwright._impl._driver import compute_driver_executable  # noqa: PLC0415 - its only place
        from playwright.async_api import async_playwright  # noqa: PLC0415 - the extra

        await self._dead_end.open()
        with tripwire().starting(compute_driver_executable()[0]):
            return await async_playwright().start()

    async def drop(self, context: BrowserContext) -> None:
        """Close a context with its pages; a Chromium that does not even do that is ended."""
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await context.close()
        except Exception as error:  # noqa: BLE001 - whatever hinders it, the next page needs a browser
            logger.warning("Sekisho: a page did not close (%s); Chromium is ended", type(error).__name__)
            await self._end_browser()

    async def _end_browser(self) -> None:
        browser, self._browser = self._browser, None
        if browser is not None:
            with suppress(Exception):
                async with asyncio.timeout(CLOSING_SECONDS):
                    await browser.close()

    async def close(self) -> None:
        """End the browser and everything that was started with it."""
        async with self._starting:
            await self._end_browser()
            playwright, self._playwright = self._playwright, None
            if playwright is not None:
                with suppress(Exception):
                    async with asyncio.timeout(CLOSING_SECONDS):
                        await playwright.stop()
            await self._dead_end.close()
