"""What is no key of ours: weaker than its name says, or for more than one purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pkcs11 import Attribute, KeyType

from hsm import Algorithm
from hsm.algorithms import SCHEMES
from hsm.recognition import recognise

RSA = {Attribute.KEY_TYPE: KeyType.RSA, Attribute.SIGN: True, Attribute.MODULUS: b"\x80" + bytes(383)}
WRAPPING = {Attribute.KEY_TYPE: KeyType.AES, Attribute.WRAP: True, Attribute.UNWRAP: True, Attribute.VALUE_LEN: 32}
SEALING = {Attribute.KEY_TYPE: KeyType.AES, Attribute.ENCRYPT: True, Attribute.DECRYPT: True, Attribute.VALUE_LEN: 32}
CODE = {Attribute.KEY_TYPE: KeyType.GENERIC_SECRET, Attribute.SIGN: True, Attribute.VALUE_LEN: 32}
CURVE = {
    Attribute.KEY_TYPE: KeyType.EC,
    Attribute.SIGN: True,
    Attribute.EC_PARAMS: SCHEMES[Algorithm.ES256].curves[0],
}


LATTICE = {Attribute.KEY_TYPE: KeyType.ML_DSA, Attribute.SIGN: True, Attribute.PARAMETER_SET: 1}


@pytest.mark.parametrize(
    ("attributes", "algorithm"),
    [
        (RSA, Algorithm.PS256),
        (WRAPPING, Algorithm.A256KWP),
        (SEALING, Algorithm.A256GCM),
        (CODE, Algorithm.HS256),
        (CURVE, Algorithm.ES256),
        (LATTICE, Algorithm.ML_DSA_44),
        ({**LATTICE, Attribute.PARAMETER_SET: 2}, Algorithm.ML_DSA_65),
        ({**CURVE, Attribute.DECRYPT: True, Attribute.UNWRAP: True}, Algorithm.ES256),
    ],
)
def test_ours(attributes: Mapping[Attribute, Any], algorithm: Algorithm) -> None:
    """As they are generated here; on a curve nothing can be encrypted, whatever the token says."""
    assert recognise(attributes) is algorithm


@pytest.mark.parametrize(
    "attributes",
    [
        {**RSA, Attribute.MODULUS: b"\x80" + bytes(127)},
        {**RSA, Attribute.MODULUS: b"\x00" * 256 + b"\x80" + bytes(127)},
        {**RSA, Attribute.MODULUS: b"\x80" + bytes(511)},
        {**RSA, Attribute.DECRYPT: True},
        {**RSA, Attribute.UNWRAP: True},
        {**WRAPPING, Attribute.VALUE_LEN: 16},
        {**WRAPPING, Attribute.DECRYPT: True},
        {**WRAPPING, Attribute.ENCRYPT: True},
        {**SEALING, Attribute.VALUE_LEN: 16},
        {**SEALING, Attribute.UNWRAP: True},
        {**CODE, Attribute.VALUE_LEN: 8},
        {**CODE, Attribute.DECRYPT: True},
        {**CURVE, Attribute.EC_PARAMS: bytes.fromhex("06052b8104000a")},
        {**CURVE, Attribute.SIGN: False},
        {**LATTICE, Attribute.PARAMETER_SET: 3},
        {},
    ],
)
def test_none_of_ours(attributes: Mapping[Attribute, Any]) -> None:
    """Shorter, longer, for two purposes, on another curve, for nothing."""
    assert recognise(attributes) is None
