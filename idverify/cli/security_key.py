"""A security key in a file, for scripts and demonstrations: ``idverify securitykey``, and ``idverify api`` with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from idverify.app.private import write_private
from idverify.auth.software_key import SoftwareKey
from idverify.cli.output import WrongUsage, print_json, read_input, say
from idverify.cli.request import request

LOUD: Final = "This security key is a file. Whoever can read it can act as you: for demonstrations and scripts only."
Answering = Callable[[SoftwareKey], dict[str, Any]]


def enrol(link: str, path: Path, name: str | None, *, json: bool) -> int:
    """Register a key by a one-time link; a file that is there already keeps the accounts it holds."""
    origin, _, code = link.partition("/enrol/")
    if not origin or not code:
        raise WrongUsage(f"The link must be like http://localhost:8080/enrol/CODE; got {link!r}.")
    asked = {"code": code, "name": name}
    begun = post(f"{origin}/api/v1/enrolments/options", asked)
    response = answer(path, lambda key: key.create(begun["public_key"], origin), new=not path.exists())
    said = {**asked, "ceremony": begun["ceremony"], "response": response, "key_name": "Software key"}
    opened = post(f"{origin}/api/v1/enrolments", said)
    if json:
        print_json({"role": opened["role"], "actor": opened["actor"], "key": str(path)})
        return 0
    say(f"{path} is now a security key of {opened['actor']}, {opened['role']}.")
    say(LOUD)
    return 0


def answer(path: Path, answering: Answering, *, new: bool = False) -> dict[str, Any]:
    """What the key in a file answers. The key is written back first: its counter never shows a number twice."""
    key = SoftwareKey() if new else _load(path)
    response = answering(key)
    write_private(path, key.dump().decode())
    return response


def post(url: str, body: Mapping[str, Any] | None = None) -> Any:
    """The decoded answer to a POST of JSON that must succeed."""
    return orjson.loads(request("POST", url, None if body is None else orjson.dumps(body), {}))


def _load(path: Path) -> SoftwareKey:
    try:
        return SoftwareKey.load(read_input(str(path)))
    except (ValueError, KeyError, TypeError) as wrong:
        raise WrongUsage(f"{path} holds no security key of: idverify securitykey enrol") from wrong
