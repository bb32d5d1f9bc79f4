"""The order in which a response is judged: first its head, near the network, then its body.

Two steps because redirects are visible only to whoever stands before the redirect is followed, and bodies
only after they were decompressed. Each returns every rule that was consulted; the login redirect comes first,
so that a redirect into a login is called by its name.
The common case returns one and the same `Assessment`, so that a caller may cache its document by identity.
No clock and no network; the one file that is read is the table of paywalls.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from policies.paywall_vendors import load_paywall_vendors
from policies.rules.access import judge_challenge, judge_status
from policies.rules.login import (
    LONGEST_REFRESH,
    judge_login_redirect,
    judge_opened_login_page,
    judge_opened_refresh,
)
from policies.rules.login import RULE as LOGIN_RULE
from policies.rules.paywall import EVERY_PURPOSE, judge_opened_page
from policies.signals.page_markers import open_page
from policies.vocabulary import Action, Assessment, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import ResponseFacts
    from policies.rules.judged_rows import Intent
    from policies.signals.gate_words import VendorTable
    from policies.signals.page_opened import Page

# A challenge is no redirect, whatever Refresh header it carries.
_NO_LOGIN = Verdict(rule=LOGIN_RULE, action=Action.KEEP, reason=Reason.KEPT)


@lru_cache(maxsize=2048)
def _assessment(*verdicts: Verdict) -> Assessment:
    return Assessment(verdicts=verdicts)


def judge_response_head(request_url: str, response: ResponseFacts) -> Assessment:
    """Judge a response by status and headers: rules `login` and `access`. `request_url` is what was asked.

    The body counts only where the status is an error, and must be decoded there: it may be a challenge.
    """
    status = judge_status(response)
    if status.reason is Reason.BOT_CHALLENGE:
        return _assessment(_NO_LOGIN, status)
    return _assessment(judge_login_redirect(request_url, response), status)


def judge_response_body(response: ResponseFacts) -> Assessment:
    """Judge a response by its decoded body for an agent with every purpose, reading the page once."""
    vendors = load_paywall_vendors()
    return judge_opened_body(response, open_page(response, "", vendors), vendors)


def judge_opened_body(
    response: ResponseFacts,
    page: Page | None,
    vendors: VendorTable,
    intent: Intent = EVERY_PURPOSE,
    *,
    follows_within: float = LONGEST_REFRESH,
) -> Assessment:
    """Judge a decoded body that was opened already: rules `challenge`, `paywall`, `login` and `refresh`.

    `page` is `open_page(response, token, vendors)`, None where it is no page; `follows_within` says how many
    seconds a refresh may wait that is followed.
    """
    return _assessment(
        judge_challenge(response),
        judge_opened_page(response, page, vendors, intent),
        judge_opened_login_page(response, page),
        judge_opened_refresh(response, page, follows_within=follows_within),
    )
