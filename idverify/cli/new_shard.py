"""``idverify ledger new-shard``: an admin proposes that the ledger goes on in a new log, another one approves it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

from idverify.cli.output import Refused, WrongUsage, print_json, printable, say
from idverify.cli.signed_in import SignedIn, signed_in


def run(url: str, key: Path, approve: str | None, *, json: bool) -> int:
    """Propose, or carry a proposal out: 0 done; ``Refused`` makes it 1."""
    if approve is not None and not re.fullmatch(r"[0-9a-f]{32}", approve):
        raise WrongUsage(f"--approve takes the reference of a proposal, 32 hexadecimal digits; got {approve!r}.")
    shards = f"{url.rstrip('/')}/api/v1/ledger/shards"
    with signed_in(shards, key) as admin:
        done = _proposed(admin, shards) if approve is None else _call(admin, f"{shards}/{approve}/approval")
    if json:
        print_json(done)
    elif approve is None:
        _tell_proposed(url, done)
    else:
        say(printable(f"The ledger goes on in {done['origin']}."))
    return 0


def _proposed(admin: SignedIn, shards: str) -> Any:
    state = orjson.loads(admin.call("GET", shards, None))
    if state["following"] is None:
        raise Refused(f"No new log can be proposed: {state['unknown']}.")
    return _call(admin, shards, {"last_known": state["following"]["last_known"]})


def _call(admin: SignedIn, url: str, body: object | None = None) -> Any:
    return orjson.loads(admin.call("POST", url, None if body is None else orjson.dumps(body)))


def _tell_proposed(url: str, made: Any) -> None:
    known = made["last_known"]
    ends = "is halted" if made["halted"] else "is whole; its last entry will name the new log"
    say(printable(f"Proposed: after {made['ends']}, which {ends}, the ledger goes on in {made['begins']}."))
    say(printable(f"Last known checkpoint: {known['origin']}, {known['size']} entries, root {known['root']}"))
    say(f"Another admin compares that with what they know, and approves it before {made['expires_at']}:")
    say(printable(f"  python3 -m idverify ledger new-shard {url} --security-key FILE --approve {made['proposal']}"))
