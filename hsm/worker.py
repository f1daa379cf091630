"""The signer process: the only program that uses keys. Started by `hsm.link`, one thread, one token.

It answers requests in the order in which they come, every frame that has arrived before the next read, and
several answers per write. It never logs: what goes wrong travels in the answer.
"""

import json
import time
from typing import Any

from pkcs11 import PKCS11Error

from hsm.child import Channel, answer_once, run
from hsm.ckr import Fault, fault_of
from hsm.frames import Frame, Op, Status, encode
from hsm.keyring import KeyRing
from hsm.operations import OPERATIONS
from hsm.token import open_token

_ANSWERS_PER_WRITE = 16  # few system calls, yet a long queue does not leave the client idle
_WRITE_EVERY = 0.1  # seconds, so that a slow token is not taken for a hung worker


def serve(channel: Channel, request: int, settings: dict[str, Any]) -> None:
    """Log in, say so, then answer until the parent closes the socket."""
    opened = open_token(settings)
    try:
        ring = KeyRing(opened.session)
    except PKCS11Error as error:
        raise fault_of(Op.CONFIGURE, error) from error
    answer_once(channel, request, json.dumps({"pin_count_low": opened.pin_count_low}).encode())
    while frames := channel.receive():
        answers: list[bytes] = []
        due = time.monotonic() + _WRITE_EVERY
        for frame in frames:
            answers.append(_answer(ring, frame))
            if len(answers) >= _ANSWERS_PER_WRITE or time.monotonic() >= due:
                channel.send(answers)
                answers.clear()
                due = time.monotonic() + _WRITE_EVERY
        if answers:
            channel.send(answers)


def _answer(ring: KeyRing, frame: Frame) -> bytes:
    request, op, key, body = frame
    try:
        return encode(request, Status.OK, b"", OPERATIONS[op](ring, key, body))
    except PKCS11Error as error:
        fault = fault_of(Op(op), error)
    except Fault as raised:
        fault = raised
    return encode(request, fault.status, b"", fault.sentence.encode())


if __name__ == "__main__":
    run(serve)
