"""``idverify ledger rebuild``: from entries and a signed checkpoint, every tile anew, in files or in the database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from idverify.app.services import hold
from idverify.cli.auditing.progress import progress
from idverify.cli.auditing.sources import opened, require_log
from idverify.cli.auditing.trust import Trust
from idverify.cli.output import WrongUsage, print_json, say
from idverify.config import load
from idverify.errors import SetupError, Unavailable
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import LedgerError
from idverify.ledger.files import LogFiles, require_file
from idverify.ledger.policy import Policy
from idverify.ledger.published import CHECKPOINT, DESCRIPTION, QUORUM
from idverify.ledger.rebuild import RebuiltTree, rebuild, restore, static_files
from idverify.stores.ledger_restore import restoring
from idverify.stores.open import open_alone


@dataclass(frozen=True, slots=True)
class Target:
    """A new directory, or the data directory of a service that does not run; with neither, nothing is kept."""

    output: Path | None = None
    data: Path | None = None


def rebuild_log(source: str, trust: Trust, target: Target, *, json: bool) -> int:
    """Rebuild a published log: 0 the entries make the signed tree, 1 they do not, and nothing was changed.

    A directory shows a checkpoint only once all of the tree below it is written.
    """
    if target.output is not None and target.data is not None:
        raise WrongUsage("Give --output DIRECTORY or --data DIR, not both.")
    if target.output is not None and target.output.exists() and any(target.output.iterdir()):
        raise WrongUsage(f"{target.output} is not empty; a tree is rebuilt into a directory of its own.")
    with opened(source) as files:
        policy = trust.resolve(files)
        require_log(source, files)
        try:
            note = require_file(files, CHECKPOINT)
            checkpoint, _ = policy.open(note)
            if target.data is None:
                _rebuild(files, policy, note, target.output, quiet=json)
            else:
                _restore(files, (note, checkpoint), target.data, quiet=json)
        except LedgerError as error:
            _answer({"holds": False, "detail": str(error)}, f"The log cannot be rebuilt. {error}", json=json)
            return 1
    made = f"The entries make the signed tree: {checkpoint.size} entries, root {checkpoint.root.hex()}."
    _answer({"holds": True, "size": checkpoint.size, "root": checkpoint.root.hex()}, made, json=json)
    return 0


def _rebuild(files: LogFiles, policy: Policy, note: bytes, output: Path | None, *, quiet: bool) -> None:
    checkpoint, _ = policy.open(note)
    with progress("entries", quiet=quiet) as told:
        for piece in rebuild(files, checkpoint):
            if output is not None:
                for path, data in static_files(piece):
                    _write(output / path, data)
            if not isinstance(piece, RebuiltTree):
                told(piece.first + len(piece.entries), checkpoint.size)
    if output is not None:
        os.sync()
        for path, head in _heads(files, policy, note):
            _write(output / path, head)


def _heads(files: LogFiles, policy: Policy, note: bytes) -> Iterator[tuple[str, bytes]]:
    """The files that change, the checkpoint last: the very note that the tree was rebuilt under.

    The log may have moved on meanwhile, so what others saw of it is kept only where it is of this tree at most.
    """
    described, met = files.read(DESCRIPTION), files.read(QUORUM)
    if described is not None:
        yield DESCRIPTION, described
    with suppress(LedgerError):
        if met is not None and policy.require(met).size <= policy.open(note)[0].size:
            yield QUORUM, met
    yield CHECKPOINT, note


def _restore(files: LogFiles, signed: tuple[bytes, Checkpoint], data: Path, *, quiet: bool) -> None:
    note, checkpoint = signed
    held = hold(data)
    try:
        with progress("entries", quiet=quiet) as told, restoring(open_alone(load(data).location), checkpoint) as sink:
            for count in restore(files, note, checkpoint, sink):
                told(count, checkpoint.size)
    except Unavailable as error:
        raise SetupError(f"The ledger cannot be written ({error}).", "Restore the database from a backup.") from error
    finally:
        os.close(held)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _answer(value: dict[str, object], sentence: str, *, json: bool) -> None:
    if json:
        print_json(value)
    else:
        say(sentence)
