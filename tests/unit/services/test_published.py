"""The ledger as everybody sees it: every shard, the closed ones without a publisher."""

from __future__ import annotations

from idverify.ledger.checkpoint import open_checkpoint
from idverify.ledger.description import LogDescription
from idverify.ledger.note import parse_vkey
from idverify.services.published import PublishedShards, Shard, stored_logs
from tests.simulators.shards import approved, enrol_admins, proposed
from tests.simulators.software_office import SoftwareOffice


def _shown(served: SoftwareOffice, number: int) -> Shard:
    shard = PublishedShards(served.office).get(number)
    assert shard is not None
    return shard


async def test_the_current_shard_is_shown_as_its_publisher_shows_it(served: SoftwareOffice) -> None:
    """Storage and publisher say the same, once what was committed is published."""
    office = served.office
    await office.publisher.publish_once()
    shown = _shown(served, office.log.shard).published
    stored = stored_logs(office.store, office.deployment, office.logs, office.keys, office.log_book.policy_of)[1]

    for path in ("checkpoint", "checkpoint.quorum", "log.json", "tile/0/000.p/3", "tile/entries/000.p/3"):
        content = await shown.read(path)
        assert content is not None
        assert content == await stored.read(path)


async def test_a_closed_shard_stays_where_it_was(served: SoftwareOffice) -> None:
    """After a new shard has begun, the old one is still shown, says that it is closed, and the new one names it."""
    office = served.office
    await enrol_admins(served)
    await office.log_book.publish()
    shards = PublishedShards(office)
    before = shards.get(1)
    assert before is not None
    assert shards.get(2) is None
    second = await approved(served, await proposed(served))
    await office.log_book.publish()
    after, new = shards.get(1), shards.get(2)
    assert after is not None
    assert new is not None
    described = [LogDescription.decode(shard.published.description) for shard in (before, after, new)]
    note = await after.published.read("checkpoint")
    assert note is not None
    last = open_checkpoint(note, office.log_book.policy_of(office.logs[0].origin).verifiers)

    assert await after.published.proof(0) is not None
    assert [one.closed for one in described] == [False, True, False]
    assert [one.identity.previous for one in described] == [None, None, last]
    assert [parse_vkey(one).name for one in described[2].vkeys] == [second.origin] * len(office.keys.log)
