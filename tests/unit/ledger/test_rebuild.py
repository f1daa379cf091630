"""A ledger made again from its published entries is the ledger that it was, to the byte."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from idverify.ledger import Checkpoint, TreeState, decode_bundle, encode_bundle
from idverify.ledger.errors import ProofError
from idverify.ledger.published import CHECKPOINT
from idverify.ledger.rebuild import Rebuilt, rebuild, restore, static_files
from tests.simulators.ledger_memory import NOW, LedgerMemory, publishing
from tests.simulators.published_tree import SIGNER, TreeInMemory, log_of, open_note, tree_of


@dataclass
class Sink:
    """An empty ledger in memory, behind the port."""

    memory: LedgerMemory = field(default_factory=LedgerMemory)

    def add(self, rebuilt: Rebuilt) -> None:
        assert len(self.memory.log) == rebuilt.first
        self.memory.log += rebuilt.entries
        self.memory.leaves += rebuilt.leaf_hashes
        self.memory.tiles.update(rebuilt.tiles)

    def finish(self, state: TreeState, checkpoint: Checkpoint, note: bytes) -> None:
        self.memory.state = state
        self.memory.intents[checkpoint.size] = checkpoint.root
        self.memory.notes.append((checkpoint.size, note))


def only_entries(tree: TreeInMemory) -> TreeInMemory:
    """What a backup has to hold: the bundles and the checkpoint."""
    return TreeInMemory({path: data for path, data in tree.files.items() if "entries" in path or path == CHECKPOINT})


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600, 65_536, 65_793])
def test_the_static_tree_is_made_again(size: int) -> None:
    """From the bundles alone every tile comes out as it was published."""
    tree = tree_of(log_of(size))
    made = {}
    for piece in rebuild(only_entries(tree), open_note(tree.files[CHECKPOINT])):
        made.update(static_files(piece))

    assert made | {CHECKPOINT: tree.files[CHECKPOINT]} == tree.files


@pytest.mark.parametrize("size", [1, 256, 600])
def test_a_restored_ledger_goes_on(size: int) -> None:
    """A database made again is continued and signed as if it had never been lost."""
    whole, sink = log_of(size), Sink()
    tree = only_entries(tree_of(whole))
    note = tree.files[CHECKPOINT]
    told = list(restore(tree, note, open_note(note), sink))

    assert told[-1] == size
    assert (sink.memory.state, sink.memory.log, sink.memory.leaves) == (whole.state, whole.log, whole.leaves)
    sink.memory.append(10, NOW + 6000)
    signed = asyncio.run(publishing(sink.memory, SIGNER).publish_once())
    assert signed is not None
    assert signed.size == size + 10


@pytest.mark.parametrize("index", [0, 255, 256, 599])
def test_damage_is_refused_and_named(index: int) -> None:
    """No ledger is made of entries that are not those signed for: a missing one is named."""
    tree = tree_of(log_of(600))
    path = f"tile/entries/00{index // 256}" + (".p/88" if index >= 512 else "")
    entries = decode_bundle(tree.files[path])
    tree.files[path] = encode_bundle(entries[: index % 256])

    with pytest.raises(ProofError, match=f"entry {index}: "):
        list(rebuild(tree, open_note(tree.files[CHECKPOINT])))


def test_a_changed_entry_is_found_by_the_next() -> None:
    """A changed entry breaks the chain behind it; the last one is found by the root."""
    for index, match in ((300, "entry 301: prev"), (599, "signed for them")):
        tree = tree_of(log_of(600))
        path = "tile/entries/001" if index == 300 else "tile/entries/002.p/88"
        entries = decode_bundle(tree.files[path])
        entries[index % 256] = entries[index % 256][:-1] + b"x"
        tree.files[path] = encode_bundle(entries)
        with pytest.raises(ProofError, match=match):
            list(rebuild(tree, open_note(tree.files[CHECKPOINT])))


def test_another_logs_entries_are_refused() -> None:
    """A whole sound log makes no ledger under a checkpoint of another one: its first entry does not fit."""
    signed = open_note(tree_of(log_of(600)).files[CHECKPOINT])
    with pytest.raises(ProofError, match="entry 0: prev"):
        list(rebuild(tree_of(log_of(600)), replace(signed, origin="other.example/1")))
