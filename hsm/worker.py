"""The signer process: the only program that uses keys. Started by `hsm.link`, one token, one thread unless told more.

It answers requests in the order in which they come, every frame that has arrived before the next read, and
several answers per write. With several sessions each has a thread (`hsm.lanes`) and answers come in any order. It
never logs: what goes wrong travels in the answer.
"""

import faulthandler
import os
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from pkcs11 import PKCS11Error

from hsm.child import Channel, answer_once, run
from hsm.ckr import Fault, fault_of
from hsm.frames import ANSWERS_PER_WRITE, Frame, Op, Status, encode
from hsm.interface import Interface
from hsm.keyring import KeyRing
from hsm.lanes import Lanes, agree
from hsm.operations import OPERATIONS, Operation
from hsm.token import OpenToken, open_token

_WRITE_EVERY = 0.006  # seconds: more than a fast token takes for that many, and a slow one answers at once
_NICE = 5  # the asking process goes first: an answer is of no use, and no new work comes, before it has read it


def serve(
    channel: Channel, request: int, settings: dict[str, Any], *, operations: Mapping[int, Operation] = OPERATIONS
) -> None:
    """Log in, say so, then answer until the parent closes the socket."""
    opened = open_token(settings)
    interface = Interface.of(settings["module"], opened.session)
    try:
        rings = [KeyRing(session, interface, tells_origin=settings["tells_origin"]) for session in opened.sessions]
        rings = _those_that_agree(opened, rings)
        greeting = opened.greeting(len(rings))
    except PKCS11Error as error:
        raise fault_of(Op.CONFIGURE, error) from error
    answer_once(channel, request, greeting)
    os.nice(_NICE)
    answer = partial(_answer, operations)
    if len(rings) > 1:
        Lanes(channel, rings, answer).serve()
        return
    ring = rings[0]
    while frames := channel.receive():
        answers: list[bytes] = []
        due = time.monotonic() + _WRITE_EVERY
        for frame in frames:
            answers.append(answer(ring, frame))
            if len(answers) >= ANSWERS_PER_WRITE or time.monotonic() >= due:
                channel.send(answers)
                answers.clear()
                due = time.monotonic() + _WRITE_EVERY
        if answers:
            channel.send(answers)


def _those_that_agree(opened: OpenToken, rings: list[KeyRing]) -> list[KeyRing]:
    """All of them if the module passes the test of its locking, the first alone if it does not."""
    if len(rings) == 1:
        return rings
    faulthandler.enable()  # a module that crashes in the test leaves its name on standard error: lines, no values
    passed = agree(opened.sessions, rings)
    faulthandler.disable()
    return rings if passed else rings[:1]


def _answer(operations: Mapping[int, Operation], ring: KeyRing, frame: Frame) -> bytes:
    request, op, key, body = frame
    try:
        return encode(request, Status.OK, b"", operations[op](ring, key, body))
    except PKCS11Error as error:
        fault = fault_of(Op(op), error)
    except Fault as raised:
        fault = raised
    return encode(request, fault.status, b"", fault.sentence.encode())


if __name__ == "__main__":
    run(serve)
