"""RSL 1.0 documents: octets in, the offers that they make for each place out.

Implements https://rslstandard.org/rsl: `content` elements with a `url` that is matched as a path of
robots.txt (the one with the most octets decides), each with one or more `license` elements that are
alternative offers, and in each of them `permits`, `prohibits` and `payment`. What an offer means for a
purpose is judged in `policies/rules/rsl.py`. Our own readings, always to the stricter side:

* names and values are compared with regard to case; an element that differs from a known one only in case,
  an unknown payment or kind of permission makes its offer one that cannot be read;
* what a `prohibits` lists is split at blanks and commas (drafts before 1.0 had commas), what a `permits`
  lists at blanks only; a token that we do not know permits nothing, and prohibits we cannot tell what;
* a `content` without `url` speaks of everything; one that offers nothing cannot be read;
* an absolute `url` is matched by host, port and path; a relative one belongs to the site that named the file.

Never raises. Reading the XML is in `rsl_xml.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blocklists.host import split_origin
from policies.signals.robots_path import PathPattern, compile_pattern, judged_path
from policies.signals.rsl_xml import RslElement, read_elements

if TYPE_CHECKING:
    from policies.vocabulary import Origin

USAGES = frozenset(("all", "ai-all", "ai-train", "ai-input", "ai-index", "search"))
USERS = frozenset(("commercial", "non-commercial", "education", "government", "personal"))
PAYMENTS = frozenset(
    ("purchase", "subscription", "training", "crawl", "use", "contribution", "attribution", "free")
)
MOST_CONTENTS = 4_000
_KINDS = ("usage", "user", "geo")
_KNOWN = frozenset(("rsl", "content", "license", "permits", "prohibits", "payment"))
_COUNTRY = re.compile(r"[A-Z]{2}")
_BETWEEN = re.compile(r"[\s,]+")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_TEXT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The values of a `permits` or `prohibits`, by kind; None where the kind does not occur."""

    usage: frozenset[str] | None = None
    user: frozenset[str] | None = None
    geo: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One `license`. `payments` holds the types of payment, ("free",) when none is asked.

    `unreadable` says in words what of it cannot be read, and is empty otherwise; `text` is the offer
    in short.
    """

    line: int
    permits: Listed
    prohibits: Listed
    payments: tuple[str, ...]
    unreadable: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One `content`: where it applies, the licence server that must be asked first, and its offers."""

    line: int
    url: str
    server: str
    offers: tuple[Offer, ...]
    host: str
    pattern: PathPattern

    def applies_to(self, path: str, origin: Origin) -> bool:
        """Return whether it speaks of a path (in normal form) of an origin."""
        if self.host and not _host_matches(self.host, origin):
            return False
        return self.pattern.matches(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class RslDocument:
    """A read RSL document. `problem` says in words why nothing could be read; `notes` what was odd."""

    contents: tuple[Content, ...]
    problem: str = ""
    notes: tuple[str, ...] = ()

    def contents_for(self, url: str, origin: Origin) -> tuple[Content, ...]:
        """Return the contents that speak of a URL: those with the most octets, several when they tie."""
        path = judged_path(url)
        if path is None:
            return self.contents
        applying = [content for content in self.contents if content.applies_to(path, origin)]
        longest = max((content.pattern.octets for content in applying), default=0)
        return tuple(content for content in applying if content.pattern.octets == longest)


def _host_matches(pattern: str, origin: Origin) -> bool:
    """Return whether `host`, `host:port` or `*.host` names an origin; the scheme is not looked at."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    default = origin.port in (80, 443)
    wildcard = compile_pattern(f"{pattern}$".encode("utf-8", "replace"))
    names = [f"{host}:{origin.port}", *([host] if default else [])]
    return any(wildcard.matches(name) for name in names)


def _host_of(prefix: str) -> str:
    """Return the host (and port, where one is written) of `scheme://authority`, as origins write it."""
    authority = prefix.partition("://")[2].rpartition("@")[2]
    if "*" in authority:
        return authority.lower()
    parts = split_origin(prefix)
    if parts is None:
        return authority.lower()
    host = f"[{parts[1]}]" if ":" in parts[1] else parts[1]
    return host if parts[2] in (80, 443) else f"{host}:{parts[2]}"


def _place(url: str) -> tuple[str, PathPattern]:
    """Return the host that a content's url names, "" for the site itself, and the pattern of its path."""
    absolute = _ABSOLUTE.match(url)
    host = _host_of(absolute[0]) if absolute else ""
    path = url[absolute.end() :] if absolute else url
    if not path.startswith(("/", "*")):
        path = f"/{path}"
    return host, compile_pattern(path.encode("utf-8", "surrogatepass"))


class _OfferReader:
    """Reads one `license`, and remembers what of it could not be read."""

    def __init__(self, element: RslElement) -> None:
        self.problems: list[str] = []
        self._element = element

    def _one_kind(self, name: str, kind: str) -> frozenset[str] | None:
        found = [
            one for one in self._element.children if one.name == name and one.attributes.get("type") == kind
        ]
        if not found:
            return None
        if len(found) > 1 and name == "permits":
            self.problems.append(f"{len(found)} permits of type {kind}")
        split = _BETWEEN.split if name == "prohibits" else str.split
        values = frozenset(value for one in found for value in split(one.text) if value)
        if name == "prohibits":
            unknown = sorted(value for value in values if not _is_known(kind, value))
            if unknown:
                self.problems.append(f"prohibits {kind} {unknown[0][:80]!r}, which is no known value")
        return values

    def _listed(self, name: str) -> Listed:
        for one in self._element.children:
            if one.name == name and one.attributes.get("type") not in _KINDS:
                self.problems.append(f"{name} of type {one.attributes.get('type', '')[:80]!r}")
        return Listed(
            usage=self._one_kind(name, "usage"),
            user=self._one_kind(name, "user"),
            geo=self._one_kind(name, "geo"),
        )

    def _payments(self) -> tuple[str, ...]:
        types = tuple(
            one.attributes.get("type", "free") for one in self._element.children if one.name == "payment"
        )
        for kind in types:
            if kind not in PAYMENTS:
                self.problems.append(f"payment of type {kind[:80]!r}")
        return types or ("free",)

    def offer(self) -> Offer:
        """Return the offer."""
        for one in self._element.children:
            if one.name not in _KNOWN and one.name.lower() in _KNOWN:
                self.problems.append(f"an element {one.name[:80]!r}: names are written in lower case")
        permits, prohibits, payments = self._listed("permits"), self._listed("prohibits"), self._payments()
        said = [_shown("permits", permits), _shown("prohibits", prohibits), f"payment {' '.join(payments)}"]
        return Offer(
            line=self._element.line,
            permits=permits,
            prohibits=prohibits,
            payments=payments,
            unreadable="; ".join(self.problems[:5]),
            text="; ".join(words for words in said if words)[:_TEXT],
        )


def _is_known(kind: str, value: str) -> bool:
    if kind == "geo":
        return _COUNTRY.fullmatch(value) is not None
    return value in (USAGES if kind == "usage" else USERS)


def _shown(name: str, listed: Listed) -> str:
    parts = [
        f"{name} {kind} {' '.join(sorted(values)) or '(nothing)'}"
        for kind, values in zip(_KINDS, (listed.usage, listed.user, listed.geo), strict=True)
        if values is not None
    ]
    return ", ".join(parts)


def _contents(elements: tuple[RslElement, ...]) -> list[RslElement]:
    """Return the content elements: inside `rsl`, or anywhere in a feed."""
    found: list[RslElement] = []
    for element in elements:
        found.extend([element] if element.name == "content" else _contents(tuple(element.children)))
    return found


def _content(element: RslElement) -> Content:
    url = element.attributes.get("url", "").strip()
    host, pattern = _place(url)
    return Content(
        line=element.line,
        url=url[:_TEXT],
        server=element.attributes.get("server", "").strip()[:_TEXT],
        offers=tuple(_OfferReader(one).offer() for one in element.children if one.name == "license"),
        host=host,
        pattern=pattern,
    )


def parse_rsl(octets: bytes) -> RslDocument:
    """Return what an RSL document, an RSL script of a page or a feed with RSL offers, whatever its octets."""
    elements, problem = read_elements(octets)
    if problem:
        return RslDocument(contents=(), problem=problem)
    contents = _contents(elements)
    if not contents:
        words = "no content element" if elements else "no element of the RSL namespace"
        return RslDocument(contents=(), problem=f"not an RSL document: {words}")
    count = len(contents) + sum(len(element.children) for element in contents)
    if count > MOST_CONTENTS:
        words = f"{count} content elements and offers; at most {MOST_CONTENTS} are read"
        return RslDocument(contents=(), problem=words)
    notes = tuple(
        f"line {element.line}: a content without url, read as everything"
        for element in contents
        if not element.attributes.get("url", "").strip()
    )
    return RslDocument(contents=tuple(map(_content, contents)), notes=notes[:5])
