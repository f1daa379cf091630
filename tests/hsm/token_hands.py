"""Does to a token what an operator does with the vendor's tools, in a process of its own.

token_hands.py MODULE TOKEN PIN_FILE make ID LABEL       a key pair of this CKA_ID and label, though there be one
token_hands.py MODULE TOKEN PIN_FILE hinder ID LABEL     likewise, but one that may not do plain ECDSA
token_hands.py MODULE TOKEN PIN_FILE destroy ID [LABEL]  the key pairs of this CKA_ID, and of this label if given
"""

import struct
import sys
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, Session
from pkcs11.attributes import AttributeMapper

P256 = bytes.fromhex("06082a8648ce3d030107")


def make(session: Session, identity: bytes, label: str | None, **private: Any) -> None:
    """Make a P-256 key pair."""
    parameters = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: P256}, local=True)
    parameters.generate_keypair(id=identity, label=label, store=True, **private)


def hinder(session: Session, identity: bytes, label: str | None) -> None:
    """Make one whose only mechanism (CKA_ALLOWED_MECHANISMS) is another."""
    make(session, identity, label, private_template={Attribute.ALLOWED_MECHANISMS: Mechanism.ECDSA_SHA1})


def destroy(session: Session, identity: bytes, label: str | None) -> None:
    """Destroy both halves."""
    wanted = {Attribute.ID: identity} if label is None else {Attribute.ID: identity, Attribute.LABEL: label}
    for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
        for found in list(session.get_objects({Attribute.CLASS: kind, **wanted})):
            found.destroy()


def mapper() -> AttributeMapper:
    """One that can pack a list of a single mechanism: a CK_ULONG."""
    made = AttributeMapper()
    made.register_handler(Attribute.ALLOWED_MECHANISMS, lambda one: struct.pack("@L", one), lambda packed: packed)
    return made


VERBS = {"make": make, "hinder": hinder, "destroy": destroy}


def main(module: str, token: str, pin_file: str, verb: str, key: str, label: str | None = None) -> None:
    """Log in and carry out one verb."""
    pin = Path(pin_file).read_text().strip()
    found = pkcs11.lib(module).get_token(token_label=token)
    with found.open(rw=True, user_pin=pin, attribute_mapper=mapper()) as session:
        VERBS[verb](session, bytes.fromhex(key), label)


if __name__ == "__main__":
    main(*sys.argv[1:])
