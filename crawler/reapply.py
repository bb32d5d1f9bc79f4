"""Judges anew, in a guarded run, what earlier runs kept, and records what is to be withdrawn.

robots.txt and the files of rights of each origin are asked for anew through the log and the door, the pages
themselves only on demand; `offline` asks nobody and judges by lists, policy and waivers alone. Each
withdrawal is a decision of its own, durable before it is told: stage `response`, reason `withdrawn`, with the
digest of the body that was kept, and a basis that names the record of the keeping and everything that refuses
the page today. A record that was withdrawn is not withdrawn again, so that a run that was interrupted can
simply be repeated. Nothing is deleted here: the data sets are not ours.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from scrapy import Request

from crawler.checkpoint import Checkpoint
from crawler.errors import SekishoSkip
from crawler.visit import Visit, request_facts
from crawler.withdrawals import withdrawals
from policies.basis import decode_basis
from policies.decide import SiteSide, Standing, judge_every_rule
from policies.facts import RequestFacts
from policies.reapply import RULE, Again, Rejudged, judge_again, withdrawal
from policies.rules.piracy import judge_piracy
from policies.rules.robots import leaves_open
from policies.rules.scope import judge_scope
from policies.vocabulary import Action, Evidence, Reason, RequestKind, Verdict
from policies.waivers import refusals_lifted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scrapy.crawler import Crawler

    from crawler.decisionlog.reader import LogReader
    from crawler.decisionlog.record import Receipt
    from crawler.decisionlog.selection import Selection
    from crawler.decisionlog.stored import StoredRecord
    from policies.vocabulary import Origin

BATCH = 1_000  # records that are judged together
SIDE_BY_SIDE = 64  # origins or pages that are asked for at a time; each site's own pace holds besides
REMEMBERED_ORIGINS = 10_000
_ERASED = Verdict(
    rule="reapply",
    action=Action.SKIP,
    reason=Reason.UNPARSABLE_URL,
    evidence=(Evidence(source="decision log", note="its address was erased: it cannot be judged anew"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to judge: `kept` selects records of kept pages; `rehearse` records no withdrawal."""

    kept: Selection
    offline: bool = False
    pages: bool = False
    rehearse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one kept page. `receipt` is that of its withdrawal, None where none was recorded."""

    record: StoredRecord
    outcome: Again
    because: tuple[Verdict, ...]
    receipt: Receipt | None = None


@dataclass(slots=True, kw_only=True)
class Counts:
    """How many pages were judged, and what became of them; `before` were withdrawn by an earlier run."""

    judged: int = 0
    stands: int = 0
    withdraw: int = 0
    undecided: int = 0
    before: int = 0


class Reapply:
    """See the module. `told` hears of every page that does not stand, once that is on the record."""

    def __init__(
        self,
        crawler: Crawler,
        *,
        order: Order,
        reader: LogReader,
        told: Callable[[Judged], None],
        progress: Callable[[Counts], None],
    ) -> None:
        checkpoint = Checkpoint.of(crawler)
        checkpoint.judges_only = True
        self._crawler = crawler
        self._checkpoint = checkpoint
        self._order = order
        self._reader = reader
        self._told = told
        self._progress = progress
        self._sides: dict[Origin, SiteSide] = {}
        self._asking = asyncio.Semaphore(SIDE_BY_SIDE)
        self._waived = _waived_requests(reader)
        self._before = {(one.segment, one.idx) for one in withdrawals(reader)}
        self._standing = Standing(
            token=checkpoint.intent.token,
            loopback_only=checkpoint.loopback_only,
            longest_delay=checkpoint.longest_delay,
            matcher=checkpoint.snapshot.matcher,
            weights=checkpoint.profile,
            intent=checkpoint.intent,
            agents=checkpoint.ai_agents,
        )
        self.counts = Counts()

    async def run(self) -> Counts:
        """Judge everything of the order, batch by batch; return the counts."""
        kept = self._kept()
        while batch := list(islice(kept, BATCH)):
            await self._batch(batch)
            self._progress(self.counts)
        return self.counts

    def _kept(self) -> Iterator[StoredRecord]:
        """Yield the records of kept pages that are not withdrawn yet."""
        for record in self._order.kept.records(self._reader):
            if record.kind is not RequestKind.PAGE:
                continue
            if (str(record.segment), record.idx) in self._before:
                self.counts.before += 1
            else:
                yield record

    async def _batch(self, batch: Sequence[StoredRecord]) -> None:
        facts = {id(record): self._facts(record) for record in batch}
        if not self._order.offline:
            origins = {one.origin for one in facts.values() if one is not None and one.origin is not None}
            await asyncio.gather(*(self._ask(origin) for origin in origins if origin not in self._sides))
        found = await asyncio.gather(*(self._judge(record, facts[id(record)]) for record in batch))
        receipts = await asyncio.gather(
            *(self._withdraw(record, one) for record, one in zip(batch, found, strict=True))
        )
        for record, one, receipt in zip(batch, found, receipts, strict=True):
            self._count(one.outcome)
            if one.outcome is not Again.STANDS:
                judged = Judged(record=record, outcome=one.outcome, because=one.because, receipt=receipt)
                self._told(judged)

    def _count(self, outcome: Again) -> None:
        self.counts.judged += 1
        if outcome is Again.WITHDRAW:
            self.counts.withdraw += 1
        elif outcome is Again.UNDECIDED:
            self.counts.undecided += 1
        else:
            self.counts.stands += 1

    def _facts(self, record: StoredRecord) -> RequestFacts | None:
        """Return the facts of asking for a kept page today; None when its address is gone."""
        if record.url is None:
            return None
        try:
            request = Request(record.url, meta={"redirect_urls": []})
        except ValueError:
            return None
        return request_facts(request, RequestKind.PAGE, self._checkpoint.agent.policy.user_agent)

    async def _ask(self, origin: Origin) -> None:
        """Ask an origin for robots.txt and its files of rights, unless it must not be asked."""
        checkpoint = self._checkpoint
        if checkpoint.site_files is None or self._must_not_be_asked(origin):
            return
        async with self._asking:
            robots = await checkpoint.site_files.robots(origin)
            files = None
            if checkpoint.rights_files is not None and leaves_open(robots.file, checkpoint.intent):
                files = await checkpoint.rights_files.rights(origin)
        if len(self._sides) >= REMEMBERED_ORIGINS:
            self._sides.clear()
        self._sides[origin] = SiteSide(readings=robots.readings, files=files)

    def _must_not_be_asked(self, origin: Origin) -> bool:
        facts = RequestFacts(
            url=f"{origin}/robots.txt",
            method="GET",
            user_agent=self._checkpoint.agent.policy.user_agent,
            kind=RequestKind.ROBOTS,
            origin=origin,
        )
        scope = judge_scope(facts, loopback_only=self._standing.loopback_only)
        return not scope.action.passes or not self._by_lists(facts).action.passes

    def _by_lists(self, facts: RequestFacts) -> Verdict:
        now_us = self._checkpoint.clock.now_us()
        return judge_piracy(facts, self._standing.matcher, now_us=now_us, weights=self._standing.weights)

    async def _judge(self, record: StoredRecord, facts: RequestFacts | None) -> Rejudged:
        if facts is None:
            return judge_again((_ERASED,))
        visit = Visit(facts=facts, attempt=0)
        verdicts = [*self._of_today(facts), *self._that_were_lifted(record)]
        judged = judge_again(self._checkpoint.waive(visit, one, passed=Action.FETCH) for one in verdicts)
        if judged.outcome is Again.STANDS and self._order.pages:
            return judge_again(await self._of_page(facts.url))
        return judged

    def _of_today(self, facts: RequestFacts) -> tuple[Verdict, ...]:
        if self._order.offline:
            return (self._by_lists(facts),)
        side = self._sides.get(facts.origin) if facts.origin is not None else None
        readings, files = (side.readings, side.files) if side is not None else (None, None)
        now_us = self._checkpoint.clock.now_us()
        return judge_every_rule(facts, self._standing, readings, files, now_us=now_us)

    def _that_were_lifted(self, record: StoredRecord) -> Iterator[Verdict]:
        """Yield the refusals that waivers lifted when the page was kept: they need one today as well."""
        bases = [record.basis_sha256] if record.reason == Reason.WAIVER_USED.value else []
        if record.ref_idx is not None and (str(record.segment), record.ref_idx) in self._waived:
            request = self._reader.record(record.segment, record.ref_idx)
            bases.append(request.basis_sha256 if request is not None else None)
        for digest in bases:
            document = self._reader.document(digest) if digest is not None else None
            for verdict in decode_basis(document.body).verdicts if document is not None else ():
                yield from refusals_lifted(verdict)

    async def _of_page(self, url: str) -> tuple[Verdict, ...]:
        """Ask for a page anew and return what decided; nothing where it stands."""
        request = Request(url, dont_filter=True, meta={"allow_offsite": True, "dont_merge_cookies": True})
        engine: Any = self._crawler.engine
        try:
            async with self._asking:
                response = await engine.download_async(request)
        except SekishoSkip as skip:
            return () if skip.reason is Reason.JUDGED_ONLY else (skip.verdict,)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the page was not judged
            words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            return (_undecided(Reason.ERROR_NETWORK, url, words),)
        return (_undecided(Reason.HTTP_ERROR, url, f"HTTP {response.status}"),)

    async def _withdraw(self, record: StoredRecord, judged: Rejudged) -> Receipt | None:
        """Record a withdrawal and return when it is durable; None where there is none to record."""
        if judged.outcome is not Again.WITHDRAW or self._order.rehearse:
            return None
        verdicts = withdrawal(
            str(record.segment),
            record.idx,
            run=record.run,
            kept_us=record.ts_us,
            body_sha256=record.body_sha256,
            because=judged.because,
        )
        return await self._checkpoint.record.withdrawn(record, verdicts)


def _undecided(reason: Reason, url: str, words: str) -> Verdict:
    evidence = Evidence(source=url, note=words)
    return Verdict(rule=RULE, action=Action.SKIP, reason=reason, evidence=(evidence,))


def _waived_requests(reader: LogReader) -> set[tuple[str, int]]:
    """Return the requests that left under a waiver, by segment and index."""
    rows = reader.query(
        "SELECT segment, idx FROM decisions WHERE stage = 'request' AND reason = 'waiver_used'"
    )
    return {(str(segment), int(str(idx))) for segment, idx in rows}
