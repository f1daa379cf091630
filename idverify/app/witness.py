"""A witness in a directory of its own: two private keys, one small database, and nothing else of idverify.

``ed25519.key`` and ``mldsa44.key`` hold one line each (``ledger.cosigner``), ``witness.sqlite`` what was cosigned.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

from idverify.app.listen import listen, told_to_stop
from idverify.app.private import write_private
from idverify.errors import SetupError
from idverify.ledger.cosignature import COSIGNATURE_V1, ML_DSA_44
from idverify.ledger.cosigner import SEED_SIZE, Cosigner, skey
from idverify.ledger.errors import MalformedError
from idverify.ledger.note import NoteVerifier
from idverify.ledger.witness import Cosigned, Witness
from idverify.ports import Clock, Entropy, SystemClock
from idverify.stores.witness import FILE_NAME, SqliteWitnessStore, make_memory
from idverify.web.witness import IN_DOUBT, make_witness_app

KEY_FILES: Final[Mapping[str, int]] = {"ed25519.key": COSIGNATURE_V1, "mldsa44.key": ML_DSA_44}
"""File -> signature type of the key in it."""
GRACE_SECONDS: Final = 5.0
_MAX_KEY: Final = 4096


def make_witness(directory: Path, name: str, entropy: Entropy) -> list[Cosigner]:
    """Make a witness's keys, in files of mode 0600, and its empty memory.

    Raises ``SetupError``: they are there already, or cannot be made.
    """
    if any((directory / file).exists() for file in KEY_FILES):
        raise SetupError(f"{directory} holds the keys of a witness already.", "Choose another --dir DIR.")
    try:
        lines = {file: skey(kind, name, entropy(SEED_SIZE)) for file, kind in KEY_FILES.items()}
    except MalformedError as error:
        raise SetupError(f"{error}.", "A witness's name is like an address without https://: --name NAME") from error
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_memory(directory / FILE_NAME)
    for file, line in lines.items():
        write_private(directory / file, f"{line}\n")
    return load_keys(directory)


def load_keys(directory: Path) -> list[Cosigner]:
    """The keys that ``make_witness`` made. Raises ``SetupError``: missing, readable by others, or damaged."""
    return [_load_key(directory / file, kind) for file, kind in KEY_FILES.items()]


async def serve_witness(
    directory: Path, logs: Sequence[NoteVerifier], host: str, port: int, ready: Callable[[int], None]
) -> None:
    """Witness the ``logs`` until SIGINT or SIGTERM; ``ready`` hears the port once it is open.

    Raises ``SetupError`` where the operator must act, also when the storage is in doubt: then nothing that is in
    memory may be trusted, and a new process reads the truth.
    """
    cosigners = load_keys(directory)
    async with SqliteWitnessStore(directory / FILE_NAME) as store:
        app = make_witness_app(_witness(store, logs, cosigners, SystemClock()))
        async with _runner(app) as runner:
            told = told_to_stop()
            await listen(runner, host, port)
            ready(runner.addresses[0][1])
            await _first(told, app[IN_DOUBT])
        if store.stopped_by is not None:
            raise SetupError(f"The witness's storage is in doubt ({store.stopped_by}).", "Mend the disk, start again.")


async def seen(directory: Path) -> list[tuple[str, Cosigned]]:
    """What a witness cosigned last, by log. Raises ``SetupError``: there is no witness here."""
    async with SqliteWitnessStore(directory / FILE_NAME) as store:
        return await store.all()


def _witness(
    store: SqliteWitnessStore, logs: Sequence[NoteVerifier], cosigners: Sequence[Cosigner], clock: Clock
) -> Witness:
    try:
        return Witness(store, logs, cosigners, clock.now)
    except MalformedError as error:
        raise SetupError(f"{error}.", "Give each log's own verifier keys, each once: --log VKEY") from error


def _load_key(path: Path, kind: int) -> Cosigner:
    try:
        with path.open("rb") as file:
            if mode := os.fstat(file.fileno()).st_mode & 0o077:
                raise SetupError(f"{path} is open to others (mode ..{mode:02o}).", f"Run: chmod 600 {path}")
            line = file.read(_MAX_KEY).decode("utf-8", "replace")
    except OSError as error:
        raise SetupError(
            f"{path} cannot be read ({error.strerror}).", "Make the keys first: idverify witness init"
        ) from error
    try:
        cosigner = Cosigner.parse(line.removesuffix("\n"))
    except MalformedError as error:
        raise SetupError(f"{path}: {error}.", "Restore the file from its backup.") from error
    if cosigner.verifier.signature_type != kind:
        raise SetupError(f"{path} holds a key of another type.", "Restore the file from its backup.")
    return cosigner


@asynccontextmanager
async def _runner(app: web.Application) -> AsyncIterator[web.AppRunner]:
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=GRACE_SECONDS)
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


async def _first(*events: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
