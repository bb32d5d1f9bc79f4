"""The tree hashes as RFC 6962 says, and its proofs convince exactly when they should."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.decisionlog.tree import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [
    bytes.fromhex(data)
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


# Proofs over the same leaves, by (index, size) and (old size, size), as transparency-dev/merkle publishes them.
INCLUSION = {
    (0, 1): (),
    (0, 8): ("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"),
    (5, 8): ("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
             "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): ("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
}  # fmt: skip
CONSISTENCY = {
    (1, 1): (),
    (1, 8): INCLUSION[0, 8],
    (6, 8): ("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
             "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    (2, 5): ("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
}  # fmt: skip


def second_opinion(leaves):
    """The definition of RFC 6962 section 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + second_opinion(leaves[:k]) + second_opinion(leaves[k:])).digest()


def numbered(size):
    return [leaf_hash(b"%d" % number) for number in range(size)]


@pytest.mark.parametrize("size", range(9))
def test_check_17_roots_equal_the_published_ones(size):
    assert root_of([leaf_hash(data) for data in LEAVES[:size]]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_check_17_inclusion_proofs_equal_the_published_ones(index, size):
    leaves = [leaf_hash(data) for data in LEAVES[:size]]
    proof = [bytes.fromhex(each) for each in INCLUSION[index, size]]
    assert list(inclusion_proof(leaves, index)) == proof
    root = bytes.fromhex(ROOTS[size])
    assert verify_inclusion(leaf=leaves[index], index=index, size=size, proof=proof, root=root)


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_check_17_consistency_proofs_equal_the_published_ones(old, size):
    leaves = [leaf_hash(data) for data in LEAVES[:size]]
    proof = [bytes.fromhex(each) for each in CONSISTENCY[old, size]]
    assert list(consistency_proof(leaves, old)) == proof
    roots = {"old_root": bytes.fromhex(ROOTS[old]), "root": bytes.fromhex(ROOTS[size])}
    assert verify_consistency(old_size=old, size=size, proof=proof, **roots)


def test_growing_leaf_by_leaf_gives_the_defined_root_at_every_size():
    tree = CompactRange()
    leaves = numbered(130)
    for size in range(131):
        assert tree.size == size
        assert tree.root() == second_opinion(leaves[:size])
        tree.extend(leaves[size : size + 1])


@given(st.lists(st.integers(0, 200), max_size=8))
def test_growing_by_parts_of_any_size_gives_the_defined_root(parts):
    tree, leaves = CompactRange(), numbered(sum(parts))
    done = 0
    for part in parts:
        tree.extend(iter(leaves[done : done + part]))
        done += part
        assert (tree.size, tree.root()) == (done, second_opinion(leaves[:done]))


def test_every_inclusion_proof_of_every_small_tree_convinces_and_is_no_longer_than_needed():
    for size in range(1, 34):
        leaves = numbered(size)
        root = root_of(leaves)
        for index in range(size):
            proof = inclusion_proof(leaves, index)
            assert len(proof) <= (size - 1).bit_length()
            assert verify_inclusion(leaf=leaves[index], index=index, size=size, proof=proof, root=root)


def test_every_consistency_proof_of_every_small_tree_convinces():
    for size in range(34):
        leaves = numbered(size)
        for old in range(size + 1):
            proof = consistency_proof(leaves, old)
            assert verify_consistency(
                old_size=old, old_root=root_of(leaves[:old]), size=size, root=root_of(leaves), proof=proof
            )
            assert len(proof) <= size.bit_length() + 1
            assert bool(proof) == (0 < old < size)


@given(st.integers(2, 80), st.data())
def test_check_17_an_inclusion_proof_convinces_of_nothing_else(size, data):
    leaves = numbered(size)
    index = data.draw(st.integers(0, size - 1))
    proof = list(inclusion_proof(leaves, index))
    good = {"leaf": leaves[index], "index": index, "size": size, "proof": proof, "root": root_of(leaves)}
    other = data.draw(st.integers(0, size - 1).filter(lambda value: value != index))
    flipped = data.draw(st.integers(0, len(proof) - 1))
    broken = [*proof[:flipped], bytes([proof[flipped][0] ^ 1]) + proof[flipped][1:], *proof[flipped + 1 :]]
    for wrong in (
        {"index": other}, {"leaf": leaves[other]}, {"proof": proof[:-1]}, {"proof": [*proof, proof[0]]},
        {"proof": broken}, {"root": EMPTY_ROOT}, {"index": size}, {"index": -1}, {"size": 0},
        {"proof": [*proof[:-1], proof[-1][:31]]}, {"leaf": b""}, {"root": b"\x00"},
    ):  # fmt: skip
        assert not verify_inclusion(**good | wrong), wrong
    assert verify_inclusion(**good)


@given(st.integers(3, 80), st.data())
def test_check_17_a_consistency_proof_convinces_of_nothing_else(size, data):
    leaves = numbered(size)
    old = data.draw(st.integers(1, size - 1))
    proof = list(consistency_proof(leaves, old))
    good = {
        "old_size": old, "old_root": root_of(leaves[:old]), "size": size, "root": root_of(leaves), "proof": proof,
    }  # fmt: skip
    forked = root_of([leaf_hash(b"forked"), *leaves[1:old]])
    for wrong in (
        {"old_root": forked}, {"root": forked}, {"proof": proof[:-1]}, {"proof": [*proof, proof[-1]]}, {"proof": []},
        {"old_size": size + 1}, {"old_size": -1}, {"old_size": 0}, {"old_size": size},
        {"proof": [*proof[:-1], proof[-1] + b"\x00"]}, {"old_root": b""},
    ):  # fmt: skip
        assert not verify_consistency(**good | wrong), wrong
    assert verify_consistency(**good)


def test_a_proof_of_what_does_not_exist_is_refused():
    leaves = numbered(5)
    for index in (-1, 5):
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_proof(leaves, index)
    for size in (-1, 6):
        with pytest.raises(ValueError, match="no tree"):
            consistency_proof(leaves, size)


@pytest.mark.long
def test_check_17_roots_and_proofs_agree_with_the_definition_up_to_1025_leaves():
    leaves = numbered(1025)
    tree = CompactRange()
    for size in range(1, 1026):
        tree.extend(leaves[size - 1 : size])
        root = second_opinion(leaves[:size])
        assert tree.root() == root
        for index in {0, size // 3, size - 1}:
            proof = inclusion_proof(leaves[:size], index)
            assert list(proof) == path_of(leaves[:size], index)
            assert verify_inclusion(leaf=leaves[index], index=index, size=size, proof=proof, root=root)
        for old in {1, size // 2, size - 1} - {0}:
            proof = consistency_proof(leaves[:size], old)
            assert list(proof) == subproof(leaves[:size], old)
            assert verify_consistency(
                old_size=old, old_root=root_of(leaves[:old]), size=size, root=root, proof=proof
            )


def path_of(leaves, index):
    """The audit path as RFC 6962 section 2.1.1 defines it, word by word."""
    if len(leaves) <= 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if index < k:
        return [*path_of(leaves[:k], index), second_opinion(leaves[k:])]
    return [*path_of(leaves[k:], index - k), second_opinion(leaves[:k])]


def subproof(leaves, old, *, whole=True):
    """The consistency proof as RFC 6962 section 2.1.2 defines it, word by word."""
    if old == len(leaves):
        return [] if whole else [second_opinion(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= k:
        return [*subproof(leaves[:k], old, whole=whole), second_opinion(leaves[k:])]
    return [*subproof(leaves[k:], old - k, whole=False), second_opinion(leaves[:k])]


def test_check_17_roots_at_every_size_and_proofs_at_some_equal_the_definition_up_to_1025():
    leaves, tree = numbered(1025), CompactRange()
    # The definition again, as a binary counter: the roots of perfect subtrees from the right.
    stack = []
    for size in range(1026):
        node = stack[-1] if stack else sha256(b"").digest()
        for left in stack[-2::-1]:
            node = sha256(b"\x01" + left + node).digest()
        assert tree.root() == node, size
        if size == 1025:
            break
        stack.append(leaves[size])
        for _ in range(((size + 1) & -(size + 1)).bit_length() - 1):
            stack[-2:] = [sha256(b"\x01" + stack[-2] + stack[-1]).digest()]
        tree.extend(leaves[size : size + 1])
    for size in (1, 2, 3, 7, 8, 255, 256, 257, 600, 1024, 1025):
        these, root = leaves[:size], root_of(leaves[:size])
        for index in {0, size // 3, size - 1}:
            proof = inclusion_proof(these, index)
            assert list(proof) == path_of(these, index)
            good = {"leaf": these[index], "index": index, "size": size, "root": root}
            assert verify_inclusion(**good, proof=proof)
            for wrong in (
                [*proof, root],
                [*proof, *proof, root],
                [*proof[:-1], b""],
                [root, *proof][: len(proof)] or [root],
            ):
                assert list(wrong) == list(proof) or not verify_inclusion(**good, proof=wrong)
        for old in {1, size // 2, size - 1, size} - {0}:
            proof = consistency_proof(these, old)
            assert list(proof) == subproof(these, old)
            good = {"old_size": old, "old_root": root_of(leaves[:old]), "size": size, "root": root}
            assert verify_consistency(**good, proof=proof)
            for wrong in (
                [*proof, root],
                [*proof[:-1], b""] if proof else [root],
                list(proof[:-1]) if proof else [b""],
            ):
                assert not verify_consistency(**good, proof=wrong)
