"""Comparing what many places show of one log: one story, or a proof that convinces a stranger."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from idverify.ledger.equivocation import Equivocation
from idverify.ledger.errors import LedgerError, MalformedError, ProofError
from idverify.ledger.gossip import Agreement, View, gossip
from idverify.ledger.published import CHECKPOINT
from tests.simulators.ledger_memory import SoftwareSigner
from tests.simulators.published_tree import POLICY, TreeInMemory, another_story, log_of, tree_of

STRANGER = SoftwareSigner(seed=bytes([7] * 32))


def tree(size: int) -> View:
    served = tree_of(log_of(700), size)
    return View(f"tree of {size}", served.files[CHECKPOINT], served)


def note(size: int) -> View:
    return View(f"note of {size}", tree(size).note)


def other(size: int) -> View:
    served = another_story(size)
    return View(f"other tree of {size}", served.files[CHECKPOINT], served)


def compared(*views: View) -> Agreement:
    return gossip(views, POLICY)


@pytest.mark.parametrize(
    "views",
    [
        [tree(600), tree(600)],
        [note(300), tree(600)],
        [tree(600), note(256), note(1), note(0)],
        [tree(600), tree(700), tree(255)],
        [tree(700), note(600), note(600)],
    ],
)
def test_one_story_is_proven(views: list[View]) -> None:
    """Every note is a prefix of the largest tree, whoever showed it."""
    result = compared(*views)

    assert result.equivocation is None
    assert result.complete
    assert [seen.checkpoint.size for seen in result.seen] == sorted(each.checkpoint.size for each in result.seen)[::-1]


def test_what_no_tree_covers_is_not_proven() -> None:
    """A note that is ahead of every tree is no contradiction, and no proof of the contrary either."""
    result = compared(tree(600), note(700), note(300))

    assert result.equivocation is None
    assert not result.complete
    assert [(seen.view.name, seen.proven) for seen in result.seen] == [
        ("note of 700", False),
        ("tree of 600", True),
        ("note of 300", True),
    ]


def test_a_tree_serves_for_a_note_that_it_does_not_show() -> None:
    """A place that serves the tiles of a larger tree, but still shows its old checkpoint, is held to them."""
    grown = tree_of(log_of(700))
    files = TreeInMemory({**grown.files, **tree_of(log_of(600)).files})
    result = compared(View("behind", tree(600).note, files), View("witness", grown.files[CHECKPOINT]))

    assert result.complete


@pytest.mark.parametrize(
    ("one", "second"),
    [
        (tree(600), other(600)),
        (note(600), replace(other(600), files=None)),
        (note(500), other(600)),
        (other(500), tree(600)),
        (note(255), other(256)),
        (note(128), other(700)),
        (note(513), other(514)),
    ],
)
def test_two_stories_are_proven(one: View, second: View) -> None:
    """The proof holds for whoever has the log's key, also after it was written down and read again."""
    for views in ([one, second], [second, one], [tree(100), one, note(50), second]):
        proof = compared(*views).equivocation
        assert proof is not None
        read = Equivocation.decode(proof.encode())
        assert read == proof
        first, later = read.verify(POLICY)
        assert first.size <= later.size
        assert {read.first, read.second} <= {view.note for view in views}


def test_a_note_of_somebody_else_is_refused() -> None:
    """Who puts up notes that the log never signed accuses nobody but themselves."""
    forged = View("forged", STRANGER.note(POLICY.open(note(600).note)[0]))
    result = compared(tree(600), forged)

    assert result.equivocation is None
    assert [name for name, _ in result.refused] == ["forged"]
    assert not result.complete


def equivocation() -> Equivocation:
    proof = compared(note(500), other(600)).equivocation
    assert proof is not None
    return proof


@pytest.mark.parametrize(
    "change",
    [
        {"second": note(600).note},
        {"first": another_story(500).files[CHECKPOINT]},
        {"prefix_root": bytes(32)},
        {"proof": ()},
        {"proof": (bytes(32),)},
        {"first": STRANGER.note(POLICY.open(note(500).note)[0])},
        {"first": another_story(600).files[CHECKPOINT], "second": note(500).note},
    ],
)
def test_a_proof_that_proves_nothing_is_refused(change: dict[str, bytes]) -> None:
    """Nobody is accused with two honest checkpoints, nor with ones that they did not sign."""
    with pytest.raises(LedgerError):
        replace(equivocation(), **change).verify(POLICY)


def test_an_honest_pair_is_no_proof() -> None:
    """A tree and its prefix, with the right consistency proof, contradict nothing."""
    whole = tree_of(log_of(700), 600)
    from idverify.ledger.file_tree import FileTree

    signed = FileTree.load(whole, POLICY.open(whole.files[CHECKPOINT])[0])
    honest = Equivocation(
        note(500).note, whole.files[CHECKPOINT], signed.prefix_root(500), tuple(signed.consistency_proof(500))
    )
    with pytest.raises(ProofError, match="extends"):
        honest.verify(POLICY)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b" " * 2_000_000,
        equivocation().encode().replace(b"/v1", b"/v2"),
        json.dumps(json.loads(equivocation().encode()) | {"proof": ["!"]}).encode(),
        json.dumps(json.loads(equivocation().encode()) | {"proof": [1]}).encode(),
        json.dumps(json.loads(equivocation().encode()) | {"notes": ["\ud800", ""]}).encode(),
    ],
)
def test_other_bytes_are_no_proof(data: bytes) -> None:
    """What is not exactly a proof is refused before anything is computed."""
    with pytest.raises(MalformedError):
        Equivocation.decode(data)
