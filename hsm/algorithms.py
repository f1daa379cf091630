"""How each algorithm is made and used on a token: one row each, and nothing outside this table is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag

from hsm.keys import Algorithm

SECRET_BITS = 256
"""Size of every secret key."""

_P256 = bytes.fromhex("06082a8648ce3d030107")  # OBJECT IDENTIFIER prime256v1, RFC 5480 section 2.1.1.1
_ED25519 = bytes.fromhex("06032b6570")  # OBJECT IDENTIFIER id-Ed25519, RFC 8410 section 3
_ED25519_NAME = b"\x13\x0cedwards25519"  # PrintableString, PKCS#11 v3.0 section 2.3.10


@dataclass(frozen=True, slots=True)
class Scheme:
    """Key type, mechanisms and capabilities of one algorithm; `curves` are the EC_PARAMS it is known by."""

    key_type: KeyType
    generate: Mechanism
    use: Mechanism
    capabilities: MechanismFlag
    marks: Attribute  # the capability that tells two algorithms of one key type apart
    curves: tuple[bytes, ...] = ()


SCHEMES: dict[Algorithm, Scheme] = {
    Algorithm.ES256: Scheme(
        KeyType.EC,
        Mechanism.EC_KEY_PAIR_GEN,
        Mechanism.ECDSA,  # over a digest made here: SoftHSM 2.6 has no ECDSA_SHA256
        MechanismFlag.SIGN | MechanismFlag.VERIFY,
        Attribute.SIGN,
        (_P256,),
    ),
    Algorithm.EDDSA: Scheme(
        KeyType.EC_EDWARDS,
        Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
        Mechanism.EDDSA,
        MechanismFlag.SIGN | MechanismFlag.VERIFY,
        Attribute.SIGN,
        (_ED25519, _ED25519_NAME),
    ),
    Algorithm.A256KWP: Scheme(
        KeyType.AES,
        Mechanism.AES_KEY_GEN,
        Mechanism.AES_KEY_WRAP_PAD,
        MechanismFlag.WRAP | MechanismFlag.UNWRAP,
        Attribute.WRAP,
    ),
    Algorithm.A256GCM: Scheme(
        KeyType.AES,
        Mechanism.AES_KEY_GEN,
        Mechanism.AES_GCM,
        MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
        Attribute.ENCRYPT,
    ),
    Algorithm.HS256: Scheme(
        KeyType.GENERIC_SECRET,
        Mechanism.GENERIC_SECRET_KEY_GEN,
        Mechanism.SHA256_HMAC,
        MechanismFlag.SIGN | MechanismFlag.VERIFY,
        Attribute.SIGN,
    ),
}

RECOGNISED_BY = (
    Attribute.KEY_TYPE,
    Attribute.EC_PARAMS,
    Attribute.SIGN,
    Attribute.WRAP,
    Attribute.ENCRYPT,
)
"""The attributes of a private or secret key that `recognise` needs."""


def recognise(attributes: Mapping[Attribute, Any]) -> Algorithm | None:
    """The algorithm a key is for, None when it is none of ours."""
    for algorithm, scheme in SCHEMES.items():
        if (
            attributes.get(Attribute.KEY_TYPE) == scheme.key_type
            and attributes.get(scheme.marks)
            and (not scheme.curves or attributes.get(Attribute.EC_PARAMS) in scheme.curves)
        ):
            return algorithm
    return None
