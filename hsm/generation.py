"""Making a key that cannot leave the token, and checking that the token says so."""

import os
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, Session

from hsm.algorithms import SCHEMES, Purpose, Scheme
from hsm.ckr import Fault
from hsm.frames import Status
from hsm.keyring import KeyRing
from hsm.keys import Algorithm, KeyInfo
from hsm.signing import public_key
from hsm.verify import key_id, spki_of

_STAYS_INSIDE = {
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
}


_CAPABILITIES = {
    Purpose.SIGN: MechanismFlag.SIGN | MechanismFlag.VERIFY,
    Purpose.WRAP: MechanismFlag.WRAP | MechanismFlag.UNWRAP,
    Purpose.ENCRYPT: MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
}


def generate(ring: KeyRing, algorithm: Algorithm, label: str) -> KeyInfo:
    """One new key, refused and destroyed unless it is local, always sensitive and never extractable.

    Of a token that does not tell where its keys were made, `local` is not asked: this one was made in it just now.
    """
    scheme = SCHEMES[algorithm]
    ring.mechanism(algorithm)  # a key that this token could not use is not made
    if scheme.generate not in ring.listed:
        raise Fault(
            Status.POLICY,
            f"Expected a token that lists CKM_{scheme.generate} for {algorithm}, got one that does not. "
            "Choose an algorithm that docs/providers.md has for it.",
        )
    if scheme.encoding is not None:
        made = _pair(ring.session, algorithm, scheme, label)
        kind = ObjectClass.PRIVATE_KEY
    else:
        made = [_secret(ring.session, scheme, label)]
        kind = ObjectClass.SECRET_KEY
    described = ring.describe(made[-1], kind)
    if described is None or not (described.born_here or (not ring.tells_origin and described.stays_inside)):
        for found in made:
            found.destroy()
        raise Fault(
            Status.POLICY,
            f"Expected the token to make an {algorithm} key that is local, always sensitive and never extractable, "
            f"got {described}. It was destroyed; do not issue with this token.",
        )
    return described


def _pair(session: Session, algorithm: Algorithm, scheme: Scheme, label: str) -> list[Any]:
    key_type = KeyType[scheme.key_type]
    common: dict[str, Any] = {
        "label": label,
        "store": True,
        "capabilities": _CAPABILITIES[scheme.purpose],
        "mechanism": Mechanism[scheme.generate],
        "private_template": _STAYS_INSIDE,
    }
    if scheme.curves:
        curve = session.create_domain_parameters(key_type, {Attribute.EC_PARAMS: scheme.curves[0]}, local=True)
        public, private = curve.generate_keypair(**common)
    elif scheme.parameter_set is not None:
        chosen = {Attribute.PARAMETER_SET: scheme.parameter_set}
        public, private = session.generate_keypair(key_type, public_template=chosen, **common)
    else:
        public, private = session.generate_keypair(key_type, scheme.bits, **common)
    identity = key_id(spki_of(public_key(algorithm, public)))
    public[Attribute.ID] = identity
    private[Attribute.ID] = identity
    return [public, private]


def _secret(session: Session, scheme: Scheme, label: str) -> Any:
    return session.generate_key(
        KeyType[scheme.key_type],
        scheme.bits,
        id=os.urandom(8),
        label=label,
        store=True,
        capabilities=_CAPABILITIES[scheme.purpose],
        mechanism=Mechanism[scheme.generate],
        template=_STAYS_INSIDE,
    )
