"""Proof that a log told two stories: two checkpoints that it signed, of which neither tree extends the other.

For two roots of one size the notes alone are the proof. For two sizes it takes, besides, the root that the larger tree
has over its first entries, and the consistency proof that it does: whoever verifies that has the log's own word against
its own word, and needs nobody's tiles.
"""

import json
from dataclasses import dataclass
from typing import Final, Self

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import MalformedError, ProofError
from idverify.ledger.file_tree import FileTree
from idverify.ledger.lines import base64_text, parse_hash
from idverify.ledger.merkle import verify_consistency
from idverify.ledger.note import MAX_NOTE
from idverify.ledger.policy import Policy
from idverify.ledger.proof import MAX_HASHES

FORMAT: Final = "idverify-equivocation/v1"
MAX_EQUIVOCATION: Final = 4 * MAX_NOTE


@dataclass(frozen=True, slots=True)
class Equivocation:
    """Two signed notes, the smaller tree first, that no single log can have signed honestly.

    `prefix_root` is the root of the second tree over as many entries as the first has, and `proof` shows that.
    For two trees of one size it is the second root, and `proof` is empty.
    """

    first: bytes
    second: bytes
    prefix_root: bytes
    proof: tuple[bytes, ...] = ()

    def verify(self, policy: Policy) -> tuple[Checkpoint, Checkpoint]:
        """Both checkpoints, if the log signed both and they contradict each other.

        Raises `MalformedError` or `SignatureError`: one of them is no checkpoint of that log.
        Raises `ProofError`: they do not contradict each other.
        """
        first, second = policy.open(self.first)[0], policy.open(self.second)[0]
        if first.origin != second.origin:
            raise ProofError(f"expected two checkpoints of one log, got {first.origin} and {second.origin}")
        verify_consistency(first.size, second.size, self.prefix_root, second.root, self.proof)
        if self.prefix_root == first.root:
            raise ProofError(f"the tree of size {second.size} extends that of size {first.size}")
        return first, second

    def encode(self) -> bytes:
        """The proof as JSON, the notes verbatim."""
        value = {
            "format": FORMAT,
            "notes": [self.first.decode(), self.second.decode()],
            "prefix_root": base64_text(self.prefix_root),
            "proof": [base64_text(value) for value in self.proof],
        }
        return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; nothing in it is believed yet. Raises `MalformedError`."""
        if len(data) > MAX_EQUIVOCATION:
            raise MalformedError(f"equivocation: expected at most {MAX_EQUIVOCATION} bytes, got {len(data)}")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise MalformedError("equivocation: expected JSON") from error
        match value:
            case {"format": str(name), "notes": [str(first), str(second)], "prefix_root": str(root), "proof": [*proof]}:
                if name == FORMAT and len(proof) <= MAX_HASHES and all(isinstance(line, str) for line in proof):
                    hashes = tuple(parse_hash(line, "equivocation proof") for line in proof)
                    return cls(_bytes(first), _bytes(second), parse_hash(root, "equivocation prefix root"), hashes)
        raise MalformedError(f"equivocation: expected {FORMAT}, two notes, a prefix root and a proof")


def contradiction(first: tuple[bytes, Checkpoint], tree: FileTree, note: bytes) -> Equivocation | None:
    """Hold the checkpoint `first`, with its note, against the `tree` that `note` signs: None if it is a prefix.

    `first` must not be larger than the tree. Raises `StorageError` where the tree cannot be read.
    """
    kept, checkpoint = first
    prefix_root = tree.prefix_root(checkpoint.size)
    if prefix_root == checkpoint.root:
        return None
    return Equivocation(kept, note, prefix_root, tuple(tree.consistency_proof(checkpoint.size)))


def split_view(first: bytes, second: bytes, policy: Policy) -> Equivocation | None:
    """The proof that two notes are two roots of one size, which takes no tree; None if they are not."""
    one, other = policy.open(first)[0], policy.open(second)[0]
    if (one.origin, one.size) != (other.origin, other.size) or one.root == other.root:
        return None
    return Equivocation(first, second, other.root)


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:  # JSON can spell a lone surrogate
        raise MalformedError("equivocation: expected notes in UTF-8") from error
