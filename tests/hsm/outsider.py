"""Does to a token what somebody can who reaches the module and has no PIN, in a process of its own.

outsider.py MODULE TOKEN exchange LABEL POINT   put another public half (a P-256 point) in the place of this key's
outsider.py MODULE TOKEN remove LABEL           remove the public half of this key
outsider.py MODULE TOKEN double LABEL           copy the public half of this key
outsider.py MODULE TOKEN count VALUE            plant a data object that looks like the inventory's counter
outsider.py MODULE TOKEN look LABEL             print how many data objects of this label can be seen
"""

import sys

import pkcs11
from pkcs11 import Attribute, KeyType, ObjectClass, Session

P256 = bytes.fromhex("06082a8648ce3d030107")


def remove(session: Session, label: str) -> bytes:
    """The CKA_ID that it had."""
    (found,) = session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: label})
    identity: bytes = found[Attribute.ID]
    found.destroy()
    return identity


def exchange(session: Session, label: str, point: str) -> None:
    """Under the same id and label."""
    session.create_object(
        {
            Attribute.CLASS: ObjectClass.PUBLIC_KEY,
            Attribute.KEY_TYPE: KeyType.EC,
            Attribute.TOKEN: True,
            Attribute.PRIVATE: False,
            Attribute.ID: remove(session, label),
            Attribute.LABEL: label,
            Attribute.EC_PARAMS: P256,
            Attribute.EC_POINT: bytes.fromhex(point),
            Attribute.VERIFY: True,
        }
    )


def double(session: Session, label: str) -> None:
    """A second public half, of the same id."""
    (found,) = session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: label})
    found.copy({Attribute.LABEL: "double"})


def count(session: Session, value: str) -> None:
    """Public, for whoever has no PIN can make no other."""
    session.create_object(
        {
            Attribute.CLASS: ObjectClass.DATA,
            Attribute.LABEL: "inventory",
            Attribute.TOKEN: True,
            Attribute.PRIVATE: False,
            Attribute.VALUE: bytes.fromhex(value),
        }
    )


def look(session: Session, label: str) -> None:
    """Without logging in."""
    found = list(session.get_objects({Attribute.CLASS: ObjectClass.DATA, Attribute.LABEL: label}))
    sys.stdout.write(str(len(found)))


VERBS = {"exchange": exchange, "remove": remove, "count": count, "look": look, "double": double}

if __name__ == "__main__":
    module, token, verb, *arguments = sys.argv[1:]
    with pkcs11.lib(module).get_token(token_label=token).open(rw=True) as opened:
        VERBS[verb](opened, *arguments)
