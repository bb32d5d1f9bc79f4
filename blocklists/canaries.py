"""Canaries: names by which a poisoned or broken list is known before it is honoured.

Decides whether a list names what it has to (a service that every such list names) and spares what it must not
name (search, encyclopedias, archives, the operator's own sites). The rows are judged as they were read, so
that a name which is held back for being known as good still raises the alarm.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from blocklists.entries import Entries
from blocklists.entry import Entry, Match, Source, Weight
from blocklists.host import canonical_host
from blocklists.matcher import DictMatcher, standing_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from blocklists.formats.row import Rows

#: Sites that no honest list of pirate sites names, whoever publishes it.
MUST_NOT_HAVE: tuple[str, ...] = (
    "amazon.com",
    "apple.com",
    "archive.org",
    "bbc.co.uk",
    "cloudflare.com",
    "europa.eu",
    "example.com",
    "github.com",
    "google.com",
    "gutenberg.org",
    "kernel.org",
    "microsoft.com",
    "mozilla.org",
    "nasa.gov",
    "ndl.go.jp",
    "nhk.or.jp",
    "wikipedia.org",
    "yahoo.co.jp",
    "youtube.com",
)
_CANDIDATE = "candidate"


class Sign(StrEnum):
    """What a canary shows."""

    MISSING = "missing"  # a name that has to be listed is not
    UNWANTED = "unwanted"  # a name that must not be listed is


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryProblem:
    """One canary that fell: its name, what it shows, and the row that did it (empty for MISSING)."""

    name: str
    sign: Sign
    row: str = ""

    def __str__(self) -> str:
        """Return a sentence for the operator."""
        if self.sign is Sign.MISSING:
            return f"does not list {self.name}, which it has to; is it cut short, or another list?"
        return f"lists {self.name}, which it must not (row {self.row[:80]!r}); is it poisoned?"


def judge_canaries(
    rows: Rows,
    *,
    must_have: Iterable[str] = (),
    must_not_have: Iterable[str] = MUST_NOT_HAVE,
) -> tuple[CanaryProblem, ...]:
    """Return what the canaries show of a list that was just read; () is what an honest update gives.

    Names are hosts in any spelling; a name that must not be listed is asked for as it is and with `www.`
    before it. A name that is no host counts as fallen, because it would guard nothing.
    """
    find = blocking_row(rows)
    problems = [CanaryProblem(name=name, sign=Sign.MISSING) for name in must_have if not find(name)]
    for name in must_not_have:
        row = find(name) or find(f"www.{name}")
        if row or canonical_host(name) is None:
            problems.append(CanaryProblem(name=name, sign=Sign.UNWANTED, row=row))
    return tuple(problems)


def blocking_row(rows: Rows) -> Callable[[str], str]:
    """Return a function from a host to the row that would block it whole, empty when none would.

    Terms and weights play no part: this is about what the list says, not about what is done with it.
    """
    matcher = DictMatcher.of([Entries(rows, _TEMPLATE)], [_SOURCE]) if rows else None

    def find(name: str) -> str:
        host = canonical_host(name)
        if host is None or matcher is None:
            return ""
        hits = standing_blocks(matcher.match(host, now_us=0, url=""), weights=frozenset(Weight))
        return hits[0].entry.pattern_raw if hits else ""

    return find


_SOURCE = Source(source_id=_CANDIDATE, title=_CANDIDATE, sha256="0" * 64, weight=Weight.COMMUNITY)
_TEMPLATE = Entry(
    pattern_raw="",
    pattern="",
    match=Match.SUBTREE,
    source_id=_CANDIDATE,
    line_no=0,
    weight=Weight.COMMUNITY,
)
