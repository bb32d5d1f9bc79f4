"""The sections on what the crawler is and what it did: summary, identity, decisions, claims.

Arranges what the document holds; computes no number of its own, so that every number keeps its query. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.disclosure.claims import Status
from exporters.disclosure.composer import Composer, whole
from exporters.disclosure.families import Family
from exporters.disclosure.page import (
    Bar,
    Cell,
    Chart,
    KeyFigure,
    KeyFigures,
    Line,
    Paragraph,
    Section,
    Table,
)
from policies.reasons import explain_reason

if TYPE_CHECKING:
    from exporters.disclosure.figures import Scalar

_SHEET = ("token", "user_agents", "operator", "description", "purposes", "period_observed",
          "period_declared", "third_parties", "honours", "contact", "info_page", "block_rule",
          "effect_of_blocking", "robots_max_age", "policy_versions")  # fmt: skip


def _reason(c: Composer, code: str) -> str:
    """Return the sentence of a reason code in the page's language, or the code itself."""
    known = explain_reason(code)
    if known is None:
        return code
    return known.ja if c.words.language == "ja" else known.en


def _chart(c: Composer) -> Chart:
    """Return the bars: kept, not kept after an answer, refused before a request, failed."""
    words, figures = c.words, c.document.figures
    totals: dict[tuple[str, Family], int] = {}
    for family, stage, count, _hosts in figures["families"].rows:
        totals[str(stage), Family(str(family))] = whole(count)
    bars = [Bar(label=words("fact.kept"), value=figures["kept"].number,
                number=words.number(figures["kept"].number), tone="kept")]  # fmt: skip
    for stage, tone, label in (
        ("response", "after", "table.after"),
        ("request", "before", "table.before"),
    ):
        for family in Family:
            count = totals.get((stage, family), 0)
            if count:
                name = words("format.pair", label=words(label), value=words(f"family.{family.value}"))
                bars.append(Bar(label=name, value=count, number=words.number(count), tone=tone))
    failed = figures["failed"].number
    if failed:
        bars.append(Bar(label=words("fact.failed"), value=failed, number=words.number(failed), tone="failed"))
    return Chart(
        title=words("chart.title"),
        description=words("chart.description"),
        bars=tuple(bars),
        refs=c.refs(figures["kept"], figures["families"], figures["failed"]),
    )


def summary_section(c: Composer) -> Section:
    """Return the numbers that a reader looks for first, and the chart."""
    words, figures = c.words, c.document.figures
    cells = [
        KeyFigure(
            label=words(f"summary.{label}"),
            value=words.number(figures[name].number),
            refs=c.refs(figures[name]),
        )
        for label, name in (
            ("decided", "decided"),
            ("not_fetched", "refused"),
            ("permitted", "permitted"),
            ("discarded", "discarded"),
            ("kept", "kept"),
            ("domain_count", "domain_count"),
        )
    ]
    kept = figures["bytes_kept"]
    cells.append(
        KeyFigure(
            label=words("summary.bytes_kept"),
            value=words.octets(kept.number).split("(")[0].strip(),
            refs=c.refs(kept),
        )
    )
    counts = [
        sum(claim.status is status for claim in c.document.claims)
        for status in (Status.SUPPORTED, Status.CONTRADICTED, Status.NOT_TESTED)
    ]
    cells.append(
        KeyFigure(label=words("summary.claims"), value=" / ".join(words.number(count) for count in counts))
    )
    return Section(
        id="summary",
        title=words("section.summary"),
        blocks=(KeyFigures(cells=tuple(cells)), _chart(c)),
    )


def identity_section(c: Composer) -> Section:
    """Return who crawls, why, since when, and how to reach or block it."""
    rows = tuple((c.text(c.words(f"identity.{name}")), Cell(lines=c.fact(name))) for name in _SHEET)
    return c.section(
        "identity",
        Table(caption=c.words("section.identity"), headers=(), rows=rows, sheet=True),
    )


