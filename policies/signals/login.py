"""Recognises a login in the address that a site redirects to (`page_login` recognises it in a page).

No specification names login pages, so the words are tables: whole path segments and host labels, never
parts of words (`/authors/`, `/authentic-food` and `/accounting` are no logins), in the languages of the sites
that we meet. Protocol parameters come from SAML 2.0 bindings (`SAMLRequest`, `RelayState`), RFC 6749
section 4.1.1 (`client_id` with `redirect_uri` or `response_type`) and WS-Federation (`wa=wsignin1.0`).
Decides nothing; pure; never raises; linear in its input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import unquote, unquote_plus

from policies.signals.login_words import (
    ACCOUNT_HOSTS,
    BESIDE,
    GATES_OF_ANOTHER_KIND,
    LOGIN_LABELS,
    LOGIN_TITLES,
    LOGIN_WORDS,
    RETURN_PARAMETERS,
    WEAK_LABELS,
    WEAK_RETURN_PARAMETERS,
    WEAK_WORDS,
    WHOLE_SEGMENTS_ONLY,
    fold,
)

_CONSIDERED = 16_384
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BREAK = re.compile(r"[-_. +~]+")
_EXTENSION = re.compile(
    r"\.(?:aspx?|php\d?|html?|jsp|jspx|jsf|do|action|cgi|pl|cfm|xhtml|seam|shtml|nsf)$", re.IGNORECASE
)
_AUTHORITY = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:(?://)?|^//")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    """The parts of a URL that can name a login, folded for comparison."""

    host: str
    segments: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]


def _segments(path: str) -> tuple[str, ...]:
    folded = []
    for segment in path.split("/"):
        # Path parameters (`;jsessionid=`) are no part of the name.
        name = _EXTENSION.sub("", unquote(segment, errors="replace").partition(";")[0])
        if name:
            folded.append(fold(_CAMEL.sub("-", name)))
    return tuple(folded)


def _parameters(query: str) -> tuple[tuple[str, str], ...]:
    pairs = (part.partition("=") for part in query.replace(";", "&").split("&") if part)
    return tuple((fold(unquote_plus(name)), unquote_plus(value)) for name, _, value in pairs)


def _read(url: str) -> _Address:
    """Split a URL without judging it: `urlsplit` raises on addresses that a hostile site may send."""
    rest, _, fragment = url[:_CONSIDERED].partition("#")
    authority = _AUTHORITY.match(rest)
    host = ""
    if authority:
        host, slash, tail = rest[authority.end() :].partition("/")
        host, mark, early_query = host.partition("?")
        rest = f"?{early_query}{slash}{tail}" if mark else slash + tail
        host = host.rpartition("@")[2].partition(":")[0].lower().rstrip(".")
    path, _, query = rest.partition("?")
    # Applications in the browser keep their path behind the hash: `/#/login`, `/#!/login`.
    route, _, route_query = fragment.removeprefix("!").partition("?")
    if not route.startswith("/"):
        route = route_query = ""
    return _Address(
        host=host,
        segments=_segments(path) + _segments(route),
        parameters=_parameters(query) + _parameters(route_query),
    )


def _is_login_segment(segment: str) -> bool:
    if segment in LOGIN_WORDS:
        return True
    words = [word for word in _BREAK.split(segment) if word]
    if len(words) < 2:  # noqa: PLR2004 - one word was looked up above
        return False
    if "-".join(words) in LOGIN_WORDS or "".join(words) in LOGIN_WORDS:
        return True
    # `user-login` and `login-required` are logins, `how-to-log-in-to-your-router` is an article.
    return any(word in LOGIN_WORDS and word not in WHOLE_SEGMENTS_ONLY for word in words) and all(
        word in LOGIN_WORDS or word in BESIDE for word in words
    )


def _login_label(host: str) -> str:
    for account_host in ACCOUNT_HOSTS:
        if host == account_host or host.endswith("." + account_host):
            return account_host
    # The last two labels name somebody, not a service.
    for label in host.split(".")[:-2]:
        if label in LOGIN_LABELS or _is_login_segment(label):
            return label
    return ""


def _protocol(parameters: dict[str, str]) -> str:
    if "samlrequest" in parameters:
        return "SAMLRequest"
    if parameters.get("wa", "").startswith("wsignin"):
        return "wa=wsignin"
    if "client_id" in parameters and ("redirect_uri" in parameters or "response_type" in parameters):
        return "client_id"
    return ""


def _login_parameter(asked: _Address, given: _Address) -> str:
    parameters = dict(reversed(given.parameters))
    before = dict(asked.parameters)
    protocol = _protocol(parameters)
    if protocol and not _protocol(before):
        return protocol
    if not GATES_OF_ANOTHER_KIND.isdisjoint(given.segments):
        return ""
    account = any(segment in WEAK_WORDS and segment not in asked.segments for segment in given.segments) or (
        given.host != asked.host and given.host.partition(".")[0] in WEAK_LABELS
    )
    for name in parameters:
        if name not in before and (name in RETURN_PARAMETERS or (account and name in WEAK_RETURN_PARAMETERS)):
            return name
    return ""


def is_login_title(title: str) -> bool:
    """Tell whether the title of a page without text names it a login: `Sign in to continue`, `Anmelden`."""
    words = fold(" ".join(unescape(title[:300]).split()))
    first = re.split(r"\s[|·–—-]\s", words, maxsplit=1)[0].strip(" .!…")
    return any(
        first == name or (first.startswith(name) and not first[len(name)].isalnum()) for name in LOGIN_TITLES
    )


def find_login_address(request_url: str, target: str) -> str:
    """Return what makes a redirect's target a login, in words; an empty string when nothing does.

    What the request's own address had already is no news: `/auth/guide` may move to `/auth/guide/`.
    """
    asked, given = _read(request_url), _read(target)
    for segment in given.segments:
        if segment not in asked.segments and _is_login_segment(segment):
            return f"path segment {segment!r}"
    if given.host != asked.host and (label := _login_label(given.host)) and label != _login_label(asked.host):
        return f"host label {label!r}"
    parameter = _login_parameter(asked, given)
    return f"parameter {parameter!r}" if parameter else ""
