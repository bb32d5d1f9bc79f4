"""How an answer is shown to Chromium: which header fields it gets, and what stands in for a redirect.

Pure: asks for nothing and decides nothing about addresses.
"""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Final

from blocklists.host import split_origin

if TYPE_CHECKING:
    from crawler.browser.subrequests import Got

# What Chromium calls the requests whose answers scripts read.
CALLS: Final = frozenset({"fetch", "xhr"})
# Not handed to the browser: what concerned the transfer, state that is Scrapy's, and orders to report.
DROPPED_FIELDS: Final = frozenset(
    {
        "set-cookie", "content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive",
        "alt-svc", "nel", "report-to", "reporting-endpoints", "clear-site-data", "content-disposition",
        "content-security-policy-report-only",
    }
)  # fmt: skip


def shown_fields(fields: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the header of an answer as the browser gets it; repeated fields are joined."""
    shown: dict[str, str] = {}
    for name, value in fields:
        if name not in DROPPED_FIELDS:
            shown[name] = f"{shown[name]}, {value}" if name in shown else value
    return shown


def leading_to(url: str, *, document: bool) -> str:
    """Return a document, or a style sheet, that does nothing but lead to another address."""
    if document:
        return f'<!doctype html><meta http-equiv="refresh" content="0; url={html.escape(url, quote=True)}">'
    return f"@import url({json.dumps(url)});"


def is_shared(got: Got, parent: str) -> bool:
    """Whether a document may read what its script called: its own origin's answer, or one that is shared.

    Chromium does not ask this of answers that it is given, nor does it know where a redirect ended
    (Fetch standard, CORS check: https://fetch.spec.whatwg.org/#concept-cors-check).
    """
    if split_origin(got.final_url) == split_origin(parent):
        return True
    shared = shown_fields(got.fields).get("access-control-allow-origin", "")
    return shared == "*" or (
        split_origin(shared) is not None and split_origin(shared) == split_origin(parent)
    )
