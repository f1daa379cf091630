"""The program that measures what a signature costs at the least: the bare primitives, in one plain process.

It calls python-pkcs11 and `cryptography` directly, not our own functions, so that slow code of ours cannot raise
its own score.
"""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from pkcs11 import Attribute, Mechanism, ObjectClass

from hsm.child import Channel, answer_once, run
from hsm.keys import Algorithm
from hsm.token import open_token

_MESSAGE = bytes(128)
_WARM_UP = 50  # calls before the clock starts


def serve(channel: Channel, request: int, settings: dict[str, Any]) -> None:
    """Log in and say so; at the next frame, answer with the CPU seconds of one raw signature and one verification."""
    session = open_token(settings).session
    key = {Attribute.ID: bytes.fromhex(settings["key"])}
    (private,) = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, **key})
    (public,) = session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, **key})
    primitives = _PRIMITIVES[Algorithm(settings["algorithm"])]
    sign, verify = primitives(private, public[Attribute.EC_POINT])
    answer_once(channel, request, b"")
    for measure, *_ in channel.receive():
        answer_once(channel, measure, json.dumps(_costs(sign, verify, settings["seconds"])).encode())


def _costs(sign: Callable[[], object], verify: Callable[[], object], seconds: float) -> dict[str, float]:
    return {"sign": _cpu_of(sign, seconds), "verify": _cpu_of(verify, seconds)}


def _cpu_of(call: Callable[[], object], seconds: float) -> float:
    for _ in range(_WARM_UP):
        call()
    calls = 0
    end = time.monotonic() + seconds
    begin = time.process_time()
    while time.monotonic() < end:
        call()
        calls += 1
    return (time.process_time() - begin) / calls


def _es256(private: Any, point: bytes) -> tuple[Callable[[], object], Callable[[], object]]:
    digest = hashlib.sha256(_MESSAGE).digest()
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[-65:])
    given = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
    signature = private.sign(digest, mechanism=Mechanism.ECDSA)
    encoded = utils.encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    return (
        lambda: private.sign(digest, mechanism=Mechanism.ECDSA),
        lambda: public.verify(encoded, digest, given),
    )


def _eddsa(private: Any, point: bytes) -> tuple[Callable[[], object], Callable[[], object]]:
    public = ed25519.Ed25519PublicKey.from_public_bytes(point[-32:])
    signature = private.sign(_MESSAGE, mechanism=Mechanism.EDDSA)
    return (
        lambda: private.sign(_MESSAGE, mechanism=Mechanism.EDDSA),
        lambda: public.verify(signature, _MESSAGE),
    )


_PRIMITIVES = {Algorithm.ES256: _es256, Algorithm.EDDSA: _eddsa}

if __name__ == "__main__":
    run(serve)
