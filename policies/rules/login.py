"""The login rule: a redirect to a login, and a login served in place of a page, are access restrictions.

Principle-Code item PC-1.2c-1. A site that sends us to a login has answered; we neither follow nor keep.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from policies.signals.login import find_login_address
from policies.signals.page_login import find_login_form
from policies.signals.page_markers import open_page
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import ResponseFacts
    from policies.signals.page_markers import Page

RULE = "login"
_TEXT = 500
_PASS = Verdict(rule=RULE, action=Action.KEEP, reason=Reason.KEPT)
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


def judge_opened_login_page(response: ResponseFacts, page: Page | None) -> Verdict:
    """Return SKIP for a page that is a login and nothing else; `page` is `open_page(response)`."""
    form = find_login_form(page) if page is not None else None
    if form is None:
        return _PASS
    evidence = Evidence(
        source=response.url,
        line=form.line,
        text=form.text,
        sha256=hashlib.sha256(response.body).hexdigest(),
        note=f"a password field and {form.weight} letters of text beside it",
    )
    return Verdict(rule=RULE, action=Action.SKIP, reason=Reason.LOGIN_REQUIRED, evidence=(evidence,))


def judge_login_page(response: ResponseFacts) -> Verdict:
    """Return SKIP for a response whose body is a login page, else KEEP."""
    return judge_opened_login_page(response, open_page(response))
