"""Facts: what an item of a code is answered with, each once, from a figure or a policy that was in force.

A fact is language-neutral: rows of plain values and a kind that says how to write them. A fact without rows
is missing, and stands in the document's list of what is not recorded.
Pure: figures and policies in, facts out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from exporters.disclosure.families import FAMILIES
from policies.vocabulary import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporters.disclosure.figures import Figure, Row
    from exporters.disclosure.sources import ListsInForce, PolicyInForce, Verification
    from policies.agents import AgentPolicy


class Kind(StrEnum):
    """How the rows of a fact are written; the cells of a row are named in brackets."""

    TEXT = "text"  # (text,)
    CODE = "code"  # (key of the wording,)
    BILINGUAL = "bilingual"  # (en, ja)
    COUNT = "count"  # (number,)
    BYTES = "bytes"  # (octets,)
    SECONDS = "seconds"  # (seconds,)
    INSTANTS = "instants"  # (first µs, last µs)
    DAYS = "days"  # (ISO day, ISO day or None while ongoing)
    MONTHS = "months"  # (first µs, last µs), written MM/YYYY
    CODE_COUNT = "code_count"  # (key of the wording, number)
    CONTENT = "content"  # (key of the wording or media type, pages, octets)
    POLICY = "policy"  # (version, digest, effective day, first µs, last µs)
    LIST = "list"  # (title, weight, authority or empty, entries, date or empty, digest, first µs, last µs)
    CRAWLER = (
        "crawler"  # (name, identifier, operator, ISO day, ISO day or None, address of its index or empty)
    )
    CHECK = "check"  # (1 when verified, records, segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One answer. `figures` are the ids of the figures that it rests on; none for a declaration."""

    name: str
    kind: Kind
    rows: tuple[Row, ...]
    figures: tuple[str, ...] = ()


#: Facts that are one number of one figure of the same name.
COUNTED = ("records", "decided", "refused", "deferred", "permitted", "received", "failed", "discarded",
           "kept", "waived", "withdrawn", "hosts", "domain_count", "robots_hosts", "robots_unreachable_hosts",
           "unfinished")  # fmt: skip
SHOWN_MEDIA_TYPES = 12


