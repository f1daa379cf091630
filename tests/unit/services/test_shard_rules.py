"""What an audit of the rows says of a shard that was opened otherwise than by two people who confirmed it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from idverify.stores.open import Location, open_log, open_snapshot
from idverify.stores.shard_rules import TWO_PEOPLE, WHAT_THEY_CONFIRMED, shard_findings
from tests.simulators.databases import DRIVERS, changed, copied, fresh
from tests.simulators.shards import approved, grown, halt, proposed
from tests.simulators.software_office import premises

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=DRIVERS)
async def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Location]:
    """A database with three logs: one that was halted, one that was closed, and the one that is written to."""
    folder = tmp_path_factory.mktemp("opened")
    async with fresh(request.param, folder, request) as location, premises(folder, location) as house:
        await halt(house)
        async with house.open() as served:
            await approved(served, await proposed(served))
            await grown(served)
            waiting = await proposed(served)
            await grown(served)
            await approved(served, waiting)
            await served.office.log_book.publish()
        yield location


async def test_logs_that_two_people_opened(opened: Location) -> None:
    """No rule is broken, of shards or of anything else; each shard's entries have their rows."""
    with closing(open_log(opened)) as source:
        shards = [row["shard"] for row in source.shards()]
        records = [found for shard in shards for found in source.of(shard).record_findings()]
        rows = list(source.row_findings())

    assert (shards, records, rows) == ([1, 2, 3], [], [])


@pytest.mark.parametrize(
    ("tampering", "rule"),
    [
        ("DELETE FROM authorisation WHERE act = 'new-shard' AND ledger_index = 2 AND ledger_shard = 2", TWO_PEOPLE),
        ("UPDATE authorisation SET act = 'decide' WHERE ledger_shard = 2 AND ledger_index = 4", TWO_PEOPLE),
        ("UPDATE authorisation SET account_id = (SELECT account_id FROM shard_proposal LIMIT 1)", TWO_PEOPLE),
        ("UPDATE authorisation SET security_key_id = (SELECT id FROM security_key LIMIT 1)", TWO_PEOPLE),
        ("UPDATE authorisation SET action_digest = zeroblob(32) WHERE ledger_index = 2", TWO_PEOPLE),
        ("UPDATE authorisation SET action_digest = zeroblob(32)", WHAT_THEY_CONFIRMED),
        ("DELETE FROM shard_proposal", WHAT_THEY_CONFIRMED),
        ("UPDATE shard_proposal SET consumed_at = NULL", WHAT_THEY_CONFIRMED),
        ("UPDATE shard_proposal SET halted = 1 - halted", WHAT_THEY_CONFIRMED),
        ("UPDATE shard_proposal SET last_known = x'00'", WHAT_THEY_CONFIRMED),
        ("UPDATE ledger_state SET previous = x'00' WHERE shard = 2", WHAT_THEY_CONFIRMED),
        (
            "UPDATE ledger_state SET previous = (SELECT previous FROM ledger_state WHERE shard = 3) WHERE shard = 2",
            WHAT_THEY_CONFIRMED,
        ),
    ],
)
async def test_a_log_that_was_opened_otherwise(opened: Location, tmp_path: Path, tampering: str, rule: str) -> None:
    """One person, one key, another act, no proposal, or another checkpoint than was confirmed."""
    with copied(opened, tmp_path) as copy:
        changed(copy, tampering)
        with closing(open_snapshot(copy)) as snapshot:
            found = list(shard_findings(snapshot.rows))

    assert (0, rule) in found
