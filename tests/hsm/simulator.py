"""A signer process without a token: the same frames, and faults by order or by lot.

By order, the message to sign says what becomes of it:

    crash            end without an answer
    crash once PATH  likewise, unless PATH exists, which it makes first
    hang             never answer
    slow             answer late
    network          answer after 10 ms, as a network HSM
    twice            answer two times
    garbage          answer with bytes that are no frame
    ckr NAME         answer as the real worker does when python-pkcs11 raises this exception
    status N         answer with that status
    slowly N         answer late with that status
    anything else    answer with the message

So does the label of a key that is to be made.

By lot, each message has a fate that follows from the seed, the message, and how often workers have been sent it: the
file `label` says so, for no worker outlives its faults. The same seed gives every message the same fates.

The label of its token is a file that gets a line per start and per message that it was sent. A PIN of "wrong" is
refused, "locked" is a PIN that the token has locked, one of "dying" is accepted by a worker that then ends, and one of
"seed N SHARE" gives that share of messages a fate other than an answer.
"""

import hashlib
import json
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pkcs11 import exceptions

from hsm.child import Channel, answer_once, run
from hsm.ckr import Fault, fault_of
from hsm.frames import Frame, Op, Status, encode

DELAYS = {"hang": 3600, "slow": 0.2, "slowly": 0.4, "network": 0.01}
"""Seconds."""

ALTERED = frozenset({"garbage", "ckr", "status", "slowly"})
"""Orders by which the answer is not the message."""

FATES = (
    "crash",
    "crash after",
    "ckr SessionHandleInvalid",
    "ckr ObjectHandleInvalid",
    "twice",
    "network",
    "ckr DataInvalid",
)
"""What may become of a message by lot; the second to last of them are answered all the same."""


def serve(channel: Channel, request: int, settings: dict[str, Any]) -> None:
    """Log in, then answer or not, as it is told."""
    journal, pin = Path(settings["label"]), settings["pin"]
    _note(journal, "start")
    if pin == "wrong":
        raise Fault(Status.PIN_REFUSED, "Expected the right PIN, got another.")
    if pin == "locked":
        raise fault_of(Op.CONFIGURE, exceptions.PinLocked())
    answer_once(channel, request, b'{"serial": "simulated", "pin_count_low": false, "sessions": 1}')
    if pin == "dying":
        return
    draw = _lot(journal, pin) if pin.startswith("seed ") else None
    while frames := channel.receive():
        for frame in frames:
            _answer(channel, frame, draw)


Draw = Callable[[bytes], bytes]
"""The fate of a message that has just been sent."""


def _lot(journal: Path, pin: str) -> Draw:
    _, seed, share = pin.split()

    def draw(message: bytes) -> bytes:
        sends = journal.read_text().splitlines().count(f"sent {message.hex()}")
        _note(journal, f"sent {message.hex()}")
        lot = hashlib.sha256(b"%s %d %b" % (seed.encode(), sends, message)).digest()
        if lot[0] >= 256 * float(share):
            return message
        return FATES[lot[1] % len(FATES)].encode()

    return draw


def _note(journal: Path, line: str) -> None:
    with journal.open("a") as file:
        file.write(f"{line}\n")


def _answer(channel: Channel, frame: Frame, draw: Draw | None) -> None:
    request, op, _, message = frame
    if op == Op.GENERATE:
        message = json.loads(message)["label"].encode()
    order = message if draw is None else draw(message)
    verb, _, argument = order.decode(errors="replace").partition(" ")
    answer = encode(request, Status.OK, b"", message)
    if verb == "crash":
        _crash(channel, argument, answer)
    time.sleep(DELAYS.get(verb, 0))
    channel.send([_altered(verb, argument, frame)] if verb in ALTERED else [answer])
    if verb == "twice":
        channel.send([answer])


def _crash(channel: Channel, when: str, answer: bytes) -> None:
    """End the process, unless it was to be once and that is over."""
    if when == "after":
        channel.send([answer])
    if when.startswith("once "):
        marker = Path(when.removeprefix("once "))
        if marker.exists():
            return
        marker.touch()
    os._exit(1)


def _altered(verb: str, argument: str, frame: Frame) -> bytes:
    """What comes in place of the answer."""
    request, op, _, _ = frame
    if verb == "garbage":
        return struct.pack("!IQBB", 0xFFFFFFFF, request, 0, 0)
    if verb == "ckr":
        fault = fault_of(Op(op), getattr(exceptions, argument)())
        return encode(request, fault.status, b"", fault.sentence.encode())
    return encode(request, int(argument), b"", b"as asked")


if __name__ == "__main__":
    run(serve)
