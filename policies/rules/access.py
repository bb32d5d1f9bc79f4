"""The access rule: what a response's status and headers say about whether its body is ours to keep.

Sources: RFC 9110 sections 15 (status codes), 11.6.1 (WWW-Authenticate) and 10.2.3 (Retry-After), RFC 7725
(451 and `Link: rel="blocked-by"`), RFC 6585 section 4 (429); challenge headers as their vendors document
them. Principle-Code item PC-1.2c-1: access restrictions are respected and the refusal is recorded with its
evidence. Pure: no clock, no files, no network.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from policies.vocabulary import Action, Evidence, Reason, Verdict

if TYPE_CHECKING:
    from policies.facts import ResponseFacts

RULE = "access"
_TEXT = 500
_PASS = Verdict(rule=RULE, action=Action.KEEP, reason=Reason.KEPT)

_REFUSALS = {
    401: Reason.HTTP_401,
    402: Reason.HTTP_402,
    403: Reason.HTTP_403,
    407: Reason.HTTP_407,
    451: Reason.LEGAL_BLOCK,
}
_THROTTLED = frozenset((429, 503))
_REDIRECTS = frozenset((300, 301, 302, 303, 307, 308))

# A value of one of these headers says, whatever the status, that the body is a challenge and not the page.
_CHALLENGES = {
    "cf-mitigated": frozenset(("challenge",)),
    "x-amzn-waf-action": frozenset(("challenge", "captcha")),
    "x-vercel-mitigated": frozenset(("challenge", "deny")),
}
# Headers that explain a refusal; kept as evidence with every status that is not a success.
_EXPLAINING = frozenset(
    (
        "www-authenticate",
        "proxy-authenticate",
        "retry-after",
        "crawler-price",
        "crawler-exact-price",
        "payment-required",
        "x-datadome",
        *_CHALLENGES,
    )
)
# We never offer to pay: a charge means that somebody else's offer was sent in our name.
_CHARGED = "crawler-charged"
_NOTABLE = frozenset((*_EXPLAINING, "link", _CHARGED))
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


def _explanations(notable: list[tuple[str, str]]) -> tuple[Evidence, ...]:
    kept = [
        _header(name, value, _note(name, value))
        for name, value in notable
        if name in _EXPLAINING or (name == "link" and "blocked-by" in value.lower())
    ]
    return tuple(kept[:_EVIDENCE_LIMIT])


def _is_challenge(name: str, value: str) -> bool:
    return name in _CHALLENGES and value.split(";", 1)[0].strip().lower() in _CHALLENGES[name]


def _judge_success(status: int, notable: list[tuple[str, str]]) -> Verdict:
    """Return the verdict of a 2xx response that carries a header worth a look."""
    for name, value in notable:
        if name == _CHARGED:
            note = "a crawl was charged although no payment was offered"
            return _skip(status, Reason.HTTP_402, (_header(name, value, note),))
        if name == "www-authenticate":
            note = _note(name, value) or "the site asks for credentials beside its content"
            return _skip(status, Reason.LOGIN_REQUIRED, (_header(name, value, note),))
    return _PASS


def judge_status(response: ResponseFacts) -> Verdict:
    """Return KEEP for a 2xx response without a challenge, else SKIP with the status and what explains it.

    A redirect is skipped as REDIRECT: its body is not the page, and its target is judged on its own.
    A challenge counts as HTTP_403 whatever its status, because that is what it means.
    `Retry-After` is evidence; waiting is the pace's business.
    """
    status = response.status
    notable = [(name, value) for name, value in response.headers if name in _NOTABLE]
    success = 200 <= status < 300  # noqa: PLR2004 - the class of success, RFC 9110 section 15.3
    if success and not notable:
        return _PASS
    if status in _REFUSALS:
        return _skip(status, _REFUSALS[status], _explanations(notable))
    challenges = tuple(
        _header(name, value, "a challenge stands in place of the page")
        for name, value in notable
        if _is_challenge(name, value)
    )
    if challenges:
        return _skip(status, Reason.HTTP_403, challenges[:_EVIDENCE_LIMIT])
    if success:
        return _judge_success(status, notable)
    target = response.location or response.header("location")
    if status in _REDIRECTS and target:
        return _skip(status, Reason.REDIRECT, (_header("location", target),))
    reason = Reason.RATE_LIMITED if status in _THROTTLED else Reason.HTTP_ERROR
    return _skip(status, reason, _explanations(notable))
