"""The ledger's storage port: the simulator and every driver keep the same contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from idverify.ledger import FencedError, ForkError, StorageError, genesis, open_checkpoint
from idverify.ledger.merkle import leaf_hash
from idverify.ledger.storage import LedgerStorage
from idverify.stores.ledger import StoredLedger
from idverify.stores.writes import WriteSet
from tests.simulators.databases import DRIVERS, fresh
from tests.simulators.ledger_memory import HOLDER, NOW, ORIGIN, LedgerMemory, SoftwareSigner, publishing
from tests.unit.ledger.test_merkle import mth
from tests.unit.stores.conftest import Database, with_log
from tests.unit.stores.rows import entry

ROOT_A, ROOT_B = b"a" * 32, b"b" * 32
EPOCH = 1
TILE_A, TILE_B = b"a" * 8192, b"b" * 8192


@dataclass(frozen=True)
class Log:
    """A storage, and the way to append ``n`` entries to it."""

    storage: LedgerStorage
    append: Callable[[int], Awaitable[None]]


@asynccontextmanager
async def in_memory() -> AsyncIterator[Log]:
    memory = LedgerMemory()

    async def append(count: int) -> None:
        memory.append(count)

    yield Log(memory, append)


@asynccontextmanager
async def stored(database: Database) -> AsyncIterator[Log]:
    async with database.open() as store:
        ledger = StoredLedger(store)

        async def append(count: int) -> None:
            size = (await ledger.tree_state()).size
            for number in range(size, size + count):
                await store.commit(WriteSet((), (entry(number),)))

        yield Log(ledger, append)


@pytest.fixture(params=["memory", *DRIVERS])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    """An empty log in each storage."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            opened = await stack.enter_async_context(in_memory())
        else:
            location = await stack.enter_async_context(fresh(request.param, tmp_path, request))
            opened = await stack.enter_async_context(stored(await with_log(location)))
        assert await opened.storage.take_lease(HOLDER, NOW, 10) == EPOCH
        yield opened


async def test_an_empty_log(log: Log) -> None:
    """Genesis, no checkpoint, no tile, no entries."""
    assert await log.storage.tree_state() == genesis(ORIGIN)
    assert await log.storage.latest_checkpoint() is None
    assert await log.storage.full_tile(0, 0) is None
    assert await log.storage.entries(0, 0) == []
    assert await log.storage.leaf_hashes(0, 0) == []


@pytest.mark.parametrize(("start", "stop"), [(0, 20), (0, 1), (7, 8), (6, 15), (19, 20), (5, 5)])
async def test_ranges_of_entries_and_leaf_hashes(log: Log, start: int, stop: int) -> None:
    """Any range, wherever it lies across bundles: the entries asked for, and the hash of each."""
    await log.append(20)
    everything = await log.storage.entries(0, 20)
    entries = await log.storage.entries(start, stop)

    assert len(everything) == 20
    assert entries == everything[start:stop]
    assert await log.storage.leaf_hashes(start, stop) == [leaf_hash(one) for one in entries]


async def test_the_state_is_that_of_the_entries(log: Log) -> None:
    """After every append the state has the root over all entries, and the last one's hash as its head."""
    for size in range(1, 12):
        await log.append(1)
        state, entries = await log.storage.tree_state(), await log.storage.entries(0, size)

        assert state.size == size
        assert state.head == leaf_hash(entries[-1])
        assert state.root() == mth([leaf_hash(one) for one in entries])


async def test_one_root_is_intended_for_one_size(log: Log) -> None:
    """The same intent may be repeated, as after a crash; another root for the size is a fork."""
    await log.append(4)
    await log.storage.intend_checkpoint(EPOCH, 1, ROOT_A, {})
    await log.storage.intend_checkpoint(EPOCH, 1, ROOT_A, {})
    with pytest.raises(ForkError):
        await log.storage.intend_checkpoint(EPOCH, 1, ROOT_B, {})
    with pytest.raises(ForkError):
        await log.storage.advance_checkpoint(EPOCH, None, 1, ROOT_B, b"note")

    assert await log.storage.advance_checkpoint(EPOCH, None, 1, ROOT_A, b"note")


async def test_nothing_is_intended_for_entries_that_are_not_there(database: Database) -> None:
    """A standby that took over may lack entries that were read before: an intent for them would stand for good."""
    async with stored(database) as log:
        assert await log.storage.take_lease(HOLDER, NOW, 10) == EPOCH
        await log.append(3)
        for size, root in ((4, ROOT_A), (3, ROOT_A)):
            with pytest.raises(StorageError):
                await log.storage.intend_checkpoint(EPOCH, size, root, {(0, 0): TILE_A})

        assert await log.storage.full_tile(0, 0) is None
        await log.storage.intend_checkpoint(EPOCH, 3, (await log.storage.tree_state()).root(), {})


async def test_tiles_are_written_once(log: Log) -> None:
    """The same tile may come again; other hashes for its place are a fork, and the intent with them is not kept."""
    await log.append(4)
    await log.storage.intend_checkpoint(EPOCH, 1, ROOT_A, {(0, 0): TILE_A})
    await log.storage.intend_checkpoint(EPOCH, 2, ROOT_A, {(0, 0): TILE_A, (0, 1): TILE_B})
    with pytest.raises(ForkError):
        await log.storage.intend_checkpoint(EPOCH, 3, ROOT_A, {(0, 2): TILE_A, (0, 1): TILE_A})

    assert await log.storage.full_tile(0, 0) == TILE_A
    assert await log.storage.full_tile(0, 1) == TILE_B
    assert await log.storage.full_tile(0, 2) is None
    with pytest.raises(ForkError):
        await log.storage.advance_checkpoint(EPOCH, None, 3, ROOT_A, b"note")


