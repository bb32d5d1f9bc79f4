"""The section on licences and contracts that were used, and on what was withdrawn again.

Arranges what the document holds; computes no number of its own, so that every number keeps its query. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.disclosure.lines import span
from exporters.disclosure.page import Block, Cell, Line, Paragraph, Section, Table, visible
from policies.reasons import explain_reason

if TYPE_CHECKING:
    from exporters.disclosure.composer import Composer
    from exporters.disclosure.waivers import WaiverUsed

PRINTED_HOSTS = 20


def _reason(c: Composer, code: str) -> Line:
    known = explain_reason(code)
    words = code if known is None else known.ja if c.words.language == "ja" else known.en
    return Line(text=words)


def _hosts(c: Composer, hosts: tuple[str, ...]) -> tuple[Line, ...]:
    shown = [Line(text=visible(host), mono=True) for host in hosts[:PRINTED_HOSTS]]
    if len(hosts) > PRINTED_HOSTS:
        more = c.words.number(len(hosts) - PRINTED_HOSTS)
        shown.append(Line(text=c.words("waivers.more_hosts", number=more)))
    return tuple(shown)


def _document(c: Composer, used: WaiverUsed) -> tuple[Cell, ...]:
    words = c.words
    return (
        Cell(lines=(Line(text=visible(used.document)), Line(text=words("waivers.until", day=used.expires)))),
        Cell(lines=(Line(text=visible(used.granted_by)), Line(text=visible(used.owner)))),
        Cell(lines=tuple(_reason(c, code) for code in used.reasons)),
        Cell(lines=_hosts(c, used.hosts)),
    )


def waivers_section(c: Composer) -> Section:
    """Return how often sites' refusals were lifted, by which documents and where, and what was withdrawn."""
    words, document = c.words, c.document
    sheet = tuple(
        (c.text(words(f"fact.{name}")), Cell(lines=c.fact(name))) for name in ("waived", "withdrawn")
    )
    blocks: list[Block] = [
        Paragraph(text=words("waivers.intro"), style="lead"),
        Table(caption=words("section.waivers"), headers=(), rows=sheet, sheet=True),
    ]
    if document.waivers:
        headers = tuple(words(f"table.waiver_{name}") for name in ("document", "parties", "lifts", "hosts"))
        rows = tuple(_document(c, used) for used in document.waivers)
        refs = c.refs(document.figures["waived"])
        blocks.append(Table(caption=words("caption.waivers"), headers=headers, rows=rows, refs=refs))
    figure = document.figures["waiver_hosts"]
    if figure.rows:
        blocks.append(
            Table(
                caption=words("caption.waiver_hosts"),
                headers=(words("table.waiver_hosts"), words("table.verdict"), words("table.count"),
                         words("table.between")),
                rows=tuple(
                    (
                        c.text(visible(str(host)), mono=True),
                        c.text(words(f"waivers.{stage}")),
                        c.number(count),
                        c.text(span(words, first, last)),
                    )
                    for host, stage, count, first, last in figure.rows
                ),
                numeric=(2,),
                refs=c.refs(figure),
            )
        )  # fmt: skip
    return c.section("waivers", *blocks)
