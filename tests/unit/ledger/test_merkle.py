"""The Merkle tree against the recursive definitions of RFC 6962 section 2.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger.errors import ProofError
from idverify.ledger.merkle import (
    EMPTY_ROOT,
    complete_subtrees,
    consistency_proof,
    fold,
    inclusion_proof,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(b"%d" % number) for number in range(131)]


def mth(leaves: list[bytes]) -> bytes:
    """MTH as the RFC writes it, and slow."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(mth(leaves[:split]), mth(leaves[split:]))


def node(level: int, index: int) -> bytes:
    return mth(LEAVES[index << level : (index + 1) << level])


ROOTS = [mth(LEAVES[:size]) for size in range(len(LEAVES) + 1)]


@pytest.mark.parametrize("size", range(132))
def test_root_is_folded_from_complete_subtrees(size: int) -> None:
    """Folding a tree's complete subtrees gives the root the RFC defines."""
    assert fold([node(level, index) for level, index in complete_subtrees(0, size)]) == ROOTS[size]


@pytest.mark.parametrize("size", range(1, 131))
def test_every_inclusion_proof_verifies_at_its_own_index_only(size: int) -> None:
    """Every leaf of every small tree has a proof, and that proof serves no other leaf, index, size or root."""
    for index in range(size):
        proof = inclusion_proof(index, size, node)
        verify_inclusion(index, size, LEAVES[index], proof, ROOTS[size])
        for wrong in (
            (index + 1, size, LEAVES[index], proof, ROOTS[size]),
            (index, size, LEAVES[index + 1], proof, ROOTS[size]),
            (index, size, LEAVES[index], proof, ROOTS[size + 1]),
            (index, size, LEAVES[index], [*proof, ROOTS[size]], ROOTS[size]),
        ):
            with pytest.raises(ProofError):
                verify_inclusion(*wrong)


@pytest.mark.parametrize("size2", range(1, 131, 3))
def test_every_consistency_proof_verifies_between_its_own_sizes_only(size2: int) -> None:
    """Every prefix of every small tree has a proof, and that proof shows nothing else."""
    for size1 in range(1, size2 + 1):
        proof = consistency_proof(size1, size2, node)
        verify_consistency(size1, size2, ROOTS[size1], ROOTS[size2], proof)
        for wrong in (
            (size1, size2, ROOTS[size1 - 1], ROOTS[size2], proof),
            (size1, size2, ROOTS[size1], ROOTS[size2 + 1], proof),
            (size1, size2, ROOTS[size1], ROOTS[size2], [*proof, ROOTS[size2]]),
        ):
            with pytest.raises(ProofError):
                verify_consistency(*wrong)


@given(size=st.integers(2, 130), data=st.data())
def test_any_changed_or_missing_hash_of_a_proof_is_refused(size: int, data: st.DataObject) -> None:
    """Flip one bit or drop one hash of an inclusion or consistency proof, and it proves nothing."""
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, node)
    for mutated in mutations(proof, data):
        with pytest.raises(ProofError):
            verify_inclusion(index, size, LEAVES[index], mutated, ROOTS[size])
    size1 = data.draw(st.integers(1, size - 1))
    proof = consistency_proof(size1, size, node)
    for mutated in mutations(proof, data):
        with pytest.raises(ProofError):
            verify_consistency(size1, size, ROOTS[size1], ROOTS[size], mutated)


def mutations(proof: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    place = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    flipped = (int.from_bytes(proof[place], "big") ^ 1 << bit).to_bytes(32, "big")
    before, after = proof[:place], proof[place + 1 :]
    return [[*before, flipped, *after], [*before, *after], [*before, proof[place][:31], *after]]


def test_a_tree_has_no_leaf_outside_and_no_prefix_of_zero_or_more() -> None:
    """Indexes outside the tree and sizes that say nothing are refused, when proving as when verifying."""
    for index in (-1, 5):
        with pytest.raises(ProofError, match="below the tree size 5"):
            inclusion_proof(index, 5, node)
        with pytest.raises(ProofError, match="below the tree size 5"):
            verify_inclusion(index, 5, LEAVES[0], [], ROOTS[5])
    for size1 in (0, 6):
        with pytest.raises(ProofError, match="0 < size1 <= size2"):
            consistency_proof(size1, 5, node)
        with pytest.raises(ProofError, match="0 < size1 <= size2"):
            verify_consistency(size1, 5, ROOTS[size1], ROOTS[5], [])


def test_a_proof_too_long_for_its_size_is_refused_even_if_it_hashes_to_the_root() -> None:
    """A log that signs a wrong size cannot hide leaves below the level where that size has its own."""
    with pytest.raises(ProofError, match="longer"):
        verify_inclusion(0, 1, LEAVES[1], [LEAVES[0]], node_hash(LEAVES[0], LEAVES[1]))
    roots = node_hash(LEAVES[2], LEAVES[0]), node_hash(LEAVES[2], node_hash(LEAVES[0], LEAVES[1]))
    with pytest.raises(ProofError, match="longer"):
        verify_consistency(1, 2, *roots, [LEAVES[1], LEAVES[2]])


def test_leaf_and_node_hashes_are_kept_apart() -> None:
    """A node's two children cannot be passed off as an entry (RFC 6962 section 2.1: second preimages)."""
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])
