"""The sections on what stands behind the numbers: robots.txt, content, domains, log, queries.

Arranges what the document holds; computes no number of its own, so that every number keeps its query. Pure.
"""

from __future__ import annotations

from exporters.disclosure.composer import Composer, whole
from exporters.disclosure.lines import span
from exporters.disclosure.page import (
    Block,
    Cell,
    Line,
    Paragraph,
    Queries,
    QueryNote,
    Section,
    Table,
)

PRINTED_DOMAINS = 50


def robots_section(c: Composer) -> Section:
    """Return what asking for robots.txt came to."""
    words, figures = c.words, c.document.figures
    rows = tuple(
        (
            c.text(words.known(f"robots.file_verdict_{verdict}", str(verdict))),
            c.text("–" if status is None else str(status)),
            c.number(reads),
            c.number(hosts),
            c.text(span(words, first, last)),
        )
        for verdict, status, reads, hosts, first, last in figures["robots_files"].rows
    )
    sheet = tuple(
        (c.text(words(f"fact.{name}")), Cell(lines=c.fact(name)))
        for name in ("robots_hosts", "robots_unreachable_hosts", "refused_robots")
    )
    return c.section(
        "robots",
        Paragraph(text=words("robots.intro"), style="lead"),
        Table(caption=words("section.robots"), headers=(), rows=sheet, sheet=True),
        Table(
            caption=words("caption.robots_files"),
            headers=(words("table.verdict"), words("table.status"), words("table.reads"),
                     words("table.hosts"), words("table.between")),
            rows=rows,
            numeric=(2, 3),
            refs=c.refs(figures["robots_files"]),
        ),
    )  # fmt: skip


def content_section(c: Composer) -> Section:
    """Return modalities and media types of what was kept."""
    words, figures = c.words, c.document.figures
    blocks: list[Block] = []
    for name, prefix in (("modalities", "modality."), ("media_types", "")):
        if name not in figures:
            blocks.append(Paragraph(text=f"{words(f'fact.{name}')}: {words('page.withheld')}", style="note"))
            continue
        rows = tuple(
            (
                c.text(
                    words.known(f"{prefix}{label}", str(label))
                    if label
                    else words("answer.media_undeclared"),
                    mono=not prefix and bool(label),
                ),
                c.number(pages),
                c.number(octets),
            )
            for label, pages, octets in figures[name].rows
        )
        head = words("table.modality" if prefix else "table.media_type")
        blocks.append(
            Table(
                caption=words(f"fact.{name}"),
                headers=(head, words("table.pages"), words("table.bytes")),
                rows=rows,
                numeric=(1, 2),
                refs=c.refs(figures[name]),
            )
        )
    return c.section("content", *blocks)


def domains_section(c: Composer) -> Section:
    """Return the most relevant domains by the rule of the EU template."""
    words, figures = c.words, c.document.figures
    if "top_domains" not in figures:
        return c.section("domains", Paragraph(text=words("page.withheld"), style="note"))
    top = figures["top_domains"]
    rule = words(str(c.document.facts["domain_rule"].rows[0][0]))
    shown = words.number(len(top.rows))
    blocks: list[Block] = [
        Paragraph(text=words("domains.intro"), style="lead"),
        Paragraph(
            text=words(
                "domains.rule", shown=shown, all=words.number(figures["domain_count"].number), rule=rule
            )
        ),
    ]
    if len(top.rows) > PRINTED_DOMAINS:
        blocks.append(
            Paragraph(
                text=words("domains.cut", cut=words.number(PRINTED_DOMAINS), shown=shown, file="domains.csv"),
                style="note",
            )
        )
    rows = tuple(
        (
            c.text(str(name), mono=True),
            c.number(pages),
            c.number(octets),
            Cell(lines=(Line(text="–" if share is None else words.share(whole(share))),), numeric=True),
        )
        for name, pages, octets, share in top.rows[:PRINTED_DOMAINS]
    )
    blocks.append(
        Table(
            caption=words("caption.domains"),
            headers=(
                words("table.domain"),
                words("table.pages"),
                words("table.bytes"),
                words("table.share"),
            ),
            rows=rows,
            numeric=(1, 2, 3),
            refs=c.refs(top, figures["domain_count"]),
        )
    )
    return c.section("domains", *blocks)


def _policies_table(c: Composer) -> Table:
    """Return the policies in force, with their whole digests."""
    words = c.words
    rows = tuple(
        (
            c.text(str(known.policy.version) if known.policy else words("page.not_recorded")),
            c.text(known.sha256, mono=True),
            c.text(words.day(known.policy.effective_from.isoformat()) if known.policy else "–"),
            c.number(known.permits),
            c.text(span(words, known.first_us, known.last_us)),
        )
        for known in c.document.policies
    )
    return Table(
        caption=words("caption.policies"),
        headers=(words("table.version"), words("table.digest"), words("table.effective"),
                 words("table.permits"), words("table.between")),
        rows=rows,
        numeric=(3,),
        refs=c.refs(c.document.figures["policies"]),
    )  # fmt: skip


def log_section(c: Composer) -> Section:
    """Return the runs behind the document, their tree heads, and the check."""
    words, document = c.words, c.document
    check = document.verification
    if check.verified:
        said = words(
            "log.verified", records=words.number(check.records), segments=words.number(check.segments)
        )
    else:
        said = words("log.unverified", problem=check.problem)
    rows = tuple(
        (
            Cell(lines=(Line(text=segment.run), Line(text=segment.id, mono=True))),
            c.number(segment.size),
            c.text(words.instant(segment.opened_us)),
            Cell(
                lines=(Line(text=words("table.sealed" if segment.sealed else "table.open"), badge="level"),)
            ),
            c.text(segment.root or words("page.not_recorded"), mono=bool(segment.root)),
        )
        for segment in document.segments
    )
    return c.section(
        "log",
        Paragraph(text=said),
        Paragraph(text=words("log.intro"), style="lead"),
        Table(
            caption=words("caption.runs"),
            headers=(words("table.run"), words("table.records"), words("table.opened"), words("table.sealed"),
                     words("table.root")),
            rows=rows,
            numeric=(1,),
            refs=c.refs(document.figures["segments"]),
        ),
        _policies_table(c),
        Paragraph(text=words("log.again"), style="note"),
    )  # fmt: skip


def queries_section(c: Composer) -> Section:
    """Return every query, numbered."""
    words = c.words
    notes = tuple(
        QueryNote(
            number=number,
            id=figure.id,
            statement=figure.statement,
            rows=words("queries.rows", number=words.number(len(figure.rows))),
        )
        for number, figure in enumerate(c.document.all_figures, 1)
    )
    return c.section("queries", Paragraph(text=words("queries.intro"), style="lead"), Queries(notes=notes))
