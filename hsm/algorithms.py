"""The one table of algorithms: each in every notation that it is written in, and nothing outside this table is.

JOSE name (the key of the row), COSE id, PKCS#11 key type and mechanisms, the hash made before the token is asked, how
a signature is encoded, and its AlgorithmIdentifier in X.509, CRLs and CMS. It is read on both sides of the socket, so
PKCS#11's constants stand here by name: the client never loads PKCS#11.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hsm.keys import Algorithm


class Purpose(StrEnum):
    """What a key of an algorithm does, by the attribute that says so; it tells apart two algorithms of one key type."""

    SIGN = "SIGN"
    WRAP = "WRAP"
    ENCRYPT = "ENCRYPT"


class Encoding(StrEnum):
    """How a signature is written; the same in JOSE, in COSE and on the token, save for ECDSA in X.509 and CMS."""

    R_AND_S = "r || s"  # RFC 7518 section 3.4, RFC 9053 section 2.1; X.509 has the DER of RFC 3279 section 2.2.3
    OCTETS = "octets"  # one string of bytes everywhere: RFC 8032, RFC 8017, FIPS 204


@dataclass(frozen=True, slots=True)
class Scheme:
    """One row. `uses` are in order of preference, for modules disagree about which of them is the standard's."""

    key_type: str  # CKK_
    generate: str  # CKM_
    uses: tuple[str, ...]  # CKM_
    purpose: Purpose
    cose: int | None  # IANA "COSE Algorithms"; None where the registry has none
    hash: str | None = None  # made in the worker; None when the token takes the message itself
    encoding: Encoding | None = None
    signature_size: int | None = None  # bytes
    x509: bytes | None = None  # AlgorithmIdentifier, DER
    curves: tuple[bytes, ...] = ()  # the CKA_EC_PARAMS by which modules know the curve, the one to ask for first
    parameter_set: int | None = None  # CKA_PARAMETER_SET
    bits: int | None = None  # of an RSA modulus or a secret; checked where a key is made


SCHEMES: Mapping[Algorithm, Scheme] = {
    Algorithm.ES256: Scheme(
        key_type="EC",
        generate="EC_KEY_PAIR_GEN",
        uses=("ECDSA",),  # over a digest made here: SoftHSM 2.6 has no ECDSA_SHA256
        purpose=Purpose.SIGN,
        cose=-7,
        hash="sha256",
        encoding=Encoding.R_AND_S,
        signature_size=64,
        x509=bytes.fromhex("300a06082a8648ce3d040302"),  # ecdsa-with-SHA256, RFC 5758 section 3.2
        curves=(bytes.fromhex("06082a8648ce3d030107"),),  # secp256r1, RFC 5480 section 2.1.1.1
    ),
    Algorithm.ES384: Scheme(
        key_type="EC",
        generate="EC_KEY_PAIR_GEN",
        uses=("ECDSA",),
        purpose=Purpose.SIGN,
        cose=-35,
        hash="sha384",
        encoding=Encoding.R_AND_S,
        signature_size=96,
        x509=bytes.fromhex("300a06082a8648ce3d040303"),  # ecdsa-with-SHA384, RFC 5758 section 3.2
        curves=(bytes.fromhex("06052b81040022"),),  # secp384r1, RFC 5480 section 2.1.1.1
    ),
    Algorithm.EDDSA: Scheme(
        key_type="EC_EDWARDS",
        generate="EC_EDWARDS_KEY_PAIR_GEN",
        uses=("EDDSA",),  # without parameters this is pure Ed25519
        purpose=Purpose.SIGN,
        cose=-8,
        encoding=Encoding.OCTETS,
        signature_size=64,
        x509=bytes.fromhex("300506032b6570"),  # id-Ed25519, RFC 8410 section 3
        curves=(
            bytes.fromhex("06032b6570"),
            b"\x13\x0cedwards25519",  # PrintableString, PKCS#11 v3.0 section 2.3.10
        ),
    ),
    Algorithm.PS256: Scheme(
        key_type="RSA",
        generate="RSA_PKCS_KEY_PAIR_GEN",
        uses=("RSA_PKCS_PSS",),  # over a digest made here, as long messages need not travel
        purpose=Purpose.SIGN,
        cose=-37,  # RFC 8230 section 2
        hash="sha256",
        encoding=Encoding.OCTETS,
        signature_size=384,
        # id-RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes, RFC 4055 section 3.1
        x509=bytes.fromhex(
            "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
            "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
        ),
        bits=3072,
    ),
    Algorithm.ML_DSA_44: Scheme(
        key_type="ML_DSA",  # PKCS#11 v3.2
        generate="ML_DSA_KEY_PAIR_GEN",
        uses=("ML_DSA",),  # without parameters: pure ML-DSA, hedged where the token can, an empty context
        purpose=Purpose.SIGN,
        cose=-48,
        encoding=Encoding.OCTETS,
        signature_size=2420,  # FIPS 204 table 2
        x509=bytes.fromhex("300b0609608648016503040311"),  # id-ml-dsa-44, RFC 9881 section 2
        parameter_set=1,
    ),
    Algorithm.ML_DSA_65: Scheme(
        key_type="ML_DSA",
        generate="ML_DSA_KEY_PAIR_GEN",
        uses=("ML_DSA",),
        purpose=Purpose.SIGN,
        cose=-49,
        encoding=Encoding.OCTETS,
        signature_size=3309,
        x509=bytes.fromhex("300b0609608648016503040312"),  # id-ml-dsa-65, RFC 9881 section 2
        parameter_set=2,
    ),
    Algorithm.A256KWP: Scheme(
        key_type="AES",
        generate="AES_KEY_GEN",
        # KWP is RFC 5649 by the standard. SoftHSM 2.6 has RFC 5649 under the older name, where NSS has another padding
        uses=("AES_KEY_WRAP_KWP", "AES_KEY_WRAP_PAD"),
        purpose=Purpose.WRAP,
        cose=None,
        bits=256,
    ),
    Algorithm.A256GCM: Scheme(
        key_type="AES",
        generate="AES_KEY_GEN",
        uses=("AES_GCM",),
        purpose=Purpose.ENCRYPT,
        cose=3,
        bits=256,
    ),
    Algorithm.HS256: Scheme(
        key_type="GENERIC_SECRET",
        generate="GENERIC_SECRET_KEY_GEN",
        uses=("SHA256_HMAC",),
        purpose=Purpose.SIGN,
        cose=5,
        bits=256,
    ),
}

SIGNING = tuple(algorithm for algorithm, scheme in SCHEMES.items() if scheme.encoding is not None)
"""The algorithms of key pairs, with which documents are signed."""


def mechanism_of(algorithm: Algorithm, listed: Iterable[str]) -> str | None:
    """The mechanism with which a module that lists these carries the algorithm out, None when it cannot."""
    there = frozenset(listed)
    return next((mechanism for mechanism in SCHEMES[algorithm].uses if mechanism in there), None)


def offered(listed: Iterable[str]) -> frozenset[Algorithm]:
    """The algorithms whose keys a module that lists these mechanisms can both make and use."""
    there = frozenset(listed)
    return frozenset(
        algorithm
        for algorithm, scheme in SCHEMES.items()
        if scheme.generate in there and mechanism_of(algorithm, there) is not None
    )
