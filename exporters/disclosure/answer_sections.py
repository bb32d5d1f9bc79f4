"""The sections that answer the items of a code, and the list of what is not recorded.

Arranges what the document holds; computes no number of its own, so that every number keeps its query. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.disclosure.page import Cell, Line, Paragraph, Section, Table

if TYPE_CHECKING:
    from exporters.disclosure.composer import Composer
    from exporters.disclosure.document import Item, Missing


def _answer_lines(c: Composer, item: Item) -> tuple[Line, ...]:
    """Return an item's answer: the operator's words, then the facts."""
    words = c.words
    lines: list[Line] = []
    declaration = item.declaration
    if declaration is not None:
        for label, text in (
            ("statement", declaration.statement),
            ("explanation", declaration.explanation),
        ):
            if text is not None:
                said = text.ja if words.language == "ja" else text.en
                lines.append(Line(text=words("format.pair", label=words(f"answer.{label}"), value=said)))
        if declaration.completion_date is not None:
            day = words.day(declaration.completion_date.isoformat())
            lines.append(Line(text=words("answer.completion", day=day)))
    for name in item.facts:
        first, *rest = c.fact(name)
        labelled = words("format.pair", label=words(f"fact.{name}"), value=first.text)
        lines += [Line(text=labelled, refs=first.refs), *rest]
    return tuple(lines) or (Line(text=words("page.not_recorded"), badge="missing"),)


def code_section(
    c: Composer, identity: str, status: str, items: tuple[Item, ...], *, english_too: bool
) -> Section:
    """Return the items of one version of a code with their answers."""
    words = c.words
    rows = []
    for item in items:
        labels = [Line(text=item.item.label(words.language))]
        if english_too and words.language != "en":
            labels.append(Line(text=item.item.label_en))
        labels.append(Line(text=item.item.id, mono=True))
        level = "explain" if item.status == "explanation" else item.item.level
        rows.append(
            (
                Cell(lines=tuple(labels)),
                Cell(lines=(Line(text=words(f"level.{level}"), badge="level"),)),
                Cell(lines=_answer_lines(c, item)),
            )
        )
    return c.section(
        identity,
        Paragraph(text=status, style="note"),
        Table(
            caption=words(f"section.{identity}"),
            headers=(words("table.item"), words("table.level"), words("table.answer")),
            rows=tuple(rows),
        ),
    )


def _missing_subject(c: Composer, missing: Missing) -> str:
    """Return in words what is missing."""
    words = c.words
    kind, _, name = missing.subject.partition(".")
    if kind == "claim":
        return words("missing_subject.claim", name=words(f"claim.{name}"))
    if kind == "fact":
        return words(f"fact.{name}")
    items = {item.item.id: item.item for item in (*c.document.items, *c.document.eu_items)}
    if missing.subject in items:
        return f"{items[missing.subject].label(words.language)} ({missing.subject})"
    known = words.known(f"missing_subject.{missing.subject}", "")
    return known or missing.subject


def missing_section(c: Composer) -> Section:
    """Return what is not recorded."""
    words = c.words
    if not c.document.missing:
        return c.section("missing", Paragraph(text=words("missing.nothing")))
    rows = []
    for missing in c.document.missing:
        what = [Line(text=_missing_subject(c, missing))]
        if missing.detail:
            what.append(Line(text=missing.detail, mono=True))
        why = words(f"missing.{missing.why}", count=words.number(missing.count))
        rows.append((Cell(lines=tuple(what)), c.text(why)))
    return c.section(
        "missing",
        Paragraph(text=words("missing.intro"), style="lead"),
        Table(
            caption=words("section.missing"),
            headers=(words("table.where"), words("table.why")),
            rows=tuple(rows),
        ),
    )
