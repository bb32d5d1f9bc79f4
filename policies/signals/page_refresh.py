"""Reads where a page sends its reader by itself: `<meta http-equiv="refresh">`.

Source: https://html.spec.whatwg.org/#attr-meta-http-equiv-refresh. An element in `noscript` speaks to
browsers without scripts and one in `template` to nobody; neither is read. The address is relative to the
page's own.
Decides nothing; pure; never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    from policies.signals.page_markup import Tag
    from policies.signals.page_opened import Page

SNIPPET = 500
_VALUE = re.compile(
    r"\s{0,20}(\d{1,9})?(?:\.[\d.]{0,20})?\s{0,20}(?:[;,]|\s)\s{0,20}(?:url\s{0,20}=\s{0,20})?[\"']?([^\"'>]{1,8000})",
    re.IGNORECASE,
)
# Elements that are looked at; browsers follow the first that leads anywhere.
_LOOKED_AT = 200
_ASIDE = frozenset(("noscript", "template"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """Where a page goes by itself and after how many seconds; `url` is absolute."""

    url: str
    seconds: int
    line: int
    text: str


def _absolute(base: str, target: str) -> str:
    try:
        return urljoin(base, target.strip())
    except ValueError:
        return ""


def find_refresh(page: Page, url: str) -> Refresh | None:
    """Return the first refresh of a page that leads to another address than its own; else None."""
    if not page.markers.refresh:
        return None
    for tag, seconds, address in page.once(_refreshes):
        target = _absolute(url, address)
        if target and target.partition("#")[0] != url.partition("#")[0]:
            return Refresh(url=target, seconds=seconds, line=tag.line, text=tag.raw[:SNIPPET])
    return None


def _refreshes(page: Page) -> tuple[tuple[Tag, int, str], ...]:
    """Return the refreshes of a page as written, each once: tag, seconds and address."""
    tags = page.tags
    found: list[tuple[Tag, int, str]] = []
    asked: set[str] = set()
    aside = position = 0
    for number in page.numbers_of("meta"):
        if (raw := tags[number].raw) in asked or "refresh" not in raw.lower():
            continue
        for tag in tags[position:number]:
            if tag.name in _ASIDE:
                aside = max(0, aside + (-1 if tag.closing else 1))
        position, tag = number, tags[number]
        if aside:
            continue
        if len(asked) == _LOOKED_AT:
            break
        asked.add(raw)
        attributes = tag.attributes()
        said = _VALUE.match(attributes.get("content", ""))
        if said and attributes.get("http-equiv", "").strip().lower() == "refresh":
            found.append((tag, int(said[1] or 0), said[2]))
    return tuple(found)
