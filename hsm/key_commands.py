"""What each command that looks after keys does: arguments in, (holds, report) out."""

import asyncio
import time
from argparse import Namespace
from collections.abc import Callable, Coroutine, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from hsm import keeping
from hsm.algorithms import SIGNING
from hsm.book import Book, opened, started
from hsm.ceremony import Witnesses, at_terminal, check_transcript, confirmed_in, hold, transcript_path
from hsm.certify import certify, stamp
from hsm.check import check
from hsm.client import Hsm
from hsm.commands import Outcome, token_of
from hsm.config import TokenConfig
from hsm.doctor import examine
from hsm.entries import Entry
from hsm.errors import HsmError, HsmPolicy
from hsm.findings import verdict
from hsm.inventory import read
from hsm.key_rows import content_of, inventory_of, path_of, row_of
from hsm.keys import Algorithm, KeyInfo
from hsm.lifecycle import Stage
from hsm.signer import proven_signer


async def doctor(arguments: Namespace) -> Outcome:
    """Look at module, files and token from outside; holds when nothing is in the way of serving."""
    findings = await examine(token_of(arguments), arguments.needs or [Algorithm.ES256])
    return verdict(findings), [finding.to_json() for finding in findings]


async def inventory(arguments: Namespace) -> Outcome:
    """List the keys, hold them against the inventory, or sign the first one."""
    token = token_of(arguments)
    if (arguments.adopt or arguments.again) and not arguments.start:
        raise HsmPolicy(
            "Expected --adopt and --again with --start only. An inventory that is there takes no strangers."
        )
    if arguments.start:
        async with started(token, path_of(arguments), again=arguments.again) as book:
            await keeping.start(book, adopt=arguments.adopt)
            return True, [row_of(entry) for entry in book.now.entries] or [{"inventory": str(book.path), "keys": 0}]
    async with Hsm(token) as hsm:
        keys, count = await hsm.inventory(), await hsm.count()
        if not arguments.check:
            return await _listed(hsm, keys, count, inventory_of(arguments))
        _, spki = await proven_signer(keys, hsm.sign)
    found, _ = read(path_of(arguments), spki, count)
    findings = check(found, keys, count, time.time())
    return verdict(findings), [finding.to_json() for finding in findings]


async def _listed(hsm: Hsm, keys: list[KeyInfo], count: int, path: Path | None) -> Outcome:
    """The keys on the token, and those in software that its inventory names; what is wrong with that hides no key."""
    holds, rows = all(key.born_here for key in keys), [key.to_json() | {"software": False} for key in keys]
    if path is None or not await asyncio.to_thread(path.exists):
        return holds, rows
    try:
        _, spki = await proven_signer(keys, hsm.sign)
        kept, _ = read(path, spki, count)
    except HsmError as error:
        return False, [*rows, {"inventory": str(path), "holds": False, "found": str(error)}]
    return holds, [*rows, *(row_of(entry) | {"software": True} for entry in kept.entries if entry.sealed)]


async def ceremony(arguments: Namespace) -> Outcome:
    """Make a key before witnesses; holds when a quorum confirmed. Or check a transcript."""
    token = token_of(arguments)
    if arguments.verify is not None:
        return await _verify(token, path_of(arguments), arguments.verify)
    if arguments.role is None:
        raise HsmPolicy("Expected --role, got none. Say what the key is for, such as doc-signer/pid.")
    witnesses = _witnesses(arguments)
    async with opened(token, path_of(arguments)) as book:
        entry = await keeping.plan(book, arguments.role, arguments.algorithm, None)
        return await _held(book, entry, witnesses, arguments.transcript)


