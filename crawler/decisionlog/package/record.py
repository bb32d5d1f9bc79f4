"""Puts an export on the record: an entry in the log's registry for each segment that was exported.

So that whoever erases a URL later knows where copies are, and whoever prunes a segment that it was kept.
Written after the package was read again and found intact.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from crawler.decisionlog.registry import Exported
from crawler.decisionlog.retention.acts import Actor

if TYPE_CHECKING:
    from crawler.decisionlog.package.layout import Manifest


def record_export(url: str, manifest: Manifest, *, place: str, now_us: int) -> str:
    """Record the export in the log at `url`; `place` says where the package is kept.

    Returns the SHA-256 of the manifest in hex. Raises LogError when the log cannot be written or signed.
    """
    digest = sha256(manifest.octets()).hexdigest()
    with Actor(url) as actor, actor.signed(now_us) as act:
        for part in manifest.segments:
            if not part.pruned:
                act.append(
                    Exported(
                        segment=part.segment, size=part.size, root=part.root, manifest=digest, place=place
                    ),
                    segment_id=part.number,
                )
    return digest
