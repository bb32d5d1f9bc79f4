"""The section on the block lists: states, what the operator freed, refreshes, and how a site is freed.

Arranges what the document holds; computes no number of its own, so that every number keeps its query. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.disclosure.composer import Composer, whole
from exporters.disclosure.lines import dated_words, short_digest, span
from exporters.disclosure.page import Block, Cell, Heading, Line, Paragraph, Section, Table

if TYPE_CHECKING:
    from exporters.disclosure.list_record import ListEvent


def lists_section(c: Composer) -> Section:
    """Return everything about the block lists."""
    return c.section(
        "lists",
        Paragraph(text=c.words("lists.intro"), style="lead"),
        *_states(c),
        *_overrides(c),
        *_refreshes(c),
        *_appeal(c),
    )


def _states(c: Composer) -> list[Block]:
    """Return the states under which decisions were made, each list with its weight."""
    words = c.words
    blocks: list[Block] = []
    for known in c.document.lists:
        state = words(
            "lists.state",
            digest=short_digest(known.sha256),
            span=span(words, known.first_us, known.last_us),
            decisions=words.number(known.decisions),
        )
        rows = tuple(
            (
                Cell(lines=(Line(text=source.title or source.id), Line(text=source.authority or source.id))),
                c.text(words.known(f"weight.{source.weight}", source.weight)),
                c.number(source.entries),
                c.text(source.dated or words("page.not_recorded")),
                c.text(short_digest(source.sha256), mono=True),
                c.text(source.report or words("lists.report_here"), mono=bool(source.report)),
            )
            for source in known.sources
        )
        if rows:
            blocks.append(
                Table(
                    caption=state,
                    headers=(words("table.list"), words("table.weight"), words("table.entries"),
                             words("table.obtained"), words("table.digest"), words("table.report")),
                    rows=rows,
                    numeric=(2,),
                    refs=c.refs(c.document.figures["blocklists"]),
                )
            )  # fmt: skip
        else:
            blocks.append(
                Paragraph(text=f"{state} {words(f'missing.{known.problem}')}" if known.problem else state)
            )
    return blocks


def _overrides(c: Composer) -> list[Block]:
    """Return what the operator freed, and which visits rest on it."""
    words, figures = c.words, c.document.figures
    blocks: list[Block] = [Heading(text=words("lists.overrides"))]
    rows = tuple(
        (
            c.text(freed.pattern, mono=True),
            c.text(words.known(f"match.{freed.match}", freed.match)),
            c.text(freed.reason),
            c.text(dated_words(words, freed.expires)),
            c.text(span(words, known.first_us, known.last_us)),
        )
        for known in c.document.lists
        for freed in known.overrides
    )
    if not rows:
        return [*blocks, Paragraph(text=words("lists.overrides_none"))]
    blocks.append(Paragraph(text=words("lists.overrides_intro")))
    blocks.append(
        Table(
            caption=words("caption.overrides"),
            headers=(words("table.freed"), words("table.reach"), words("table.reason"),
                     words("table.until"), words("table.in_force")),
            rows=rows,
            refs=c.refs(figures["blocklists"]),
        )
    )  # fmt: skip
    uses = figures["override_uses"]
    used = tuple(
        (
            c.text(str(host), mono=True),
            c.number(permits),
            c.text(span(words, first, last)),
        )
        for host, permits, first, last in uses.rows
    )
    if used:
        blocks.append(
            Table(
                caption=words("caption.override_uses"),
                headers=(words("table.host"), words("table.permits"), words("table.between")),
                rows=used,
                numeric=(1,),
                refs=c.refs(uses),
            )
        )
    else:
        blocks.append(Paragraph(text=words("lists.overrides_unused")))
    return blocks


def _refreshes(c: Composer) -> list[Block]:
    """Return how often lists were refreshed with which outcome, and the newest events one by one."""
    words, figures = c.words, c.document.figures
    counts = figures["list_outcomes"]
    blocks: list[Block] = [Heading(text=words("lists.refreshes"))]
    if not counts.rows:
        return [*blocks, Paragraph(text=words("lists.refreshes_none"))]
    blocks.append(Paragraph(text=words("lists.refreshes_intro")))
    blocks.append(
        Table(
            caption=words("caption.list_outcomes"),
            headers=(words("table.result"), words("table.count"), words("table.between")),
            rows=tuple(
                (
                    Cell(lines=(Line(text=_outcome(c, str(reason))), Line(text=str(reason), mono=True))),
                    c.number(count),
                    c.text(span(words, first, last)),
                )
                for reason, count, first, last in counts.rows
            ),
            numeric=(1,),
            refs=c.refs(counts),
        )
    )
    total = sum(whole(row[1]) for row in counts.rows)
    if total > len(c.document.list_events):
        shown = words.number(len(c.document.list_events))
        blocks.append(
            Paragraph(text=words("lists.events_cut", shown=shown, all=words.number(total)), style="note")
        )
    blocks.append(
        Table(
            caption=words("caption.list_events"),
            headers=(words("table.time"), words("table.list"), words("table.result"),
                     words("table.entries"), words("table.digest"), words("table.detail")),
            rows=tuple(_event(c, event) for event in c.document.list_events),
            numeric=(3,),
            refs=c.refs(figures["list_events"]),
        )
    )  # fmt: skip
    return blocks


def _event(c: Composer, event: ListEvent) -> tuple[Cell, ...]:
    words = c.words
    told = [Line(text=text) for text in event.words]
    if event.by_operator:
        told.append(Line(text=words("lists.by_operator")))
    digests = [short_digest(one) for one in (event.before_sha256, event.sha256) if one]
    return (
        c.text(words.instant(event.ts_us)),
        c.text(event.list or words("lists.all")),
        c.text(_outcome(c, event.reason)),
        c.text("–") if event.entries is None else c.number(event.entries),
        c.text(" → ".join(dict.fromkeys(digests)) or "–", mono=True),
        Cell(lines=tuple(told) or (Line(text="–"),)),
    )


def _outcome(c: Composer, reason: str) -> str:
    return c.words.known(f"list_outcome.{reason}", reason)


def _appeal(c: Composer) -> list[Block]:
    """Return how somebody whose site is listed wrongly gets it freed, and where to write."""
    words = c.words
    rows = tuple(
        (c.text(words(f"identity.{name}")), Cell(lines=c.fact(name))) for name in ("contact", "info_page")
    )
    return [
        Heading(text=words("lists.appeal")),
        Paragraph(text=words("lists.appeal_how")),
        Paragraph(text=words("lists.appeal_publisher")),
        Table(caption=words("caption.appeal"), headers=(), rows=rows, sheet=True),
    ]
