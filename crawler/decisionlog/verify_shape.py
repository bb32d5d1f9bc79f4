"""Sees that what people query of a log is what is verified of it: tables, and the view `decisions` over them.

Whoever has the file can put a view in the place of a table, or another query behind the name `decisions`, and
change what reports say without touching a record. In PostgreSQL the owner can do so too; there the server
keeps no text of a view to compare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.decisionlog import schema
from crawler.decisionlog.findings import Findings, Problem

if TYPE_CHECKING:
    from crawler.decisionlog.session import Session


def check_shape(raw: Session, findings: Findings) -> None:
    """See that an SQLite log has a view `decisions` with this version's text, and no other view for a table.

    On a session that gives octets. Names are compared as SQLite does, whatever the case of a to z. Columns of
    tables, their constraints, indices and triggers are not compared: what stands in the rows is verified.
    """
    rows = raw.execute(
        "SELECT type, lower(name), sql FROM sqlite_master WHERE type IN ('table', 'view')"
    ).fetchall()
    kinds = {bytes(name).decode("utf-8", "replace"): bytes(kind) for kind, name, _ in rows}
    views = {bytes(name): bytes(sql or b"") for kind, name, sql in rows if bytes(kind) == b"view"}
    for name in schema.metadata.tables:
        if kinds.get(name, b"table") != b"table":
            findings.add(Problem.VIEW_CHANGED, f"{name} is no table: what stands in it may be made up")
    if views.get(b"decisions", b"").split() != schema.VIEW.encode().split():
        findings.add(
            Problem.VIEW_CHANGED,
            "the view decisions is not the one that Sekisho makes: queries of it do not show what is logged",
        )
