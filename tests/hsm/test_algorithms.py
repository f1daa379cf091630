"""The table of algorithms against what others say of the same names."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import algos
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from fido2.cose import CoseKey
from pkcs11 import KeyType, Mechanism
from pkcs11.mechanisms import MLDSAParameterSet

from hsm.algorithms import SCHEMES, SIGNING, mechanism_of, offered
from hsm.keys import Algorithm
from hsm.verify import CHECKS

from .test_signing import KEYS

SOFTHSM_HAS_NOT = {"ML_DSA", "ML_DSA_KEY_PAIR_GEN", "AES_KEY_WRAP_KWP"}


def test_every_algorithm_has_its_row() -> None:
    """The table is whole: one row each, and a check for each that signs."""
    assert set(SCHEMES) == set(Algorithm)
    assert set(SIGNING) == set(CHECKS)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_names_are_those_of_pkcs11(algorithm: Algorithm) -> None:
    """Key type and mechanisms stand in the table by the names that PKCS#11 has for them."""
    scheme = SCHEMES[algorithm]

    assert KeyType[scheme.key_type].name == scheme.key_type
    assert [Mechanism[name].name for name in (scheme.generate, *scheme.uses)] == [scheme.generate, *scheme.uses]
    if scheme.hash is not None:
        assert len(hashlib.new(scheme.hash, b"").digest()) in {32, 48}
    if scheme.parameter_set is not None:
        assert MLDSAParameterSet(scheme.parameter_set).name.replace("_", "-") == algorithm.value


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ES384, Algorithm.EDDSA, Algorithm.PS256])
def test_cose_ids_are_those_of_another_implementation(algorithm: Algorithm) -> None:
    """fido2 has the same algorithm under the same number."""
    cose = SCHEMES[algorithm].cose
    assert cose is not None

    assert CoseKey.for_alg(cose).__name__.upper() == algorithm.value.upper()


@pytest.mark.parametrize("algorithm", SIGNING)
def test_algorithm_identifiers_are_those_of_another_implementation(algorithm: Algorithm) -> None:
    """A certificate that `cryptography` signs with such a key names the algorithm in the same bytes."""
    certificate = _self_signed(algorithm)

    assert certificate.signature_algorithm_oid.dotted_string == _oid(algorithm)
    assert SCHEMES[algorithm].x509 in certificate.public_bytes(Encoding.DER)


def _oid(algorithm: Algorithm) -> str:
    """The object identifier at the head of the AlgorithmIdentifier."""
    identifier: Any = algos.AlgorithmIdentifier.load(SCHEMES[algorithm].x509)
    return str(identifier["algorithm"].dotted)


def _self_signed(algorithm: Algorithm) -> x509.Certificate:
    key = KEYS[algorithm]()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, algorithm.value)])
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = SCHEMES[algorithm].hash
    return x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1)).sign(
        key,
        {None: None, "sha256": hashes.SHA256(), "sha384": hashes.SHA384()}[made],
        rsa_padding=padding.PSS(padding.MGF1(hashes.SHA256()), 32) if algorithm is Algorithm.PS256 else None,
    )


def test_what_a_module_lists_says_what_it_offers() -> None:
    """Both mechanisms of an algorithm must be there, and of several the first in the table is used."""
    everything = {name for scheme in SCHEMES.values() for name in (scheme.generate, *scheme.uses)}

    assert offered(everything) == set(Algorithm)
    assert offered(everything - SOFTHSM_HAS_NOT) == set(Algorithm) - {Algorithm.ML_DSA_44, Algorithm.ML_DSA_65}
    assert offered(everything - {"EC_KEY_PAIR_GEN"}) == set(Algorithm) - {Algorithm.ES256, Algorithm.ES384}
    assert offered([]) == set()
    assert mechanism_of(Algorithm.A256KWP, everything) == "AES_KEY_WRAP_KWP"
    assert mechanism_of(Algorithm.A256KWP, everything - SOFTHSM_HAS_NOT) == "AES_KEY_WRAP_PAD"
    assert mechanism_of(Algorithm.EDDSA, ["ECDSA"]) is None


def test_the_documentation_has_the_same_table() -> None:
    """Row by row, so that nobody reads an encoding there which is not the one in use."""
    page = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()

    assert [line for line in page.splitlines() if line.startswith(tuple(f"| {name} |" for name in Algorithm))] == [
        _documented(algorithm) for algorithm in Algorithm
    ]


def _documented(algorithm: Algorithm) -> str:
    scheme = SCHEMES[algorithm]
    signature = f"{scheme.encoding}, {scheme.signature_size} bytes".replace("|", "\\|") if scheme.encoding else "-"
    cose = "-" if scheme.cose is None else str(scheme.cose)
    cells = (algorithm.value, cose, scheme.key_type, ", ".join(scheme.uses), scheme.hash or "-", signature)
    return f"| {' | '.join(cells)} |"
