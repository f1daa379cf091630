"""Reading what commands are given, and printing what they answer."""

from __future__ import annotations

import datetime as dt
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import orjson

from idverify.errors import IdverifyError
from idverify.formats.claims_json import as_json

MAX_INPUT = 16 * 1024 * 1024
SHA256_BYTES = 32
E = TypeVar("E", bound=StrEnum)


class WrongUsage(IdverifyError):
    """What was asked on the command line cannot be asked; the message says what can."""

    title = "The command was not understood"


class Refused(IdverifyError):
    """The service refused what was asked of it; the message says which address, its status, and its own sentence."""

    title = "The service refused it"


def read_input(name: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``. Raises ``WrongUsage``."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_INPUT)
        with Path(name).open("rb") as file:
            return file.read(MAX_INPUT)
    except OSError as error:
        raise WrongUsage(f"{name} cannot be read: {error.strerror}.") from error


def read_json(name: str, members: set[str]) -> dict[str, Any]:
    """A JSON object with at least these members. Raises ``WrongUsage``."""
    try:
        value = orjson.loads(read_input(name))
    except orjson.JSONDecodeError as error:
        raise WrongUsage(f"{name} is not JSON: {error}.") from error
    if not isinstance(value, dict) or not members <= value.keys():
        raise WrongUsage(f"{name} must be a JSON object with {', '.join(sorted(members))}.")
    return value


def one_of(kind: type[E], value: str, option: str) -> E:
    """The member of a closed list that an option names. Raises ``WrongUsage``."""
    try:
        return kind(value)
    except ValueError as error:
        raise WrongUsage(f"{option} must be one of: {', '.join(kind)}; got {value!r}.") from error


def moment(text: str, option: str) -> int:
    """A time in Unix seconds; one without a zone is in UTC. Raises ``WrongUsage``."""
    try:
        read = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUsage(f"{option} must be a time like 2026-05-03T12:00:00Z; got {text!r}.") from error
    return int((read if read.tzinfo else read.replace(tzinfo=dt.UTC)).timestamp())


def sha256_of(text: str, option: str) -> bytes:
    """A SHA-256 in hex, with colons or without. Raises ``WrongUsage``."""
    try:
        digest = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        digest = b""
    if len(digest) != SHA256_BYTES:
        raise WrongUsage(f"{option} must be 64 hex digits, the SHA-256 of a certificate; got {text[:80]!r}.")
    return digest


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
    sys.stdout.write(orjson.dumps(value, default=as_json, option=options).decode() + "\n")
    sys.stdout.flush()


def say(line: str = "") -> None:
    """One line for a person."""
    sys.stdout.write(printable(line) + "\n")
    sys.stdout.flush()


def printable(line: str) -> str:
    """The line without what would steer a terminal or turn text around: documents quote whoever forged them."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
