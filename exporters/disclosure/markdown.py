"""A page as Markdown (CommonMark with tables): readable as text, and inert whatever a site wrote.

Texts from outside are escaped character by character; addresses and digests stand in code spans.
Pure: a `Page` in, text out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporters.disclosure.page import Chart, Heading, KeyFigures, Paragraph, Queries, Table

if TYPE_CHECKING:
    from exporters.disclosure.page import Block, Cell, Line, Page

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&])")
_URL = re.compile(r"(?i)(https?|ftp|mailto):|www\.")


def escape(text: str) -> str:
    """Return a text that Markdown shows as it stands: no markup, no HTML, no automatic link."""
    escaped = _SPECIAL.sub(r"\\\1", text.replace("\n", " "))
    # A zero-width break would change the text; a character reference only breaks automatic links.
    escaped = _URL.sub(lambda found: found[0].replace(":", "&#58;").replace("www.", "www&#46;"), escaped)
    return re.sub(r"^(\s*)([-=:]|\d+[.)])", r"\1\\\2", escaped) if re.match(r"\s*[-=:]", escaped) else escaped


def code_span(text: str) -> str:
    """Return a text as a code span, with a fence longer than any run of backticks in it."""
    text = text.replace("\n", " ") or " "
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text[:1] in "` " or text[-1:] in "` " else ""
    return f"{fence}{pad}{text.replace('|', chr(92) + '|')}{pad}{fence}"


def _refs(refs: tuple[int, ...]) -> str:
    return f" \\[{', '.join(str(number) for number in refs)}\\]" if refs else ""


def _line(line: Line) -> str:
    text = code_span(line.text) if line.mono else escape(line.text)
    if line.badge in ("supported", "contradicted", "not_tested"):
        mark = "⚠ " if line.badge == "contradicted" else ""
        text = f"**{mark}{text}**"
    return text + _refs(line.refs)


def _cell(cell: Cell) -> str:
    return "<br>".join(_line(line) for line in cell.lines) or " "


def _table(table: Table, field: tuple[str, str]) -> list[str]:
    headers = table.headers or field
    marks = ["---:" if number in table.numeric else "---" for number in range(len(headers))]
    lines = [f"**{escape(table.caption)}**{_refs(table.refs)}", ""]
    lines.append("| " + " | ".join(escape(header) for header in headers) + " |")
    lines.append("| " + " | ".join(marks) + " |")
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in table.rows]
    return [*lines, ""]


def _chart(chart: Chart) -> list[str]:
    lines = [f"**{escape(chart.title)}**{_refs(chart.refs)}", ""]
    lines += [f"- {escape(bar.label)}: {escape(bar.number)}" for bar in chart.bars]
    return [*lines, ""]


def _queries(queries: Queries) -> list[str]:
    lines: list[str] = []
    for note in queries.notes:
        lines += [f"\\[{note.number}\\] {code_span(note.id)} ({escape(note.rows)})", ""]
        lines += [*(f"    {line}" for line in note.statement.splitlines()), ""]
    return lines


def _block(block: Block, field: tuple[str, str]) -> list[str]:
    match block:
        case Paragraph():
            return [("> " if block.style == "note" else "") + escape(block.text), ""]
        case Heading():
            return [f"### {escape(block.text)}", ""]
        case Table():
            return _table(block, field)
        case Chart():
            return _chart(block)
        case KeyFigures():
            rows = [
                f"- {escape(cell.label)}: **{escape(cell.value)}**{_refs(cell.refs)}" for cell in block.cells
            ]
            return [*rows, ""]
        case Queries():
            return _queries(block)


def render_markdown(page: Page, field: tuple[str, str]) -> bytes:
    """Return the page as UTF-8 Markdown; `field` heads the tables that have no heads of their own."""
    lines = [f"# {escape(page.heading)}", ""]
    lines += [f"- {escape(label)}: {escape(value)}" for label, value in page.operator]
    lines += [f"- {escape(meta)}" for meta in page.meta]
    lines += [f"- [{escape(page.other_label)}]({page.other})", ""]
    if page.alarm is not None:
        lines += [f"> **⚠ {escape(page.alarm.title)}**", ">", f"> {escape(page.alarm.body)}", ">"]
        lines += [f"> - {escape(line)}" for line in page.alarm.lines]
        lines.append("")
    lines += [escape(page.lead), ""]
    for section in page.sections:
        lines += [f"## {escape(section.title)}", ""]
        for block in section.blocks:
            lines += _block(block, field)
    lines += ["---", ""]
    for line in page.footer:
        lines += [_line(line), ""]
    return ("\n".join(lines).rstrip() + "\n").encode("utf-8")
