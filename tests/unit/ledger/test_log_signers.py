"""Who signs a log: a line of each kind, by the first key of it that is there."""

from __future__ import annotations

import pytest

from idverify.ledger.checkpoint import Checkpoint, of_first_kind, open_checkpoint
from idverify.ledger.errors import SignatureError
from idverify.ledger.log_signers import LogSigners
from idverify.ledger.policy import Policy
from idverify.ledger.publisher import Publisher
from tests.simulators.ledger_memory import HOLDER, NOW, ORIGIN, LedgerMemory, SoftwareSigner, publishing
from tests.simulators.signed_log import SignedLog

HEAD = Checkpoint(ORIGIN, 3, bytes(32))


class Gone(Exception):
    """The device of a key is away."""


class Device(SoftwareSigner):
    """A key whose device can be taken away."""

    away = False

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        if self.away:
            raise Gone
        return await super().sign(checkpoint)


def _devices() -> tuple[Device, Device]:
    return Device(), Device(seed=b"2" * 32)


async def test_the_first_that_is_there_signs() -> None:
    """One line, of the first key; of the second while that one is away; without either nothing is signed."""
    first, second = _devices()
    signers = LogSigners(((first, second),), away=(Gone,))
    assert open_checkpoint(await signers.sign(HEAD), [first.verifier]) == HEAD
    first.away = True
    note = await signers.sign(HEAD)
    assert open_checkpoint(note, [second.verifier]) == HEAD
    assert Policy.of_log([first.verifier, second.verifier]).require(note) == HEAD
    with pytest.raises(SignatureError):
        open_checkpoint(note, [first.verifier])
    second.away = True
    with pytest.raises(Gone):
        await signers.sign(HEAD)


async def test_only_a_key_that_is_away_is_stood_in_for() -> None:
    """Anything else that goes wrong is told: another key would hide it."""
    first, second = _devices()
    first.away = True
    with pytest.raises(Gone):
        await LogSigners(((first, second),)).sign(HEAD)


async def test_a_log_goes_on_under_the_next_key() -> None:
    """Whoever publishes reads what another key of the kind signed, also one that signs no more, and nobody else's."""
    memory, (first, second) = LedgerMemory(), _devices()
    both = LogSigners(((first, second),), away=(Gone,))
    for away, signers in (
        (False, both),
        (True, both),
        (False, LogSigners(((first,),), earlier=(second.verifier,))),
        (False, LogSigners(((second,),), earlier=(first.verifier,))),
    ):
        first.away = away
        memory.append(2)
        assert await Publisher(memory, ORIGIN, signers, now=lambda: NOW, holder=HOLDER).publish_once()
    assert [len(one.signed) for one in (first, second)] == [2, 2]
    memory.append(1)
    with pytest.raises(SignatureError):
        await publishing(memory, first).publish_once()


async def test_keys_of_another_log() -> None:
    """Neither among those that sign nor among those of before, and there is a key of each kind."""
    ours, other = SoftwareSigner(), SoftwareSigner(name="other")
    for signers in (
        LogSigners.each(ours, other),
        LogSigners(((ours,),), earlier=(other.verifier,)),
        LogSigners(((ours,), ())),
        LogSigners.each(),
    ):
        with pytest.raises(SignatureError, match=f"keys of {ORIGIN} alone"):
            signers.require_of(ORIGIN)


def test_keys_of_the_first_kind() -> None:
    """Every classical key, where the first is one; every post-quantum key, where that is."""
    log, (first, second) = SignedLog(), _devices()
    late = log.post_quantum.verifier
    assert of_first_kind([first.verifier, late, second.verifier]) == [first.verifier, second.verifier]
    assert of_first_kind([late, first.verifier]) == [late]
