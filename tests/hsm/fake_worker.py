"""Speaks a signer process's frames and does as the message to sign says, faults included.

    crash            end without an answer
    crash once PATH  likewise, unless PATH exists, which it makes first
    hang             never answer
    slow             answer late
    twice            answer two times
    garbage          answer with bytes that are no frame
    status N         answer with that status
    anything else    answer with the message

The label of its token is a file that gets a line per start; a PIN of "wrong" is refused, one of
"dying" is accepted by a worker that then ends.
"""

import os
import struct
import time
from pathlib import Path
from typing import Any

from hsm.child import Channel, answer_once, run
from hsm.ckr import Fault
from hsm.frames import Frame, Op, Status, encode

SLOW = 0.2  # seconds


def serve(channel: Channel, request: int, settings: dict[str, Any]) -> None:
    """Log in, then misbehave on request."""
    with Path(settings["label"]).open("a") as starts:
        starts.write("start\n")
    if settings["pin"] == "wrong":
        raise Fault(Status.PIN_REFUSED, "Expected the right PIN, got another.")
    answer_once(channel, request, b'{"pin_count_low": false, "sessions": 1}')
    if settings["pin"] == "dying":
        return
    while frames := channel.receive():
        for frame in frames:
            _answer(channel, frame)


def _answer(channel: Channel, frame: Frame) -> None:
    request, op, _, message = frame
    if op == Op.GENERATE:
        os._exit(1)
    verb, _, argument = message.decode(errors="replace").partition(" ")
    answers = [encode(request, Status.OK, b"", message)]
    if verb == "crash":
        marker = Path(argument.removeprefix("once ")) if argument else None
        if marker is None or not marker.exists():
            if marker is not None:
                marker.touch()
            os._exit(1)
    elif verb == "hang":
        time.sleep(3600)
    elif verb == "slow":
        time.sleep(SLOW)
    elif verb == "twice":
        answers *= 2
    elif verb == "garbage":
        answers = [struct.pack("!IQBB", 0xFFFFFFFF, request, 0, 0)]
    elif verb == "status":
        answers = [encode(request, int(argument), b"", b"as asked")]
    channel.send(answers)


if __name__ == "__main__":
    run(serve)