async def test_nothing_is_signed_that_was_not_intended(log: Log) -> None:
    """Neither a size nor a root that storage does not know of."""
    with pytest.raises(ForkError):
        await log.storage.advance_checkpoint(EPOCH, None, 1, ROOT_A, b"note")

    assert await log.storage.latest_checkpoint() is None


async def test_of_two_publishers_one_advances(log: Log) -> None:
    """Whoever names the wrong predecessor is told no, and changes nothing."""
    await log.append(4)
    for size in (1, 2, 3):
        await log.storage.intend_checkpoint(EPOCH, size, ROOT_A, {})

    assert not await log.storage.advance_checkpoint(EPOCH, 1, 2, ROOT_A, b"from nowhere")
    assert await log.storage.advance_checkpoint(EPOCH, None, 1, ROOT_A, b"one")
    assert not await log.storage.advance_checkpoint(EPOCH, None, 2, ROOT_A, b"late")
    assert await log.storage.latest_checkpoint() == b"one"
    assert await log.storage.advance_checkpoint(EPOCH, 1, 3, ROOT_A, b"three")
    assert not await log.storage.advance_checkpoint(EPOCH, 1, 2, ROOT_A, b"late again")
    assert await log.storage.latest_checkpoint() == b"three"


async def test_of_two_publishers_at_once_one_advances(log: Log) -> None:
    """The same race, side by side."""
    await log.append(4)
    await log.storage.intend_checkpoint(EPOCH, 1, ROOT_A, {})
    won = await asyncio.gather(
        *(log.storage.advance_checkpoint(EPOCH, None, 1, ROOT_A, b"note %d" % n) for n in range(5))
    )

    assert sorted(won) == [False] * 4 + [True]
    assert await log.storage.latest_checkpoint() == b"note %d" % won.index(True)


async def test_a_lease_is_one_holders_until_it_ends(log: Log) -> None:
    """Its holder renews it under the same epoch; another one gets it when it is over, and a higher epoch with it."""
    assert await log.storage.take_lease(b"other", NOW + 9, 10) is None
    assert await log.storage.take_lease(HOLDER, NOW + 5, 10) == EPOCH
    assert await log.storage.take_lease(b"other", NOW + 14, 10) is None
    assert await log.storage.take_lease(b"other", NOW + 15, 10) == EPOCH + 1
    assert await log.storage.take_lease(HOLDER, NOW + 16, 10) is None


async def test_an_older_epoch_is_fenced_off(log: Log) -> None:
    """Whoever lost the lease can neither intend nor advance, whatever its own clock says."""
    await log.append(4)
    await log.storage.intend_checkpoint(EPOCH, 1, ROOT_A, {})
    await log.storage.take_lease(b"other", NOW + 10, 10)
    with pytest.raises(FencedError):
        await log.storage.intend_checkpoint(EPOCH, 2, ROOT_A, {(0, 0): TILE_A})

    assert not await log.storage.advance_checkpoint(EPOCH, None, 1, ROOT_A, b"note")
    assert await log.storage.latest_checkpoint() is None
    assert await log.storage.full_tile(0, 0) is None


async def test_the_quorum_checkpoint_only_grows(log: Log) -> None:
    """A note that witnesses signed is kept for a signed size, and the largest is what is asked for."""
    await log.append(4)
    assert await log.storage.quorum_checkpoint() is None
    await log.storage.keep_quorum_checkpoint(1, b"never signed")
    assert await log.storage.quorum_checkpoint() is None
    for previous, size in ((None, 1), (1, 2), (2, 3)):
        await log.storage.intend_checkpoint(EPOCH, size, ROOT_A, {})
        await log.storage.advance_checkpoint(EPOCH, previous, size, ROOT_A, b"note")
    await log.storage.keep_quorum_checkpoint(2, b"of 2")
    assert await log.storage.quorum_checkpoint() == b"of 2"
    await log.storage.keep_quorum_checkpoint(1, b"of 1")
    assert await log.storage.quorum_checkpoint() == b"of 2"
    await log.storage.keep_quorum_checkpoint(3, b"of 3")
    assert await log.storage.quorum_checkpoint() == b"of 3"


async def test_a_size_that_was_not_signed_keeps_no_quorum_checkpoint(log: Log) -> None:
    """Between signed sizes, intended or not, nothing is kept, and what was kept before stays the largest."""
    await log.append(5)
    for previous, size in ((None, 1), (1, 4)):
        await log.storage.intend_checkpoint(EPOCH, size, ROOT_A, {})
        await log.storage.advance_checkpoint(EPOCH, previous, size, ROOT_A, b"note")
    await log.storage.intend_checkpoint(EPOCH, 3, ROOT_A, {})
    await log.storage.keep_quorum_checkpoint(1, b"of 1")
    for never in (2, 3):
        await log.storage.keep_quorum_checkpoint(never, b"never signed")
        assert await log.storage.quorum_checkpoint() == b"of 1"
    await log.storage.keep_quorum_checkpoint(4, b"of 4")
    assert await log.storage.quorum_checkpoint() == b"of 4"


async def test_a_publisher_works_on_it(log: Log) -> None:
    """Growth over a tile's edge is signed, and a second publisher goes on from what the first left."""
    signer = SoftwareSigner()
    await log.append(3)
    await publishing(log.storage, signer).publish_once()
    await log.append(260)
    await publishing(log.storage, signer).publish_once()
    state, note = await log.storage.tree_state(), await log.storage.latest_checkpoint()

    assert note is not None
    signed = open_checkpoint(note, [signer.verifier])
    assert (signed.size, signed.root) == (263, state.root())
    assert await log.storage.full_tile(0, 0) == b"".join(await log.storage.leaf_hashes(0, 256))
