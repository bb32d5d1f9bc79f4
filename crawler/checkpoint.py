"""The checkpoint of one crawl: what its middlewares and its door share.

Holds the declared agent, the block lists, the recorder, the permits, the pace and the open visits. It holds
no opinion: rules judge, the recorder writes down what they said. One instance per crawler, found with
`Checkpoint.of(crawler)`; nothing of it is reachable through `Request.meta`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from scrapy.http import Response

from blocklists.profile import load_profile
from crawler.collector import Collector
from crawler.decisionlog.clock import SystemClock
from crawler.errors import SekishoSkip, SetupError
from crawler.pace import Pace
from crawler.permits import Permit, PermitBook
from crawler.recorder import Recorder
from crawler.tally import Tally
from crawler.visit import Visit, request_facts
from policies.agents import has_placeholder_contact
from policies.agents_intent import intent_of
from policies.ai_agents import load_ai_agents
from policies.rules.piracy import judge_piracy
from policies.vocabulary import Action, Assessment, Evidence, Reason, RequestKind, Verdict
from policies.waivers import NO_WAIVERS, find_waivers, lift, load_waivers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scrapy import Request
    from scrapy.crawler import Crawler

    from blocklists.errors import SekishoError
    from blocklists.snapshot import Snapshot
    from crawler.config import Config
    from crawler.decisionlog.aio import AsyncLog
    from crawler.extensions.guard import Guard
    from crawler.pacer import LeftAlone
    from crawler.refusals import Refusals
    from crawler.rights_files import RightsFiles
    from crawler.site_files import SiteFiles
    from policies.agents import LoadedAgent

_PUT_OFF = "the site asked to be left alone for longer than the policy's max_crawl_delay_seconds"
_SECOND_US = 1_000_000
_JUDGED_ONLY = Verdict(rule="reapply", action=Action.SKIP, reason=Reason.JUDGED_ONLY)
_checkpoints: WeakKeyDictionary[Crawler, Checkpoint] = WeakKeyDictionary()


@lru_cache(maxsize=1024)
def _put_off(origin: str, why: str, retry_at: int) -> Verdict:
    """Return what is said of a request that its site puts off, to a whole second (UTC, microseconds).

    All requests that one pause stops are told the same, so that their records share one basis.
    """
    evidence = Evidence(source=origin, text=why, note=_PUT_OFF)
    return Verdict(
        rule="pace",
        action=Action.DEFER,
        reason=Reason.RATE_LIMITED,
        evidence=(evidence,),
        retry_at=retry_at,
    )


class Checkpoint:
    """See the module. Made by the add-on; the log is open and its segment exists."""

    def __init__(
        self, *, config: Config, agent: LoadedAgent, snapshot: Snapshot, log: AsyncLog, run_id: str
    ) -> None:
        self.config = config
        self.agent = agent
        self.snapshot = snapshot
        self.profile = load_profile(config.profile)
        self.log = log
        self.run_id = run_id
        self.record = Recorder(
            log,
            agent=agent.policy.token,
            policy_sha256=agent.sha256,
            blocklist_sha256=snapshot.sha256,
        )
        self.clock = SystemClock()
        self.permits = PermitBook()
        self.pace = Pace(float(agent.policy.robots.max_crawl_delay_seconds))
        self.tally = Tally()
        self.collector = Collector()
        self.refusals: Refusals | None = None
        self.site_files: SiteFiles | None = None
        self.rights_files: RightsFiles | None = None
        self.on_log_failure: Callable[[SekishoError], None] | None = None
        self.judges_only = False  # nothing is handed to a spider: pages are asked for to judge them alone
        self.guard: Guard | None = None  # held here, since signals hold their receivers weakly
        self.armed = False  # the guard says so when everything is in place and recorded
        self.intent = intent_of(agent.policy)
        self.ai_agents = load_ai_agents()
        self.waivers = load_waivers(config.waivers_file) if config.waivers_file else NO_WAIVERS
        self.longest_delay = float(agent.policy.robots.max_crawl_delay_seconds)
        self.loopback_only = has_placeholder_contact(agent.policy)
        self.user_agent = agent.policy.user_agent.encode("ascii")
        self._visits: WeakKeyDictionary[Request, Visit] = WeakKeyDictionary()
        self._kinds: WeakKeyDictionary[Request, RequestKind] = WeakKeyDictionary()

    def attach(self, crawler: Crawler) -> None:
        """Make this the checkpoint of a crawler."""
        _checkpoints[crawler] = self

    @staticmethod
    def of(crawler: Crawler) -> Checkpoint:
        """Return the checkpoint of a crawler; SetupError when the add-on did not make one."""
        checkpoint = _checkpoints.get(crawler)
        if checkpoint is None:
            raise SetupError(
                "the crawl is not guarded: no checkpoint was set up for it; add "
                'ADDONS = {"crawler.addon.SekishoAddon": 100} to the project settings'
            )
        return checkpoint

    def require_log(self) -> None:
        """Raise LogError unless decisions can still be recorded."""
        if self.log.failed is not None:
            raise self.log.failed.again()

    def log_failed(self, error: SekishoError) -> None:
        """Tell whoever stops the crawl that nothing can be recorded any more."""
        if self.on_log_failure is not None:
            self.on_log_failure(error)

    def declare(self, request: Request, kind: RequestKind) -> None:
        """Say what a request of our own is for; only those do this who ask for site files and block lists."""
        self._kinds[request] = kind

    def open_visit(self, request: Request) -> Visit:
        """Start judging a request anew, whatever was said about it before."""
        previous = self._visits.get(request)
        if previous is not None:
            previous.end_turn()
        kind = self._kinds.get(request, RequestKind.PAGE)
        visit = Visit(
            facts=request_facts(request, kind, self.agent.policy.user_agent),
            attempt=int(request.meta.get("retry_times", 0)),
            lists=self.snapshot.sha256,
        )
        self._visits[request] = visit
        return visit

    def visit(self, request: Request) -> Visit | None:
        """Return the open visit of a request, or None when nothing judged it."""
        return self._visits.get(request)

    def consult(self, request: Request, verdict: Verdict) -> None:
        """Note what a rule said of a request; SekishoSkip, recorded, when it does not pass."""
        visit = self._visits.get(request)
        if visit is None:
            visit = self.open_visit(request)
        verdict = self.waive(visit, verdict, passed=Action.FETCH)
        visit.verdicts.append(verdict)
        if not verdict.action.passes:
            raise self.refuse(visit)

    def consult_all(self, request: Request, visit: Visit, verdicts: Iterable[Verdict]) -> None:
        """Note several verdicts in order, up to the first that does not pass; see `consult`."""
        noted = visit.verdicts
        for verdict in verdicts:
            if verdict.action.passes:
                noted.append(verdict)
            else:
                self.consult(request, verdict)

    def waive(self, visit: Visit, verdict: Verdict, *, passed: Action) -> Verdict:
        """Return a verdict, lifted where the operator's waiver file says so; nothing else lifts anything."""
        if verdict.action.passes or not self.waivers.placed:
            return verdict
        today = datetime.fromtimestamp(self.clock.now_us() / 1_000_000, UTC).date()
        placed = find_waivers(self.waivers, visit.facts, verdict, today, self.intent.purposes)
        if not placed:
            return verdict
        self.tally.waived += 1
        return lift(verdict, placed, passed=passed)

    def judge_lists(self, visit: Visit) -> Verdict:
        """Return what the state of the block lists that is in force says of a request."""
        snapshot = self.snapshot
        visit.lists = snapshot.sha256
        return judge_piracy(visit.facts, snapshot.matcher, now_us=self.clock.now_us(), weights=self.profile)

    def renew_lists(self, visit: Visit) -> bool:
        """Judge a request anew that waited while another state of the lists came into force.

        Returns whether the lists say something else of it now, though it passes still. SekishoSkip,
        recorded, when it does not pass any more.
        """
        if visit.lists == self.snapshot.sha256:
            return False
        verdict = self.judge_lists(visit)
        at = next((place for place, one in enumerate(visit.verdicts) if one.rule == verdict.rule), None)
        if at is None:  # the lists were never asked of it, so it has no permit either
            return False
        if not verdict.action.passes:
            visit.verdicts[at:] = [verdict]
            raise self.refuse(visit)
        before, visit.verdicts[at] = visit.verdicts[at], verdict
        return before != verdict

    async def renew_permit(self, request: Request, visit: Visit) -> None:
        """Ask the newer lists of a request that waited with its permit in hand; see `renew_lists`.

        Where they say something else and it passes still, a decision of its own gives the reasons anew.
        """
        try:
            changed = self.renew_lists(visit)
        except SekishoSkip:
            self.withdraw(request)
            raise
        if changed and self.withdraw(request):
            await self.permit(request, visit)

    def withdraw(self, request: Request) -> bool:
        """Take back a permit that was not used, so that it cannot serve later; whether there was one."""
        held = self.permits.withdraw(request)
        visit = self._visits.get(request)
        if held and visit is not None and visit.receipt is not None:
            self.tally.fetched -= 1
            self.record.not_sent(visit, visit.receipt)
        return held

    def adopt_lists(self, snapshot: Snapshot) -> None:
        """Put another state of the block lists in force: one step, between two requests."""
        self.snapshot = snapshot
        self.record.lists = snapshot.sha256

    def refuse(self, visit: Visit) -> SekishoSkip:
        """Record the refusal that a visit's last verdict orders; return the exception to raise."""
        verdict = visit.verdicts[-1]
        self.record.refusal(visit.facts, visit.verdicts, visit.attempt, lists=visit.lists)
        self.tally.skip(verdict, visit.facts.url)
        visit.end_turn()
        return SekishoSkip(verdict, visit.facts.url)

    def heed(self, visit: Visit, response: Response) -> None:
        """Let nothing go to an origin that asks to be left alone for a while (RFC 9110 section 10.2.3)."""
        self.pace.heed(visit, response, now_us=self.clock.now_us())

    def leave_alone(self, visit: Visit, held: LeftAlone) -> SekishoSkip:
        """Record that a request is put off, because its site asked for a pause; return the exception."""
        moment = self.clock.now_us() + round(held.seconds * _SECOND_US)
        verdict = _put_off(str(visit.facts.origin), held.why, -(-moment // _SECOND_US) * _SECOND_US)
        visit.verdicts.append(verdict)
        return self.refuse(visit)

    async def permit(self, request: Request, visit: Visit) -> None:
        """Record the decision to fetch, wait until it is durable, and issue its permit."""
        visit.receipt = await self.record.fetch(visit)
        self.tally.fetched += 1
        permit = Permit(
            method=visit.facts.method,
            url=visit.facts.url,
            user_agent=self.user_agent,
            receipt=visit.receipt,
            proxy=request.meta.get("proxy"),
            cookie=request.headers.get(b"Cookie"),
        )
        self.permits.issue(request, permit)

    def judge_response(self, visit: Visit, assessment: Assessment, response: Response) -> Verdict:
        """Record what the response rules said and return the verdict that decided."""
        if self.judges_only and assessment.passes and 200 <= response.status < 300:  # noqa: PLR2004
            assessment = Assessment(verdicts=(*assessment.verdicts, _JUDGED_ONLY))
        deciding = assessment.deciding
        self.record.response(visit, assessment.verdicts, deciding, response)
        visit.judged = True
        if deciding.action is Action.KEEP:
            if visit.facts.kind is RequestKind.PAGE:  # parts of a page are not handed on
                self.tally.kept += 1
                self.tally.kept_bytes += len(response.body)
        else:
            self.tally.skip(deciding, visit.facts.url, answered=True)
        return deciding

    def give_up(self, visit: Visit, error: str) -> None:
        """Record that a response came and a component failed before anything could be said of it.

        A body that is not what its Content-Encoding says is one of the causes.
        """
        facts = visit.response
        if facts is None or visit.judged or visit.receipt is None:
            return
        evidence = Evidence(source="response", note=error)
        verdict = Verdict(rule="door", action=Action.SKIP, reason=Reason.ERROR_INTERNAL, evidence=(evidence,))
        content_type = facts.header("content-type")
        headers = {} if content_type is None else {"Content-Type": content_type.encode("latin-1")}
        response = Response(facts.url, status=facts.status, headers=headers)
        self.judge_response(visit, Assessment(verdicts=(verdict,)), response)