def _distinct(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(dict.fromkeys(rows))


def _declared(policies: tuple[PolicyInForce, ...]) -> list[AgentPolicy]:
    """Return the readable policies under which something was permitted, oldest first."""
    return [known.policy for known in policies if known.policy is not None and known.permits]


def _newest(policies: tuple[PolicyInForce, ...]) -> AgentPolicy | None:
    readable = [known for known in policies if known.policy is not None]
    return max(readable, key=lambda known: (known.last_us, known.first_us)).policy if readable else None


def _counted(figures: Mapping[str, Figure]) -> list[Fact]:
    facts = [
        Fact(name=name, kind=Kind.COUNT, rows=((figures[name].number,),), figures=(figures[name].id,))
        for name in COUNTED
    ]
    facts += [
        Fact(name=name, kind=Kind.BYTES, rows=((figures[name].number,),), figures=(figures[name].id,))
        for name in ("bytes_kept", "bytes_received")
    ]
    for family in FAMILIES:
        figure = figures[f"refused.{family.value}"]
        facts.append(
            Fact(
                name=f"refused_{family.value}",
                kind=Kind.COUNT,
                rows=((figure.number,),),
                figures=(figure.id,),
            )
        )
    return facts


def _observed(figures: Mapping[str, Figure]) -> list[Fact]:
    period = figures["period"]
    known = tuple(row for row in period.rows if row[0] is not None)
    media, modalities = figures["media_types"], figures["modalities"]
    return [
        Fact(name="crawler_used", kind=Kind.CODE, rows=(("answer.yes",),), figures=(figures["records"].id,)),
        Fact(name="period_observed", kind=Kind.INSTANTS, rows=known, figures=(period.id,)),
        Fact(name="period_months", kind=Kind.MONTHS, rows=known, figures=(period.id,)),
        Fact(name="media_types", kind=Kind.CONTENT, rows=media.rows[:SHOWN_MEDIA_TYPES], figures=(media.id,)),
        Fact(
            name="modalities",
            kind=Kind.CONTENT,
            rows=tuple((f"modality.{name}", pages, octets) for name, pages, octets in modalities.rows),
            figures=(modalities.id,),
        ),
    ]


def _in_force(policies: tuple[PolicyInForce, ...], figures: Mapping[str, Figure]) -> list[Fact]:
    """Return what was declared while the crawler acted, with the policies' figure beside it."""
    source = (figures["policies"].id,)
    declared = _declared(policies)
    third = _distinct(
        (
            other.name,
            other.identifier,
            other.operator,
            other.period.start.isoformat(),
            other.period.end.isoformat() if other.period.end else None,
            other.domains_index or "",
        )
        for policy in declared
        for other in policy.third_party_crawlers
    )
    by_purpose = [
        figures[key] for key in (f"purpose_permits.{purpose.value}" for purpose in Purpose) if key in figures
    ]
    return [
        Fact(
            name="purposes",
            kind=Kind.CODE,
            rows=_distinct(
                (f"purpose.{purpose.value}",) for policy in declared for purpose in policy.purposes
            ),
            figures=source,
        ),
        Fact(
            name="purpose_permits",
            kind=Kind.CODE_COUNT,
            rows=tuple((f"purpose.{figure.id.rsplit('.', 1)[1]}", figure.number) for figure in by_purpose),
            figures=tuple(figure.id for figure in by_purpose),
        ),
        Fact(
            name="user_agents",
            kind=Kind.TEXT,
            rows=_distinct((policy.user_agent,) for policy in declared),
            figures=source,
        ),
        Fact(
            name="honours",
            kind=Kind.CODE,
            rows=_distinct((f"honour.{honour.value}",) for policy in declared for honour in policy.honours),
            figures=source,
        ),
        Fact(
            name="period_declared",
            kind=Kind.DAYS,
            rows=_distinct(
                (
                    policy.collection.start.isoformat(),
                    policy.collection.end.isoformat() if policy.collection.end else None,
                )
                for policy in declared
            ),
            figures=source,
        ),
        Fact(name="third_parties", kind=Kind.CRAWLER, rows=third, figures=source)
        if third or not declared
        else Fact(
            name="third_parties", kind=Kind.CODE, rows=(("answer.third_parties_none",),), figures=source
        ),
        Fact(
            name="policy_versions",
            kind=Kind.POLICY,
            rows=tuple(
                (
                    known.policy.version,
                    known.sha256,
                    known.policy.effective_from.isoformat(),
                    known.first_us,
                    known.last_us,
                )
                for known in policies
                if known.policy is not None
            ),
            figures=source,
        ),
    ]


def _newest_words(policies: tuple[PolicyInForce, ...], agent: str) -> list[Fact]:
    """Return what readers can act on today, from the newest policy in the log."""
    policy = _newest(policies)
    rows: dict[str, tuple[Kind, tuple[Row, ...]]] = {
        "operator": (Kind.TEXT, ()),
        "info_page": (Kind.TEXT, ()),
        "contact": (Kind.TEXT, ()),
        "effect_of_blocking": (Kind.BILINGUAL, ()),
        "description": (Kind.BILINGUAL, ()),
        "robots_max_age": (Kind.SECONDS, ()),
    }
    if policy is not None:
        reach = (policy.contact.email, policy.contact.url)
        rows["operator"] = (
            Kind.BILINGUAL,
            ((policy.operator.name, policy.operator.name_ja or policy.operator.name),),
        )
        rows["info_page"] = (Kind.TEXT, ((policy.contact.info_page,),))
        rows["contact"] = (Kind.TEXT, tuple((place,) for place in reach if place))
        for name, text in (
            ("effect_of_blocking", policy.effect_of_blocking),
            ("description", policy.description),
        ):
            rows[name] = (Kind.BILINGUAL, ((text.en, text.ja),) if text else ())
        rows["robots_max_age"] = (Kind.SECONDS, ((policy.robots.max_age_seconds,),))
    facts = [Fact(name=name, kind=kind, rows=values) for name, (kind, values) in rows.items()]
    facts.append(Fact(name="token", kind=Kind.TEXT, rows=((agent,),)))
    facts.append(Fact(name="block_rule", kind=Kind.TEXT, rows=((f"User-agent: {agent}",), ("Disallow: /",))))
    return facts


def collect_facts(
    *,
    agent: str,
    figures: Mapping[str, Figure],
    policies: tuple[PolicyInForce, ...],
    lists: tuple[ListsInForce, ...],
    verification: Verification,
    sme: bool,
) -> dict[str, Fact]:
    """Return every fact by name. `figures` are keyed without the agent's token."""
    facts = [
        *_counted(figures),
        *_observed(figures),
        *_in_force(policies, figures),
        *_newest_words(policies, agent),
    ]
    facts.append(
        Fact(
            name="lists",
            kind=Kind.LIST,
            rows=tuple(
                (
                    source.title or source.id,
                    source.weight,
                    source.authority,
                    source.entries,
                    source.dated,
                    source.sha256,
                    known.first_us,
                    known.last_us,
                )
                for known in lists
                for source in known.sources
            ),
            figures=(figures["blocklists"].id,),
        )
    )
    facts.append(
        Fact(
            name="log_check",
            kind=Kind.CHECK,
            rows=((int(verification.verified), verification.records, verification.segments),),
        )
    )
    rule = "sme" if sme else "standard"
    facts.append(Fact(name="domain_rule", kind=Kind.CODE, rows=((f"domain_rule.{rule}",),)))
    top = figures["top_domains"]
    facts.append(
        Fact(
            name="domain_file",
            kind=Kind.TEXT,
            rows=(("domains.csv",),) if top.rows else (),
            figures=(top.id,),
        )
    )
    return {fact.name: fact for fact in facts}
