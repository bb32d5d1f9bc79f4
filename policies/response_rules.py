"""The order in which a response is judged: first its head, near the network, then its body.

Two steps because redirects are visible only to whoever stands before the redirect is followed, and bodies
only after they were decompressed. Each returns every rule that was consulted; the login redirect comes first,
so that a redirect into a login is called by its name.
The common case returns one and the same `Assessment`, so that a caller may cache its document by identity.
Pure: no clock, no files, no network.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from policies.rules.access import judge_status
from policies.rules.login import judge_login_redirect, judge_opened_login_page
from policies.rules.paywall import judge_opened_page
from policies.signals.page_markers import open_page
from policies.vocabulary import Assessment

if TYPE_CHECKING:
    from policies.facts import ResponseFacts
    from policies.signals.page_markers import Page
    from policies.vocabulary import Verdict


@lru_cache(maxsize=2048)
def _assessment(first: Verdict, second: Verdict) -> Assessment:
    return Assessment(verdicts=(first, second))


def judge_response_head(request_url: str, response: ResponseFacts) -> Assessment:
    """Judge a response by status and headers: rules `login` and `access`. `request_url` is what was asked."""
    return _assessment(judge_login_redirect(request_url, response), judge_status(response))


def judge_response_body(response: ResponseFacts) -> Assessment:
    """Judge a response by its decoded body: rules `paywall` and `login`, reading the page once."""
    return judge_opened_body(response, open_page(response))


def judge_opened_body(response: ResponseFacts, page: Page | None) -> Assessment:
    """Judge a body that was opened already; `page` is `open_page(response, …)`, None where it is no page."""
    return _assessment(judge_opened_page(response, page), judge_opened_login_page(response, page))
