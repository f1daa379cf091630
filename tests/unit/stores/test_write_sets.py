"""Write sets on every driver: rows, preconditions and entries become true together, or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from idverify.errors import Conflict, Gone, IdverifyError, NotFound
from idverify.ledger.sequencer import genesis
from idverify.stores import tables
from idverify.stores.ledger import StoredLedger
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Change, Consume, IndexOf, Insert, Put, Remove, WriteSet
from tests.simulators.ledger_memory import NOW
from tests.unit.stores.rows import (
    bundles,
    count,
    entry,
    recorded,
    request_row,
    status_row,
    statuses,
    with_entry,
)


def insert(index: int, value: int = 1, conflict: IdverifyError | None = None) -> Insert:
    return Insert(tables.status_entry, status_row(index, value), conflict)


def consume(number: int, at: int = NOW) -> Consume:
    row_id = request_row(number)["id"]
    return Consume(tables.verification_request, row_id, at, Conflict("used"), Gone("expired"), NotFound("unknown"))


def taken() -> Conflict:
    """A fresh error for each use: one that is raised twice keeps every traceback."""
    return Conflict("taken")


async def test_a_taken_place_raises_its_conflict_and_undoes_the_whole_set(store: Store) -> None:
    """Of a set whose second row is taken, the first is not there either."""
    await store.commit(WriteSet((insert(1),)))
    with pytest.raises(Conflict, match="taken"):
        await store.commit(WriteSet((insert(2), insert(1, 2, taken()))))

    assert await statuses(store) == {1: 1}


async def test_put_inserts_and_replaces(store: Store) -> None:
    """The row with this primary key says what was put last; others are as they were."""
    await store.commit(WriteSet((insert(1), insert(2))))
    await store.commit(WriteSet((Put(tables.status_entry, status_row(2, 2)), Put(tables.status_entry, status_row(3)))))

    assert await statuses(store) == {1: 1, 2: 2, 3: 1}


async def test_change_without_otherwise_changes_what_matches(store: Store) -> None:
    """All matching rows, or none at all, without an error."""
    await store.commit(WriteSet((insert(1), insert(2), insert(3, 2))))
    await store.commit(WriteSet((Change(tables.status_entry, {"value": 1}, {"value": 0}),)))
    await store.commit(WriteSet((Change(tables.status_entry, {"value": 9}, {"value": 8}),)))

    assert await statuses(store) == {1: 0, 2: 0, 3: 2}


@pytest.mark.parametrize("value", [1, 9], ids=["two match", "none matches"])
async def test_change_with_otherwise_demands_exactly_one_row(store: Store, value: int) -> None:
    """Where one row was expected, none and several are both refused, and nothing changes."""
    await store.commit(WriteSet((insert(1), insert(2))))
    with pytest.raises(Conflict, match="taken"):
        await store.commit(WriteSet((Change(tables.status_entry, {"value": value}, {"value": 0}, taken()),)))

    assert await statuses(store) == {1: 1, 2: 1}


async def test_conditions_on_null_match_null(store: Store) -> None:
    """A condition on ``None`` is ``IS NULL``: an unused row can be told from a used one."""
    await store.commit(WriteSet((Insert(tables.verification_request, request_row(1)),)))
    use = Change(tables.verification_request, {"consumed_at": None}, {"consumed_at": NOW}, taken())
    await store.commit(WriteSet((use,)))
    with pytest.raises(Conflict, match="taken"):
        await store.commit(WriteSet((use,)))


async def test_a_column_may_be_both_condition_and_value(store: Store) -> None:
    """Compare and swap of one column."""
    await store.commit(WriteSet((insert(1),)))
    await store.commit(WriteSet((Change(tables.status_entry, {"value": 1}, {"value": 2}, taken()),)))

    assert await statuses(store) == {1: 2}


async def test_remove_deletes_what_matches(store: Store) -> None:
    """And nothing else; removing what is not there is no error."""
    await store.commit(WriteSet((insert(1), insert(2, 2))))
    await store.commit(WriteSet((Remove(tables.status_entry, {"value": 2}), Remove(tables.status_entry, {"value": 7}))))

    assert await statuses(store) == {1: 1}


async def test_a_single_use_row_is_used_once(store: Store) -> None:
    """The first use is recorded with its time; the second is told that it was used."""
    await store.commit(WriteSet((Insert(tables.verification_request, request_row(1)),)))
    await store.commit(WriteSet((consume(1),)))
    with pytest.raises(Conflict, match="used"):
        await store.commit(WriteSet((consume(1),)))
    row = await store.fetch_one(select(tables.verification_request), {})

    assert row is not None
    assert row["consumed_at"] == NOW


@pytest.mark.parametrize(
    ("number", "at", "error"),
    [
        (1, NOW + 60, Gone),
        (1, NOW + 1000, Gone),
        (2, NOW, NotFound),
    ],
    ids=["at its end", "after it", "unknown"],
)
async def test_used_expired_and_unknown_are_told_apart(
    store: Store, number: int, at: int, error: type[IdverifyError]
) -> None:
    """Each has an error of its own, because each has another cure."""
    await store.commit(WriteSet((Insert(tables.verification_request, request_row(1)),)))
    with pytest.raises(error):
        await store.commit(WriteSet((consume(number, at),)))


async def test_used_wins_over_expired(store: Store) -> None:
    """A used row stays used after its end: whoever repeats late learns what happened."""
    await store.commit(WriteSet((Insert(tables.verification_request, request_row(1)),)))
    await store.commit(WriteSet((consume(1),)))
    with pytest.raises(Conflict, match="used"):
        await store.commit(WriteSet((consume(1, NOW + 1000),)))


async def test_of_many_at_once_one_uses_it(store: Store) -> None:
    """Twenty callers race for one row: one wins, nineteen are told that it was used."""
    await store.commit(WriteSet((Insert(tables.verification_request, request_row(1)),)))
    commits = (store.commit(WriteSet((consume(1), insert(number)))) for number in range(20))
    results: list[Any] = await asyncio.gather(*commits, return_exceptions=True)

    assert sorted(map(repr, results)) == ["()"] + ["Conflict('used')"] * 19
    assert len(await statuses(store)) == 1


async def test_rows_know_the_index_of_their_entry(store: Store) -> None:
    """``IndexOf`` stands for the index that the set's entry gets, wherever the log stands."""
    await store.commit(with_entry(0))
    rows = [Insert(tables.status_entry, status_row(10 + n) | {"value": IndexOf(n)}) for n in (0, 1)]
    change = Change(tables.status_entry, {"status_index": 0}, {"value": IndexOf(1)})
    indices = await store.commit(WriteSet((*rows, change), (entry(1), entry(2))))

    assert indices == (1, 2)
    assert await statuses(store) == {0: 2, 10: 1, 11: 2}