def decisions_section(c: Composer) -> Section:
    """Return the counts by family and by reason."""
    words, figures = c.words, c.document.figures
    reasons = tuple(
        (
            c.text(words.known(f"verdict.{stage}_{verdict}", f"{stage} {verdict}")),
            Cell(lines=(Line(text=_reason(c, str(reason))), Line(text=str(reason), mono=True))),
            c.number(count),
            c.number(hosts),
        )
        for stage, verdict, reason, count, hosts in figures["reasons"].rows
    )
    families: dict[str, dict[str, tuple[Scalar, Scalar]]] = {}
    for family, stage, count, hosts in figures["families"].rows:
        families.setdefault(str(family), {})[str(stage)] = (count, hosts)
    by_family = tuple(
        (
            c.text(words(f"family.{family.value}")),
            c.number(families.get(family.value, {}).get("request", (0, 0))[0]),
            c.number(families.get(family.value, {}).get("response", (0, 0))[0]),
        )
        for family in Family
    )
    return c.section(
        "decisions",
        Table(
            caption=words("caption.families"),
            headers=(words("table.family"), words("table.before"), words("table.after")),
            rows=by_family,
            numeric=(1, 2),
            refs=c.refs(figures["families"]),
        ),
        Table(
            caption=words("caption.reasons"),
            headers=(
                words("table.verdict"),
                words("table.reason"),
                words("table.count"),
                words("table.hosts"),
            ),
            rows=reasons,
            numeric=(2, 3),
            refs=c.refs(figures["reasons"]),
        ),
    )


def _examples_table(c: Composer) -> Table | None:
    """Return the records that contradict a claim, as far as they are named; None when there are none."""
    words = c.words
    rows = []
    refs: list[int] = []
    for claim in c.document.contradicted:
        for test in claim.tests:
            refs += c.refs(test.examples) if test.found.number else ()
            for segment, idx, ts_us, url, reason in test.examples.rows:
                address = words("claims.address_erased") if url is None else str(url)
                rows.append(
                    (
                        Cell(lines=(Line(text=words(f"claim.{claim.id}")), Line(text=test.id, mono=True))),
                        Cell(lines=(Line(text=address, mono=url is not None), Line(text=str(reason)))),
                        c.text(words.instant(whole(ts_us))),
                        c.text(f"{segment}#{idx}", mono=True),
                    )
                )
    if not rows:
        return None
    return Table(
        caption=words("caption.contradictions"),
        headers=(words("table.claim"), words("table.address"), words("table.time"), words("table.record")),
        rows=tuple(rows),
        refs=tuple(refs),
    )


def claims_section(c: Composer) -> Section:
    """Return every claim with what the log says to it."""
    words = c.words
    rows = []
    for claim in c.document.claims:
        how = [Line(text=words(f"claim_how.{claim.id}"))]
        if claim.status is Status.NOT_TESTED:
            how.append(Line(text=words.known(f"claim_untested.{claim.id}", words("claim_untested.default"))))
        documents = max((test.documents for test in claim.tests), default=0)
        if documents:
            how.append(Line(text=words("claims.documents", number=words.number(documents))))
        how += [
            Line(text=words("claims.found", test=test.id, number=words.number(test.found.number)))
            for test in claim.tests
            if test.found.number
        ]
        last = how.pop()
        how.append(Line(text=last.text, refs=c.refs(*(test.found for test in claim.tests))))
        rows.append(
            (
                c.text(words(f"claim.{claim.id}")),
                Cell(lines=(Line(text=words(f"claims.{claim.status.value}"), badge=claim.status.value),)),
                c.number(claim.examined),
                Cell(lines=tuple(how)),
            )
        )
    examples = _examples_table(c)
    return c.section(
        "claims",
        Paragraph(text=words("claims.intro"), style="lead"),
        Table(
            caption=words("section.claims"),
            headers=(
                words("table.claim"),
                words("table.result"),
                words("table.examined"),
                words("table.how"),
            ),
            rows=tuple(rows),
            numeric=(2,),
        ),
        *([examples] if examples else []),
    )
