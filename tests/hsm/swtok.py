"""Runs inside a mount and IPC namespace of its own: opencryptoki's software token, which locks after three wrong PINs.

The daemon `pkcsslotd` and the token's files have fixed places, so places of our own are mounted over them: nothing of
the machine's is touched, and all is gone with the namespace. Prints what each attempt led to, as JSON.
"""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pkcs11

from hsm import Hsm, HsmError, TokenConfig, init_token
from hsm.pins import create_pin, read_pin

LABEL = "lockout"
_FACTORY_SO_PIN = "87654321"
_PIN, _WRONG = "48151623", ("00000000", "11111111", "22222222", "33333333")  # one that was refused is not tried again
_SOCKET = Path("/run/pkcsslotd.socket")


async def attempts(module: Path, directory: Path) -> list[dict[str, str]]:
    """The right PIN between wrong ones, up to the last try and then beyond it with another program."""
    pin, *wrong = [directory / value for value in (_PIN, *_WRONG[:3])]
    for path in (pin, *wrong):
        create_pin(path).write_text(path.name)
    await init_token(module, LABEL, _FACTORY_SO_PIN, read_pin(pin), None)
    right = TokenConfig(module, LABEL, None, pin)
    told = [
        await attempt(token)
        for token in (
            right,
            replace(right, pin_file=wrong[0]),
            right,
            replace(right, pin_file=wrong[1]),
            replace(right, pin_file=wrong[2], workers=3),
            right,
        )
    ]
    another = await asyncio.create_subprocess_exec(sys.executable, __file__, str(module))  # spends the last try
    assert await another.wait() == 0
    told.append(await attempt(right))
    return told


async def attempt(token: TokenConfig) -> dict[str, str]:
    """What opening the token with this PIN file leads to."""
    try:
        async with Hsm(token) as hsm:
            await hsm.random(8)
            return {"outcome": "opened", "detail": "count low" if hsm.health().pin_count_low else ""}
    except HsmError as error:
        return {"outcome": type(error).__name__, "detail": str(error)}


def spend_the_last_try(module: str) -> None:
    """As a program would that does not look at the flags."""
    try:
        pkcs11.lib(module).get_token(token_label=LABEL).open(user_pin=_WRONG[3])
    except pkcs11.exceptions.PKCS11Error:
        return
    raise AssertionError("Expected the wrong PIN to be refused.")


def main(module: Path, directory: Path) -> None:
    """Start the daemon, make the attempts, end the daemon."""
    with subprocess.Popen(["pkcsslotd", "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            while not _SOCKET.exists() and daemon.poll() is None:
                time.sleep(0.02)
            told = asyncio.run(attempts(module, directory))
        finally:
            daemon.terminate()
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    if len(sys.argv) == 2:
        spend_the_last_try(sys.argv[1])
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
