"""The ledger as everybody sees it: every shard, the closed ones without a publisher."""

from __future__ import annotations

from dataclasses import replace

from idverify.ledger.checkpoint import Checkpoint, open_checkpoint
from idverify.ledger.description import LogDescription
from idverify.ledger.note import parse_vkey
from idverify.services.office import Log
from idverify.services.published import published_shards, stored_logs
from tests.simulators.software_office import SoftwareOffice


async def test_the_current_shard_is_shown_as_its_publisher_shows_it(served: SoftwareOffice) -> None:
    """Storage and publisher say the same, once what was committed is published."""
    office = served.office
    await office.publisher.publish_once()
    shown = published_shards(office)[office.log.shard].published
    stored = stored_logs(office.store, office.deployment, office.logs, office.keys, office.log_policy)[1]

    for path in ("checkpoint", "checkpoint.quorum", "log.json", "tile/0/000.p/3", "tile/entries/000.p/3"):
        content = await shown.read(path)
        assert content is not None
        assert content == await stored.read(path)


async def test_a_closed_shard_stays_where_it_was(served: SoftwareOffice) -> None:
    """After a new shard has begun, the old one is still shown, says that it is closed, and the new one names it."""
    office = served.office
    await office.publisher.publish_once()
    (first,) = office.logs
    note = await published_shards(office)[1].published.read("checkpoint")
    assert note is not None
    verifiers = [key.verifier(first.origin) for key in office.keys.log]
    last = open_checkpoint(note, verifiers)
    second = Log(2, first.origin.removesuffix("1") + "2", last)
    shards = published_shards(replace(office, logs=(first, second)))
    described = {number: LogDescription.decode(shard.published.description) for number, shard in shards.items()}

    assert await shards[1].published.read("checkpoint") == note
    assert await shards[1].published.proof(0) is not None
    assert (described[1].closed, described[2].closed) == (True, False)
    assert (described[1].previous, described[2].previous) == (None, Checkpoint(first.origin, last.size, last.root))
    assert [parse_vkey(one).name for one in described[2].vkeys] == [second.origin] * len(office.keys.log)
