"""The disclosure of one agent as one value: figures, facts, items, claims, and what is not recorded.

Everything that is published is rendered from this value, and nothing that it does not hold.
Its canonical form is JSON by RFC 8785, schema `sekisho.disclosure/1` (members are described in
`exporters/README.md`); the same log, policies, configuration and time give the same octets.
Asks the log; writes nothing; the time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blocklists.errors import ExitCode, SekishoError
from exporters.disclosure import queries
from exporters.disclosure.bases import Bases
from exporters.disclosure.claims import Claim, Status, judge_claims
from exporters.disclosure.codes import Code, CodeItem, load_code
from exporters.disclosure.config import Declaration, DisclosureConfig, check_items
from exporters.disclosure.facts import Fact, collect_facts
from exporters.disclosure.figures import Figure, Query, Scope, ask
from exporters.disclosure.list_record import ListEvent, read_list_record
from exporters.disclosure.sources import (
    ListsInForce,
    PolicyInForce,
    Segment,
    Verification,
    lists_in_force,
    policies_in_force,
    run_headers,
)
from exporters.disclosure.waivers import WaiverUsed, waivers_used
from policies.vocabulary import Purpose

if TYPE_CHECKING:
    from exporters.disclosure.figures import Log
    from policies.agents import AgentPolicy

SCHEMA = "sekisho.disclosure/1"


class EmptyLogError(SekishoError):
    """The log holds no decision of this agent in this period; there is nothing to disclose."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of a code, answered: by facts, by the operator's words, or by an explanation.

    `status` is `value`, `explanation` or `not_recorded`; `facts` are names; a withheld item has no facts.
    """

    item: CodeItem
    status: str
    facts: tuple[str, ...]
    declaration: Declaration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One thing that is not recorded. `why` is a key of the wording; `detail` names what is meant."""

    subject: str
    why: str
    detail: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """See the module. Times are UTC microseconds; `generated_us` is the caller's."""

    agent: str
    generated_us: int
    scope: Scope
    sme: bool
    config: DisclosureConfig
    code: Code
    eu: Code
    policy: AgentPolicy | None
    figures: dict[str, Figure]
    facts: dict[str, Fact]
    items: tuple[Item, ...]
    eu_items: tuple[Item, ...]
    claims: tuple[Claim, ...]
    waivers: tuple[WaiverUsed, ...]
    policies: tuple[PolicyInForce, ...]
    lists: tuple[ListsInForce, ...]
    list_events: tuple[ListEvent, ...]
    segments: tuple[Segment, ...]
    verification: Verification
    withheld: frozenset[str]
    missing: tuple[Missing, ...]

    @property
    def contradicted(self) -> tuple[Claim, ...]:
        """The claims that the log contradicts."""
        return tuple(claim for claim in self.claims if claim.status is Status.CONTRADICTED)

    @property
    def all_figures(self) -> tuple[Figure, ...]:
        """Every figure, those of the claims last, in the order in which they are numbered."""
        tests = [test for claim in self.claims for test in claim.tests]
        return (
            *self.figures.values(),
            *(one for test in tests for one in (test.examined, test.found, test.examples)),
        )


def measure(log: Log, scope: Scope, *, sme: bool) -> dict[str, Figure]:
    """Ask every question about one agent; the answers by name, without the agent's token."""
    top = queries.TOP_DOMAINS_SME if sme else queries.TOP_DOMAINS
    return {query.id: ask(log, query, scope) for query in (*queries.SINGLE, *queries.TABLES, top)}


def _by_purpose(log: Log, scope: Scope, policies: tuple[PolicyInForce, ...]) -> dict[str, Figure]:
    """Return the permits given under the policies that declared each purpose."""
    figures = {}
    for purpose in Purpose:
        under = tuple(known.sha256 for known in policies if known.policy and purpose in known.policy.purposes)
        if under:
            query = Query(
                id=f"purpose_permits.{purpose.value}",
                columns=("count",),
                sql=queries.PURPOSE_PERMITS.sql,
            )
            figures[query.id] = ask(log, query, replace(scope, policies=under))
    return figures


def _answer(code: Code, facts: dict[str, Fact], config: DisclosureConfig) -> tuple[Item, ...]:
    items = []
    for item in code.items:
        declaration = config.items.get(item.id)
        if declaration is not None and declaration.explanation is not None and declaration.statement is None:
            items.append(Item(item=item, status="explanation", facts=(), declaration=declaration))
            continue
        answered = tuple(name for name in item.answers if facts[name].rows)
        status = "value" if answered or declaration is not None else "not_recorded"
        items.append(Item(item=item, status=status, facts=answered, declaration=declaration))
    return tuple(items)


def _withheld(items: tuple[Item, ...]) -> frozenset[str]:
    """Return the facts that an explanation withholds: everywhere, not only under one heading."""
    return frozenset(name for item in items if item.status == "explanation" for name in item.item.withholds)


