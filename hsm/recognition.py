"""Which algorithm of the table a key of the token is for."""

from collections.abc import Mapping
from typing import Any

from pkcs11 import Attribute, KeyType

from hsm.algorithms import SCHEMES, Purpose, Scheme
from hsm.keys import Algorithm

_MAY = {
    Purpose.SIGN: frozenset({Attribute.SIGN}),
    Purpose.WRAP: frozenset({Attribute.WRAP, Attribute.UNWRAP}),
    Purpose.ENCRYPT: frozenset({Attribute.ENCRYPT, Attribute.DECRYPT}),
}
"""What a key may do for each purpose: one that may also decrypt opens as a secret what it wrapped as a key.

Of elliptic curves the other marks mean nothing, and many tokens set them.
"""

_MARKS = frozenset[Attribute]().union(*_MAY.values())

RECOGNISED_BY = (
    Attribute.KEY_TYPE,
    Attribute.EC_PARAMS,
    Attribute.PARAMETER_SET,
    Attribute.MODULUS,
    Attribute.VALUE_LEN,
    *sorted(_MARKS),
)
"""The attributes of a private or secret key that `recognise` needs."""


def recognise(attributes: Mapping[Attribute, Any]) -> Algorithm | None:
    """The algorithm a key is for, None when it is none of ours."""
    return next((algorithm for algorithm, scheme in SCHEMES.items() if _fits(scheme, attributes)), None)


def _fits(scheme: Scheme, attributes: Mapping[Attribute, Any]) -> bool:
    does = {mark for mark in _MARKS if attributes.get(mark)}
    return (
        attributes.get(Attribute.KEY_TYPE) == KeyType[scheme.key_type]
        and Attribute[scheme.purpose.value] in does
        and (bool(scheme.curves) or does <= _MAY[scheme.purpose])
        and (not scheme.curves or attributes.get(Attribute.EC_PARAMS) in scheme.curves)
        and (scheme.parameter_set is None or attributes.get(Attribute.PARAMETER_SET) == scheme.parameter_set)
        and (scheme.bits is None or _bits(attributes) == scheme.bits)
    )


def _bits(attributes: Mapping[Attribute, Any]) -> int:
    """Of an RSA modulus, or of a secret."""
    modulus: bytes = attributes.get(Attribute.MODULUS) or b""
    return int.from_bytes(modulus).bit_length() or 8 * int(attributes.get(Attribute.VALUE_LEN) or 0)