async def test_entries_of_a_refused_set_vanish_and_indices_stay_dense(store: Store) -> None:
    """One set in three is refused after its entry was appended: the others get every index, without a gap."""
    await store.commit(WriteSet((insert(100),)))
    sets = [
        WriteSet((insert(100, conflict=taken()),), (entry(number),)) if number % 3 == 1 else with_entry(number)
        for number in range(60)
    ]
    results: list[Any] = await asyncio.gather(*map(store.commit, sets), return_exceptions=True)
    refused = [str(result) for result in results if isinstance(result, Conflict)]
    indices = [index for result in results if not isinstance(result, Exception) for index in result]

    assert refused == ["taken"] * 20
    assert sorted(indices) == list(range(40)) == await recorded(store)
    assert sum(await bundles(store)) == 40
    assert await count(store, tables.status_entry) == 41


async def test_the_opening_is_kept_with_its_entry(store: Store) -> None:
    """The private row of an entry has its index, its type and its handle."""
    await store.commit(WriteSet((), (entry(0), entry(1))))
    rows = await store.fetch(select(tables.ledger_record).order_by(tables.ledger_record.c.ledger_index), {})

    assert [(row["ledger_index"], row["handle"], row["opening"]) for row in rows] == [
        (number, entry(number).draft.handle, entry(number).opening) for number in (0, 1)
    ]


async def test_reads_see_what_was_committed_before(store: Store) -> None:
    """Whoever was answered finds it, at once and every time."""
    for number in range(50):
        await store.commit(WriteSet((insert(number),)))
        assert number in await statuses(store)


async def test_a_failed_read_fails_alone(store: Store) -> None:
    """An error in one read is its caller's; the reads beside it are answered."""

    def broken(_: object) -> None:
        raise ValueError("broken read")

    failed, answered = await asyncio.gather(store.read(broken), statuses(store), return_exceptions=True)

    assert isinstance(failed, ValueError)
    assert answered == {}


async def test_a_caller_that_went_away_harms_nobody(store: Store) -> None:
    """A commit that is cancelled while it waits is answered to nobody; the next is served."""
    gone = asyncio.create_task(store.commit(WriteSet((insert(1),))))
    await asyncio.sleep(0)
    gone.cancel()
    await store.commit(WriteSet((insert(2),)))

    assert gone.cancelled() or gone.cancelling()
    assert 2 in await statuses(store)


ONCE = [b"idempotency %4d" % number for number in range(4)]