def _missing(document: Disclosure) -> list[Missing]:
    figures = document.figures
    found = [
        Missing(subject=item.item.id, why="declaration" if item.item.declared else "item")
        for item in (*document.items, *document.eu_items)
        if item.status == "not_recorded"
    ]
    answered = {name for item in (*document.items, *document.eu_items) for name in item.item.answers}
    found += [
        Missing(subject=f"fact.{name}", why="fact")
        for name in sorted(answered - document.withheld)
        if not document.facts[name].rows
    ]
    found += [
        Missing(subject="policy", why=known.problem, detail=known.sha256)
        for known in document.policies
        if known.problem
    ]
    found += [
        Missing(subject="blocklist", why=known.problem, detail=known.sha256)
        for known in document.lists
        if known.problem
    ]
    for name in ("unfinished", "unjudged", "kept_without_size", "erased_addresses"):
        if figures[name].number:
            found.append(Missing(subject=figures[name].id, why=name, count=figures[name].number))
    found += [
        Missing(subject="segment", why="unsealed", detail=segment.id)
        for segment in document.segments
        if not segment.sealed
    ]
    if document.config.authoritative_language is None:
        found.append(Missing(subject="authoritative_language", why="authoritative_language"))
    if not document.verification.verified:
        found.append(Missing(subject="log_check", why="unverified", detail=document.verification.problem))
    found += [
        Missing(subject=f"claim.{claim.id}", why="untested")
        for claim in document.claims
        if claim.status is Status.NOT_TESTED
    ]
    return found


def agents_in(log: Log) -> tuple[str, ...]:
    """Return the agents that made decisions, by name."""
    rows = log.query("SELECT DISTINCT agent FROM decisions WHERE stage = 'request' ORDER BY agent", ())
    return tuple(str(row[0]) for row in rows)


def build_disclosure(
    log: Log,
    scope: Scope,
    *,
    segments: tuple[Segment, ...],
    verification: Verification,
    published: frozenset[str] | None,
    config: DisclosureConfig,
    generated_us: int,
    sme: bool = False,
) -> Disclosure:
    """Compute the disclosure of one agent.

    `segments` are those of the whole log; `published` holds the digests of the declared agent files, or None
    when none were given. Raises EmptyLogError when the scope holds no decision, ConfigError and UsageError
    for a configuration that names what does not exist.
    """
    code, eu = load_code(config.code_version), load_code(config.eu_template)
    check_items(config, (code, eu))
    figures = measure(log, scope, sme=sme)
    if not figures["decided"].number:
        raise EmptyLogError(
            f"the log holds no page decision of {scope.agent} in this period, so there is nothing to "
            "disclose; name another --agent, --from or --to, or crawl first"
        )
    policies = policies_in_force(log, figures["policies"])
    lists = lists_in_force(log, figures["blocklists"])
    headers = run_headers(log, figures["run_headers"])
    bases = Bases(log)
    list_record = read_list_record(log, scope, bases, lists)
    figures |= list_record.figures
    figures |= _by_purpose(log, scope, policies)
    facts = collect_facts(
        agent=scope.agent, figures=figures, policies=policies, lists=lists, verification=verification, sme=sme
    )
    items, eu_items = _answer(code, facts, config), _answer(eu, facts, config)
    hidden = _withheld((*items, *eu_items))
    if hidden:
        facts = {name: replace(fact, rows=()) if name in hidden else fact for name, fact in facts.items()}
        items, eu_items = _answer(code, facts, config), _answer(eu, facts, config)
        figures = _without(figures, hidden)
    touched = set(figures["segments"].column("segment"))
    readable = [known for known in policies if known.policy is not None]
    newest = max(readable, key=lambda known: (known.last_us, known.first_us)).policy if readable else None
    document = Disclosure(
        agent=scope.agent,
        generated_us=generated_us,
        scope=scope,
        sme=sme,
        config=config,
        code=code,
        eu=eu,
        policy=newest,
        figures=figures,
        facts=facts,
        items=items,
        eu_items=eu_items,
        claims=judge_claims(log, scope, policies=policies, headers=headers, published=published, bases=bases),
        waivers=waivers_used(log, scope, bases),
        policies=policies,
        lists=lists,
        list_events=list_record.events,
        segments=tuple(segment for segment in segments if segment.id in touched),
        verification=verification,
        withheld=hidden,
        missing=(),
    )
    missing = _missing(document)
    if list_record.uncounted:
        why = Missing(subject=list_record.uses.id, why="override_uses", count=list_record.uncounted)
        missing.append(why)
    return replace(document, missing=tuple(missing))


def _without(figures: dict[str, Figure], hidden: frozenset[str]) -> dict[str, Figure]:
    """Return the figures without the rows that a withheld fact would have shown."""
    tables = {"domain_file": "top_domains", "media_types": "media_types", "modalities": "modalities"}
    gone = {tables.get(name, name) for name in hidden}
    return {name: figure for name, figure in figures.items() if name not in gone}
