"""The Merkle tree over the records of one segment: roots, and proofs that an outsider can check.

Hashing of RFC 6962 section 2.1 (https://www.rfc-editor.org/rfc/rfc6962#section-2.1), the same as RFC 9162:
leaf = SHA-256(0x00 + data), node = SHA-256(0x01 + left + right), the empty tree is SHA-256 of nothing, and
n > 1 leaves split at the largest power of two below n. Verification follows RFC 9162 sections 2.1.3.2 and
2.1.4.2. Pure: no files, no clock.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
_FEW = 64  # leaves
_node = sha256(b"\x01").copy  # a hash begun: to copy it costs less than to begin another


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf with this data."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The state that appending needs: one hash for each set bit of the size, largest subtree first."""

    __slots__ = ("_hashes", "size")

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._hashes: list[bytes] = []
        self.extend(leaves)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaf hashes (32 bytes each) in order."""
        nodes = list(leaves)
        if len(nodes) > _FEW:
            self._extend_by_level(nodes)
            return
        size, hashes = self.size, self._hashes
        for leaf in nodes:
            node, full = leaf, size
            while full & 1:
                node = sha256(b"\x01" + hashes.pop() + node).digest()
                full >>= 1
            hashes.append(node)
            size += 1
        self.size = size

    def _extend_by_level(self, nodes: list[bytes]) -> None:
        """Append many leaf hashes: a level of the tree at a time costs less than a leaf at a time."""
        here, right = self.size, []
        self.size += len(nodes)
        while nodes:
            if here & 1:
                nodes.insert(0, self._hashes.pop())
            if len(nodes) & 1:
                right.append(nodes.pop())
            above = []
            for left, other in zip(nodes[::2], nodes[1::2], strict=True):
                node = _node()
                node.update(left + other)
                above.append(node.digest())
            nodes = above
            here >>= 1
        self._hashes.extend(reversed(right))

    def root(self) -> bytes:
        """Return the root at the present size."""
        if not self._hashes:
            return EMPTY_ROOT
        node = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            node = node_hash(left, node)
        return node


def _split(size: int) -> int:
    """Return the largest power of two below size (size > 1)."""
    return 1 << (size - 1).bit_length() - 1


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    return CompactRange(leaves).root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the hashes that lead from leaf `index` to the root over `leaves`, leaf's sibling first.

    Raises ValueError when there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise ValueError(f"no leaf {index} in a tree of {len(leaves)}")
    proof: list[bytes] = []
    start, end = 0, len(leaves)
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(root_of(leaves[middle:end]))
            end = middle
        else:
            proof.append(root_of(leaves[start:middle]))
            start = middle
    return tuple(reversed(proof))


def inclusion_ranges(size: int, index: int) -> list[tuple[int, int]]:
    """Return the ranges of leaves whose roots are the inclusion proof, leaf's sibling first.

    So that a proof over many leaves needs no more memory than a compact range. Raises ValueError.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Return the hashes that show the tree of `old_size` to be a prefix of the tree over `leaves`.

    Empty when the old size is 0 or the present size. Raises ValueError when it is larger than that.
    """
    if not 0 <= old_size <= len(leaves):
        raise ValueError(f"no tree of size {old_size} within {len(leaves)} leaves")
    proof: list[bytes] = []
    start, end, target, whole = 0, len(leaves), old_size, True
    if target == 0:
        return ()
    while target != end - start:
        k = _split(end - start)
        if target <= k:
            proof.append(root_of(leaves[start + k : end]))
            end = start + k
        else:
            proof.append(root_of(leaves[start : start + k]))
            start += k
            target -= k
            whole = False
    if not whole:
        proof.append(root_of(leaves[start:end]))
    return tuple(reversed(proof))


def _well_formed(hashes: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_SIZE for value in hashes)


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf hash stands at `index` in the tree of `size` with this root (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size or not _well_formed((leaf, root, *proof)):
        return False
    node, last, here = leaf, size - 1, index
    for sibling in proof:
        if last == 0:
            return False
        if here & 1 or here == last:
            node = node_hash(sibling, node)
            while not here & 1 and here:
                here >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        here >>= 1
        last >>= 1
    return last == 0 and node == root


def verify_consistency(
    *, old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the tree of `old_size` is a prefix of the tree of `size` (RFC 9162 2.1.4.2)."""
    if not 0 <= old_size <= size or not _well_formed((old_root, root, *proof)):
        return False
    if old_size == size:
        return not proof and old_root == root
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        return False
    here, last = old_size - 1, size - 1
    while here & 1:
        here >>= 1
        last >>= 1
    old_node = node = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            old_node = node_hash(sibling, old_node)
            node = node_hash(sibling, node)
            while not here & 1 and here:
                here >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        here >>= 1
        last >>= 1
    return last == 0 and old_node == old_root and node == root
