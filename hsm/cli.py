"""`python -m hsm`: making tokens, and looking after them and their keys.

Exit codes: 0 holds, 1 does not hold, 2 could not tell, 64 wrong usage.
"""

import argparse
import asyncio
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from hsm import commands, key_commands, key_options, recovery_commands
from hsm.errors import HsmError, HsmInventoryRefused, HsmPolicy
from hsm.show import show

N = TypeVar("N", int, float)
HOLDS, DOES_NOT_HOLD, COULD_NOT_TELL, USAGE = 0, 1, 2, 64

_COMMANDS = {
    "init-token": commands.init,
    "probe": commands.probe,
    "bench": commands.bench,
    "recovery-key": recovery_commands.recovery_key,
    "recover": recovery_commands.recover,
    **key_commands.COMMANDS,
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not all(map(_is_text, given)):
        parser.error("expected arguments in UTF-8, got other bytes")
    chosen = parser.parse_args(given)
    try:
        holds, report = asyncio.run(_COMMANDS[chosen.command](chosen))
    except (HsmError, OSError) as error:
        return _failed(error, as_json=chosen.json)
    try:
        show(report, as_json=chosen.json)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has gone; what was done is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return COULD_NOT_TELL if holds is None else HOLDS if holds else DOES_NOT_HOLD


def _failed(error: HsmError | OSError, *, as_json: bool) -> int:
    """Say what went wrong, as a row where rows are asked for; its exit code."""
    kind, detail = type(error).__name__, str(error)
    if isinstance(error, OSError) and error.filename is not None:
        detail = f"Expected to use {error.filename}, got: {error.strerror}. Correct its name, or who may use it."
    if as_json:
        show([{"error": kind, "detail": detail}], as_json=True)
    sys.stderr.write(f"{kind}: {detail}\n")
    if isinstance(error, HsmPolicy):
        return USAGE
    return DOES_NOT_HOLD if isinstance(error, HsmInventoryRefused) else COULD_NOT_TELL


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="python -m hsm", description="Keys that never leave a PKCS#11 token."
    )
    verbs = parser.add_subparsers(dest="command", required=True)
    init = verbs.add_parser("init-token", help="make a token; PIN files are created with random PINs if missing")
    probe = verbs.add_parser("probe", help="sign and verify with every signing key, or the ones named")
    bench = verbs.add_parser("bench", help="compare with what the primitives cost, on a throw-away SoftHSM token")
    for named in (init, probe):
        _token_options(named)
    init.add_argument(
        "--so-pin-file", type=Path, help="security officer's PIN, one line, mode 0600; leave it out where there is none"
    )
    probe.add_argument("--key", action="append", type=_key_id, metavar="HEX", help="key id; may be repeated")
    bench.add_argument("--seconds", type=_positive(float), default=2.0, help="of load per algorithm (default 2)")
    bench.add_argument("--workers", type=_positive(int), default=2, help="signer processes (default 2)")
    bench.add_argument("--callers", type=_positive(int), default=128, help="concurrent callers (default 128)")
    bench.add_argument(
        "--soak",
        type=_positive(float),
        nargs="?",
        const=600.0,
        metavar="SECONDS",
        help="a long run instead: no worker may end, and memory must stay flat (default 600)",
    )
    bench.add_argument("--into", type=Path, metavar="PAGE", help="write the figures into this page, too")
    ways_back = recovery_commands.options(verbs, _token_options)
    for command in [init, probe, bench, *key_options.add(verbs, _token_options), *ways_back]:
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _is_text(argument: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in argument)


def _positive(kind: Callable[[str], N]) -> Callable[[str], N]:
    """The type of an option that is a finite number above zero."""

    def read(text: str) -> N:
        number = kind(text)
        if not 0 < number < math.inf:
            raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
        return number

    read.__name__ = "number"  # what argparse calls it where it is none
    return read


def _key_id(text: str) -> bytes:
    """The id of a key as `inventory` shows it."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a key's id in hexadecimal, as `python -m hsm inventory` shows it, got {text!r}"
        ) from None


def _token_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--module", type=Path, help="PKCS#11 module (default: SoftHSM's)")
    command.add_argument("--conf", type=Path, help="SoftHSM's configuration, for the processes started here alone")
    command.add_argument("--label", required=True, help="token label")
    command.add_argument("--serial", help="token serial, where two tokens share a label")
    command.add_argument("--pin-file", type=Path, required=True, help="user PIN, one line, mode 0600")
    command.add_argument(
        "--module-arguments", metavar="TEXT", help="handed to the module at initialisation (NSS: configdir='sql:DIR')"
    )
    command.add_argument(
        "--tells-no-origin",
        action="store_false",
        dest="tells_origin",
        help="of a module that never says where a key was made (NSS): use its keys all the same",
    )
