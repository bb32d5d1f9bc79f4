"""Compares what a registry says of segments with the segments: openings, heads, seals, sums by host."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

from crawler.decisionlog import encoding, schema
from crawler.decisionlog.findings import Findings, Problem
from crawler.decisionlog.registry_state import CheckpointRow, LeafRow, RegistryState, Told, octets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from crawler.decisionlog.session import Session
    from crawler.decisionlog.verify_segment import SegmentClaim

_PAGE: Final = 4000
_SCHEMAS: Final = 1 << 31  # more than there will ever be


class DatabaseRegistry:
    """The registry of a log in a database up to a size, on a connection that returns texts as octets."""

    def __init__(self, raw: Session, size: int) -> None:
        self._raw = raw
        self._size = size

    @staticmethod
    def is_missing(raw: Session) -> bool:
        """Whether the log says to be of format 1, which has neither a registry nor sums by host."""
        found = raw.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        return found is not None and bool(found[0] == schema.FORMAT_1.encode())

    @staticmethod
    def size(raw: Session) -> int:
        """Return how many leaves there seem to be; 0 also for a log without a registry (format 1)."""
        if DatabaseRegistry.is_missing(raw):
            return 0
        (newest,) = raw.execute("SELECT max(idx) FROM registry").fetchone()
        if newest is None or type(newest) is int:
            return 0 if newest is None else newest + 1
        (count,) = raw.execute("SELECT count(*) FROM registry").fetchone()  # an index that is none
        return int(count)

    def leaves(self) -> Iterator[LeafRow]:
        """Yield the leaves, a page at a time."""
        last = None
        while rows := self._raw.execute(
            "SELECT idx, ts_us, kind, segment_id, body, leaf_hash FROM registry"
            " WHERE (CAST(?1 AS BIGINT) IS NULL OR idx > ?1) AND idx < ?2 ORDER BY idx LIMIT ?3",
            (last, self._size, _PAGE),
        ).fetchall():
            yield from map(LeafRow._make, rows)
            last = rows[-1][0]

    def checkpoints(self) -> Iterator[CheckpointRow]:
        """Yield the checkpoints, a page at a time."""
        last = None
        while rows := self._raw.execute(
            "SELECT size, ts_us, root, note FROM checkpoint"
            " WHERE (CAST(?1 AS BIGINT) IS NULL OR size > ?1) AND size <= ?2 ORDER BY size LIMIT ?3",
            (last, self._size, _PAGE),
        ).fetchall():
            yield from map(CheckpointRow._make, rows)
            last = rows[-1][0]


def compare(claims: Sequence[SegmentClaim], state: RegistryState, findings: Findings) -> None:
    """Compare every segment's row with what the registry says of it, and miss those that are gone."""
    by_segment = {str(claim.uuid): claim for claim in claims}
    for segment, told in state.told.items():
        claim = by_segment.pop(segment, None)
        if claim is None:
            findings.add(
                Problem.SEGMENT_MISSING,
                f"segment {segment} of run {told.run}, which the registry opened, is gone",
            )
        else:
            _compare_one(claim, told, findings)
    for claim in by_segment.values():
        findings.add(Problem.SEGMENT_CHANGED, "the registry never opened it", claim.uuid)


def _compare_one(claim: SegmentClaim, told: Told, findings: Findings) -> None:
    def find(problem: Problem, text: str) -> None:
        findings.add(problem, text, claim.uuid)

    if (claim.number, claim.run, claim.agent) != (told.number, told.run.encode(), told.agent.encode()):
        find(Problem.SEGMENT_CHANGED, "the registry opened it with another number, run or agent")
    _compare_seal(claim, told, find)
    if told.intents:  # its records are not verified, nor the row with them
        if not gives_its_uuid(claim):
            find(Problem.SEGMENT_CHANGED, "its row, which stays when its records go, does not give its UUID")
        return
    heads = {size: root for size, root, _ in claim.heads}
    for size, root in told.heads.items():
        if heads.get(size) != octets_of(root):
            find(
                Problem.HEAD_MISSING if size not in heads else Problem.HEAD_WRONG,
                f"its head of size {size} is not the one that the registry has",
            )


