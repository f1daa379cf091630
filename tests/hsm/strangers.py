"""A program for tests: puts keys on a token that must not be used. The PIN comes on standard input.

`python strangers.py MODULE LABEL imported|extractable|half NAME` prints the key's id.
"""

import sys

from cryptography.hazmat.primitives.asymmetric import ec
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, Session, lib

_P256 = bytes.fromhex("06082a8648ce3d030107")


def _imported(session: Session, name: str) -> bytes:
    """A key made outside, with the attributes of one that was not."""
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.private_numbers()
    public = numbers.public_numbers
    point = b"\x04\x41\x04" + public.x.to_bytes(32) + public.y.to_bytes(32)
    shared = {
        Attribute.KEY_TYPE: KeyType.EC,
        Attribute.TOKEN: True,
        Attribute.ID: b"imported",
        Attribute.LABEL: name,
        Attribute.EC_PARAMS: _P256,
    }
    session.create_object(
        {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.EC_POINT: point, Attribute.VERIFY: True, **shared}
    )
    session.create_object(
        {
            Attribute.CLASS: ObjectClass.PRIVATE_KEY,
            Attribute.VALUE: numbers.private_value.to_bytes(32),
            Attribute.SIGN: True,
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            **shared,
        }
    )
    return b"imported"


def _extractable(session: Session, name: str) -> bytes:
    """A key that may leave."""
    session.generate_key(
        KeyType.AES,
        256,
        id=b"leaves",
        label=name,
        store=True,
        capabilities=MechanismFlag.WRAP | MechanismFlag.UNWRAP,
        mechanism=Mechanism.AES_KEY_GEN,
        template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: True},
    )
    return b"leaves"


def _half(session: Session, name: str) -> bytes:
    """What is left when a generation is cut off before the key has its id."""
    session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: _P256}, local=True).generate_keypair(
        label=name, store=True, capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY
    )
    return b""


_KINDS = {"imported": _imported, "extractable": _extractable, "half": _half}

if __name__ == "__main__":
    module, label, kind, name = sys.argv[1:]
    token = lib(module).get_token(token_label=label)
    with token.open(rw=True, user_pin=sys.stdin.read().strip()) as session:
        sys.stdout.write(_KINDS[kind](session, name).hex())
