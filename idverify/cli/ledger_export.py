"""``idverify ledger export``: the published log as files, for whatever serves files."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orjson import dumps
from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from idverify.app.services import published_policies
from idverify.cli.output import say
from idverify.config import load
from idverify.errors import SetupError, Unavailable
from idverify.ledger.errors import FencedError, LedgerError
from idverify.ledger.export import Exported, Exporter, LogSink
from idverify.ports import SystemClock
from idverify.services.log_book import load_logs
from idverify.services.office import load_deployment, load_keys
from idverify.services.published import stored_logs
from idverify.stores.log_bucket import BucketAddress, LogBucket
from idverify.stores.log_directory import LogDirectory
from idverify.stores.open import open_store
from idverify.stores.schema import upgrade_existing

EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to: a directory, or ``s3://bucket/prefix``; each shard goes below it under its number."""

    to: str
    endpoint: str | None
    region: str | None

    def sink(self, shard: int, held: ExitStack) -> LogSink:
        """The place of one shard. Raises ``SetupError``."""
        if not self.to.startswith("s3://"):
            return held.enter_context(LogDirectory(Path(self.to) / str(shard)))
        address = BucketAddress.parse(self.to, self.endpoint, self.region)
        return LogBucket(replace(address, prefix=f"{address.prefix}{shard}/"))


def export(data: Path, destination: Destination, *, follow: bool, everything: bool, json: bool) -> int:
    """Write what is missing there; with ``follow`` whenever there is more, until interrupted."""
    return asyncio.run(_export(data, destination, follow=follow, everything=everything, json=json))


async def _export(data: Path, destination: Destination, *, follow: bool, everything: bool, json: bool) -> int:
    async with _exporters(data, destination, quiet=json or follow) as exporters:
        while True:
            for shard, exporter in exporters.items():
                _tell(shard, await _once(exporter, everything=everything, follow=follow), json=json)
            if not follow:
                return 0
            everything = False
            await asyncio.sleep(EVERY_SECONDS)


async def _once(exporter: Exporter, *, everything: bool, follow: bool) -> Exported | None:
    try:
        return await exporter.export(everything=everything)
    except (Unavailable, FencedError) as away:
        if not follow:
            raise
        say(f"Not exported now, and tried again: {away}")
        return None
    except LedgerError as error:
        raise SetupError(f"Nothing more was exported: {error}.", "Compare both with: idverify ledger fsck") from error


@asynccontextmanager
async def _exporters(data: Path, destination: Destination, *, quiet: bool) -> AsyncIterator[dict[int, Exporter]]:
    """An exporter for each shard, oldest first."""
    config = load(data)
    upgrade_existing(config.location)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(config.location, SystemClock()))
        held, bar = stack.enter_context(ExitStack()), stack.enter_context(_progress_bar(quiet=quiet))
        ours, logs = await load_deployment(store), await load_logs(store)
        keys = await load_keys(store, ours.iss)
        policies = published_policies(config, ours.iss, keys)
        stored = stored_logs(store, ours, logs, keys, policies)
        task = bar.add_task("export", total=None)
        yield {
            log.shard: Exporter(
                stored[log.shard],
                policies(log.origin).foremost,
                destination.sink(log.shard, held),
                progress=lambda files: bar.update(task, completed=files),
            )
            for log in logs
        }


def _progress_bar(*, quiet: bool) -> ProgressBar:
    columns = (SpinnerColumn(), TextColumn("{task.completed} files"), TimeElapsedColumn())
    console = Console(stderr=True)
    return ProgressBar(*columns, console=console, disable=quiet or not console.is_terminal, transient=True)


def _tell(shard: int, done: Exported | None, *, json: bool) -> None:
    if done is None:
        return
    if json:  # one line each, so that --follow gives JSON lines
        told = {"shard": shard, "size": done.size, "quorum_size": done.quorum_size, "written": done.written}
        say(dumps(told).decode())
    else:
        say(_sentence(shard, done))
    sys.stdout.flush()  # whoever follows through a pipe waits for it


def _sentence(shard: int, done: Exported) -> str:
    witnessed = "none of it meets the policy" if done.quorum_size is None else f"{done.quorum_size} meet the policy"
    return f"Shard {shard}: {done.size} entries are published there, {witnessed}; {done.written} files written."
