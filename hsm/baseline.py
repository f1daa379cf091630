"""The program that measures what an operation costs at the least: the bare primitives, in one plain process.

It calls python-pkcs11 and `cryptography` directly, not our own functions, so that slow code of ours cannot raise
its own score.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, Session

from hsm.child import Channel, answer_once, run
from hsm.cost import cpu_of, wall_of
from hsm.keys import Algorithm
from hsm.token import open_token

_MESSAGE = bytes(128)
_SECRET = bytes(32)


def serve(channel: Channel, request: int, settings: dict[str, Any]) -> None:
    """Log in and say so; at the next frame, answer with the seconds of each of the algorithm's raw calls.

    They are CPU seconds, or those of the clock where `clock` is "wall".
    """
    session = open_token(settings).session
    calls = _PRIMITIVES[Algorithm(settings["algorithm"])](session, bytes.fromhex(settings["key"]))
    answer_once(channel, request, b"")
    for measure, *_ in channel.receive():
        taken = wall_of if settings.get("clock") == "wall" else cpu_of
        costs = [taken(call, settings["seconds"]) for call in calls]
        answer_once(channel, measure, json.dumps(costs).encode())


Calls = tuple[Callable[[], object], ...]


def _pair(session: Session, key: bytes) -> tuple[Any, bytes]:
    """A private key's handle, and the public key's CKA_EC_POINT."""
    (private,) = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key})
    (public,) = session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: key})
    return private, public[Attribute.EC_POINT]


def _es256(session: Session, key: bytes) -> Calls:
    private, point = _pair(session, key)
    digest = hashlib.sha256(_MESSAGE).digest()
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[-65:])
    given = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
    signature = private.sign(digest, mechanism=Mechanism.ECDSA)
    encoded = utils.encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    return (
        lambda: private.sign(digest, mechanism=Mechanism.ECDSA),
        lambda: public.verify(encoded, digest, given),
    )


def _eddsa(session: Session, key: bytes) -> Calls:
    private, point = _pair(session, key)
    public = ed25519.Ed25519PublicKey.from_public_bytes(point[-32:])
    signature = private.sign(_MESSAGE, mechanism=Mechanism.EDDSA)
    return (
        lambda: private.sign(_MESSAGE, mechanism=Mechanism.EDDSA),
        lambda: public.verify(signature, _MESSAGE),
    )


def _a256kwp(session: Session, key: bytes) -> Calls:
    passing = {Attribute.TOKEN: False, Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True}
    kind, mechanism = KeyType.GENERIC_SECRET, Mechanism.AES_KEY_WRAP_PAD
    (wrapping,) = session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.ID: key})
    secret: Any = session.create_object(
        {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: kind, Attribute.VALUE: _SECRET, **passing}
    )
    unwrapping: Any = wrapping
    wrapped = unwrapping.wrap_key(secret, mechanism=mechanism)

    def unwrap() -> None:
        opened = unwrapping.unwrap_key(
            ObjectClass.SECRET_KEY, kind, wrapped, mechanism=mechanism, capabilities=0, template=passing
        )
        _ = opened[Attribute.VALUE]
        opened.destroy()

    return (unwrap,)


_PRIMITIVES: dict[Algorithm, Callable[[Session, bytes], Calls]] = {
    Algorithm.ES256: _es256,  # a signature and its verification
    Algorithm.EDDSA: _eddsa,  # likewise
    Algorithm.A256KWP: _a256kwp,  # an unwrapping
}

if __name__ == "__main__":
    run(serve)
