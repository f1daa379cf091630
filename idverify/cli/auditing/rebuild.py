"""``idverify ledger rebuild``: from entries and a signed checkpoint, every tile anew, written as a static tree."""

from __future__ import annotations

import os
from pathlib import Path

from idverify.cli.auditing.progress import progress
from idverify.cli.auditing.sources import opened
from idverify.cli.auditing.trust import Trust
from idverify.cli.output import WrongUsage, print_json, say
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import LedgerError
from idverify.ledger.files import LogFiles, require_file
from idverify.ledger.published import CHECKPOINT, HEADS
from idverify.ledger.rebuild import RebuiltTree, rebuild, static_files


def rebuild_tree(source: str, trust: Trust, output: Path | None, *, json: bool) -> int:
    """Rebuild a published log: 0 the entries make the signed tree, 1 they do not.

    ``output`` shows a checkpoint only once all of the tree below it is written.
    """
    if output is not None and output.exists() and any(output.iterdir()):
        raise WrongUsage(f"{output} is not empty; a tree is rebuilt into a directory of its own.")
    with opened(source) as files:
        policy = trust.resolve(files)
        try:
            checkpoint, _ = policy.open(require_file(files, CHECKPOINT))
            _rebuild(files, checkpoint, output, quiet=json)
        except LedgerError as error:
            _answer({"holds": False, "detail": str(error)}, f"The log cannot be rebuilt. {error}", json=json)
            return 1
    made = f"The entries make the signed tree: {checkpoint.size} entries, root {checkpoint.root.hex()}."
    _answer({"holds": True, "size": checkpoint.size, "root": checkpoint.root.hex()}, made, json=json)
    return 0


def _rebuild(files: LogFiles, checkpoint: Checkpoint, output: Path | None, *, quiet: bool) -> None:
    with progress("entries", quiet=quiet) as told:
        for piece in rebuild(files, checkpoint):
            if output is not None:
                for path, data in static_files(piece):
                    _write(output / path, data)
            if not isinstance(piece, RebuiltTree):
                told(piece.first + len(piece.entries), checkpoint.size)
    if output is not None:
        os.sync()
        for path in HEADS:  # the checkpoint comes last
            head = files.read(path)
            if head is not None:
                _write(output / path, head)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _answer(value: dict[str, object], sentence: str, *, json: bool) -> None:
    if json:
        print_json(value)
    else:
        say(sentence)