async def rotate(arguments: Namespace) -> Outcome:
    """The next step towards a successor: its ceremony, or the exchange once it is published. Holds when it was done."""
    async with opened(token_of(arguments), path_of(arguments)) as book:
        old, fresh = book.now.entry(arguments.key), book.now.successor(arguments.key)
        if fresh is None or fresh.stage in {Stage.PLANNED, Stage.GENERATED}:
            witnesses = _witnesses(arguments)
            fresh = await keeping.plan(book, old.role, old.algorithm, old.label)
            return await _held(book, fresh, witnesses, arguments.transcript)
        if fresh.stage is Stage.ATTESTED:
            is_certified = fresh.certificate is not None or old.certificate is None
            steps = [] if is_certified else [f"`python -m hsm certify --key {fresh.label}`"]
            steps += [f"`python -m hsm mark --key {fresh.label} --to published`", "then rotate again"]
            return False, [row_of(fresh) | {"next": ", ".join(steps)}]
        taken = await keeping.mark(book, fresh.label, Stage.ACTIVE)
        return True, [row_of(taken), row_of(book.now.entry(old.label))]


async def _held(book: Book, entry: Entry, witnesses: Witnesses, path: Path | None) -> Outcome:
    path = path or transcript_path(book, entry)
    outcome = await hold(book, entry, witnesses, path, at_terminal)
    row = row_of(outcome.entry) | {"confirmed": list(outcome.confirmed)}
    if outcome.transcript is None:
        again = f"{witnesses.quorum} must confirm: run it again, or `destroy` the key"
        return False, [row | {"transcript_sha256": None, "next": again}]
    return True, [
        row
        | {
            "transcript": str(path),
            "transcript_sha256": outcome.transcript.hex(),
            "next": f"enter the hash where it can be found again; {_AFTER[entry.algorithm in SIGNING]}",
        }
    ]


_CERTIFIED: Final = ["certify", "mark --to published"]
_AFTER: Final = {
    True: "certify the key where it needs that, publish it, `mark --to published`, then `--to active`",
    False: "`mark --to published`, then `--to active`",
}
"""The next steps of a key, by whether it is a pair."""


async def _verify(token: TokenConfig, book: Path, path: Path) -> Outcome:
    """Holds when the inventory names the transcript: one whose ceremony was cut off before that is void."""
    async with Hsm(token) as hsm:
        keys, count = await hsm.inventory(), await hsm.count()
        _, spki = await proven_signer(keys, hsm.sign)
    content = content_of(path)
    told = check_transcript(content, spki, str(path))
    key, names = told["key"], confirmed_in(told)
    row = {"label": key["label"], "thumbprint": key["thumbprint"], "ended": told["ended"], "confirmed": names}
    kept, _ = read(book, spki, count)
    if any(entry.transcript == sha256(content).digest() for entry in kept.entries):
        return True, [row]
    void = "no key of the inventory names this transcript: its ceremony was cut off, and it is void"
    return False, [row | {"next": void}]


async def mark(arguments: Namespace) -> Outcome:
    """Enter the next stage of a key."""
    async with opened(token_of(arguments), path_of(arguments)) as book:
        return True, [row_of(await keeping.mark(book, arguments.key, arguments.to, ends_role=arguments.ends_role))]


async def destroy(arguments: Namespace) -> Outcome:
    """Destroy a key; the id typed once more is the last chance to think."""
    async with opened(token_of(arguments), path_of(arguments)) as book:
        entry = book.now.entry(arguments.key)
        wanted = entry.label if entry.id is None else entry.id.hex()
        if arguments.confirm != wanted:
            what = "label" if entry.id is None else "id"
            raise HsmPolicy(
                f"Expected --confirm with the {what} of {entry.label!r}, got {arguments.confirm!r}. Look it up with "
                "`python -m hsm inventory --check`: a key that is destroyed never comes back."
            )
        gone, objects = await keeping.destroy(book, entry.label, compromised=arguments.compromised)
        return True, [row_of(gone) | {"objects": objects}]


COMMANDS: Final[Mapping[str, Callable[[Namespace], Coroutine[Any, Any, Outcome]]]] = {
    "doctor": doctor,
    "inventory": inventory,
    "ceremony": ceremony,
    "certify": certify,
    "stamp": stamp,
    "mark": mark,
    "rotate": rotate,
    "destroy": destroy,
}


def _witnesses(arguments: Namespace) -> Witnesses:
    names = tuple(arguments.witness)
    return Witnesses(names, len(names) if arguments.quorum is None else arguments.quorum)
