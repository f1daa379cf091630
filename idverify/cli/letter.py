"""``idverify letter``: what a print room does. It orders letters for a list of people, and brings each as a
file, with the ledger's receipt of it beside.

The service makes the letters; whatever stops here is taken up again with ``fetch``, which asks for nothing twice: what
is in the directory already, by its SHA-256, stays.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from idverify.cli.api import Sender
from idverify.cli.auditing.progress import progress
from idverify.cli.output import Refused, WrongUsage, print_json, read_input, say
from idverify.cli.replaced_file import replace_file

LOOK_EVERY_SECONDS: Final = 1.0
_HANDLE: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Place:
    """The service's address, and the directory for the files."""

    service: str
    output: Path

    def at(self, path: str) -> str:
        """The address of a path of the API."""
        return f"{self.service.rstrip('/')}/api/v1/{path}"


def order(place: Place, people: str, choices: Mapping[str, Any], send: Sender, *, json: bool) -> int:
    """Order a letter for each person of a file (a reference a line), confirmed once, and bring them."""
    lines = read_input(people).decode("utf-8", "replace").split()
    wrong = next((line for line in lines if not _HANDLE.fullmatch(line)), None)
    if wrong is not None or not lines:
        raise WrongUsage(f"{people} must hold people's references, 32 hex digits a line; got {(wrong or '')[:60]!r}.")
    body = orjson.dumps({"people": lines, "choices": choices})
    batch = str(orjson.loads(send("POST", place.at("letter-batches"), body))["batch"])
    if not json:
        say(f"Ordered: batch {batch}. If this stops: idverify letter fetch {place.service} {batch}")
    return fetch(place, batch, send, json=json)


def fetch(place: Place, batch: str, send: Sender, *, json: bool) -> int:
    """Bring the letters of a batch as they are made: 0 all of them, 1 some cannot be made."""
    if not _HANDLE.fullmatch(batch):
        raise WrongUsage("The batch is its reference: 32 hex digits.")
    place.output.mkdir(parents=True, exist_ok=True)
    address = place.at(f"letter-batches/{batch}")
    with progress("letters", quiet=json) as tell:
        state = _brought(place, lambda: orjson.loads(send("GET", address, None)), send, tell)
    return _told(place, batch, state, json=json)


def _brought(
    place: Place, look: Callable[[], Any], send: Sender, tell: Callable[[int, int | None], None]
) -> Mapping[str, Any]:
    kept: set[str] = set()
    while True:
        state: Mapping[str, Any] = look()
        for one in _new(state, kept):
            _bring(place, one, send)
            kept.add(one["letter"])
            tell(len(kept), state["total"])
        if state["made"] + state["failed"] == state["total"]:
            return state
        time.sleep(LOOK_EVERY_SECONDS)


def _new(state: Mapping[str, Any], kept: set[str]) -> Iterator[Mapping[str, Any]]:
    return (one for one in state["letters"] if one["state"] == "made" and one["letter"] not in kept)


def _bring(place: Place, one: Mapping[str, Any], send: Sender) -> None:
    path, address = _file(place, one), place.at(f"letters/{one['letter']}")
    if not (path.exists() and _sha256(path.read_bytes()) == one["sha256"]):
        pdf = send("GET", address, None)
        if _sha256(pdf) != one["sha256"]:
            raise Refused(f"The letter {one['letter']} came with other bytes than the batch says. Fetch it again.")
        replace_file(path, pdf)
    if not _receipt(path).exists():  # another one says the same by a later checkpoint
        replace_file(_receipt(path), send("GET", f"{address}/receipt", None))


def _file(place: Place, one: Mapping[str, Any]) -> Path:
    return place.output / f"letter-{one['letter']}.pdf"


def _receipt(file: Path) -> Path:
    return file.with_suffix(".tlog-proof")


def _told(place: Place, batch: str, state: Mapping[str, Any], *, json: bool) -> int:
    failed = [one for one in state["letters"] if one["state"] == "failed"]
    if json:
        files = [_as_json(place, one) for one in state["letters"]]
        print_json({"batch": batch, "total": state["total"], "made": state["made"], "letters": files})
    else:
        say(f"{state['made']} of {state['total']} letters are in {place.output}.")
        for one in failed:
            say(f"None for {one['person']}: {one['detail']}")
    return 1 if failed else 0


def _as_json(place: Place, one: Mapping[str, Any]) -> dict[str, Any]:
    file = _file(place, one) if one["state"] == "made" else None
    kept = {"file": None, "receipt": None} if file is None else {"file": str(file), "receipt": str(_receipt(file))}
    return {"person": one["person"], **kept, "detail": one["detail"]}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
