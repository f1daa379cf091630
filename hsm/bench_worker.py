"""A signer process for benchmarks: the worker itself, but SIGN does what its key's id says.

NOOP          answer with the message, which costs what frames cost
SLOW          answer after `LATENCY` seconds, as a network HSM
anything else sign on the token and do not verify
"""

import hashlib
import time
from functools import partial
from typing import Any

from pkcs11 import Attribute, Mechanism, ObjectClass

from hsm.child import run
from hsm.frames import Op
from hsm.keyring import KeyRing
from hsm.operations import OPERATIONS
from hsm.process import LATENCY, NOOP, SLOW
from hsm.worker import serve

_held: dict[tuple[int, bytes], Any] = {}


def _sign(ring: KeyRing, key: bytes, message: bytes) -> bytes:
    if key == NOOP:
        return message
    if key == SLOW:
        time.sleep(LATENCY)
        return message
    private: Any = _held.get((id(ring), key))
    if private is None:
        (private,) = ring.session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key})
        _held[id(ring), key] = private
    signature: bytes = private.sign(hashlib.sha256(message).digest(), mechanism=Mechanism.ECDSA)
    return signature


if __name__ == "__main__":
    run(partial(serve, operations={**OPERATIONS, Op.SIGN: _sign}))
