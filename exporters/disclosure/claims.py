"""What the operator claims of the crawler, each claim tested against the log: supported, contradicted, not tested.

A test counts the records that it looked at and the records that contradict the claim, and names some of those.
A claim without anything to look at is not tested, never supported. One contradiction is enough: no share of
good conduct outweighs it (PC-E.2). The promises come from the agent's `honours`; the rest from what the
disclosure itself says. Asks the log; writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from exporters.disclosure.bases import NAMED, Bases, Doubt
from exporters.disclosure.families import FAMILIES, Family
from exporters.disclosure.figures import Figure, Query, ask
from exporters.disclosure.replay import replay_robots
from policies.agents import Honour

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporters.disclosure.figures import Log, Scope
    from exporters.disclosure.sources import PolicyInForce

_DAY_US = 86_400_000_000
EXAMPLES = 10


class Status(StrEnum):
    """What the log says to a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NOT_TESTED = "not_tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One way to contradict a claim. `examined` and `found` each ask for one count.

    `examples` has the columns segment, idx, ts_us, url, reason. `documents` counts the decision bases that were
    read besides the query, 0 when the query alone decides.
    """

    __test__ = False  # not a test case of this project

    id: str
    examined: Figure
    found: Figure
    examples: Figure
    documents: int = 0


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
class _Probe:
    """A test as SQL: which records are looked at (`base`), and which of them contradict (`bad`).

    Both are conditions on the alias `d`; `join` adds a second table to `bad` alone.
    """

    id: str
    base: str
    bad: str
    join: str = ""


def _run(log: Log, scope: Scope, claim: str, probe: _Probe, *extra: str | int, documents: int = 0) -> Test:
    where = f"{probe.base} AND {{scope}}"
    source = f"FROM decisions d{probe.join}\nWHERE {where}\n  AND {probe.bad}"
    name = f"claim.{claim}.{probe.id}"
    counting = ("count",)
    return Test(
        id=probe.id,
        examined=ask(
            log,
            Query(
                id=f"{name}.examined",
                columns=counting,
                sql=f"SELECT COUNT(*) FROM decisions d\nWHERE {where}",  # noqa: S608 - constants of this module
                alias="d",
            ),
            scope,
        ),
        found=ask(
            log,
            Query(id=f"{name}.found", columns=counting, sql=f"SELECT COUNT(*) {source}", alias="d"),
            scope,
            *extra,
        ),
        examples=ask(
            log,
            Query(
                id=f"{name}.examples",
                columns=("segment", "idx", "ts_us", "url", "reason"),
                sql=f"SELECT d.segment, d.idx, d.ts_us, d.url, d.reason {source}\n"
                f"ORDER BY d.ts_us, d.segment, d.idx\nLIMIT {EXAMPLES}",
                alias="d",
            ),
            scope,
            *extra,
        ),
        documents=documents,
    )


def _among(values: tuple[str, ...]) -> str:
    """Return an SQL list with one placeholder a value; a list that matches nothing when there is none."""
    return f"({', '.join('?' * len(values))})" if values else "(NULL)"


def _names(family: Family) -> str:
    return ", ".join(f"'{reason.value}'" for reason in FAMILIES[family])


_OUTCOME = "d.stage = 'outcome'"
_PERMIT = "d.stage = 'request' AND d.verdict = 'fetch'"
_PAGE_PERMIT = f"{_PERMIT} AND d.kind = 'page'"
_KEEP = "d.stage = 'response' AND d.verdict = 'keep' AND d.kind = 'page'"
_DECISION = "\nJOIN decisions r ON r.segment = d.segment AND r.idx = d.ref_idx"

# Conditions are written as joins and row-value IN, never as a correlated EXISTS over `ref_idx`: the view has no
# index on it, and a log has millions of rows.
_PERMITS = "SELECT segment, idx FROM decisions WHERE stage = 'request' AND verdict = 'fetch'"
WITHOUT_PERMIT = _Probe(
    id="without_permit",
    base=_OUTCOME,
    bad=f"(d.ref_idx IS NULL OR d.ref_idx >= d.idx OR (d.segment, d.ref_idx) NOT IN (\n    {_PERMITS}))",
)
PERMIT_USED_TWICE = _Probe(
    id="permit_used_twice",
    base=_OUTCOME,
    bad=(
        "(d.segment, d.ref_idx) IN (\n"
        "    SELECT segment, ref_idx FROM decisions WHERE stage = 'outcome'\n"
        "    GROUP BY segment, ref_idx HAVING COUNT(*) > 1)"
    ),
)
OTHER_REQUEST = _Probe(
    id="other_request",
    base=_OUTCOME,
    join=_DECISION,
    bad="(r.url <> d.url OR r.method <> d.method OR r.agent <> d.agent OR r.policy_sha256 <> d.policy_sha256)",
)
UNARMED = _Probe(
    id="unarmed_run",
    base=_PERMIT,
    join=(
        "\nLEFT JOIN (SELECT segment, MIN(idx) AS armed FROM decisions\n"
        "           WHERE stage = 'run' AND reason = 'guard_armed' GROUP BY segment) g ON g.segment = d.segment"
    ),
    bad="(g.armed IS NULL OR g.armed > d.idx)",
)


def _answered_though_refused(family: Family) -> _Probe:
    return _Probe(
        id="answered_though_refused",
        base=_OUTCOME,
        join=_DECISION,
        bad=f"r.stage = 'request' AND r.verdict <> 'fetch' AND r.reason IN ({_names(family)})",
    )


def _kept_status(*statuses: int) -> _Probe:
    listed = ", ".join(str(status) for status in statuses)
    return _Probe(id="kept_status", base=_KEEP, bad=f"d.status IN ({listed})")


def _kept_though_refused(family: Family) -> _Probe:
    return _Probe(
        id="kept_though_refused",
        base=_KEEP,
        bad=(
            "(d.segment, d.ref_idx) IN (\n    SELECT segment, ref_idx FROM decisions\n"
            f"    WHERE stage = 'response' AND verdict = 'skip' AND reason IN ({_names(family)}))"
        ),
    )


VISITED_THOUGH_LISTED = _Probe(
    id="visited_though_listed",
    base=_PERMIT,
    bad=(
        "(d.url, d.blocklist_sha256) IN (\n    SELECT url, blocklist_sha256 FROM decisions\n"
        "    WHERE verdict = 'skip' AND reason = 'piracy_list')"
    ),
)


def _basis_test(log: Log, scope: Scope, claim: str, base: str, doubt: Doubt) -> Test:
    """Turn what reading the decision bases found into a test: the doubtful bases, named by digest."""
    probe = _Probe(id=doubt.id, base=base, bad=f"COALESCE(d.basis_sha256, '') IN {_among(doubt.digests)}")
    return _run(log, scope, claim, probe, *doubt.digests, documents=doubt.documents)


def _replayed(log: Log, scope: Scope, bases: Bases, max_age_s: Mapping[str, int]) -> tuple[Test, ...]:
    """Return the tests that evaluate the stored robots.txt files again; faulty records are named one by one."""
    faults = replay_robots(log, scope, bases, max_age_s)
    tests = []
    for name, places in (
        ("robots_of_other_origin", faults.other_origin),
        ("robots_too_old", faults.too_old),
        ("robots_disallows", faults.disallowed),
    ):
        named = places[:NAMED]
        listed = f"(VALUES {', '.join(['(?, ?)'] * len(named))})" if named else "(VALUES (NULL, NULL))"
        probe = _Probe(id=name, base=_PAGE_PERMIT, bad=f"(d.segment, d.idx) IN {listed}")
        extra = [part for place in named for part in place]
        tests.append(_run(log, scope, Honour.ROBOTS_TXT.value, probe, *extra, documents=faults.files))
    return tuple(tests)


def _promises(
    log: Log, scope: Scope, bases: Bases, honour: Honour, max_age_s: Mapping[str, int]
) -> tuple[Test, ...]:
    """Return the tests of one honoured measure."""
    name = honour.value
    match honour:
        case Honour.ROBOTS_TXT:
            permits = bases.doubtful_permits(scope, "robots", FAMILIES[Family.ROBOTS])
            return (
                _basis_test(log, scope, name, _PAGE_PERMIT, permits),
                _run(log, scope, name, _answered_though_refused(Family.ROBOTS)),
                *_replayed(log, scope, bases, max_age_s),
            )
        case Honour.CRAWL_DELAY:
            permits = bases.doubtful_permits(scope, "crawl_delay", ())
            return (_basis_test(log, scope, name, _PAGE_PERMIT, permits),)
        case Honour.PIRACY_LISTS:
            permits = bases.doubtful_permits(scope, "piracy", FAMILIES[Family.PIRACY])
            return (
                _basis_test(log, scope, name, _PAGE_PERMIT, permits),
                _run(log, scope, name, _answered_though_refused(Family.PIRACY)),
                _run(log, scope, name, VISITED_THOUGH_LISTED),
            )
        case Honour.PAYWALLS:
            family, statuses = Family.PAYWALL, (402,)
        case Honour.ACCESS_RESTRICTIONS:
            family, statuses = Family.ACCESS, (401, 403, 407)
        case Honour.LOGIN_WALLS:
            family, statuses = Family.ACCESS, (401,)
        case Honour.LEGAL_BLOCKS:
            family, statuses = Family.ACCESS, (451,)
    keeps = bases.doubtful_keeps(scope, FAMILIES[family])
    return (
        _run(log, scope, name, _kept_status(*statuses)),
        _run(log, scope, name, _kept_though_refused(family)),
        _basis_test(log, scope, name, _KEEP, keeps),
    )


def _period_test(log: Log, scope: Scope, policies: tuple[PolicyInForce, ...]) -> tuple[Test, ...]:
    """Return a test a policy: permits before the first or after the last declared day (both included, UTC)."""
    tests = []
    for number, known in enumerate(policies, 1):
        if known.policy is None:
            continue
        collection = known.policy.collection
        start_us = (collection.start.toordinal() - 719_163) * _DAY_US
        bad, extra = "d.ts_us < ?", [start_us]
        if collection.end is not None:
            bad = "(d.ts_us < ? OR d.ts_us >= ?)"
            extra.append((collection.end.toordinal() - 719_163 + 1) * _DAY_US)
        probe = _Probe(id=f"outside_period_{number}", base=_PAGE_PERMIT, bad=bad)
        tests.append(_run(log, replace(scope, policies=(known.sha256,)), "collection-period", probe, *extra))
    return tuple(tests)


def _identity_tests(log: Log, scope: Scope, policies: tuple[PolicyInForce, ...]) -> tuple[Test, ...]:
    """Return the test that every permit was given under a readable policy that declares this very agent."""
    undeclared = tuple(
        known.sha256 for known in policies if known.policy is None or known.policy.token != scope.agent
    )
    probe = _Probe(id="undeclared", base=_PERMIT, bad=f"d.policy_sha256 IN {_among(undeclared)}")
    return (_run(log, scope, "declared-identity", probe, *undeclared, documents=len(policies)),)


def _published_tests(
    log: Log, scope: Scope, policies: tuple[PolicyInForce, ...], published: frozenset[str] | None
) -> tuple[Test, ...]:
    """Return the test that every policy acted under is among the declared files; none without those files."""
    if published is None:
        return ()
    unknown = tuple(known.sha256 for known in policies if known.sha256 not in published)
    probe = _Probe(id="unpublished", base=_PERMIT, bad=f"d.policy_sha256 IN {_among(unknown)}")
    return (_run(log, scope, "published-policy", probe, *unknown, documents=len(policies)),)


def test_claims(
    log: Log, scope: Scope, policies: tuple[PolicyInForce, ...], published: frozenset[str] | None
) -> tuple[Claim, ...]:
    """Test every claim about one agent.

    `policies` are those in force within the scope; `published` holds the digests of the agent files that the
    operator declares, present and past, or None when none were given.
    """
    agent = scope.agent
    bases = Bases(log)
    max_age_s = {known.sha256: known.policy.robots.max_age_seconds for known in policies if known.policy}
    claims = [
        Claim(id="decided-first", agent=agent, promised=False,
              tests=tuple(
                  _run(log, scope, "decided-first", probe)
                  for probe in (WITHOUT_PERMIT, PERMIT_USED_TWICE, OTHER_REQUEST)
              )),
        Claim(id="guarded", agent=agent, promised=False, tests=(_run(log, scope, "guarded", UNARMED),)),
    ]  # fmt: skip
    for honour in Honour:
        under = tuple(known.sha256 for known in policies if known.policy and honour in known.policy.honours)
        if not under:
            continue
        narrowed = scope if len(under) == len(policies) else replace(scope, policies=under)
        claims.append(
            Claim(id=honour.value, agent=agent, promised=True, tests=_promises(log, narrowed, bases, honour, max_age_s))
        )
    for name, promised, tests in (
        ("declared-identity", False, _identity_tests(log, scope, policies)),
        ("published-policy", False, _published_tests(log, scope, policies, published)),
        ("collection-period", True, _period_test(log, scope, policies)),
        ("third-party", True, ()),
    ):
        claims.append(Claim(id=name, agent=agent, promised=promised, tests=tests))
    return tuple(claims)


test_claims.__test__ = False  # type: ignore[attr-defined]
