"""Reads what others attested out of a package, each attestation with the checkpoint that it is of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.package import layout, read_jsonl
from crawler.decisionlog.package.read import UNREADABLE, PackageRegistry
from crawler.decisionlog.package.rows import exactly, number
from crawler.decisionlog.verify_anchors import AnchorRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ANCHOR: Final = frozenset({"id", "size", "ts_us", "kind", "name", "body"})


def anchors_of(folder: Path, findings: Findings) -> list[AnchorRow]:
    """Return the attestations in a package whose registry was verified; what cannot be read is a finding."""
    try:
        rows = [
            AnchorRow(
                number=number(row["id"]),
                size=number(row["size"]),
                ts_us=number(row["ts_us"]),
                kind=_text(row["kind"]),
                name=_text(row["name"]),
                body=read_jsonl.unhex(row["body"]),
                note=None,
                made_us=None,
            )
            for row in _rows(folder)
        ]
    except UNREADABLE as error:
        findings.add(Problem.FILE_DAMAGED, f"{layout.ANCHORS} cannot be read: {error}")
        return []
    sizes = {row.size for row in rows}
    if not sizes:
        return []
    # What these files hold was looked at before, and every finding noted: nothing is said of it again.
    source = PackageRegistry(folder, Findings())
    notes = {row.size: bytes(row.note).decode() for row in source.checkpoints() if row.size in sizes}
    times = {
        leaf.idx + 1: _time(bytes(leaf.body)) for leaf in source.leaves() if leaf.idx + 1 in sizes
    }  # fmt: skip
    return [row._replace(note=notes.get(row.size), made_us=times.get(row.size)) for row in rows]


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    for row in read_jsonl.lines(folder / layout.ANCHORS):
        exactly(_ANCHOR, row)
        yield row


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")  # noqa: TRY004 - content of a file
    return value


def _time(body: bytes) -> int | None:
    """Return the time of an entry of the registry, None where it has none."""
    try:
        return number(json.loads(body)["ts_us"])
    except (*UNREADABLE, RecursionError):
        return None
