"""Finds what rendering needs, the extra and a Chromium, or says in one line how to get it."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from crawler.browser.errors import BrowserMissingError

ANY: Final = "auto"
NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")


def require_extra() -> None:
    """Raise BrowserMissingError unless the extra `browser` is installed."""
    if find_spec("playwright") is None:
        raise BrowserMissingError("rendering needs: pip install 'sekisho[browser]'")


def find_chromium(wanted: str) -> Path:
    """Return the path of Chromium; `wanted` is SEKISHO_BROWSER: `auto`, a command name or a path.

    Raises BrowserMissingError, which says what to install or to set.
    """
    if wanted == ANY:
        for name in NAMES:
            found = shutil.which(name)
            if found is not None:
                return Path(found)
        raise BrowserMissingError(
            f"rendering needs Chromium, and none of {', '.join(NAMES)} is on PATH; install one "
            "(Debian: apt install chromium) or set SEKISHO_BROWSER to its path"
        )
    found = shutil.which(os.path.expanduser(wanted))  # noqa: PTH111 - a command name is no path
    if found is None:
        raise BrowserMissingError(
            f"SEKISHO_BROWSER = {wanted!r}: no such program; install Chromium (Debian: apt install chromium) "
            "or name the path of one"
        )
    return Path(found)


def require_browser(wanted: str) -> Path:
    """Return the path of Chromium when everything is there; see `require_extra` and `find_chromium`."""
    require_extra()
    return find_chromium(wanted)


def require_if_named(wanted: str) -> None:
    """Raise BrowserMissingError when SEKISHO_BROWSER names a browser that cannot be used.

    With `auto` nothing is asked for here: a crawl that renders nothing needs no browser.
    """
    if wanted != ANY:
        require_browser(wanted)


def is_browser_handler(handler: object) -> bool:
    """Whether a download handler, or the path of one, is scrapy-playwright's or made from it."""
    if isinstance(handler, str):
        return handler.startswith("scrapy_playwright.")
    kind = handler if isinstance(handler, type) else type(handler)
    return any(one.__module__.startswith("scrapy_playwright.") for one in kind.__mro__)
