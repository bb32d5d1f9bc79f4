"""Which documents only one segment needs, so that they go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from crawler.decisionlog import schema
from crawler.decisionlog.stored import unpack_body
from policies.basis import decode_basis

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_R: Final = schema.record.c
_D: Final = schema.document.c
_PAGE: Final = 500


def only_of(connection: Connection, number: int) -> list[bytes]:
    """Return the digests of the documents that records of this segment need and no others do.

    Bases and run documents by their records; files such as robots.txt by the bases that quote them. Policies
    and manifests of block lists stay: contexts, which are for ever, name them.
    """
    own, others = _needed(connection, number, own=True), _needed(connection, number, own=False)
    contexts: set[bytes] = set()
    for row in connection.execute(select(schema.context.c.policy_sha256, schema.context.c.blocklist_sha256)):
        contexts.update(row)
    alone = own - others - contexts
    quoted = _quoted(connection, alone) - _quoted(connection, others) - others - contexts
    return sorted(alone | quoted)


def _needed(connection: Connection, number: int, *, own: bool) -> set[bytes]:
    where = _R.segment_id == number if own else _R.segment_id != number
    bases = connection.execute(select(_R.basis_sha256).where(where).distinct()).scalars()
    runs = connection.execute(select(_R.body_sha256).where(where, _R.stage == "run").distinct()).scalars()
    return {digest for digest in (*bases, *runs) if digest is not None}


def _quoted(connection: Connection, digests: set[bytes]) -> set[bytes]:
    """Return the digests that these bases quote."""
    quoted: set[bytes] = set()
    wanted = sorted(digests)
    for start in range(0, len(wanted), _PAGE):
        part = wanted[start : start + _PAGE]
        for row in connection.execute(
            select(_D.size, _D.codec, _D.body).where(_D.sha256.in_(part), _D.kind == "basis")
        ):
            quoted |= _digests_in(unpack_body(row.codec, row.size, row.body))
    return quoted


def _digests_in(body: bytes) -> set[bytes]:
    try:
        verdicts = decode_basis(body).verdicts
    except ValueError:
        return set()
    return {
        bytes.fromhex(evidence.sha256)
        for verdict in verdicts
        for evidence in verdict.evidence
        if evidence.sha256
    }