async def test_a_repeat_gets_the_index_of_the_first_time(store: Store) -> None:
    """The same keys again: the same indices, no row and no entry written twice, whatever else the repeat says."""
    row = Insert(tables.status_entry, status_row(1))
    first = await store.commit(WriteSet((row,), (entry(0, ONCE[0]), entry(1))))
    again = await store.commit(WriteSet((row,), (entry(2, ONCE[0]),)))

    assert first == (0, 1)
    assert again == (0,)
    assert await recorded(store) == [0, 1]


async def test_of_many_repeats_at_once_one_is_recorded(store: Store) -> None:
    """Twenty callers with one key, side by side and in one batch: one entry, one index for all."""
    await store.commit(WriteSet((), (entry(0),)))
    indices = await asyncio.gather(*(store.commit(WriteSet((), (entry(1, ONCE[0]),))) for _ in range(20)))

    assert set(indices) == {(1,)}
    assert await recorded(store) == [0, 1]


async def test_a_list_may_mix_old_entries_and_new_ones(store: Store) -> None:
    """Entries without rows stand each for itself: the known ones keep their place, the new ones follow."""
    await store.commit(WriteSet((), (entry(0, ONCE[0]), entry(1, ONCE[1]))))
    mixed = WriteSet((), (entry(2, ONCE[2]), entry(1, ONCE[1]), entry(3, ONCE[3]), entry(0, ONCE[0])))

    assert await store.commit(mixed) == (2, 1, 3, 0)
    assert await recorded(store) == [0, 1, 2, 3]


async def test_rows_never_hang_on_old_entries_and_new_ones(store: Store) -> None:
    """Somebody reused a key for something else: refused, and nothing is written."""
    await store.commit(WriteSet((), (entry(0, ONCE[0]),)))
    row = Insert(tables.status_entry, status_row(1))
    with pytest.raises(Conflict, match="recorded before"):
        await store.commit(WriteSet((row,), (entry(0, ONCE[0]), entry(1, ONCE[1]))))

    assert await recorded(store) == [0]
    assert await statuses(store) == {}
    assert await store.commit(WriteSet((), (entry(1, ONCE[1]),))) == (1,)


async def test_one_key_twice_in_a_set_is_refused(store: Store) -> None:
    """Two entries cannot both be what the key stands for; nothing of the set is there, and its keys are free."""
    with pytest.raises(Conflict, match="same idempotency key"):
        await store.commit(WriteSet((), (entry(0, ONCE[0]), entry(1, ONCE[1]), entry(2, ONCE[1]))))

    assert await count(store, tables.ledger_once) == 0
    assert await store.commit(WriteSet((), (entry(0, ONCE[1]),))) == (0,)


async def test_a_key_of_a_refused_set_is_free_again(store: Store) -> None:
    """What was rolled back was never recorded."""
    taken = Insert(tables.status_entry, status_row(1), Conflict("taken"))
    await store.commit(WriteSet((taken,), (entry(0),)))
    with pytest.raises(Conflict, match="taken"):
        await store.commit(WriteSet((taken,), (entry(1, ONCE[0]),)))

    assert await store.commit(WriteSet((), (entry(1, ONCE[0]),))) == (1,)


async def test_entries_go_to_the_newest_shard(store: Store) -> None:
    """A new log is begun in one transaction with its first entry; rows name shard and index, from 0 again."""
    await store.commit(with_entry(0))

    async def begin(transaction: Transaction) -> tuple[int, ...]:
        await transaction.start_log(2, "log.example/2", genesis("log.example/2"), b"checkpoint")
        return await transaction.apply(WriteSet((), (entry(0),)))

    assert await store.write(begin) == (0,)
    assert await store.commit(WriteSet((), (entry(1),))) == (1,)
    old, new = StoredLedger(store, 1), StoredLedger(store, 2)
    assert (await old.tree_state()).size == 1
    assert (await new.tree_state()).size == 2
    assert len(await new.leaf_hashes(0, 2)) == 2


async def test_a_log_that_was_not_begun_leaves_no_trace(store: Store) -> None:
    """In one batch with others, a start that fails is undone alone: what waited with it stands, in the old log."""
    await store.commit(with_entry(0))

    async def begin(transaction: Transaction) -> None:
        await transaction.start_log(2, "log.example/2", genesis("log.example/2"))
        raise Conflict("changed their mind")

    results = await asyncio.gather(
        store.commit(with_entry(1)), store.write(begin), store.commit(with_entry(2)), return_exceptions=True
    )
    assert [str(result) for result in results] == ["(1,)", "changed their mind", "(2,)"]
    assert await recorded(store) == [0, 1, 2]
    assert sum(await bundles(store)) == 3
