"""The order in which reservations of rights are judged: lines of robots.txt, files of rights, the answer.

Before a request, in this order: `request_rate` and `visit_time` (pace and hours), `usage_preference`
(AIPREF Content-Usage), `content_signal`, `robots_noindex`, `ai_prohibition`, `peer_blocks`; then by the files
in which a site states its rights `tdm_reservation`, `rsl`, `ai_txt`, `trust_txt`. After the answer:
`robots_meta`, `usage_preference` and `content_signal` by its headers, `tdm_reservation` by headers and page,
`robots_meta` by the page, `asset_rights` by the file itself, and `rsl` by the licences that only the answer
names. Every family decides by its own conflict rule; across families the first that refuses decides, and no
permission of one lifts the refusal of another (`policies/precedence.py`).
Pure: the time is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from policies.rules.asset_rights import judge_asset
from policies.rules.content_signal import judge_content_signal, judge_signal_header
from policies.rules.judged_rows import nothing_found
from policies.rules.peer_blocks import judge_peer_blocks
from policies.rules.request_rate import judge_request_rate
from policies.rules.robots_meta import judge_robots_header, judge_robots_page
from policies.rules.robots_noindex import judge_ai_prohibition, judge_robots_noindex
from policies.rules.tdm_reservation import judge_tdm_reservation, judge_tdm_response
from policies.rules.usage_preference import judge_usage_header, judge_usage_preference
from policies.rules.visit_time import judge_visit_time
from policies.vocabulary import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.facts import RequestFacts, ResponseFacts
    from policies.rules.ai_txt import AiTxtReading
    from policies.rules.judged_rows import Intent
    from policies.rules.robots import RobotsReadings
    from policies.rules.rsl import Licences
    from policies.rules.trust_txt import TrustTxtReading
    from policies.signals.page_opened import Page
    from policies.signals.peer_blocks import AiAgent
    from policies.signals.tdmrep import TdmReading
    from policies.vocabulary import Verdict

REQUEST_RIGHTS = (
    "request_rate",
    "visit_time",
    "usage_preference",
    "content_signal",
    "robots_noindex",
    "ai_prohibition",
    "peer_blocks",
)
FILE_RIGHTS = ("tdm_reservation", "rsl", "ai_txt", "trust_txt")


class FilesOfRights(Protocol):
    """What an origin's files of rights say; a reading is None when its family does not concern the agent."""

    @property
    def tdmrep(self) -> TdmReading | None:
        """TDM Reservation Protocol, `/.well-known/tdmrep.json`."""

    @property
    def ai_txt(self) -> AiTxtReading | None:
        """Spawning's ai.txt."""

    @property
    def trust_txt(self) -> TrustTxtReading | None:
        """JournalList's trust.txt."""

    @property
    def licences(self) -> Licences:
        """The RSL licences that robots.txt names."""


def judge_request_rights(
    request: RequestFacts,
    readings: RobotsReadings | None,
    intent: Intent,
    agents: tuple[AiAgent, ...],
    *,
    longest_delay: float,
    now_us: int,
) -> Iterator[Verdict]:
    """Yield what the lines of robots.txt beside its rules say, in the order of `REQUEST_RIGHTS`.

    `agents` are the AI agents that sites block as a class; `longest_delay` caps the pause in seconds.
    """
    url = request.url
    yield judge_request_rate(readings, intent.token, longest_delay, now_us=now_us)
    yield judge_visit_time(readings, intent.token, now_us=now_us)
    yield judge_usage_preference(readings, url, intent)
    yield judge_content_signal(readings, intent)
    yield judge_robots_noindex(readings, url, intent)
    yield judge_ai_prohibition(readings, url, intent)
    yield judge_peer_blocks(readings, url, intent, agents)


def _judge_tdm_file(reading: TdmReading | None, url: str, intent: Intent) -> Verdict:
    statement = reading.statement_for(url) if reading is not None else None
    if reading is None or statement is None:
        return nothing_found(FILE_RIGHTS[0], Action.FETCH)
    evidence = reading.evidence_of(statement)
    reservation = reading.reservation_for(url)
    found = [] if reservation is None else [(reservation, evidence)]
    return judge_tdm_reservation(found, [] if found else [evidence], intent, passed=Action.FETCH)


def judge_file_rights(
    request: RequestFacts, files: FilesOfRights | None, intent: Intent
) -> Iterator[Verdict]:
    """Yield what the files of rights of a request's origin say, in the order of `FILE_RIGHTS`.

    None means that no file concerns the agent.
    """
    url, passed = request.url, Action.FETCH
    yield _judge_tdm_file(files.tdmrep if files else None, url, intent)
    if files is None or request.origin is None:
        yield from (nothing_found(rule, passed) for rule in FILE_RIGHTS[1:])
        return
    yield files.licences.judge(url, request.origin, intent, passed=passed)
    yield (
        files.ai_txt.judge(url, intent, passed=passed)
        if files.ai_txt
        else nothing_found(FILE_RIGHTS[2], passed)
    )
    yield (
        files.trust_txt.judge(intent, passed=passed)
        if files.trust_txt
        else nothing_found(FILE_RIGHTS[3], passed)
    )


def judge_response_rights(
    response: ResponseFacts, page: Page | None, intent: Intent, *, now_us: int
) -> tuple[Verdict, ...]:
    """Return what an answer says of its use, by headers, page and the file itself.

    `page` is `open_page(response, token)`, or None when there is nothing to read in it.
    """
    verdicts = [
        judge_robots_header(response, intent, now_us=now_us),
        judge_usage_header(response, intent),
        judge_signal_header(response, intent),
        judge_tdm_response(response, page, intent),
    ]
    if page is not None:
        verdicts.append(judge_robots_page(response, page, intent, now_us=now_us))
    if response.media_type.startswith("image/"):
        verdicts.append(judge_asset(response, intent))
    return tuple(verdicts)
