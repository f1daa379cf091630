"""Time stamps (RFC 3161, RFC 5816) by a key of the token, with any algorithm of the table.

    answer = await stamped(entry, query, "1.3.6.1.4.1.32473.1", at, sign)

The key needs a certificate that is for time stamps alone: `python -m hsm certify --issue ... --time-stamping`.
"""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import new as digest_by
from hashlib import sha256
from typing import Any, Final

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509

from hsm.algorithms import SCHEMES
from hsm.entries import Entry
from hsm.errors import HsmPolicy
from hsm.keys import Algorithm
from hsm.stand_in import Sign
from hsm.verify import x509_signature
from hsm.x509 import STAMPING, certificate_of

QUERY_MAX: Final = 4 * 1024
"""Bytes of a request."""

NONCE_BITS_MAX: Final = 512
STAMPED: Final[Mapping[str, int]] = {"sha256": 32, "sha384": 48, "sha512": 64}
"""The digests that are stamped, and their sizes in bytes."""

_SERIAL_SIZE: Final = 16  # bytes, drawn: no list of those that were given out must be kept
_OF_A_MESSAGE: Final = "sha512"  # where the signature has no hash: RFC 8419 section 3.1, RFC 9882 section 3.3
_MALFORMED: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)


async def stamped(authority: Entry, query: bytes, policy: str, at: int, sign: Sign) -> bytes:
    """The answer to a TimeStampReq, both DER: its digest was there `at` this Unix second, by this policy (an OID).

    The clock is whoever's asks. `HsmPolicy` where the key is not certified for it, and where a request asks for what
    is not given; whoever serves strangers answers that with a PKIFailureInfo.
    """
    certificate = _stamping(authority, at)
    asked = _read(query, policy)
    said = {
        "version": "v1",
        "policy": policy,
        "message_imprint": asked["message_imprint"],
        "serial_number": int.from_bytes(os.urandom(_SERIAL_SIZE)),
        "gen_time": datetime.fromtimestamp(at, UTC),
    }
    if asked["nonce"].native is not None:
        said["nonce"] = asked["nonce"].native
    info = tsp.TSTInfo(said).dump()
    signed = await _signed(authority.algorithm, info, asn1_x509.Certificate.load(certificate), sign)
    if not asked["cert_req"].native:
        del signed["certificates"]
    token = {"content_type": "signed_data", "content": cms.SignedData(signed)}
    return bytes(tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump())


async def _signed(algorithm: Algorithm, info: bytes, certificate: asn1_x509.Certificate, sign: Sign) -> dict[str, Any]:
    """SignedData (RFC 5652 section 5.1) over a TSTInfo; its attributes name the certificate (RFC 5816)."""
    scheme = SCHEMES[algorithm]
    digest = scheme.hash or _OF_A_MESSAGE
    written = algos.DigestAlgorithm.load(_algorithm(digest))
    named = tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2({"cert_hash": sha256(certificate.dump()).digest()})]})
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "message_digest", "values": [digest_by(digest, info).digest()]},
            {"type": "signing_certificate_v2", "values": [named]},
        ]
    )
    issuer = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
    signer = {
        "version": "v1",
        "sid": {"issuer_and_serial_number": issuer},
        "digest_algorithm": written,
        "signed_attrs": attributes,
        "signature_algorithm": algos.SignedDigestAlgorithm.load(scheme.x509),
        "signature": x509_signature(algorithm, await sign(attributes.dump())),
    }
    return {
        "version": "v3",
        "digest_algorithms": [written],
        "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
        "certificates": [certificate],
        "signer_infos": [signer],
    }


def _stamping(authority: Entry, at: int) -> bytes:
    """The certificate, DER, of a key that may stamp now."""
    certificate = certificate_of(authority)
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        usage = None
    if usage is None or not usage.critical or usage.value != STAMPING:
        raise HsmPolicy(
            f"Expected {authority.label!r} to be certified for time stamps alone, got one that is not. Have its "
            "request certified with `python -m hsm certify --issue ... --time-stamping`."
        )
    if not certificate.not_valid_before_utc.timestamp() <= at <= certificate.not_valid_after_utc.timestamp():
        raise HsmPolicy(
            f"Expected the certificate of {authority.label!r} to hold now, got one that ends "
            f"{certificate.not_valid_after_utc}. Check the clock, or make another key with `python -m hsm rotate`."
        )
    assert authority.certificate is not None
    return authority.certificate


def _read(query: bytes, policy: str) -> tsp.TimeStampReq:
    """A request for what is given. `HsmPolicy` for any other, and for what is none."""
    try:
        core.ObjectIdentifier(policy)
    except ValueError as error:
        raise HsmPolicy(f"Expected a policy such as 1.3.6.1.4.1.32473.1, got {policy!r}.") from error
    if len(query) > QUERY_MAX:
        raise HsmPolicy(f"Expected a request of at most {QUERY_MAX} bytes, got {len(query)}. Stamp a digest.")
    try:
        asked = tsp.TimeStampReq.load(query, strict=True)
        _ = asked.native  # which reads every field: what is none is told before anything is signed
        wrong = [wanted for wanted, holds in RULES.items() if not holds(asked, policy)]
    except _MALFORMED as error:
        raise HsmPolicy(f"Expected a TimeStampReq in DER, got something else: {error}. Ask anew.") from error
    if wrong:
        raise HsmPolicy(f"Expected a request that has {wrong[0]}, got another. Ask for that.")
    return asked


def _has_its_length(asked: tsp.TimeStampReq) -> bool:
    imprint = asked["message_imprint"]
    size = STAMPED.get(imprint["hash_algorithm"]["algorithm"].native)
    return size is None or len(imprint["hashed_message"].native) == size


def _is_der(asked: tsp.TimeStampReq) -> bool:
    """The imprint, which is signed as it came: there are two ways to write it (RFC 5754 section 2)."""
    imprint = asked["message_imprint"]
    algorithm, digest = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native
    return imprint.dump() in {
        core.Sequence(contents=_algorithm(algorithm, end) + core.OctetString(digest).dump()).dump()
        for end in (b"", core.Null().dump())
    }


def _algorithm(digest: str, parameters: bytes = b"") -> bytes:
    """AlgorithmIdentifier of a hash, DER; without parameters unless they came so (RFC 5754 section 2)."""
    return bytes(core.Sequence(contents=algos.DigestAlgorithmId(digest).dump() + parameters).dump())


RULES: Final[Mapping[str, Callable[[tsp.TimeStampReq, str], bool]]] = {
    "version 1": lambda asked, _: asked["version"].native == "v1",
    f"a digest by {', '.join(STAMPED)}": lambda asked, _: (
        asked["message_imprint"]["hash_algorithm"]["algorithm"].native in STAMPED
    ),
    "a digest of its algorithm's length": lambda asked, _: _has_its_length(asked),
    "a digest in DER": lambda asked, _: _is_der(asked),
    "the policy that is given, or names none": lambda asked, policy: asked["req_policy"].native in {None, policy},
    f"a nonce from 0 to 2^{NONCE_BITS_MAX} - 1, or none": lambda asked, _: (
        0 <= (asked["nonce"].native or 0) < 1 << NONCE_BITS_MAX
    ),
    "no extensions": lambda asked, _: isinstance(asked["extensions"], core.Void),
}
"""What a request must have (RFC 3161 section 2.4.1), in order."""
