"""Holding what many places show of one log against each other: it has told everybody one story, or here is the proof.

Consistency is proven from the largest tree that any of the places serves. Whatever is a prefix of that is consistent
with everything else that is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.equivocation import Equivocation, contradiction, split_view
from idverify.ledger.errors import LedgerError, StorageError
from idverify.ledger.file_tree import FileTree
from idverify.ledger.files import LogFiles
from idverify.ledger.policy import Policy


@dataclass(frozen=True, slots=True)
class View:
    """What one place shows: a signed note, and the tree's files where the place serves them."""

    name: str
    note: bytes
    files: LogFiles | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A view whose note is signed. `proven` says whether it was held against a tree."""

    view: View
    checkpoint: Checkpoint
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """`seen` by falling size; `refused` are (name, why) of notes that are no checkpoint of the log.

    `equivocation` is None where nothing contradicts anything; only if `complete`, too, is everything proven consistent.
    """

    seen: tuple[Seen, ...]
    refused: tuple[tuple[str, str], ...]
    equivocation: Equivocation | None

    @property
    def complete(self) -> bool:
        """Whether every note was read and proven to be a prefix of the largest."""
        return not self.refused and all(seen.proven for seen in self.seen)


def gossip(views: Iterable[View], policy: Policy) -> Agreement:
    """Compare what each place shows of a log. Raises what the views' files raise."""
    seen, refused = [], []
    for view in views:
        try:
            seen.append(Seen(view, policy.open(view.note)[0]))
        except LedgerError as error:
            refused.append((view.name, str(error)))
    origins = {each.checkpoint.origin for each in seen}
    if len(origins) > 1:
        refused += [(each.view.name, f"shows the log {each.checkpoint.origin}") for each in seen]
        return Agreement((), tuple(refused), None)
    seen.sort(key=lambda each: each.checkpoint.size, reverse=True)
    proof = _split(seen, policy)
    proven, found = ([], None) if proof else _held_against_largest(seen)
    return Agreement(tuple(proven or seen), tuple(refused), proof or found)


def _split(seen: Sequence[Seen], policy: Policy) -> Equivocation | None:
    """Two roots for one size, which takes no tree to prove."""
    for one, other in pairwise(seen):
        if proof := split_view(one.view.note, other.view.note, policy):
            return proof
    return None


def _held_against_largest(seen: Sequence[Seen]) -> tuple[list[Seen], Equivocation | None]:
    tree, anchor = _largest_tree(seen)
    held = []
    for each in seen:
        if tree is None or anchor is None or each.checkpoint.size > tree.checkpoint.size:
            held.append(each)
            continue
        try:
            proof = contradiction((each.view.note, each.checkpoint), tree, anchor.view.note)
        except StorageError:
            held.append(each)
            continue
        if proof:
            return list(seen), proof
        held.append(Seen(each.view, each.checkpoint, proven=True))
    return held, None


def _largest_tree(seen: Sequence[Seen]) -> tuple[FileTree | None, Seen | None]:
    """The largest checkpoint whose tree one of the places serves, whether it shows that checkpoint or a later one."""
    for each in seen:
        for files in [other.view.files for other in seen if other.view.files]:
            try:
                return FileTree.load(files, each.checkpoint), each
            except StorageError:
                continue
    return None, None
