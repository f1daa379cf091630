"""Making a key that cannot leave the token, and checking that the token says so."""

import os
from typing import Any

from pkcs11 import Attribute, ObjectClass, Session

from hsm.algorithms import SCHEMES, SECRET_BITS, Scheme
from hsm.ckr import Fault
from hsm.frames import Status
from hsm.keyring import KeyRing
from hsm.keys import Algorithm, KeyInfo
from hsm.signing import key_id, public_key, spki_of

_STAYS_INSIDE = {
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
}


def generate(ring: KeyRing, algorithm: Algorithm, label: str) -> KeyInfo:
    """One new key, refused and destroyed unless it is local, always sensitive and never extractable."""
    scheme = SCHEMES[algorithm]
    if scheme.curves:
        made = _pair(ring.session, algorithm, scheme, label)
        kind = ObjectClass.PRIVATE_KEY
    else:
        made = [_secret(ring.session, scheme, label)]
        kind = ObjectClass.SECRET_KEY
    described = ring.describe(made[-1], kind)
    if described is None or not described.born_here:
        for found in made:
            found.destroy()
        raise Fault(
            Status.POLICY,
            f"Expected the token to make an {algorithm} key that is local, always sensitive and never extractable, "
            f"got {described}. It was destroyed; do not issue with this token.",
        )
    return described


def _pair(session: Session, algorithm: Algorithm, scheme: Scheme, label: str) -> list[Any]:
    parameters = session.create_domain_parameters(scheme.key_type, {Attribute.EC_PARAMS: scheme.curves[0]}, local=True)
    public, private = parameters.generate_keypair(
        label=label,
        store=True,
        capabilities=scheme.capabilities,
        mechanism=scheme.generate,
        private_template=_STAYS_INSIDE,
    )
    identity = key_id(spki_of(public_key(algorithm, public[Attribute.EC_POINT])))
    public[Attribute.ID] = identity
    private[Attribute.ID] = identity
    return [public, private]


def _secret(session: Session, scheme: Scheme, label: str) -> Any:
    return session.generate_key(
        scheme.key_type,
        SECRET_BITS,
        id=os.urandom(8),
        label=label,
        store=True,
        capabilities=scheme.capabilities,
        mechanism=scheme.generate,
        template=_STAYS_INSIDE,
    )
