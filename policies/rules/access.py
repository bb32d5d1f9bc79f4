"""The access rules: what a response's status, headers and, in place of a page, a challenge say of access.

Sources: RFC 9110 sections 15 (status codes), 11.6.1 (WWW-Authenticate) and 10.2.3 (Retry-After), RFC 7725
(451 and `Link: rel="blocked-by"`), RFC 6585 section 4 (429); challenge headers as their vendors document
them. Principle-Code item PC-1.2c-1: access restrictions are respected and the refusal is recorded with its
evidence. Pure: no clock, no files, no network.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from policies.signals.challenge import defence_cookie, named_by_header, named_by_page
from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import ResponseFacts

RULE = "access"
_TEXT = 500
CHALLENGE_RULE = "challenge"
_PASS = Verdict(rule=RULE, action=Action.KEEP, reason=Reason.KEPT)
_CHALLENGE_PASS = Verdict(rule=CHALLENGE_RULE, action=Action.KEEP, reason=Reason.KEPT)
_CHALLENGE = "a challenge stands in place of the page"
_FIRST_ERROR = 400  # RFC 9110 section 15: client and server errors

_REFUSALS = {
    401: Reason.HTTP_401,
    402: Reason.HTTP_402,
    403: Reason.HTTP_403,
    407: Reason.HTTP_407,
    451: Reason.LEGAL_BLOCK,
}
_THROTTLED = frozenset((429, 503))
_REDIRECTS = frozenset((300, 301, 302, 303, 307, 308))

# Headers that explain a refusal; kept as evidence with every status that is not a success.
_EXPLAINING = frozenset(
    (
        "www-authenticate",
        "proxy-authenticate",
        "retry-after",
        "crawler-price",
        "crawler-exact-price",
        "crawler-error",
        "payment-required",
        "x-datadome",
        "cf-mitigated",
        "x-amzn-waf-action",
        "x-vercel-mitigated",
    )
)
# We never offer to pay: a charge means that somebody else's offer was sent in our name.
_CHARGED = "crawler-charged"
_PRICE = "crawler-price"
_NOTABLE = frozenset((*_EXPLAINING, "link", "set-cookie", "x-kpsdk-ct", "x-kpsdk-r", "x-kpsdk-v", _CHARGED))
_EVIDENCE_LIMIT = 12


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _header(name: str, value: str, note: str = "") -> Evidence:
    return Evidence(source="response header", text=f"{name}: {value}"[:_TEXT], note=note)


def _skip(status: int, reason: Reason, evidence: tuple[Evidence, ...]) -> Verdict:
    if not evidence:
        return _plain(status, reason)
    line = Evidence(source="response status", text=_status_line(status))
    return Verdict(rule=RULE, action=Action.SKIP, reason=reason, evidence=(line, *evidence))


@lru_cache(maxsize=1024)
def _plain(status: int, reason: Reason) -> Verdict:
    """Return the one verdict of a status without explaining headers, so that its document is made once."""
    line = Evidence(source="response status", text=_status_line(status))
    return Verdict(rule=RULE, action=Action.SKIP, reason=reason, evidence=(line,))


def _note(name: str, value: str) -> str:
    if name == "www-authenticate" and value.lower().lstrip().startswith("license"):
        return "an RSL licence is required"
    return "party that blocks" if name == "link" else ""


def _explanation(name: str, value: str) -> Evidence | None:
    """Return a header that explains a refusal, or None for one that does not."""
    if name == "set-cookie":
        cookie = defence_cookie(value)
        return _header(name, f"{cookie}=…", "a bot defence stands before the site") if cookie else None
    if name in _EXPLAINING or (name == "link" and "blocked-by" in value.lower()):
        return _header(name, value, _note(name, value))
    return None


def _explanations(notable: list[tuple[str, str]]) -> tuple[Evidence, ...]:
    found = (_explanation(name, value) for name, value in notable)
    return tuple(item for item in found if item is not None)[:_EVIDENCE_LIMIT]


def _judge_success(status: int, notable: list[tuple[str, str]]) -> Verdict:
    """Return the verdict of a 2xx response that carries a header worth a look."""
    for name, value in notable:
        if name == _CHARGED:
            note = "a crawl was charged although no payment was offered: find out at once who offers it"
            return _skip(status, Reason.CRAWLER_CHARGED, (_header(name, value, note),))
    for name, value in notable:
        if name == "www-authenticate":
            note = _note(name, value) or "the site asks for credentials beside its content"
            return _skip(status, Reason.CREDENTIALS_REQUESTED, (_header(name, value, note),))
    prices = tuple(
        _header(name, value, "a price is named; none was paid") for name, value in notable if name == _PRICE
    )
    if prices:
        return Verdict(rule=RULE, action=Action.KEEP, reason=Reason.KEPT, evidence=prices[:_EVIDENCE_LIMIT])
    return _PASS


def _challenged(response: ResponseFacts, notable: list[tuple[str, str]], *, success: bool) -> Verdict | None:
    """Return the verdict on a challenge, by header or, where nothing was granted, by the page; else None."""
    found = named_by_header(response.status, notable)[:_EVIDENCE_LIMIT]
    if found:
        evidence = tuple(
            Evidence(source="response header", text=one.text[:_TEXT], note=_CHALLENGE) for one in found
        )
        return _skip(response.status, Reason.BOT_CHALLENGE, evidence)
    if success or response.status < _FIRST_ERROR:
        return None
    verdict = judge_challenge(response)
    if verdict.action.passes:
        return None
    explained = _explanations(notable)[: _EVIDENCE_LIMIT - 1]
    return _skip(response.status, Reason.BOT_CHALLENGE, (*verdict.evidence, *explained))


def judge_challenge(response: ResponseFacts) -> Verdict:
    """Return SKIP for a decoded body that is the page of a bot defence and no page of the site, else KEEP."""
    found = named_by_page(response)
    if found is None:
        return _CHALLENGE_PASS
    evidence = Evidence(
        source=response.url,
        text=found.text[:_TEXT],
        sha256=hashlib.sha256(response.body).hexdigest(),
        note=f"{found.vendor}: {_CHALLENGE}",
    )
    return Verdict(rule=CHALLENGE_RULE, action=Action.SKIP, reason=Reason.BOT_CHALLENGE, evidence=(evidence,))


def judge_status(response: ResponseFacts) -> Verdict:
    """Return KEEP for a 2xx response without a challenge, else SKIP with the status and what explains it.

    The body is read only where the status is an error, and must be decoded there: a challenge with 429 or 503
    is a refusal and no overload. A challenge is BOT_CHALLENGE whatever its status, because that is what it
    means; a charge is CRAWLER_CHARGED, a challenge for credentials beside content CREDENTIALS_REQUESTED.
    A redirect is skipped as REDIRECT: its body is not the page, and its target is judged on its own.
    `Retry-After` is evidence; waiting is the pace's business.
    """
    status = response.status
    notable = [(name, value) for name, value in response.headers if name in _NOTABLE]
    success = 200 <= status < 300  # noqa: PLR2004 - the class of success, RFC 9110 section 15.3
    if success and not notable:
        return _PASS
    challenged = _challenged(response, notable, success=success)
    if challenged is not None:
        return challenged
    if status in _REFUSALS:
        return _skip(status, _REFUSALS[status], _explanations(notable))
    if success:
        return _judge_success(status, notable)
    target = response.location or response.header("location")
    if status in _REDIRECTS and target:
        return _skip(status, Reason.REDIRECT, (_header("location", target),))
    reason = Reason.RATE_LIMITED if status in _THROTTLED else Reason.HTTP_ERROR
    return _skip(status, reason, _explanations(notable))
