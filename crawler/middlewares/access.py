"""Access: asks what a response says about access, and drops the body of what is not open to all.

Two places, because two things are visible at two places. `AccessHeadMiddleware` stands next to the network
and sees every status and every redirect before Scrapy follows or retries them; `AccessPageMiddleware` sees
the decoded page before a refresh is followed or the spider gets it. What is refused ends here: it is not
retried, its redirect is not followed, and its address is not asked for again in the same crawl. A page that
only sends its reader elsewhere is recorded as a redirect and passed on as nothing but that.
"""

from __future__ import annotations

import html
import logging
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from scrapy.downloadermiddlewares.httpcompression import HttpCompressionMiddleware
from scrapy.http import Response, TextResponse
from w3lib.url import safe_url_string

from crawler.checkpoint import Checkpoint
from crawler.errors import SekishoSkip, SetupError
from crawler.refused import RefusedAddresses
from crawler.site_cookies import SiteCookies
from crawler.visit import header_fields
from policies.facts import ResponseFacts
from policies.paywall_vendors import load_paywall_vendors
from policies.response_rules import judge_opened_body, judge_response_head
from policies.rules.paywall import RULE as PAYWALL_RULE
from policies.rules.paywall import find_free_text
from policies.signals.page_refresh import find_refresh
from policies.vocabulary import Action, Assessment, Reason

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler

    from crawler.visit import Visit
    from policies.vocabulary import Verdict

logger = logging.getLogger(__name__)
_FIRST_ERROR = 400
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


def _without_closed_parts(response: Response, visit: Visit, access: tuple[Verdict, ...]) -> Response:
    """Return a page without the parts that it declares closed; most pages declare none."""
    page = visit.page
    if page is None or not page.markers.accessible:
        return response
    if any(verdict.rule == PAYWALL_RULE and verdict.reason is not Reason.KEPT for verdict in access):
        return response  # a waiver says more
    free = find_free_text(page)
    if free is None:
        return response
    body = free.encode("utf-8", "replace")
    if not isinstance(response, TextResponse):
        return response.replace(body=body)
    return response.replace(body=body, encoding="utf-8")


class _Access:
    def __init__(self, crawler: Crawler) -> None:
        self._checkpoint = Checkpoint.of(crawler)
        self._refused = RefusedAddresses.of(self._checkpoint)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        return cls(crawler)

    def _visit(self, request: Request) -> Visit:
        visit = self._checkpoint.visit(request)
        if visit is None:
            raise SetupError(f"a response for {request.url} came that nothing had judged")
        return visit

    def _judged(self, visit: Visit, assessment: Assessment, response: Response) -> Verdict:
        """Record what the rules said, and remember a refusal; return the verdict that decided."""
        verdict = self._checkpoint.judge_response(visit, assessment, response)
        record = visit.receipt.idx if visit.receipt else None
        now_us = self._checkpoint.clock.now_us()
        self._refused.note(visit.facts.url, verdict, now_us=now_us, record=record)
        if verdict.reason is Reason.CRAWLER_CHARGED:
            logger.critical(
                "A crawl was charged although nothing was offered: %(url)s: %(text)s",
                {"url": visit.facts.url, "text": verdict.evidence[-1].text},
            )
        return verdict


class AccessHeadMiddleware(_Access):
    """Judges status, headers and redirect target, next to the network."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._cookies = SiteCookies.of(self._checkpoint)
        # A challenge is told by its page, which may be compressed; Scrapy decodes it too late for us.
        self._decoder = HttpCompressionMiddleware(crawler=crawler)
        self._decoder.stats = None  # what is decoded here is decoded for a look, and counted nowhere

    def process_response(self, request: Request, response: Response) -> Response:
        """Pass a response on, pass it on without its body, or refuse it."""
        visit = self._visit(request)
        facts = visit.response = response_facts(request, response)
        if not visit.facts.kind.is_content:
            return response
        if response.status >= _FIRST_ERROR:
            facts = replace(facts, body=self._decoded(request, response))
        assessment = judge_response_head(request.url, facts)
        visit.head = assessment.verdicts
        if assessment.passes:
            self._cookies.learn(response)
            return response
        verdict = self._judged(visit, assessment, response)
        if (
            verdict.reason is Reason.RATE_LIMITED
            and (visit.asked_pause or 0) > self._checkpoint.longest_delay
        ):
            raise SekishoSkip(verdict, request.url)
        if verdict.reason in _GO_ON_WITHOUT_BODY:
            self._cookies.learn(response)
            return response.replace(body=b"")
        raise SekishoSkip(verdict, request.url)

    def _decoded(self, request: Request, response: Response) -> bytes:
        """Return the body of an error as its reader would see it; empty where it cannot be decoded."""
        if not response.headers.getlist(b"Content-Encoding"):
            return response.body
        try:
            decoded = self._decoder.process_response(request, response.copy())
        except Exception:  # noqa: BLE001 - whatever a coding hides, the status has refused already
            return b""
        return decoded.body if isinstance(decoded, Response) else b""


class AccessPageMiddleware(_Access):
    """Judges the decoded page, and refuses to ask again for what was refused."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        settings = crawler.settings
        self._vendors = load_paywall_vendors()
        follows = settings.getbool("METAREFRESH_ENABLED")
        self._follows_within = float(settings.getint("METAREFRESH_MAXDELAY")) if follows else 0.0

    def process_request(self, request: Request) -> None:
        """Refuse an address that refused us before in this crawl, whatever the request now carries."""
        visit = self._visit(request)
        if visit.facts.kind.is_content:
            refused = self._refused.judge(visit.facts.url, now_us=self._checkpoint.clock.now_us())
            if refused is not None:
                self._checkpoint.consult(request, refused)

    def process_response(self, request: Request, response: Response) -> Response:
        """Pass a page on with its record, or refuse it."""
        visit = self._visit(request)
        if not visit.facts.kind.is_content or not 200 <= response.status < 300:  # noqa: PLR2004
            return response  # judged by its head
        facts = visit.response
        if facts is None or facts.body is not response.body or not visit.rights:
            raise SetupError(
                f"access to {request.url} was asked before rights: the middlewares are out of order"
            )
        access = self.judge(request, visit, facts)
        assessment = Assessment(verdicts=visit.head + visit.rights + access)
        if assessment.passes:
            response = _without_closed_parts(response, visit, access)
        verdict = self._judged(visit, assessment, response)
        if verdict.reason is Reason.REDIRECT:
            return self._onward(response, visit)
        if not verdict.action.passes:
            raise SekishoSkip(verdict, request.url)
        return response

    def judge(self, request: Request, visit: Visit, facts: ResponseFacts) -> tuple[Verdict, ...]:
        """Return what the rules say of a decoded page that was opened, waivers applied."""
        said = judge_opened_body(
            facts,
            visit.page,
            self._vendors,
            self._checkpoint.intent,
            follows_within=0.0 if request.meta.get("dont_redirect") else self._follows_within,
        )
        return tuple(self._checkpoint.waive(visit, verdict, passed=Action.KEEP) for verdict in said.verdicts)

    def _onward(self, response: Response, visit: Visit) -> Response:
        """Return a page that only leads elsewhere as nothing but that, for Scrapy to follow."""
        refresh = find_refresh(visit.page, response.url) if visit.page is not None else None
        if refresh is None:
            return response.replace(body=b"")
        target = html.escape(safe_url_string(refresh.url), quote=True)
        bare = f'<meta http-equiv="refresh" content="{refresh.seconds};url={target}">'
        encoding = response.encoding if isinstance(response, TextResponse) else "ascii"
        return response.replace(body=bare.encode(encoding, "replace"))
