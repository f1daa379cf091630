"""The ledger: a log is grown, appended to, audited, proven and witnessed, each against its own limit."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hsm.rows import Row
from idverify.app.bench import appends, audits, growth, postgres, proofs, quorum
from idverify.app.bench.effort import Effort
from idverify.app.bench.soft_log import ORIGIN, SoftSigner, publisher, shown
from idverify.ports import SystemClock
from idverify.stores.ledger import StoredLedger
from idverify.stores.schema import upgrade
from idverify.stores.sqlite import SqliteStore


async def measure(effort: Effort) -> list[Row]:
    """The rows of one log. It is audited first: appends that are measured without private rows would be findings."""
    with tempfile.TemporaryDirectory(prefix="idverify-bench-") as name:
        database, published, plain = (Path(name, part) for part in ("ledger.sqlite", "published", "plain"))
        signer = SoftSigner()
        upgrade(database)
        async with SqliteStore(database, SystemClock()) as store:
            await appends.start(store, ORIGIN)
            publishing, ledger = publisher(store, signer), StoredLedger(store)
            points = [point async for point in growth.grow(store, publishing, 1, effort.entries)]
            await audits.publish(ledger, await shown(publishing), published)
            rows = [
                growth.flat(points),
                *await proofs.measure(ledger, effort),
                *await audits.measure(database, published, signer.verifier, effort),
                *await appends.measure(store, plain, effort),
            ]
        return [*rows, *await quorum.measure(effort), *await postgres.measure(effort)]
