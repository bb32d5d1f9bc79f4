"""Compares what a manifest states with what was found: counts, runs, which segments and heads there are.

The manifest is what people read of a package and cite by its digest, so that nothing in it may be only said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.package import layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crawler.decisionlog.findings import SegmentReport
    from crawler.decisionlog.package.layout import Manifest, SegmentPart
    from crawler.decisionlog.package.rows import Rows
    from crawler.decisionlog.verify_segment import SegmentClaim


def check_rows(manifest: Manifest, rows: Rows, findings: Findings) -> None:
    """See that the small files are about the segments of the manifest, and about nothing else."""
    numbers = {part.number for part in manifest.segments}
    for name, found in ((layout.SEGMENTS, rows.segments), (layout.HEADS, rows.heads)):
        for number in sorted(found.keys() - numbers):
            findings.add(Problem.FILE_DAMAGED, f"{name} has segment number {number}, and the package has not")


def check_part(part: SegmentPart, claim: SegmentClaim, findings: Findings) -> None:
    """Compare what the manifest states of a segment with its row."""
    stated = (part.segment, part.sealed, part.run, part.schema)
    named = claim.schema if isinstance(claim.schema, int) else 0
    if stated != (str(claim.uuid), claim.sealed_us is not None, claim.run.decode("utf-8", "replace"), named):
        findings.add(Problem.SEGMENT_CHANGED, f"{layout.MANIFEST} describes it otherwise", claim.uuid)


def check_openings(part: SegmentPart, report: SegmentReport, findings: Findings) -> None:
    """Compare how many URLs the manifest states of a segment with those that were read."""
    if part.openings != report.openings:
        findings.add(
            Problem.URL_MISSING if part.openings > report.openings else Problem.URL_OUTSIDE,
            f"it has {report.openings:,} URLs, and {layout.MANIFEST} says {part.openings:,}",
            report.segment,
        )


def check_counts(manifest: Manifest, rows: Rows, found: Mapping[str, int], findings: Findings) -> None:
    """Compare the counts of the manifest with what was counted; `found` are those counted elsewhere."""
    parts = manifest.segments
    counted = {
        "segments": len(parts),
        "records": sum(part.size for part in parts if not part.pruned),
        "openings": sum(part.openings for part in parts),
        "heads": sum(map(len, rows.heads.values())),
        "contexts": len(rows.contexts),
        **found,
    }
    for name, count in counted.items():
        stated = getattr(manifest.counts, name)
        if stated != count:
            findings.add(
                Problem.FILE_DAMAGED, f"{layout.MANIFEST} says {stated:,} {name}, and there are {count:,}"
            )
