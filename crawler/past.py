"""What was decided of an address at a time of the past, and whether the evidence of the time says the same.

Replays the rules of the request on what the log holds: the agent's policy, the run's waivers, robots.txt and
the files of rights as they were read, and the lists where their snapshot is still at hand. A decision on
record is compared with its replay rule by rule. What the log does not hold is named: octets of pages, headers
of answers, entries of lists, and what a run refused for its own state (duplicates, depth, another host).
Reads only; asks nobody; the time is an argument.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blocklists.errors import SekishoError
from blocklists.matcher import DictMatcher
from blocklists.store_load import load_past
from crawler.past_compare import Difference, compare
from crawler.recorded_sites import NOT_ON_RECORD, RecordedSites, Source
from policies.agents import has_placeholder_contact, parse_agent
from policies.agents_intent import intent_of
from policies.basis import decode_basis
from policies.decide import REQUEST_RULES, SiteSide, Standing, judge_request
from policies.vocabulary import RequestKind, Stage
from policies.waivers import NO_WAIVERS, parse_waivers

if TYPE_CHECKING:
    from collections.abc import Collection

    from blocklists.matcher import Matcher
    from blocklists.snapshot import Snapshot
    from crawler.config import Config
    from crawler.decisionlog.reader import LogReader
    from policies.facts import RequestFacts
    from policies.vocabulary import Assessment, Purpose, Verdict
    from policies.waivers import Waivers

_CONTEXT = """
SELECT policy_sha256, blocklist_sha256, run FROM decisions
WHERE agent = ? AND ts_us <= ? ORDER BY ts_us DESC LIMIT 1
"""
_HEADER = """
SELECT body_sha256 FROM decisions
WHERE run = ? AND stage = 'run' AND reason = 'run_opened' ORDER BY idx LIMIT 1
"""
_DECISIONS = """
SELECT segment, idx, run, ts_us, stage, verdict, reason, status, kind, basis_sha256, policy_sha256,
       blocklist_sha256
