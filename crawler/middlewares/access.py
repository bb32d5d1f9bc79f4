"""Access: asks what a response says about access, and drops the body of what is not open to all.

Two places, because two things are visible at two places. `AccessHeadMiddleware` stands next to the network
and sees every status and every redirect before Scrapy follows or retries them; `AccessPageMiddleware` sees
the decoded page before a refresh is followed or the spider gets it. What is refused ends here: it is not
retried, and its redirect is not followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from w3lib.url import safe_url_string

from crawler.checkpoint import Checkpoint
from crawler.errors import SekishoSkip, SetupError
from crawler.visit import header_fields
from policies.facts import ResponseFacts
from policies.response_rules import judge_opened_body, judge_response_head
from policies.vocabulary import Action, Assessment, Reason, RequestKind

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from crawler.visit import Visit

# Refused as content, yet nothing that Scrapy does next goes round a refusal: a redirect is judged anew, an
# error may be retried. The body is dropped all the same.
_GO_ON_WITHOUT_BODY = frozenset({Reason.REDIRECT, Reason.HTTP_ERROR, Reason.RATE_LIMITED})


def response_facts(request: Request, response: Response) -> ResponseFacts:
    """Return the facts of a Scrapy response."""
    location = response.headers.get(b"Location")
    target: str | None = None
    if location is not None:
        try:
            target = urljoin(request.url, safe_url_string(location))  # as Scrapy reads it to follow it
        except ValueError:
            target = location.decode("latin-1")
    return ResponseFacts(
        url=request.url,
        status=response.status,
        headers=header_fields(response),
        body=response.body,
        location=target,
    )


class _Access:
    def __init__(self, crawler: Crawler) -> None:
        self._checkpoint = Checkpoint.of(crawler)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        return cls(crawler)

    def _visit(self, request: Request) -> Visit:
        visit = self._checkpoint.visit(request)
        if visit is None:
            raise SetupError(f"a response for {request.url} came that nothing had judged")
        return visit


class AccessHeadMiddleware(_Access):
    """Judges status, headers and redirect target, next to the network."""

    def process_response(self, request: Request, response: Response) -> Response:
        """Pass a response on, pass it on without its body, or refuse it."""
        visit = self._visit(request)
        facts = visit.response = response_facts(request, response)
        if visit.facts.kind is not RequestKind.PAGE:
            return response
        assessment = judge_response_head(request.url, facts)
        visit.head = assessment.verdicts
        if assessment.passes:
            return response
        verdict = self._checkpoint.judge_response(visit, assessment, response)
        if (
            verdict.reason is Reason.RATE_LIMITED
            and (visit.asked_pause or 0) > self._checkpoint.longest_delay
        ):
            raise SekishoSkip(verdict, request.url)
        if verdict.reason in _GO_ON_WITHOUT_BODY:
            return response.replace(body=b"")
        raise SekishoSkip(verdict, request.url)


class AccessPageMiddleware(_Access):
    """Judges the decoded page."""

    def process_response(self, request: Request, response: Response) -> Response:
        """Pass a page on with its record, or refuse it."""
        visit = self._visit(request)
        if visit.facts.kind is not RequestKind.PAGE or not 200 <= response.status < 300:  # noqa: PLR2004
            return response  # judged by its head
        facts = visit.response
        if facts is None or facts.body is not response.body or not visit.rights:
            raise SetupError(
                f"access to {request.url} was asked before rights: the middlewares are out of order"
            )
        access = tuple(
            self._checkpoint.waive(visit, verdict, passed=Action.KEEP)
            for verdict in judge_opened_body(facts, visit.page).verdicts
        )
        assessment = Assessment(verdicts=visit.head + visit.rights + access)
        verdict = self._checkpoint.judge_response(visit, assessment, response)
        if not verdict.action.passes:
            raise SekishoSkip(verdict, request.url)
        return response
