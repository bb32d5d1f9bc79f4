"""What is recorded: the value that callers append and the value that readers get back.

(The byte format of a record is described here, above its encoder.)
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID  # noqa: TC003 - dataclass field

from policies.vocabulary import RequestKind, Stage  # noqa: TC001 - dataclass fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A content-addressed document stored beside the records: `kind` is robots, basis, policy or run."""

    kind: str
    body: bytes


# Not frozen: that makes its making four times as long, three are made for every page, and whoever appends one
# reads it at once.
@dataclass(slots=True, kw_only=True)
class Entry:
    """What a caller asks to be recorded; the writer adds segment, index and time.

    `verdict` is fetch, skip or defer (stage request), keep or skip (response), received or failed
    (outcome), note (run). Digests are 64 hex characters. `basis` is the canonical document of
    `policies.basis`. `ref_idx` names the request record that an outcome or response belongs to.
    `size` is octets: on the wire for an outcome, handed to the spider for a kept response.
    """

    stage: Stage
    verdict: str
    reason: str
    agent: str
    policy_sha256: str
    blocklist_sha256: str
    kind: RequestKind | None = None
    method: str = ""
    url: str | None = None
    parent_url: str | None = None
    host: str | None = None
    domain: str | None = None
    basis: bytes | None = None
    ref_idx: int | None = None
    attempt: int = 0
    status: int | None = None
    size: int | None = None
    body_sha256: str | None = None
    media_type: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof for the caller that its entry is durable."""

    segment: UUID
    idx: int
    ts_us: int
