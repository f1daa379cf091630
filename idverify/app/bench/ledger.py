"""The ledger: a log is grown, appended to, audited, proven and witnessed, each against its own limit."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hsm.rows import Row
from idverify.app.bench import appends, audits, growth, proofs
from idverify.app.bench.effort import Effort
from idverify.app.bench.soft_log import ORIGIN, SoftSigner, publisher
from idverify.ports import SystemClock
from idverify.stores.schema import upgrade
from idverify.stores.sqlite import SqliteStore
from idverify.stores.sqlite_ledger import SqliteLedger


async def measure(effort: Effort) -> list[Row]:
    """The rows of one log. It is audited first: appends that are measured without private rows would be findings."""
    with tempfile.TemporaryDirectory(prefix="idverify-bench-") as name:
        database, plain, signer = Path(name, "ledger.sqlite"), Path(name, "plain"), SoftSigner()
        upgrade(database)
        async with SqliteStore(database, SystemClock()) as store:
            await appends.start(store, ORIGIN)
            points = [point async for point in growth.grow(store, publisher(store, signer), 1, effort.entries)]
            return [
                growth.flat(points),
                *await proofs.measure(SqliteLedger(store), effort),
                *await audits.measure(database, signer.verifier, effort),
                *await appends.measure(store, plain, effort),
            ]
