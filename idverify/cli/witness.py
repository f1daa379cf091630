"""``idverify witness``: everything a second organisation needs in order to watch a log."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

from idverify.app.logs import log_to
from idverify.app.witness import load_keys, make_witness, seen, serve_witness
from idverify.cli.output import WrongUsage, print_json, read_input, say
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import base64_text
from idverify.ledger.note import NoteVerifier, parse_vkey, vkey
from idverify.ports import system_entropy


def init(directory: Path, name: str, *, json: bool) -> int:
    """Make the keys of a witness and print what others verify its cosignatures with."""
    os.umask(0o077)
    cosigners = make_witness(directory, name, system_entropy)
    if json:
        print_json({"name": name, "vkeys": _vkeys(cosigners)})
        return 0
    say(f"The keys and the memory of the witness are in {directory}. They belong together: never run the keys with")
    say("an older or an empty memory, as from a backup. If the memory is lost, make a new witness.")
    say()
    say("Give these lines to whoever runs the log, for its policy, with the address of this witness at their ends:")
    for kind, key in zip(("ed25519", "mldsa44"), _vkeys(cosigners), strict=True):
        say(f"witness {name}-{kind} {key}")
    return 0


def serve(directory: Path, logs: list[str], host: str, port: int, *, json: bool) -> int:
    """Witness these logs until told to stop; the log goes to standard error."""
    os.umask(0o077)
    log_to(None)
    verifiers = [_log_key(key) for given in logs for key in _given(given)]
    cosigners = load_keys(directory)

    def tell(bound: int) -> None:
        origins = sorted({verifier.name for verifier in verifiers})
        address = f"http://{host}:{bound}"
        if json:
            print_json({"address": address, "logs": origins, "vkeys": _vkeys(cosigners)})
        else:
            say(f"Witness {cosigners[0].verifier.name} at {address} for {', '.join(origins)}. Stop with Ctrl-C.")

    asyncio.run(serve_witness(directory, verifiers, host, port, tell))
    return 0


def show(directory: Path, *, json: bool) -> int:
    """What the witness cosigned last, log by log."""
    records = asyncio.run(seen(directory))
    if json:
        print_json(
            [
                {"origin": origin, "size": one.size, "root": base64_text(one.root), "time": one.time}
                | {"checkpoint": one.note.decode()}
                for origin, one in records
            ]
        )
        return 0
    for origin, one in records:
        when = datetime.fromtimestamp(one.time, UTC).isoformat()
        say(f"{origin}  {one.size}  {base64_text(one.root)}  {when}")
    if not records:
        say("Nothing was cosigned yet.")
    return 0


def _vkeys(cosigners: list[Cosigner]) -> list[str]:
    return [vkey(cosigner.verifier) for cosigner in cosigners]


def _given(log: str) -> list[str]:
    """A verifier key as it is, or those in a file, one a line."""
    if not log.startswith("@"):
        return [log]
    lines = read_input(log[1:]).decode("utf-8", "replace").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _log_key(text: str) -> NoteVerifier:
    try:
        return parse_vkey(text)
    except MalformedError as error:
        raise WrongUsage(f"--log: {error}") from error
