"""The order in which a request is judged, once and in words.

1. `scope`: may this agent ask for it at all (method, scheme, credentials, loopback only)?
2. `piracy`: is the host listed? Asked before anything is sent to it, robots.txt included.
3. `robots`: what does the origin's robots.txt say? Unreachable means disallow.
4. `crawl_delay`: can the pace that the site asks for be kept?
5. The lines of robots.txt beside its rules, in the order of `policies/rights_rules.py`: pace and hours, then
   what is said of the use of the content, for each purpose of the agent.

The first rule that does not let it pass decides, and the rest is not evaluated. Each rule is one file in
`policies/rules/`; none imports another. The middlewares of `crawler/` ask the same rules one by one as the
facts come in, and `crawler/middlewares/record.py` refuses what was not judged by exactly `REQUEST_RULES`.
After the response, `policies/response_rules.py` says in which order its rules are asked.
Pure: imports no Scrapy and reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from blocklists.entry import BLOCKING
from policies.rights_rules import FILE_RIGHTS, REQUEST_RIGHTS, judge_file_rights, judge_request_rights
from policies.rules.crawl_delay import judge_crawl_delay_of
from policies.rules.piracy import judge_piracy
from policies.rules.robots import judge_robots
from policies.rules.scope import judge_scope
from policies.vocabulary import Action, Assessment
from policies.waivers import NO_WAIVERS, Waivers, find_waivers, lift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blocklists.entry import Weight
    from blocklists.matcher import Matcher
    from blocklists.profile import Profile
    from policies.facts import RequestFacts
    from policies.rights_rules import FilesOfRights
    from policies.rules.judged_rows import Intent
    from policies.rules.robots import RobotsReadings
    from policies.signals.peer_blocks import AiAgent
    from policies.vocabulary import Verdict

REQUEST_RULES = ("scope", "piracy", "robots", "crawl_delay", *REQUEST_RIGHTS, *FILE_RIGHTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What does not change from request to request: the agent's side of the facts.

    `token` is its product token, `longest_delay` the cap on Crawl-delay in seconds, `weights` what blocks,
    `intent` for what it collects (None: only access is asked, for no purpose), `agents` the AI agents that
    sites block as a class, `waivers` the documents that lift what they name.
    """

    token: str
    loopback_only: bool
    longest_delay: float
    matcher: Matcher
    weights: frozenset[Weight] | Profile = BLOCKING
    intent: Intent | None = None
    agents: tuple[AiAgent, ...] = ()
    waivers: Waivers = NO_WAIVERS


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSide:
    """What one origin says: its robots.txt, and its files of rights (None: not evaluated)."""

    readings: RobotsReadings
    files: FilesOfRights | None


def _consulted(
    request: RequestFacts,
    standing: Standing,
    readings: RobotsReadings | None,
    files: FilesOfRights | None,
    now_us: int,
) -> Iterator[Verdict]:
    """Yield the verdict of each rule in order; a rule is asked only when its verdict is wanted."""
    file = readings.file if readings else None
    yield judge_scope(request, loopback_only=standing.loopback_only)
    yield judge_piracy(request, standing.matcher, now_us=now_us, weights=standing.weights)
    yield judge_robots(request, file, readings, standing.token, standing.intent)
    yield judge_crawl_delay_of(readings, standing.token, standing.longest_delay)
    if standing.intent is None:
        return
    yield from judge_request_rights(
        request,
        readings,
        standing.intent,
        standing.agents,
        longest_delay=standing.longest_delay,
        now_us=now_us,
    )
    if files is not None:
        yield from judge_file_rights(request, files, standing.intent)


def judge_request(
    request: RequestFacts,
    standing: Standing,
    readings: RobotsReadings | None,
    files: FilesOfRights | None = None,
    *,
    now_us: int,
) -> Assessment:
    """Return what the rules say of a request, in order, up to the first that does not let it pass.

    `readings` are those of the robots.txt of the request's origin; None means that there are none, and then
    nothing may be fetched. `files` are its files of rights; without them what they say is not evaluated.
    """
    verdicts: list[Verdict] = []
    for verdict in _consulted(request, standing, readings, files, now_us):
        verdicts.append(_lifted(request, standing, verdict, now_us))
        if not verdicts[-1].action.passes:
            break
    return Assessment(verdicts=tuple(verdicts))


def judge_every_rule(
    request: RequestFacts,
    standing: Standing,
    readings: RobotsReadings | None,
    files: FilesOfRights | None = None,
    *,
    now_us: int,
) -> tuple[Verdict, ...]:
    """Return what every rule says of a request, also behind one that refuses, waivers applied.

    For explanations, and for judging again what was kept: a crawl stops at the first refusal.
    """
    consulted = _consulted(request, standing, readings, files, now_us)
    return tuple(_lifted(request, standing, verdict, now_us) for verdict in consulted)


def _lifted(request: RequestFacts, standing: Standing, verdict: Verdict, now_us: int) -> Verdict:
    """Return a verdict, lifted where waivers answer each of its reasons."""
    if verdict.action.passes or not standing.waivers.placed or standing.intent is None:
        return verdict
    today = datetime.fromtimestamp(now_us / 1_000_000, UTC).date()
    placed = find_waivers(standing.waivers, request, verdict, today, standing.intent.purposes)
    return lift(verdict, placed, passed=Action.FETCH) if placed else verdict
