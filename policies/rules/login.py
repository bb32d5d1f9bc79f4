"""The login rule: a redirect to a login, and a login served in place of a page, are access restrictions.

Principle-Code item PC-1.2c-1. A site that sends us to a login has answered; we neither follow nor keep.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from policies.signals.login import find_login_address
from policies.signals.page_login import LoginForm, find_login_form, find_login_way
from policies.signals.page_markers import open_page
from policies.signals.page_refresh import find_refresh
from policies.signals.page_weight import HARDLY_ANY_TEXT, weigh
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import ResponseFacts
    from policies.signals.page_opened import Page

RULE = "login"
REFRESH_RULE = "refresh"
LONGEST_REFRESH = 100.0
"""Seconds from which a refresh is a page's way to keep itself fresh, or a session's end, and no redirect."""
_TEXT = 500
_PASS = Verdict(rule=RULE, action=Action.KEEP, reason=Reason.KEPT)
_REFRESH_PASS = Verdict(rule=REFRESH_RULE, action=Action.KEEP, reason=Reason.KEPT)
# `Refresh: 0; url=/login`, a header that browsers follow like a redirect.
_REFRESH = re.compile(r"^[\s\d.]{0,20}[;,]?\s{0,20}(?:url\s{0,20}=\s{0,20})?[\"']?([^\"']+)", re.IGNORECASE)


def judge_login_redirect(request_url: str, response: ResponseFacts) -> Verdict:
    """Return SKIP when a response sends its reader from `request_url` to a login, else KEEP.

    Looks at `location` (absolute, from the facts), the raw Location header of a 3xx, and Refresh.
    """
    if response.location is not None:
        target, header = response.location, "location"
    else:
        target, header = "", ""
        for name, value in response.headers:
            if name == "location" and 300 <= response.status < 400:  # noqa: PLR2004 - RFC 9110 section 15.4
                target, header = value, name
                break
            if name == "refresh" and (found := _REFRESH.match(value[:_TEXT])):
                target, header = found[1], name
    if not target:
        return _PASS
    why = find_login_address(request_url, target)
    if not why:
        return _PASS
    evidence = Evidence(source="response header", text=f"{header}: {target}"[:_TEXT], note=why)
    return Verdict(rule=RULE, action=Action.SKIP, reason=Reason.LOGIN_REQUIRED, evidence=(evidence,))


def _login_of(response: ResponseFacts, page: Page) -> LoginForm | None:
    """Return what makes a page a login: its form, its refresh, or its only way on."""
    if (form := find_login_form(page)) is not None:
        return form
    refresh = find_refresh(page, response.url)
    if refresh is not None and refresh.seconds < LONGEST_REFRESH:
        why = find_login_address(response.url, refresh.url)
        if why:
            return LoginForm(line=refresh.line, text=refresh.text, why=f"a refresh: {why}")
    return find_login_way(page, response.url)


def judge_opened_login_page(response: ResponseFacts, page: Page | None) -> Verdict:
    """Return SKIP for a page that is a login and nothing else; `page` is `open_page(response)`."""
    form = _login_of(response, page) if page is not None else None
    if form is None:
        return _PASS
    evidence = Evidence(
        source=response.url,
        line=form.line,
        text=form.text,
        sha256=hashlib.sha256(response.body).hexdigest(),
        note=form.why,
    )
    return Verdict(rule=RULE, action=Action.SKIP, reason=Reason.LOGIN_REQUIRED, evidence=(evidence,))


def judge_opened_refresh(
    response: ResponseFacts, page: Page | None, *, follows_within: float = LONGEST_REFRESH
) -> Verdict:
    """Return SKIP for a page that sends its reader elsewhere: it is a redirect, and no page to keep.

    That is one whose refresh is followed (`follows_within` seconds; what lies behind is judged on its own),
    or one that refreshes soon and holds hardly anything to read. `page` is `open_page(response)`.
    """
    refresh = find_refresh(page, response.url) if page is not None else None
    if page is None or refresh is None:
        return _REFRESH_PASS
    followed = refresh.seconds < follows_within
    if not followed and (refresh.seconds >= LONGEST_REFRESH or weigh(page) >= HARDLY_ANY_TEXT):
        return _REFRESH_PASS
    evidence = Evidence(
        source=response.url,
        line=refresh.line,
        text=refresh.text,
        sha256=hashlib.sha256(response.body).hexdigest(),
        note=f"goes to {refresh.url[:_TEXT]} after {refresh.seconds} s",
    )
    return Verdict(rule=REFRESH_RULE, action=Action.SKIP, reason=Reason.REDIRECT, evidence=(evidence,))


def judge_login_page(response: ResponseFacts) -> Verdict:
    """Return SKIP for a response whose body is a login page, else KEEP."""
    return judge_opened_login_page(response, open_page(response))