def gives_its_uuid(claim: SegmentClaim) -> bool:
    """Whether a segment's row gives its UUID, whatever schema of records it names."""
    version = claim.schema
    return type(version) is int and 0 < version < _SCHEMAS and claim.uuid == encoding.derive_segment_uuid(
        schema=version, number=claim.number, run=claim.run, agent=claim.agent,
        opened_us=claim.opened_us, nonce=claim.nonce,
    )  # fmt: skip


def _compare_seal(claim: SegmentClaim, told: Told, find: Callable[[Problem, str], None]) -> None:
    seal, adopted = told.seal, told.adopted
    if seal is None and adopted is not None and adopted.sealed:
        if (claim.sealed_size, claim.sealed_root) != (adopted.size, octets_of(adopted.root)):
            find(Problem.SEAL_WRONG, "its seal is not the one with which it came into the registry")
    elif seal is None:
        if claim.sealed_us is not None:
            find(Problem.SEAL_WRONG, "it has a seal, and the registry has none")
    elif claim.sealed_us is None:
        find(Problem.SEAL_WRONG, "the registry sealed it, and its row says that it is open")
    elif (claim.sealed_size, claim.sealed_root) != (seal.size, octets_of(seal.root)):
        find(Problem.SEAL_WRONG, "its seal is not the one that the registry has")
    elif seal.size and claim.sealed_us != seal.last_us:
        find(Problem.SEAL_WRONG, "its seal has another time than the registry's")


def with_told(claim: SegmentClaim, told: Told | None) -> SegmentClaim:
    """Return the claim with what the registry says to be erased of it."""
    return claim if told is None else replace(claim, erased=frozenset(told.erased))


def compare_retention(
    raw: Session, state: RegistryState, numbers: Container[int], findings: Findings
) -> set[bytes]:
    """Compare what the log says to be erased, pruned and discarded with its registry.

    Returns the digests of the documents that went with pruned segments, or by a leaf of their own.
    """
    by_number = {told.number: told for told in state.told.values()}
    erased = {(told.number, idx): leaf for told in state.told.values() for idx, leaf in told.erased.items()}
    rows = raw.execute("SELECT segment_id, idx, registry_idx FROM erasure").fetchall()
    if {(number, idx): leaf for number, idx, leaf in rows} != erased:
        findings.add(Problem.URL_MISSING, "what is said to be erased is not what the registry says")
    for number, idx in erased:
        left = raw.execute("SELECT 1 FROM opening WHERE segment_id = ? AND idx = ?", (number, idx)).fetchone()
        if left is not None and number in numbers:
            findings.add(
                Problem.URL_OUTSIDE, "its URL was erased, and is there", UUID(by_number[number].segment), idx
            )
    intents = {leaf: told.number for told in state.told.values() for leaf in told.intents}
    rows = raw.execute("SELECT segment_id, registry_idx FROM pruning").fetchall()
    if dict(rows) != {number: leaf for leaf, number in intents.items()}:
        findings.add(Problem.RECORD_MISSING, "what is said to be pruned is not what the registry says")
    discarded = raw.execute("SELECT sha256, registry_idx FROM discarding").fetchall()
    erased_documents = state.erased_documents.items()
    alone = {(octets_of(digest), leaf) for digest, leaves in erased_documents for leaf in leaves}
    lawful = {digest for digest, leaf in discarded if leaf in intents or (digest, leaf) in alone}
    if len(lawful) != len(discarded) or not {digest for digest, _ in alone} <= lawful:
        findings.add(Problem.DOCUMENT_MISSING, "the documents said to be removed are not the registry's")
    return lawful


def lacking_quotes(state: RegistryState, discarded: set[bytes]) -> set[bytes]:
    """Return which of the documents that were removed a basis may quote nevertheless.

    Erased ones, each of which the registry names. What goes with a pruned segment it does not name: nothing
    that stays may need it, or such a row would hide whatever was removed. Only while a segment is being
    pruned its bases may be there still, when what they quote is gone.
    """
    if any(told.intents and not told.pruned for told in state.told.values()):
        return discarded
    return discarded & {octets_of(digest) for digest in state.erased_documents}
