"""Links that were not followed for a reason of the crawl itself, each recorded once.

Offsite, too deep, too long, or left out by the spider: the site did not refuse these, we did, and the log
says so. The same URL refused again for the same reason is counted, not written again, as long as it is
remembered: the last hundred thousand are, and at most as many before them.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

from crawler.checkpoint import Checkpoint
from crawler.visit import request_facts
from policies.vocabulary import Action, Evidence, Reason, RequestKind, Verdict

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler

RULE = "links"
REMEMBERED = 100_000


class Refusals:
    """The refusals of one crawl."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._seen: set[int] = set()
        self._seen_before: set[int] = set()
        self._verdicts: dict[tuple[Reason, str, str], Verdict] = {}
        self.repeated: Counter[str] = Counter()

    @staticmethod
    def of(crawler: Crawler) -> Refusals:
        """Return the refusals of a guarded crawl."""
        checkpoint = Checkpoint.of(crawler)
        if checkpoint.refusals is None:
            checkpoint.refusals = Refusals(checkpoint)
        return checkpoint.refusals

    def refuse(
        self, request: Request, reason: Reason, *, source: str, note: str, parent_url: str | None = None
    ) -> None:
        """Record that a request was not made, and why."""
        key = hash((request.url, reason))
        if self._remembers(key):
            self.repeated[reason.value] += 1
            return
        checkpoint = self._checkpoint
        facts = request_facts(request, RequestKind.PAGE, checkpoint.agent.policy.user_agent)
        if parent_url is not None:
            facts = dataclasses.replace(facts, parent_url=parent_url)
        verdict = self._verdicts.get((reason, source, note))
        if verdict is None:
            verdict = Verdict(
                rule=RULE,
                action=Action.SKIP,
                reason=reason,
                evidence=(Evidence(source=source, note=note),),
            )
            if len(self._verdicts) < 1000:  # noqa: PLR2004 - a cache; notes may hold lengths of URLs
                self._verdicts[reason, source, note] = verdict
        checkpoint.record.refusal(facts, (verdict,))
        checkpoint.tally.skip(verdict, request.url)

    def _remembers(self, key: int) -> bool:
        """Whether something was refused lately; it is remembered from now on."""
        if key in self._seen:
            return True
        known = key in self._seen_before
        if len(self._seen) >= REMEMBERED:
            self._seen_before, self._seen = self._seen, set()
        self._seen.add(key)
        return known
