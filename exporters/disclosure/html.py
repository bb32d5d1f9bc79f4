"""A page as one self-contained HTML file: no script, no font or image from elsewhere, one sheet inside.

Every text goes through jinja2's autoescape; only the sheet, which is ours, is marked safe. The content
security policy in the page forbids everything but that sheet. Pure but for reading the shipped files.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from exporters.disclosure.page import Chart, Heading, KeyFigures, Paragraph, Queries, Table

if TYPE_CHECKING:
    from exporters.disclosure.page import Block, Page

_NAMES: dict[type, str] = {
    Paragraph: "paragraph",
    Heading: "heading",
    Table: "table",
    Chart: "chart",
    KeyFigures: "key_figures",
    Queries: "queries",
}


def _template(name: str) -> str:
    return files("exporters.disclosure").joinpath("templates", name).read_text(encoding="utf-8")


def _kind(block: Block) -> str:
    return _NAMES[type(block)]


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_template),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["kind"] = _kind
    return environment


def style_sheet() -> str:
    """Return the sheet that every published page carries."""
    return files("exporters").joinpath("style.css").read_text(encoding="utf-8")


def render_html(page: Page) -> bytes:
    """Return the page as UTF-8 HTML."""
    sheet = style_sheet()
    digest = b64encode(sha256(sheet.encode("utf-8")).digest()).decode("ascii")
    text = (
        _environment()
        .get_template("disclosure.html.j2")
        .render(page=page, sheet=Markup(sheet), sheet_digest=digest)  # noqa: S704 - our own file
    )
    return text.encode("utf-8")
