"""Rights: asks what a site says of the use of its content, in robots.txt, in headers and in the page.

Before the request, after `robots.py`, the lines of robots.txt beside its rules and the site's files of
rights; on the answer, decoded, its headers, its meta elements and the file itself. What a purpose of the
agent is refused is not kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from crawler.checkpoint import Checkpoint
from crawler.errors import SekishoSkip, SetupError
from crawler.pacer import SHORT
from crawler.rights_files import RightsFiles, families_for
from policies.paywall_vendors import load_paywall_vendors
from policies.rights_rules import (
    FILE_RIGHTS,
    REQUEST_RIGHTS,
    judge_file_rights,
    judge_request_rights,
    judge_response_rights,
)
from policies.rules.request_rate import longest_pause
from policies.rules.robots_meta import what_forbids_links
from policies.signals.licence_links import links_of_response
from policies.signals.page_markers import open_page
from policies.vocabulary import Action, Assessment, Reason, Verdict

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from crawler.rights_files import SiteRights
    from crawler.visit import Visit
    from policies.rules.robots import RobotsReadings
    from policies.vocabulary import Origin

# Files of our own errands are read for compliance only: what they may be used for is not the question.
_ERRAND = tuple(
    Verdict(rule=rule, action=Action.FETCH, reason=Reason.NOT_APPLICABLE)
    for rule in (*REQUEST_RIGHTS, *FILE_RIGHTS)
)


class RightsMiddleware:
    """See the module."""

    def __init__(self, crawler: Crawler) -> None:
        checkpoint = self._checkpoint = Checkpoint.of(crawler)
        if checkpoint.site_files is None:
            raise SetupError("rights were set up before robots: the middlewares are out of order")
        # An agent whom no file of rights concerns asks for none.
        self._files: RightsFiles | None = None
        self._vendors = load_paywall_vendors()
        if families_for(checkpoint.intent):
            self._files = RightsFiles(crawler, checkpoint, checkpoint.site_files, checkpoint.intent)
        checkpoint.rights_files = self._files

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it for a guarded crawl."""
        return cls(crawler)

    async def process_request(self, request: Request) -> Request | None:
        """Ask what the site's robots.txt and its files of rights say of the use of this address.

        A request that has to wait for its site is not judged to the end: it goes back to be judged anew.
        """
        checkpoint = self._checkpoint
        visit = checkpoint.visit(request)
        if visit is None or visit.facts.origin is None:
            raise SetupError("rights were asked before robots: the middlewares are out of order")
        if not visit.facts.kind.is_content:
            checkpoint.consult_all(request, visit, _ERRAND)
            return None
        readings, origin = visit.readings, visit.facts.origin
        if readings is None:
            raise SetupError("rights were asked before robots: the middlewares are out of order")
        verdicts = self._judge(visit, readings)
        wait = self._wait(verdicts[-1])
        if 0 < wait <= checkpoint.longest_delay:
            # The hour that the site names is near: the request is put off, not dropped.
            checkpoint.pace.close_until(origin, wait, verdicts[-1].reason.value)
            return await checkpoint.pace.wait_outside(request, wait)
        try:
            checkpoint.consult_all(request, visit, verdicts)
        except SekishoSkip:
            # With a JOBDIR it is kept for a run at that hour.
            if wait and checkpoint.pace.keeps(request):
                checkpoint.pace.close_until(origin, wait, verdicts[-1].reason.value)
                return checkpoint.pace.gate.give_back(request)
            raise
        pause = longest_pause(readings, checkpoint.intent.token, now_us=checkpoint.clock.now_us())
        checkpoint.pace.learn(origin, pause or 0.0)  # before anything else is asked for there
        files = None
        if self._files is not None:
            files = self._files.usable(origin)
            if files is None:
                # Each file is asked for at the site's pace.
                files = await checkpoint.pace.gate.room.inside(self._files.rights(origin))
        checkpoint.consult_all(request, visit, judge_file_rights(visit.facts, files, checkpoint.intent))
        if checkpoint.pace.is_long(request, origin) and self._will_last(origin, files):
            return checkpoint.pace.gate.give_back(request)
        return None

    def _will_last(self, origin: Origin, files: SiteRights | None) -> bool:
        """Whether what was read of a site may still be used when its next turn comes.

        Otherwise a page that went back would find it expired each time, and never have its turn.
        """
        checkpoint = self._checkpoint
        wait = checkpoint.pace.wait(origin) + SHORT
        moment = checkpoint.clock.now_us() + round(wait * 1_000_000)
        robots = checkpoint.site_files
        return (
            robots is not None and robots.lasts(origin, wait) and (files is None or files.expires_at > moment)
        )

    def _judge(self, visit: Visit, readings: RobotsReadings) -> list[Verdict]:
        """Return what robots.txt says beside its rules, up to the first verdict that does not pass."""
        checkpoint = self._checkpoint
        verdicts: list[Verdict] = []
        for verdict in judge_request_rights(
            visit.facts,
            readings,
            checkpoint.intent,
            checkpoint.ai_agents,
            longest_delay=checkpoint.longest_delay,
            now_us=checkpoint.clock.now_us(),
        ):
            verdicts.append(verdict)
            if verdict.action.passes:
                continue
            if not checkpoint.waive(visit, verdict, passed=Action.FETCH).action.passes:
                break
        return verdicts

    async def _licences(self, visit: Visit) -> tuple[Verdict, ...]:
        """Return what the licences that an answer names say of its use; nothing where it names none."""
        facts, origin = visit.response, visit.facts.origin
        if self._files is None or facts is None or origin is None:
            return ()
        links = links_of_response(facts, visit.page)
        if not links:
            return ()
        licences = await self._files.licences(links, page_url=facts.url, page_body=facts.body)
        verdict = licences.judge(facts.url, origin, self._checkpoint.intent, passed=Action.KEEP)
        return (self._checkpoint.waive(visit, verdict, passed=Action.KEEP),)

    def _wait(self, verdict: Verdict) -> float:
        """Return the seconds until a request that is put off may be asked again; 0 when it is not."""
        if verdict.action is not Action.DEFER or verdict.retry_at is None:
            return 0.0
        return max(0.001, (verdict.retry_at - self._checkpoint.clock.now_us()) / 1_000_000)

    async def process_response(self, request: Request, response: Response) -> Response:
        """Ask what the answer says of its use, and drop what is refused.

        A licence that only the answer names is asked for when nothing else refuses already.
        """
        checkpoint = self._checkpoint
        visit = checkpoint.visit(request)
        if visit is None or visit.response is None:
            raise SetupError(f"a response for {request.url} came that nothing had judged")
        if not visit.facts.kind.is_content or not 200 <= response.status < 300:  # noqa: PLR2004
            return response
        if visit.response.body is not response.body:  # it is decoded now
            visit.response = replace(visit.response, body=response.body)
        visit.page = open_page(visit.response, checkpoint.intent.token, self._vendors)
        now_us = checkpoint.clock.now_us()
        visit.nofollow = what_forbids_links(
            visit.response, visit.page, checkpoint.intent.token, now_us=now_us
        )
        visit.rights = tuple(
            verdict if verdict.action.passes else checkpoint.waive(visit, verdict, passed=Action.KEEP)
            for verdict in judge_response_rights(visit.response, visit.page, checkpoint.intent, now_us=now_us)
        )
        if all(verdict.action.passes for verdict in visit.rights):
            visit.rights += await self._licences(visit)
            if visit.rights[-1].action.passes:
                return response
        verdict = checkpoint.judge_response(visit, Assessment(verdicts=visit.head + visit.rights), response)
        raise SekishoSkip(verdict, request.url)
