"""What the operator claims of the crawler, each claim tested against the log.

A test counts the records that it looked at and those that contradict the claim, and names some of those.
A claim without anything to look at is not tested, never supported. One contradiction is enough: no share of
good conduct outweighs it (PC-E.2). The promises come from the agent's `honours`; the rest from what the
disclosure itself says. Asks the log; writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from exporters.disclosure.bases import KEEP_BASES, NAMED, PERMIT_BASES, Bases
from exporters.disclosure.probes import (
    DISGUISED_PAGE,
    KEEP,
    OTHER_REQUEST,
    PAGE_PERMIT,
    PERMIT,
    PERMIT_USED_TWICE,
    UNARMED,
    VISITED_THOUGH_LISTED,
    WITHOUT_PERMIT,
    Probe,
    Test,
    among,
    answered_though_refused,
    kept_status,
    kept_though_refused,
    run_probe,
)
from exporters.disclosure.promises import ASKED, KEPT, OBEYED, Obeyed
from exporters.disclosure.replay import replay_robots
from policies.agents import Honour

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporters.disclosure.figures import Log, Query, Scope
    from exporters.disclosure.sources import PolicyInForce, RunHeader
    from policies.vocabulary import Reason

_DAY_US = 86_400_000_000
_EPOCH_ORDINAL = 719_163  # date(1970, 1, 1).toordinal()


class Status(StrEnum):
    """What the log says to a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NOT_TESTED = "not_tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim about one agent. `promised` says whether its policy makes it; else the disclosure does."""

    id: str
    agent: str
    promised: bool
    tests: tuple[Test, ...]

    @property
    def status(self) -> Status:
        """Contradicted by one record; supported only when something was examined."""
        if any(test.found.number for test in self.tests):
            return Status.CONTRADICTED
        if any(test.examined.number for test in self.tests):
            return Status.SUPPORTED
        return Status.NOT_TESTED

    @property
    def examined(self) -> int:
        """The largest number of records that one of the tests looked at."""
        return max((test.examined.number for test in self.tests), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One claim under test: its name, the log, the scope and what is read besides."""

    log: Log
    scope: Scope
    claim: str
    bases: Bases
    max_age_s: Mapping[str, int]

    def run(self, probe: Probe, *extra: str | int, documents: int = 0) -> Test:
        """Put a probe to the log under this claim's name."""
        return run_probe(self.log, self.scope, self.claim, probe, *extra, documents=documents)

    def against_bases(
        self, base: str, query: Query, rule: str, reasons: tuple[Reason, ...], name: str = "against_its_basis"
    ) -> Test:
        """Test the records of `base` against the stored bases of their decisions, named by digest."""
        doubt = self.bases.doubtful(query, self.scope, rule, reasons)
        bad = f"COALESCE(d.basis_sha256, '') IN {among(doubt.digests)}"
        return self.run(Probe(id=name, base=base, bad=bad), *doubt.digests, documents=doubt.documents)


def _replayed(case: _Case) -> tuple[Test, ...]:
    """Return the tests that evaluate the stored robots.txt files again; faulty records are named singly."""
    faults = replay_robots(case.log, case.scope, case.bases, case.max_age_s)
    tests = []
    for name, places in (
        ("robots_of_other_origin", faults.other_origin),
        ("robots_too_old", faults.too_old),
        ("robots_disallows", faults.disallowed),
    ):
        named = places[:NAMED]
        listed = f"(VALUES {', '.join(['(?, ?)'] * len(named))})" if named else "(VALUES (NULL, NULL))"
        probe = Probe(id=name, base=PAGE_PERMIT, bad=f"(d.segment, d.idx) IN {listed}")
        tests.append(case.run(probe, *(part for place in named for part in place), documents=faults.files))
    return tuple(tests)


def _obeyed(case: _Case, family: Obeyed) -> tuple[Test, ...]:
    """Return the tests that neither a permit nor a kept page goes against a family of signals."""
    reasons = family.reasons
    return (
        case.against_bases(PAGE_PERMIT, PERMIT_BASES, family.before, reasons),
        case.run(answered_though_refused(reasons)),
        case.against_bases(KEEP, KEEP_BASES, family.after, reasons, "kept_against_its_basis"),
        case.run(kept_though_refused(reasons)),
    )


def _promises(case: _Case, honour: Honour) -> tuple[Test, ...]:
    """Return the tests of one honoured measure."""
    if honour in KEPT:
        promise = KEPT[honour]
        return (
            case.run(kept_status(*promise.statuses)),
            case.run(kept_though_refused(promise.reasons)),
            case.against_bases(KEEP, KEEP_BASES, promise.rule, promise.reasons),
        )
    if honour in OBEYED:
        return _obeyed(case, OBEYED[honour])
    rule, reasons = ASKED[honour]
    tests = (
        case.against_bases(PAGE_PERMIT, PERMIT_BASES, rule, reasons),
        case.run(answered_though_refused(reasons)),
    )
    if honour is Honour.ROBOTS_TXT:
        return (*tests, case.run(DISGUISED_PAGE), *_replayed(case))
    if honour is Honour.PIRACY_LISTS:
        return (*tests, case.run(VISITED_THOUGH_LISTED))
    return tests


def _period_tests(case: _Case, policies: tuple[PolicyInForce, ...]) -> tuple[Test, ...]:
    """Return the test for permits outside the days that their own policy declares (both included, UTC)."""
    parts: list[str] = []
    extra: list[str | int] = []
    for known in policies:
        if known.policy is None:
            continue
        collection = known.policy.collection
        outside, limits = "d.ts_us < ?", [(collection.start.toordinal() - _EPOCH_ORDINAL) * _DAY_US]
        if collection.end is not None:
            outside += " OR d.ts_us >= ?"
            limits.append((collection.end.toordinal() - _EPOCH_ORDINAL + 1) * _DAY_US)
        parts.append(f"d.policy_sha256 = ? AND ({outside})")
        extra += [known.sha256, *limits]
    if not parts:
        return ()
    bad = f"({' OR '.join(parts)})"
    return (case.run(Probe(id="outside_period", base=PAGE_PERMIT, bad=bad), *extra),)


def _identity_tests(
    case: _Case, policies: tuple[PolicyInForce, ...], headers: tuple[RunHeader, ...]
) -> tuple[Test, ...]:
    """Return the tests that each permit had a readable policy for this agent, and its run that User-Agent."""
    undeclared = tuple(
        known.sha256 for known in policies if known.policy is None or known.policy.token != case.scope.agent
    )
    declared = {known.sha256: known.policy.user_agent for known in policies if known.policy}
    good = tuple(
        header.segment for header in headers if header.user_agent in declared.values() and header.user_agent
    )
    return (
        case.run(
            Probe(id="undeclared", base=PERMIT, bad=f"d.policy_sha256 IN {among(undeclared)}"),
            *undeclared,
            documents=len(policies),
        ),
        case.run(
            Probe(id="other_user_agent", base=PERMIT, bad=f"(d.segment IN {among(good)}) IS NOT TRUE"),
            *good,
            documents=len(headers),
        ),
    )


def _published_tests(
    case: _Case, policies: tuple[PolicyInForce, ...], published: frozenset[str] | None
) -> tuple[Test, ...]:
    """Return the test that every policy acted under is a declared file; none without those files."""
    if published is None:
        return ()
    unknown = tuple(known.sha256 for known in policies if known.sha256 not in published)
    probe = Probe(id="unpublished", base=PERMIT, bad=f"d.policy_sha256 IN {among(unknown)}")
    return (case.run(probe, *unknown, documents=len(policies)),)


def judge_claims(
    log: Log,
    scope: Scope,
    *,
    policies: tuple[PolicyInForce, ...],
    headers: tuple[RunHeader, ...],
    published: frozenset[str] | None,
    bases: Bases | None = None,
) -> tuple[Claim, ...]:
    """Test every claim about one agent.

    `policies` and `headers` are those within the scope; `published` holds the digests of the agent files that
    the operator declares, present and past, or None when none were given.
    """
    ages = {known.sha256: known.policy.robots.max_age_seconds for known in policies if known.policy}
    case = _Case(log=log, scope=scope, claim="", bases=bases or Bases(log), max_age_s=ages)
    claims: list[Claim] = []

    def add(name: str, tests: tuple[Test, ...], *, promised: bool) -> None:
        claims.append(Claim(id=name, agent=scope.agent, promised=promised, tests=tests))

    def named(name: str) -> _Case:
        return replace(case, claim=name)

    decided = named("decided-first")
    add(
        "decided-first",
        tuple(decided.run(probe) for probe in (WITHOUT_PERMIT, PERMIT_USED_TWICE, OTHER_REQUEST)),
        promised=False,
    )
    add("guarded", (named("guarded").run(UNARMED),), promised=False)
    for honour in Honour:
        under = tuple(known.sha256 for known in policies if known.policy and honour in known.policy.honours)
        if under:
            narrowed = scope if len(under) == len(policies) else replace(scope, policies=under)
            add(honour.value, _promises(replace(named(honour.value), scope=narrowed), honour), promised=True)
    identity = _identity_tests(named("declared-identity"), policies, headers)
    add("declared-identity", identity, promised=False)
    add("published-policy", _published_tests(named("published-policy"), policies, published), promised=False)
    add("collection-period", _period_tests(named("collection-period"), policies), promised=True)
    add("third-party", (), promised=True)
    return tuple(claims)
