"""``idverify api``: one call of the API, for whoever has no HTTP client at hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from idverify.cli.output import WrongUsage, print_json, read_input, say
from idverify.cli.request import request

Sender = Callable[[str, str, bytes | None], bytes]
"""Makes a call (method, address, body) as somebody, and gives the body of the answer."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call as the command line gives it. ``body`` is JSON, or ``@FILE``, or ``@-`` for standard input.

    A file may be a document, such as a letter or a photo, for what takes one.
    """

    method: str
    url: str
    body: str | None
    member: str | None


def run(call: ApiCall, send: Sender) -> int:
    """Make the call and print the answer: 0 done; ``Refused`` makes it 1, ``Unavailable`` 2."""
    _show(send(call.method.upper(), call.url, _body(call.body)), call.member)
    return 0


def as_program(key: Path | None) -> Sender:
    """A call with the API key in a file, or with none."""
    headers = {} if key is None else {"Authorization": f"Bearer {_key(key)}"}
    return lambda method, url, body: request(method, url, body, headers)


def _key(path: Path) -> str:
    key = read_input(str(path)).decode("ascii", "replace").strip()
    if not key.isascii() or not key.isprintable():
        raise WrongUsage(f"{path} must hold an API key (idv_...) and nothing else.")
    return key


def _body(given: str | None) -> bytes | None:
    if given is None:
        return None
    return read_input(given[1:]) if given.startswith("@") else given.encode()


def _show(answer: bytes, member: str | None) -> None:
    """JSON for people to read; anything else (certificates, lists, bundles) as it came."""
    try:
        value = orjson.loads(answer)
    except orjson.JSONDecodeError:
        if member is not None:
            raise WrongUsage("--member needs an answer that is JSON; this one is not.") from None
        sys.stdout.buffer.write(answer)
        sys.stdout.flush()
        return
    if member is None:
        print_json(value)
        return
    if not isinstance(value, dict) or member not in value:
        raise WrongUsage(f"The answer has no member {member!r}; without --member all of it is printed.")
    shown = value[member]
    say(shown if isinstance(shown, str) else orjson.dumps(shown).decode())
