"""What a run has done so far, counted for people: progress lines, the closing table, Scrapy's stats.

The log is the record; this is only its summary in memory, bounded to a few examples a reason.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.vocabulary import Verdict

EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One refused URL with the words that decided."""

    url: str
    where: str


@dataclass(slots=True)
class Tally:
    """Counts by what happened, and a few examples for each reason.

    `skipped` counts every refusal, `answered` those among them that came after an answer.
    """

    fetched: int = 0
    kept: int = 0
    kept_bytes: int = 0
    failed: int = 0
    robots_files: int = 0
    waived: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)

    def skip(self, verdict: Verdict, url: str, *, answered: bool = False) -> None:
        """Count one refusal and remember the first few of each reason."""
        reason = verdict.reason.value
        self.skipped[reason] += 1
        if answered:
            self.answered[reason] += 1
        shown = self.examples.setdefault(reason, [])
        if len(shown) < EXAMPLES:
            shown.append(Example(url=url, where=where_it_says_so(verdict)))


def where_it_says_so(verdict: Verdict) -> str:
    """Return the deciding place and words of a verdict in one line."""
    if not verdict.evidence:
        return ""
    evidence = verdict.evidence[0]
    place = f"{evidence.source} line {evidence.line}" if evidence.line else evidence.source
    words = evidence.text or evidence.note
    return f"{place}: {words}" if words else place
