"""Evaluates the stored robots.txt files again for every page that was permitted, as an outsider would.

Three faults are looked for: the file that the decision cites is not that of the page's origin; it was read
longer ago than the policy allows; or, evaluated again, it does not allow the page (RFC 9309 sections 2.2.2,
2.3 and 2.4). A decision that cites no file (robots.txt answered 4xx) has nothing to evaluate.
Asks the log, page by page, so that memory does not grow with it; writes nothing.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from blocklists.host import split_origin
from exporters.disclosure.figures import Query, ask
from exporters.disclosure.queries import SEGMENTS
from policies.rules.robots import RULE
from policies.signals.robots import RobotsRules, parse_robots
from policies.signals.robots_fetch import LAST_GOOD_USE
from policies.vocabulary import Origin, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporters.disclosure.bases import Bases
    from exporters.disclosure.figures import Log, Row, Scope
    from policies.vocabulary import Evidence

PAGE = 5_000
REMEMBERED_FILES = 256
#: A judged page may wait for its turn at a slow site before its permit is recorded.
WAITING_US = 600_000_000
_SECOND_US = 1_000_000
_STALE = "unreachable ("  # how `with_last_good` begins the note on a last good copy

_PERMITS = Query(
    id="replay",
    columns=("segment", "idx", "ts_us", "url", "policy_sha256", "basis_sha256"),
    sql=(
        "SELECT segment, idx, ts_us, url, policy_sha256, COALESCE(basis_sha256, '') FROM decisions\n"
        "WHERE stage = 'request' AND verdict = 'fetch' AND kind = 'page' AND {scope}\n"
        "  AND segment = ? AND idx > ?\nORDER BY idx\nLIMIT ?"
    ),
)


@dataclass(slots=True)
class Faults:
    """Records (segment, idx) in fault, and how many distinct robots.txt files were evaluated."""

    other_origin: list[tuple[str, int]] = field(default_factory=list)
    too_old: list[tuple[str, int]] = field(default_factory=list)
    disallowed: list[tuple[str, int]] = field(default_factory=list)
    files: int = 0


def _permits(log: Log, scope: Scope) -> Iterator[Row]:
    """Yield the page permits of each segment in order; one page is one walk along the log's own key."""
    for segment in ask(log, SEGMENTS, scope).column("segment"):
        idx = -1
        while True:
            rows = ask(log, _PERMITS, scope, str(segment), idx, PAGE).rows
            yield from rows
            if len(rows) < PAGE:
                break
            idx = _whole(rows[-1][1])


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


class _Files:
    """Parsed robots.txt files by digest, the most recently used ones."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: OrderedDict[str, RobotsRules | None] = OrderedDict()
        self.seen: set[str] = set()

    def rules(self, sha256: str) -> RobotsRules | None:
        """Return the rules of a stored file; None when the log cannot show it unaltered."""
        self.seen.add(sha256)
        if sha256 not in self._known:
            raw = self._log.document(sha256)
            sound = raw is not None and hashlib.sha256(raw).hexdigest() == sha256
            self._known[sha256] = parse_robots(raw) if raw is not None and sound else None
            if len(self._known) > REMEMBERED_FILES:
                self._known.popitem(last=False)
        self._known.move_to_end(sha256)
        return self._known[sha256]


def _cited(bases: Bases, sha256: str) -> Evidence | None:
    """Return the robots evidence of a basis, or None when it holds none (that is another test's fault)."""
    assessment = bases.read(sha256)
    if assessment is None:
        return None
    for verdict in assessment.verdicts:
        if verdict.rule == RULE and verdict.evidence:
            # What a waiver lifts, robots.txt forbids: the grant is the evidence, nothing is to be replayed.
            return None if verdict.reason is Reason.WAIVER_USED else verdict.evidence[0]
    return None


def _too_old(evidence: Evidence, ts_us: int, max_age_us: int) -> bool:
    if evidence.fetched_at is None:
        return True
    allowed = max(max_age_us, LAST_GOOD_USE) if _STALE in evidence.note else max_age_us
    return not -WAITING_US <= ts_us - evidence.fetched_at <= allowed + WAITING_US


def replay_robots(log: Log, scope: Scope, bases: Bases, max_age_s: Mapping[str, int]) -> Faults:
    """Return every fault within a scope; `max_age_s` maps a policy's digest to the age that it allows.

    Records whose address was erased, or is no text, are left out: there is nothing to evaluate.
    """
    faults, files = Faults(), _Files(log)
    for segment, idx, ts_us, url, policy, basis in _permits(log, scope):
        evidence = _cited(bases, str(basis))
        if evidence is None or not isinstance(url, str):
            continue
        place = (str(segment), _whole(idx))
        parts = split_origin(url)
        origin = Origin(scheme=parts[0], host=parts[1], port=parts[2]) if parts else None
        if origin is None or evidence.source != f"{origin}/robots.txt":
            faults.other_origin.append(place)
        if str(policy) in max_age_s and _too_old(
            evidence, _whole(ts_us), max_age_s[str(policy)] * _SECOND_US
        ):
            faults.too_old.append(place)
        if evidence.sha256 is not None:
            rules = files.rules(evidence.sha256)
            if rules is None or not rules.judge(scope.agent, url).allowed:
                faults.disallowed.append(place)
    faults.files = len(files.seen)
    return faults
