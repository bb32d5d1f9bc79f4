"""Ways to contradict a claim, in SQL over the view `decisions`: what is looked at, and what contradicts.

Conditions are written as joins and row-value IN, never as a correlated EXISTS over `ref_idx`: the view has
no index on it, and a log has millions of rows. Every condition here is a constant of this module; values from
the log enter as parameters only.
"""
# ruff: noqa: S608 - the parts are constants of this module; values enter as parameters

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from exporters.disclosure.figures import Figure, Query, ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.disclosure.figures import Log, Row, Scope
    from policies.vocabulary import Reason

EXAMPLES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One way to contradict a claim. `examined` and `found` each ask for one count.

    `examples` has the columns segment, idx, ts_us, url, reason. `documents` counts the stored documents that
    were read besides the query, 0 when the query alone decides.
    """

    __test__ = False  # not a test case of this project

    id: str
    examined: Figure
    found: Figure
    examples: Figure
    documents: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A test as SQL: which records are looked at (`base`), and which of them contradict (`bad`).

    Both are conditions on the alias `d`; `join` adds a second table to `bad` alone.
    """

    id: str
    base: str
    bad: str
    join: str = ""


def run_probe(
    log: Log, scope: Scope, claim: str, probe: Probe, *extra: str | int, documents: int = 0
) -> Test:
    """Put a probe to the log. `extra` are the parameters of `bad`; `claim` names its figures.

    The examples are not asked for when nothing was found: the answer is known.
    """
    where = f"{probe.base} AND {{scope}}"
    source = f"FROM decisions d{probe.join}\nWHERE {where}\n  AND {probe.bad}"
    name = f"claim.{claim}.{probe.id}"
    examined = Query(
        id=f"{name}.examined",
        columns=("count",),
        sql=f"SELECT COUNT(*) FROM decisions d\nWHERE {where}",
        alias="d",
    )
    counted = Query(id=f"{name}.found", columns=("count",), sql=f"SELECT COUNT(*) {source}", alias="d")
    named = Query(
        id=f"{name}.examples",
        columns=("segment", "idx", "ts_us", "url", "reason"),
        sql=f"SELECT d.segment, d.idx, d.ts_us, d.url, d.reason {source}\n"
        f"ORDER BY d.ts_us, d.segment, d.idx\nLIMIT {EXAMPLES}",
        alias="d",
    )
    found = ask(log, counted, scope, *extra)
    return Test(
        id=probe.id,
        examined=ask(log, examined, scope),
        found=found,
        examples=ask(log if found.number else _NOTHING, named, scope, *extra),
        documents=documents,
    )


class _Nothing:
    """A log without records and documents."""

    documents: ClassVar[dict[str, bytes]] = {}

    def query(self, sql: str, params: Sequence[str | int] = ()) -> list[Row]:
        del sql, params
        return []

    def document(self, sha256: str) -> bytes | None:
        return self.documents.get(sha256)


_NOTHING = _Nothing()


def among(values: tuple[str, ...]) -> str:
    """Return an SQL list with one placeholder a value; a list that matches nothing when there is none."""
    return f"({', '.join('?' * len(values))})" if values else "(NULL)"


def _names(reasons: tuple[Reason, ...]) -> str:
    return ", ".join(f"'{reason.value}'" for reason in reasons)


_OUTCOME = "d.stage = 'outcome'"
PERMIT = "d.stage = 'request' AND d.verdict = 'fetch'"
PAGE_PERMIT = f"{PERMIT} AND d.kind IN ('page', 'subresource')"
KEEP = "d.stage = 'response' AND d.verdict = 'keep' AND d.kind = 'page'"
_DECISION = "\nJOIN decisions r ON r.segment = d.segment AND r.idx = d.ref_idx"

_PERMITS = "SELECT segment, idx FROM decisions WHERE stage = 'request' AND verdict = 'fetch'"
WITHOUT_PERMIT = Probe(
    id="without_permit",
    base=_OUTCOME,
    bad=f"(d.ref_idx IS NULL OR d.ref_idx >= d.idx OR (d.segment, d.ref_idx) NOT IN (\n    {_PERMITS}))",
)
PERMIT_USED_TWICE = Probe(
    id="permit_used_twice",
    base=_OUTCOME,
    bad=(
        "(d.segment, d.ref_idx) IN (\n"
        "    SELECT segment, ref_idx FROM decisions WHERE stage = 'outcome'\n"
        "    GROUP BY segment, ref_idx HAVING COUNT(*) > 1)"
    ),
)
OTHER_REQUEST = Probe(
    id="other_request",
    base=_OUTCOME,
    join=_DECISION,
    bad=(
        "(r.url <> d.url OR r.method <> d.method\n"
        "       OR r.agent <> d.agent OR r.policy_sha256 <> d.policy_sha256)"
    ),
)
UNARMED = Probe(
    id="unarmed_run",
    base=PERMIT,
    join=(
        "\nLEFT JOIN (SELECT segment, MIN(idx) AS armed FROM decisions\n"
        "           WHERE stage = 'run' AND reason = 'guard_armed' GROUP BY segment) g\n"
        "  ON g.segment = d.segment"
    ),
    bad="(g.armed IS NULL OR g.armed > d.idx)",
)


# A request for a site file needs no robots verdict, so nothing else may go under that name. Redirects have a
# parent, and so has a licence: the robots.txt or the page that names it. Lists are no sites.
DISGUISED_PAGE = Probe(
    id="disguised_page",
    base=f"{PERMIT} AND d.kind NOT IN ('page', 'subresource', 'list')",
    bad=(
        "d.parent_url IS NULL AND NOT (d.url LIKE '%/robots.txt' OR d.kind = 'site_file' AND (\n"
        "    d.url LIKE '%/.well-known/tdmrep.json' OR d.url LIKE '%/ai.txt' OR d.url LIKE '%/trust.txt'))"
    ),
)


def answered_though_refused(reasons: tuple[Reason, ...]) -> Probe:
    """Return the probe for answers to requests that were refused for one of these reasons."""
    return Probe(
        id="answered_though_refused",
        base=_OUTCOME,
        join=_DECISION,
        bad=f"r.stage = 'request' AND r.verdict <> 'fetch' AND r.reason IN ({_names(reasons)})",
    )


def kept_status(*statuses: int) -> Probe:
    """Return the probe for kept pages with one of these HTTP statuses."""
    listed = ", ".join(str(status) for status in statuses)
    return Probe(id="kept_status", base=KEEP, bad=f"d.status IN ({listed})")


def kept_though_refused(reasons: tuple[Reason, ...]) -> Probe:
    """Return the probe for kept pages whose answer was refused as well, for one of these reasons."""
    return Probe(
        id="kept_though_refused",
        base=KEEP,
        bad=(
            "(d.segment, d.ref_idx) IN (\n    SELECT segment, ref_idx FROM decisions\n"
            f"    WHERE stage = 'response' AND verdict = 'skip' AND reason IN ({_names(reasons)}))"
        ),
    )


VISITED_THOUGH_LISTED = Probe(
    id="visited_though_listed",
    base=PERMIT,
    bad=(
        "(d.url, d.blocklist_sha256) IN (\n    SELECT url, blocklist_sha256 FROM decisions\n"
        "    WHERE verdict = 'skip' AND reason = 'piracy_list')"
    ),
)
