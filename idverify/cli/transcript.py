"""``idverify ledger transcript``: the ledger's entry that names the transcript of a key's ceremony."""

from __future__ import annotations

import datetime as dt
import hashlib
import json as json_module
from contextlib import closing
from pathlib import Path

from idverify.cli.output import WrongUsage, print_json, say
from idverify.config import load
from idverify.core.security_act import SIGNING_KEY_TAKEN
from idverify.stores.evidence import Opened
from idverify.stores.open import open_log

_MOST = 1024 * 1024  # bytes


def run(data: Path, file: Path, *, json: bool) -> int:
    """0 an entry names this very file, and its key is the one in it; 1 none does. Whose signature it has, hsm says."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST + 1)
    except OSError as error:
        raise WrongUsage(f"The transcript cannot be read ({error.strerror}).") from error
    digest, key = hashlib.sha256(content).digest(), _key(content)
    with closing(open_log(load(data).location)) as source:
        found = [one for one in source.entries_of(SIGNING_KEY_TAKEN) if one.record.decision == digest]
    holds = len(found) == 1 and found[0].record.kid == key
    if json:
        print_json({"holds": holds, "sha256": digest.hex(), "entries": [_as_json(one) for one in found]})
    elif not found:
        say(f"No entry names this transcript (SHA-256 {digest.hex()}): it is void, or was altered.")
    elif not holds:
        say("The ledger does not name this transcript for the key that it is of.")
    else:
        told = _as_json(found[0])
        say(f"Entry {told['index']} of shard {told['shard']}, of {told['time']}, names it for the key {told['key']}.")
    return 0 if holds else 1


def _key(content: bytes) -> bytes | None:
    """The id of the key that the transcript is of, None where it is no transcript."""
    try:
        return bytes.fromhex(json_module.loads(content)["signed"]["key"]["id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _as_json(one: Opened) -> dict[str, object]:
    kid = one.record.kid
    time = dt.datetime.fromtimestamp(one.time, dt.UTC).isoformat()
    return {"shard": one.shard, "index": one.index, "time": time, "key": None if kid is None else kid.hex()}
