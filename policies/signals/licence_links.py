"""Where a response or a robots.txt names an RSL licence: its addresses and its inline documents.

Implements the associations of RSL 1.0 (https://rslstandard.org/rsl): the `License` line of robots.txt
(global, absolute URL), the `Link` header (RFC 8288) and the `link` element with `rel=license` and type
`application/rsl+xml`, and the inline `script` of that type. A licence link without that type, such as one to
Creative Commons, is not RSL and is left out. Pure; linear; never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from policies.signals.page_opened import Allowance
from policies.signals.page_text import line_at
from policies.signals.robots_octets import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.facts import ResponseFacts
    from policies.signals.page_markup import Tag
    from policies.signals.page_opened import Page
    from policies.signals.robots import RobotsRules

RSL_TYPE = "application/rsl+xml"
#: What a page must hold anywhere, in lower case, before its markup is worth reading for RSL.
RSL_MARKER = b"rsl+xml"
#: What a feed must hold before it is worth reading for offers of its own (`rsl:content`).
FEED_MARKER = b"rslstandard.org/rsl"
#: Licences that are followed for one place; further ones make the terms unknown.
MOST_LICENCES = 8
#: Elements of one page that mention a licence and are looked at; further ones make the terms unknown.
MOST_FORMS = 500

_TEXT = 500
_HEADER_LIMIT = 16_384
_TARGET = re.compile(r"\s*+<([^<>]*+)>")
_PARAMETER = re.compile(
    r"[\s;]*+([A-Za-z0-9!#$&+.^_`|~*-]+)\s*+(?:=\s*+(?:\"((?:[^\"\\]|\\.)*+)\"|([^\s;,\"]*+)))?"
)
_ABSOLUTE = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)


class Place(StrEnum):
    """Where a licence is named."""

    ROBOTS = "robots.txt"
    LINK_HEADER = "response header Link"
    LINK_ELEMENT = "link element"
    SCRIPT = "script element"
    FEED = "feed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceLink:
    """One naming of a licence. `url` is absolute, or empty for an inline document or an unusable address.

    `document` holds the text of an inline document; `problem` says in words why an address is unusable: the
    terms then count as unknown.
    """

    place: Place
    url: str
    line: int | None
    text: str
    document: str = ""
    problem: str = ""


def _address(reference: str, base: str) -> tuple[str, str]:
    """Return an absolute http(s) URL, or "" and the words that say why there is none."""
    reference = reference.strip()
    try:
        url = urljoin(base, reference) if base else reference
    except ValueError:
        url = ""
    if _ABSOLUTE.match(url):
        return url.partition("#")[0], ""
    return "", f"{reference[:200]!r} is not an absolute http or https address"


def licence_of_line(value: str, *, line: int, text: str) -> LicenceLink:
    """Return what a `License` line of robots.txt names; RSL asks for an absolute address there."""
    url, problem = _address(value, "")
    return LicenceLink(place=Place.ROBOTS, url=url, line=line, text=text[:_TEXT], problem=problem)


def links_of_robots(rules: RobotsRules) -> tuple[LicenceLink, ...]:
    """Return the licences that a robots.txt names, in any group or in none, each where it is named first.

    At most one more than is followed, which says that there are more.
    """
    links: dict[bytes, LicenceLink] = {}
    for record in rules.records("license"):
        if record.value and record.value not in links:
            links[record.value] = licence_of_line(
                shown(record.value), line=record.line, text=shown(record.raw)
            )
            if len(links) > MOST_LICENCES:
                break
    return tuple(links.values())


def _parameters(value: str, position: int) -> tuple[dict[str, str], int]:
    """Return the parameters of a link value (the first of a name wins) and where they end."""
    found: dict[str, str] = {}
    while (one := _PARAMETER.match(value, position)) is not None:
        position = one.end()
        quoted = re.sub(r"\\(.)", r"\1", one[2]) if one[2] is not None else one[3] or ""
        found.setdefault(one[1].lower(), quoted)
    return found, position


def links_of_header(value: str, base: str, *, limit: int = _HEADER_LIMIT) -> tuple[LicenceLink, ...]:
    """Return the RSL licences that one Link header value names; `base` is the URL of the response.

    A value of more characters than `limit` is not read: the terms are unknown.
    """
    if RSL_TYPE not in value.lower():
        return ()
    found: list[LicenceLink] = []
    if len(value) > limit:
        words = f"a Link header of {len(value)} characters; at most {_HEADER_LIMIT} of all of them are read"
        return (LicenceLink(place=Place.LINK_HEADER, url="", line=None, text=value[:_TEXT], problem=words),)
    position = 0
    while len(found) <= MOST_LICENCES:  # one more than is followed says that there are more
        target = _TARGET.match(value, position)
        if target is None:
            comma = value.find(",", position)
            if comma < 0:
                break
            position = comma + 1
            continue
        parameters, position = _parameters(value, target.end())
        kinds = parameters.get("rel", "").lower().split()
        if "license" in kinds and _is_rsl(parameters.get("type", "")):
            url, problem = _address(target[1], base)
            text = value[target.start() : position].strip()[:_TEXT]
            found.append(LicenceLink(place=Place.LINK_HEADER, url=url, line=None, text=text, problem=problem))
    return tuple(found)


def _is_rsl(kind: str) -> bool:
    return kind.partition(";")[0].strip().lower() == RSL_TYPE


def links_of_page(tags: Iterable[Tag], url: str) -> tuple[LicenceLink, ...]:
    """Return the RSL licences that a page names or holds; `url` is the page's address.

    A `base` element counts from where it stands, as browsers have it for the first one. Of a page with more
    than `MOST_FORMS` elements that mention a licence the terms are unknown.
    """
    base, based, allowance = url, False, Allowance(MOST_FORMS)
    found: list[LicenceLink] = []
    for tag in tags:
        name = tag.name
        if (name != "link" and name != "script" and name != "base") or tag.closing:  # noqa: PLR1714 - quicker
            continue
        raw = tag.raw
        if name == "base":
            if not based and not allowance.knows(raw) and allowance.takes(raw):
                href = tag.attributes().get("href")
                if href:
                    base, based = _address(href, url)[0] or url, True
            continue
        # What a page names again from the same base it names in vain; an inline document differs each time.
        form = raw if name == "script" else f"{based} {raw}"
        if not _may_name_a_licence(name, raw.lower()) or (name == "link" and allowance.knows(form)):
            continue
        if not allowance.knows(form) and not allowance.takes(form):
            words = f"more than {MOST_FORMS} elements mention a licence: not all of them are read"
            place = Place.SCRIPT if name == "script" else Place.LINK_ELEMENT
            found.append(LicenceLink(place=place, url="", line=tag.line, text=raw[:_TEXT], problem=words))
            break
        link = _link_of_tag(tag, base)
        if link is not None:
            found.append(link)
            if len(found) > MOST_LICENCES:  # one more than is followed says that there are more
                break
    return tuple(found)


def _may_name_a_licence(name: str, raw: str) -> bool:
    """Tell by its letters whether a tag (in lower case) can name or hold a licence."""
    if name == "script":
        return RSL_TYPE in raw
    return ("license" in raw and RSL_TYPE in raw) or "&" in raw


def _link_of_tag(tag: Tag, base: str) -> LicenceLink | None:
    attributes = tag.attributes()
    if not _is_rsl(attributes.get("type", "")):
        return None
    text = tag.raw[:_TEXT]
    if tag.name == "script" and not attributes.get("src"):
        return LicenceLink(place=Place.SCRIPT, url="", line=tag.line, text=text, document=tag.content)
    if tag.name == "link" and "license" not in attributes.get("rel", "").lower().split():
        return None
    url, problem = _address(attributes.get("src" if tag.name == "script" else "href", ""), base)
    place = Place.SCRIPT if tag.name == "script" else Place.LINK_ELEMENT
    return LicenceLink(place=place, url=url, line=tag.line, text=text, problem=problem)


def _links_of_feed(response: ResponseFacts) -> tuple[LicenceLink, ...]:
    """Return the feed itself where it holds offers of its own: it is then its own licence document."""
    kind = response.media_type
    if not kind.endswith(("xml", "/rss", "/atom")) or FEED_MARKER not in response.body:
        return ()
    return (LicenceLink(place=Place.FEED, url="", line=None, text=FEED_MARKER.decode()),)


def _behind_the_budget(page: Page) -> tuple[LicenceLink, ...]:
    """Return that the part of a page whose tags were not read mentions a licence: its terms are unknown."""
    at = page.lowered.find(RSL_MARKER.decode(), page.unread_from)
    if at < 0:
        return ()
    words = "an RSL licence is mentioned behind the part of the page that is read"
    text = page.text[max(0, at - 80) : at + 40]
    return (
        LicenceLink(
            place=Place.LINK_ELEMENT, url="", line=line_at(page.text, at), text=text[:_TEXT], problem=words
        ),
    )


def links_of_response(response: ResponseFacts, page: Page | None) -> tuple[LicenceLink, ...]:
    """Return every RSL licence that an answer names or holds: by its headers, its page, or as a feed.

    `page` is `open_page(response, …)`, None where there is nothing to read in it. An address that is named
    twice counts once. Of the licences of one answer the most restrictive holds, wherever it is named.
    """
    found: list[LicenceLink] = []
    left = _HEADER_LIMIT
    for name, value in response.headers:
        if name == "link" and (links := links_of_header(value, response.url, limit=left)):
            found += links
            left = max(0, left - len(value))
    if page is not None and page.markers.licence:
        tags = [page.tags[number] for number in page.numbers_of("base", "link", "script")]
        found += links_of_page(tags, response.url)
        if not page.is_read:
            found += _behind_the_budget(page)
    elif page is None and response.body:
        found += _links_of_feed(response)
    named: dict[tuple[str, str, str], LicenceLink] = {}
    for link in found:
        named.setdefault((link.url, link.document, link.problem), link)
    return tuple(named.values())
