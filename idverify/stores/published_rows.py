"""What the database says that a log published, held against the notes that were signed and the entries audited."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from idverify.ledger.checkpoint import Checkpoint, of_first_kind, require_log
from idverify.ledger.edge import TILE_WIDTH, RightEdge, split_hashes
from idverify.ledger.entry import Entry
from idverify.ledger.errors import LedgerError, MalformedError
from idverify.ledger.note import NoteVerifier, open_note, split_note
from idverify.ledger.policy import Policy
from idverify.ledger.sequencer import TreeState, decode_bundle, genesis

ROW_OF_NOTE: Final = "the row of a checkpoint bears the size and the root of its note"
INTENT: Final = "a root that was intended is that of the entries"
SIGNED_SIZE: Final = "the log is signed up to its largest checkpoint"
QUORUM_SIZE: Final = "the log is witnessed up to the largest checkpoint with a note of a quorum"
QUORUM_TEXT: Final = "what a quorum signed is the checkpoint beside it"
QUORUM_SIGNED: Final = "what a quorum signed bears the log's signature, and no wrong one"
QUORUM_MET: Final = "the largest checkpoint of a quorum meets the policy of the settings"
TREE: Final = "the tree is that of the entries"

_NOTES: Final = """
    SELECT size, root, note, quorum_note FROM ledger_checkpoint
    WHERE shard = :shard AND (note IS NOT NULL OR quorum_note IS NOT NULL) ORDER BY size"""
_INTENTS: Final = "SELECT size, root FROM ledger_checkpoint WHERE shard = :shard AND note IS NULL ORDER BY size"
_LEAVES: Final = "SELECT leaf_hashes FROM ledger_bundle WHERE shard = :shard ORDER BY first_index"
_LAST: Final = """
    SELECT entries, leaf_hashes FROM ledger_bundle WHERE shard = :shard ORDER BY first_index DESC LIMIT 1"""
_STATE: Final = "SELECT origin, tree, signed_size, quorum_size FROM ledger_state WHERE shard = :shard"

Rows = Callable[..., Iterable[Any]]
"""Rows of a query, and of the values that it names."""


@dataclass(frozen=True, slots=True)
class Believed:
    """Whom the audit believes of a log: its keys, of which one of the first's kind has signed every checkpoint.

    With a ``policy``, which is today's, the largest checkpoint of a quorum must meet it; which held for older ones, and
    for a log that ended, nobody knows any more. Its witnesses' signatures hold wherever they stand.
    """

    verifiers: Sequence[NoteVerifier]
    policy: Policy | None = None

    @property
    def known(self) -> list[NoteVerifier]:
        """Every key whose signature must hold."""
        witnesses = () if self.policy is None else self.policy.witnesses
        return [*self.verifiers, *(witness.verifier for witness in witnesses)]


def published_findings(rows: Rows, shard: int, size: int, root: bytes, believed: Believed) -> Iterator[str]:
    """Every rule that a row of a shard breaks, whose entries were audited and are ``size`` with this ``root``.

    A rule is named once for each row that breaks it; no more than a bundle is in memory.
    """
    here = {"shard": shard}
    (state,) = rows(_STATE, here)
    signed, witnessed, last = None, None, None
    for row in rows(_NOTES, here):
        signed = signed if row["note"] is None else row["size"]
        if row["quorum_note"] is not None:
            witnessed, last = row["size"], row["quorum_note"]
        yield from _of_notes(row, believed)
    if state["signed_size"] != signed:
        yield SIGNED_SIZE
    if state["quorum_size"] != witnessed:
        yield QUORUM_SIZE
    if believed.policy is not None and last is not None and not _meets(believed.policy, last):
        yield QUORUM_MET
    yield from _intents(rows, here)
    if not _is_tree(state, size, root, next(iter(rows(_LAST, here)), None)):
        yield TREE


def _of_notes(row: Any, believed: Believed) -> Iterator[str]:
    try:
        text = None if row["note"] is None else split_note(row["note"])[0]
        checkpoint = None if text is None else Checkpoint.parse(text)
    except MalformedError:  # the audit of the log names such notes
        text = checkpoint = None
    if checkpoint is not None and (checkpoint.size, checkpoint.root) != (row["size"], row["root"]):
        yield ROW_OF_NOTE
    if row["quorum_note"] is None:
        return
    try:
        opened = open_note(row["quorum_note"], believed.known)
        require_log(opened, Checkpoint.parse(opened.text).origin, of_first_kind(believed.verifiers))
    except LedgerError:
        yield QUORUM_SIGNED
        return
    if opened.text != text:
        yield QUORUM_TEXT


def _meets(policy: Policy, note: bytes) -> bool:
    try:
        policy.require(note)
    except LedgerError:
        return False
    return True


def _intents(rows: Rows, here: dict[str, int]) -> Iterator[str]:
    """Roots that were intended and not signed: a crash in between leaves one, of the entries that are there."""
    intents = iter(rows(_INTENTS, here))
    due = next(intents, None)
    if due is None:
        return
    edge, pending = RightEdge(), list[bytes]()
    for row in rows(_LEAVES, here):
        pending += split_hashes(row["leaf_hashes"])
        while due is not None and due["size"] <= edge.size + len(pending):
            count = due["size"] - edge.size
            edge, _ = edge.extend(pending[:count])
            del pending[:count]
            if edge.root() != due["root"]:
                yield INTENT
            due = next(intents, None)
        if due is None:
            return
        if len(pending) >= TILE_WIDTH:
            edge, _ = edge.extend(pending)
            pending = []
    while due is not None:
        yield INTENT
        due = next(intents, None)


def _is_tree(state: Any, size: int, root: bytes, last: Any) -> bool:
    try:
        tree, before = TreeState.decode(state["tree"]), genesis(state["origin"])
        end = before.head, before.time
        if last is not None:
            end = split_hashes(last["leaf_hashes"])[-1], Entry.decode(decode_bundle(last["entries"])[-1]).time
    except (MalformedError, IndexError):
        return False
    return (tree.size, tree.root(), tree.head, tree.time) == (size, root, *end)