FROM decisions
WHERE host = ? AND url = ? AND agent = ? AND stage IN ('request', 'response') AND {when}
LIMIT ?
"""
BEFORE, AFTER = 4, 2  # decisions on record that are shown, up to the time and behind it
_RULES_OF_FILES = {"tdmrep": "tdm_reservation", "rsl": "rsl", "ai_txt": "ai_txt", "trust_txt": "trust_txt"}
_PAGE_MISSING = "the octets of pages are not in the log: its rules are shown as they were recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """The agent's side at a time.

    `sources` says where its parts come from, `lists_missing` why the lists are not among them.
    """

    standing: Standing
    user_agent: str
    sources: tuple[Source, ...]
    lists_missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What the evidence of a time says."""

    then: Then
    side: SiteSide | None
    assessment: Assessment
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision on record, with its replay: `same` is None where nothing could be replayed.

    `not_replayed` says in words what was left out of the comparison.
    """

    record: str
    run: str
    ts_us: int
    stage: Stage
    verdict: str
    reason: str
    status: int | None
    verdicts: tuple[Verdict, ...]
    same: bool | None
    differences: tuple[Difference, ...] = ()
    not_replayed: tuple[str, ...] = ()


class Past:
    """See the module. `today` lends lists and settings where those of the time are the same or at hand."""

    def __init__(
        self,
        reader: LogReader,
        today: Standing,
        *,
        config: Config,
        snapshot: Snapshot,
        purposes: Collection[Purpose],
    ) -> None:
        self._reader = reader
        self._today = today
        self._config = config
        self._snapshot = snapshot
        self._purposes = purposes
        self._matchers: dict[str, Matcher | None] = {snapshot.sha256: snapshot.matcher}
        self._thens: dict[tuple[str, str, str], Then] = {}

    def begins_later(self, at_us: int) -> bool:
        """Whether the log holds nothing of the agent up to a time."""
        return not self._reader.query(_CONTEXT, (self._today.token, at_us))

    def at(self, facts: RequestFacts, at_us: int) -> Replayed:
        """Return what the evidence up to a time says of a request."""
        policy, lists, run = (str(one) for one in self._reader.query(_CONTEXT, (self._today.token, at_us))[0])
        return self._replay(facts, at_us, self._then(policy, lists, run), "")

    def decisions(self, facts: RequestFacts, at_us: int) -> tuple[Decided, ...]:
        """Return the decisions on record around a time, in their order, each with its replay."""
        rows = [
            row
            for when, most in (
                ("ts_us <= ? ORDER BY ts_us DESC", BEFORE),
                ("ts_us > ? ORDER BY ts_us", AFTER),
            )
            for row in self._reader.query(
                _DECISIONS.format(when=when), (facts.host, facts.url, self._today.token, at_us, most)
            )
        ]
        return tuple(sorted((self._decided(facts, row) for row in rows), key=lambda one: one.ts_us))

    def _then(self, policy: str, lists: str, run: str) -> Then:
        key = (policy, lists, run)
        if key not in self._thens:
            self._thens[key] = self._gather(policy, lists, run)
        return self._thens[key]

    def _gather(self, policy: str, lists: str, run: str) -> Then:
        document = self._reader.document(policy)
        if document is None:
            raise SekishoError(f"the log has lost the agent policy {policy}; run: sekisho log verify")
        agent = parse_agent(document.body, f"policy {policy[:12]} of the log")
        matcher = self._matcher(lists)
        missing = "" if matcher is not None else f"their snapshot {lists[:12]} is not at hand any more"
        words = missing or ("as today" if lists == self._snapshot.sha256 else "from their snapshot")
        standing = replace(
            self._today,
            loopback_only=has_placeholder_contact(agent),
            longest_delay=float(agent.robots.max_crawl_delay_seconds),
            matcher=matcher if matcher is not None else DictMatcher((), ()),
            intent=intent_of(agent, self._purposes),
            waivers=self._waivers(run),
        )
        sources = [
            Source(what="agent policy", url=f"version {agent.version}", sha256=policy),
            Source(what="block lists", url="", sha256=lists, words=words),
        ]
        if standing.waivers.placed:
            sources.append(Source(what="waivers", url="", sha256=standing.waivers.sha256))
        return Then(
            standing=standing, user_agent=agent.user_agent, sources=tuple(sources), lists_missing=missing
        )

    def _matcher(self, digest: str) -> Matcher | None:
        if digest not in self._matchers:
            try:
                past = load_past(self._config.blocklists, digest, now_us=0, index=self._config.lists_index)
                self._matchers[digest] = past.matcher
            except SekishoError:
                self._matchers[digest] = None
        return self._matchers[digest]

    def _waivers(self, run: str) -> Waivers:
        rows = self._reader.query(_HEADER, (run,))
        header = self._reader.document(str(rows[0][0])) if rows and rows[0][0] else None
        digest = json.loads(header.body).get("waivers_sha256") if header is not None else None
        document = self._reader.document(str(digest)) if digest else None
        return NO_WAIVERS if document is None else parse_waivers(document.body, "waivers of the run")

    def _replay(self, facts: RequestFacts, at_us: int, then: Then, run: str) -> Replayed:
        facts = replace(facts, user_agent=then.user_agent)
        intent = then.standing.intent
        if facts.origin is None or intent is None:
            assessment = judge_request(facts, then.standing, None, None, now_us=at_us)
            return Replayed(then=then, side=None, assessment=assessment, sources=then.sources)
        recorded = RecordedSites(self._reader, intent).at(facts.origin, at_us, run)
        side = recorded.side
        readings, files = (side.readings, side.files) if side is not None else (None, None)
        assessment = judge_request(facts, then.standing, readings, files, now_us=at_us)
        return Replayed(
            then=then, side=side, assessment=assessment, sources=(*then.sources, *recorded.sources)
        )

    def _decided(self, facts: RequestFacts, row: tuple[object, ...]) -> Decided:
        segment, idx, run, ts_us, stage, verdict, reason, status, kind, basis, policy, lists = row
        document = self._reader.document(str(basis)) if basis else None
        verdicts = decode_basis(document.body).verdicts if document is not None else ()
        decided = Decided(
            record=f"{segment}#{idx}",
            run=str(run),
            ts_us=int(str(ts_us)),
            stage=Stage(str(stage)),
            verdict=str(verdict),
            reason=str(reason),
            status=None if status is None else int(str(status)),
            verdicts=verdicts,
            same=None,
        )
        if decided.stage is Stage.RESPONSE:
            return replace(decided, not_replayed=(_PAGE_MISSING,))
        if not verdicts:
            return replace(decided, not_replayed=("its basis is not in the log",))
        if kind != RequestKind.PAGE.value:
            return replace(decided, not_replayed=("it was asked for as a file of the site, not as a page",))
        then = self._then(str(policy), str(lists), str(run))
        replayed = self._replay(facts, decided.ts_us, then, str(run))
        return _compared(decided, replayed)


def _missing(replayed: Replayed) -> dict[str, str]:
    """Return for each rule whose evidence is not at hand why it is not."""
    found: dict[str, str] = {}
    if replayed.then.lists_missing:
        found["piracy"] = replayed.then.lists_missing
    if replayed.side is None:
        later = REQUEST_RULES[REQUEST_RULES.index("robots") :]
        return found | dict.fromkeys(later, f"its robots.txt: {NOT_ON_RECORD}")
    for source in replayed.sources:
        if source.words == NOT_ON_RECORD and source.what in _RULES_OF_FILES:
            found[_RULES_OF_FILES[source.what]] = f"{source.url}: {NOT_ON_RECORD}"
    return found


def _compared(decided: Decided, replayed: Replayed) -> Decided:
    found = compare(decided.verdicts, replayed.assessment.verdicts, _missing(replayed))
    return replace(decided, same=found.same, differences=found.differences, not_replayed=found.left_out)
