"""The Merkle tree of RFC 6962 section 2.1 (unchanged in RFC 9162): hashes, proofs, and their verification.

A proof is a list of subtree roots. Which subtrees those are depends on sizes alone (`inclusion_ranges`,
`consistency_ranges`); each is folded from *complete* subtrees (`complete_subtrees`), named (level, index):
the node over the leaves `index << level` up to `(index + 1) << level`. So any store of complete subtrees can
serve any proof.

>>> leaves = [leaf_hash(bytes([n])) for n in range(3)]
>>> root = node_hash(node_hash(leaves[0], leaves[1]), leaves[2])
>>> proof = inclusion_proof(2, 3, lambda level, index: node_hash(*leaves[:2]) if level else leaves[index])
>>> verify_inclusion(2, 3, leaves[2], proof, root)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from idverify.ledger.errors import ProofError

EMPTY_ROOT: Final = sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]
"""(level, index) -> hash of that complete subtree, 32 bytes."""


def leaf_hash(entry: bytes) -> bytes:
    """MTH({entry}) = SHA-256(00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of each; whole lists are hashed by one expression, as a call per hash costs half as much as it."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def parents(hashes: Iterable[bytes]) -> list[bytes]:
    """`node_hash` of each pair, the first with the second and so on; an odd last one has no parent yet."""
    each = iter(hashes)
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(each, each, strict=False)]


def verify_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2: the leaf at `index` is in the tree of `size` leaves with `root`.

    Raises `ProofError`: it is not shown to be.
    """
    computed = inclusion_root(index, size, leaf_hash, proof)
    if computed != root:
        raise ProofError(f"expected root {root.hex()}, the proof leads to {computed.hex()}")


def inclusion_root(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to: shown by it alone, so worth what signs that root.

    Raises `ProofError`: no proof for this index and size.
    """
    if not 0 <= index < size:
        raise ProofError(f"expected an index below the tree size {size}, got {index}")
    _require_hashes([leaf_hash, *proof])
    computed = leaf_hash
    for sibling, is_left in _climb(index, size - 1, proof):
        computed = node_hash(sibling, computed) if is_left else node_hash(computed, sibling)
    return computed


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.4.2: the tree (`size1`, `root1`) is a prefix of (`size2`, `root2`).

    A `size1` of 0 is refused: every tree extends the empty one, so such a proof would say nothing.

    Raises `ProofError`: it is not shown to be.
    """
    second = consistency_root(size1, size2, root1, proof)
    if second != root2:
        raise ProofError(f"expected root {root2.hex()}, the proof leads to {second.hex()}")


def consistency_root(size1: int, size2: int, root1: bytes, proof: Sequence[bytes]) -> bytes:
    """The root for `size2` that a consistency proof leads to, from the root that is known for `size1`.

    Raises `ProofError`: no proof for these sizes, or it does not start from `root1`.
    """
    if not 0 < size1 <= size2:
        raise ProofError(f"expected 0 < size1 <= size2, got {size1} and {size2}")
    _require_hashes(proof)
    if size1 == size2:
        if proof:
            raise ProofError(f"expected an empty proof for one size {size1}")
        return root1
    if not proof:
        raise ProofError(f"expected a proof from size {size1} to {size2}, got none")
    # A complete first tree is itself a node of the second, so its root is left out of the proof.
    path = list(proof) if size1 & (size1 - 1) else [root1, *proof]
    position, last = size1 - 1, size2 - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = path[0]
    for sibling, is_left in _climb(position, last, path[1:]):
        if is_left:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
        else:
            second = node_hash(second, sibling)
    if first != root1:
        raise ProofError(f"expected to start from root {root1.hex()}, the proof starts from {first.hex()}")
    return second


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 section 2.1.1, leaf's sibling first."""
    return [_range_root(start, stop, node) for start, stop in inclusion_ranges(index, size)]


def consistency_proof(size1: int, size2: int, node: NodeReader) -> list[bytes]:
    """PROOF(size1, D[size2]) of RFC 6962 section 2.1.2."""
    return [_range_root(start, stop, node) for start, stop in consistency_ranges(size1, size2)]


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaf ranges [start, stop) whose roots are the inclusion proof, in proof order."""
    if not 0 <= index < size:
        raise ProofError(f"expected an index below the tree size {size}, got {index}")
    ranges = []
    start, stop = 0, size
    while stop - start > 1:
        split = _split(start, stop)
        if index < split:
            ranges.append((split, stop))
            stop = split
        else:
            ranges.append((start, split))
            start = split
    return ranges[::-1]


def consistency_ranges(size1: int, size2: int) -> list[tuple[int, int]]:
    """The leaf ranges [start, stop) whose roots are the consistency proof, in proof order."""
    if not 0 < size1 <= size2:
        raise ProofError(f"expected 0 < size1 <= size2, got {size1} and {size2}")
    ranges = []
    start, stop = 0, size2
    while size1 != stop:
        split = _split(start, stop)
        if size1 <= split:
            ranges.append((split, stop))
            stop = split
        else:
            ranges.append((start, split))
            start = split
    # SUBPROOF(m, D[m], false): a last subtree that is not the whole first tree has to be told.
    if start:
        ranges.append((start, stop))
    return ranges[::-1]


def complete_subtrees(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """(level, index) of the complete subtrees that make up [start, stop), largest first.

    `start` is aligned to the largest of them, as every range of a proof (and of a whole tree) is.
    """
    while start < stop:
        level = (stop - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def fold(subtrees: Sequence[bytes]) -> bytes:
    """The root over adjacent complete subtrees of falling size; the empty tree's root for none."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees[-1]
    for left in subtrees[-2::-1]:
        root = node_hash(left, root)
    return root


def _range_root(start: int, stop: int, node: NodeReader) -> bytes:
    return fold([node(level, index) for level, index in complete_subtrees(start, stop)])


def grow(frontier: Sequence[bytes], size: int, leaf_hashes: Sequence[bytes]) -> tuple[bytes, ...]:
    """The frontier after `leaf_hashes`, from that of the first `size` leaves.

    A frontier is the roots of the complete subtrees of falling size that make up a tree: one for each bit set in its
    size. Whole levels are hashed at a time: an odd node waits in the frontier for its sibling, the others pair up.
    """
    waiting, fresh = list(frontier), []
    arriving = list(leaf_hashes)
    while arriving:
        if size & 1:
            arriving.insert(0, waiting.pop())
        if len(arriving) & 1:
            fresh.append(arriving.pop())
        arriving = parents(arriving)
        size >>= 1
    return (*waiting, *reversed(fresh))


def _climb(position: int, last: int, siblings: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each sibling up to the root and whether it stands on the left (RFC 9162 section 2.1.3.2, step 4)."""
    for sibling in siblings:
        if last == 0:
            raise ProofError("proof is longer than its indexes and sizes allow")
        is_left = bool(position & 1) or position == last
        yield sibling, is_left
        if is_left:
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofError("proof is shorter than its indexes and sizes demand")


def _split(start: int, stop: int) -> int:
    """Where RFC 6962 section 2.1 cuts: behind the largest power of two smaller than the number of leaves."""
    return start + (1 << ((stop - start - 1).bit_length() - 1))


def _require_hashes(hashes: Sequence[bytes]) -> None:
    for value in hashes:
        if len(value) != 32:
            raise ProofError(f"expected hashes of 32 bytes, got one of {len(value)}")
