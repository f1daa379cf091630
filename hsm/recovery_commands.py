"""`python -m hsm recovery-key` and `recover`: making the way back, and going it."""

import argparse
import asyncio
import json
import os
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hsm import recovery
from hsm.client import Hsm
from hsm.commands import Outcome, token_of
from hsm.config import TokenConfig
from hsm.errors import HsmDecryptFailed, HsmPolicy, HsmSharesRefused
from hsm.key_options import inventory_option
from hsm.key_rows import inventory_of
from hsm.keys import Algorithm
from hsm.private import conceal, create_private
from hsm.shares import Share, read_share
from hsm.signer import signer_among

_LINE_MAX = 64 * 1024  # bytes of a share or of a line of a list


def options(verbs: Any, token_options: Callable[[argparse.ArgumentParser], None]) -> list[Any]:
    """The arguments of both commands."""
    make = verbs.add_parser("recovery-key", help="make an offline recovery key: its public half, and shares to print")
    make.add_argument("--needed", type=int, required=True, metavar="N", help="shares that open it")
    make.add_argument("--total", type=int, required=True, metavar="M", help="shares that there are")
    make.add_argument("--public", type=Path, required=True, help="where its public half goes, PEM")
    make.add_argument("--shares", type=Path, required=True, help="a new directory, one file a share, mode 0600")
    back = verbs.add_parser("recover", help="wrap what was sealed to a recovery key for a token, with its shares")
    token_options(back)
    inventory_option(back)
    back.add_argument("--share", type=Path, action="append", required=True, help="a file with one share; repeat it")
    back.add_argument("--sealed", type=Path, required=True, help='JSON lines: {"name": HEX, "sealed": HEX}')
    back.add_argument("--wrapped", type=Path, required=True, help="a new file: the same names, wrapped by the token")
    back.add_argument("--key-label", default="wrapping", help="of the A256KWP key, made if it is missing (wrapping)")
    return [make, back]


async def recovery_key(arguments: Namespace) -> Outcome:
    """Make one. The shares are in no output and no log: each goes into a file of its own, to be printed and deleted.

    The public half is written last, when the files have been read back and make the other half: nothing is ever sealed
    to a key whose shares are not whole.
    """
    for path in (arguments.public, arguments.shares):
        if path.exists():
            raise HsmPolicy(f"Expected nothing at {path}, got something that is there. Choose another place.")
    if not os.access(arguments.public.absolute().parent, os.W_OK | os.X_OK):
        raise HsmPolicy(f"Expected a directory to write {arguments.public} into, got none. Make it, or name another.")
    conceal()
    key, shares = recovery.make(arguments.needed, arguments.total)
    files = []
    for share in shares:
        file = arguments.shares / f"share-{share.number}"
        create_private(file, share.paper(arguments.total))
        files.append(str(file))
    _require_way_back(key, [Path(file) for file in files])
    arguments.public.write_bytes(key.pem())
    return True, [{"id": key.id.hex(), "needed": arguments.needed, "public": str(arguments.public), "shares": files}]


def _require_way_back(key: recovery.RecoveryKey, files: list[Path]) -> None:
    """Every share as it was written belongs to this key. `HsmSharesRefused` where one does not."""
    opened = recovery.recover([_share_in(file) for file in files])
    if opened.key != key:
        raise HsmSharesRefused(
            f"Expected shares of the recovery key {key.id.hex()}, got those of {opened.key.id.hex()} from the files. "
            "Delete them and make another key."
        )


async def recover(arguments: Namespace) -> Outcome:
    """Open every line and wrap it for the token; holds when none was left out, and each that was is named."""
    if arguments.wrapped.exists():
        raise HsmPolicy(f"Expected nothing at {arguments.wrapped}, got a file. Choose another place.")
    conceal()
    opened = recovery.recover([_share_in(path) for path in arguments.share])
    done: list[str] = []
    report: list[dict[str, Any]] = []
    token = token_of(arguments, writable=True)
    guarded = await _inventory_of(token, inventory_of(arguments))
    async with Hsm(replace(token, inventory=guarded)) as hsm:
        key = await _wrapping_key(hsm, arguments.key_label, may_make=guarded is None)
        with arguments.sealed.open("rb") as lines:
            for number, line in enumerate(iter(partial(lines.readline, _LINE_MAX), b""), start=1):
                try:
                    name, sealed = _read(line, number)
                    wrapped = await hsm.wrap(key, opened.open(sealed, name))
                except (HsmDecryptFailed, HsmPolicy) as error:  # anybody can seal something to the public half
                    report.append({"line": number, "holds": False, "detail": str(error)})
                else:
                    done.append(json.dumps({"name": name.hex(), "key": key.hex(), "wrapped": wrapped.hex()}) + "\n")
    create_private(arguments.wrapped, "".join(done))
    report.append({"recovered": len(done), "key": key.hex(), "wrapped": str(arguments.wrapped)})
    return len(report) == 1, report


async def _inventory_of(token: TokenConfig, path: Path | None) -> Path | None:
    """The file that rules, of a token that keeps one: the token knows. `HsmPolicy` where it is not there."""
    async with Hsm(token) as hsm:
        keeps_one = signer_among(await hsm.inventory()) is not None or await hsm.count() > 0
    if not keeps_one:
        return None
    if path is None or not await asyncio.to_thread(path.exists):
        raise HsmPolicy(f"Expected the token's inventory, got none at {path}. Name it with --inventory.")
    return path


async def _wrapping_key(hsm: Hsm, label: str, *, may_make: bool) -> bytes:
    """The id of the token's wrapping key of this label. It is made if there is none, unless an inventory rules."""
    for key in await hsm.inventory():
        if key.label == label and key.algorithm is Algorithm.A256KWP and key.born_here and key.id:
            return key.id
    if not may_make:
        raise HsmPolicy(
            f"Expected an active A256KWP key labelled {label!r} in the token's inventory, got none. Make one with "
            "`python -m hsm ceremony --algorithm A256KWP`, take it into use, and name it with --key-label."
        )
    return (await hsm.generate(Algorithm.A256KWP, label)).id


def _share_in(path: Path) -> Share:
    with path.open("rb") as file:
        return read_share(file.read(_LINE_MAX).decode("ascii", "replace"))


def _read(line: bytes, number: int) -> tuple[bytes, bytes]:
    try:
        entry = json.loads(line)
        return bytes.fromhex(entry["name"]), bytes.fromhex(entry["sealed"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise HsmPolicy(
            f'Expected {{"name": HEX, "sealed": HEX}} in line {number}, got something else. Export the list anew.'
        ) from None
