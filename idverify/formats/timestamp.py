"""Time stamps (RFC 3161, RFC 5816): the request, what the authority signs, its token, and its answers.

>>> imprint = Imprint("sha256", bytes(32))
>>> info = tst_info(imprint, policy=POLICY, serial=7, at=1_790_000_000)
>>> read_request(query(imprint, nonce=5)).nonce
5
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from asn1crypto import algos, core, tsp
from asn1crypto import cms as asn1

from idverify.errors import DocumentError
from idverify.formats import cms
from idverify.formats.der import OCTET_STRING, sequence, tlv

MAX_REQUEST: Final = 4 * 1024
MAX_NONCE_BITS: Final = 512
SERIAL_BYTES: Final = 16
CONTENT_TYPE: Final = "1.2.840.113549.1.9.16.1.4"  # id-ct-TSTInfo
# Ours (ITU-T X.667, a UUID as OID): a key in the HSM, and the clock of one machine that is kept in step.
POLICY: Final = "2.25.224828674186048029631862847056136379987"
ACCURACY_SECONDS: Final = 1
# The digests that are stamped, and their sizes in bytes
ALGORITHMS: Final[Mapping[str, int]] = {"sha256": 32, "sha384": 48, "sha512": 64}
_NULL: Final = b"\x05\x00"
# RFC 3161 section 2.4.2, PKIFailureInfo, by the names there; asn1crypto spells them its own way
FAILURES: Final[Mapping[str, str]] = {
    "badAlg": "bad_alg",
    "badRequest": "bad_request",
    "badDataFormat": "bad_data_format",
    "timeNotAvailable": "time_not_available",
    "unacceptedPolicy": "unaccepted_policy",
    "unacceptedExtension": "unaccepted_extensions",
    "systemFailure": "system_failure",
}


@dataclass(frozen=True, slots=True)
class Imprint:
    """The digest that is stamped; ``algorithm`` is of ``ALGORITHMS``."""

    algorithm: str
    digest: bytes
    null: bool = False
    """Whether the algorithm has parameters NULL (RFC 5754 section 2): an answer repeats the imprint as it was."""

    def encoded(self) -> bytes:
        """MessageImprint, DER."""
        oid = bytes(algos.DigestAlgorithmId(self.algorithm).dump())
        return sequence(sequence(oid, _NULL if self.null else b""), tlv(OCTET_STRING, self.digest))


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks to have stamped. ``certificates``: whether they want the authority's along."""

    imprint: Imprint
    nonce: int | None
    certificates: bool


class _Refusal(core.Sequence):  # type: ignore[misc]
    """TimeStampResp without a token, which asn1crypto takes for required."""

    _fields: Final = [("status", tsp.PKIStatusInfo)]


def query(imprint: Imprint, *, nonce: int | None = None, policy: str | None = None, certificates: bool = True) -> bytes:
    """A TimeStampReq, DER."""
    asked: dict[str, Any] = {
        "version": "v1",
        "message_imprint": tsp.MessageImprint.load(imprint.encoded()),
        "cert_req": certificates,
    }
    if policy is not None:
        asked["req_policy"] = policy
    if nonce is not None:
        asked["nonce"] = nonce
    return bytes(tsp.TimeStampReq(asked).dump())


def read_request(der: bytes) -> Request:
    """A request as received, if it is one that is granted. Raises ``DocumentError`` with a name of ``FAILURES``."""
    if len(der) > MAX_REQUEST:
        raise DocumentError("badDataFormat", f"A request may be {MAX_REQUEST} bytes long; got {len(der)}.")
    try:
        asked = tsp.TimeStampReq.load(der, strict=True)
        for rule in REQUEST_RULES:
            rule(asked)
        request = _as_read(asked)
        policy = asked["req_policy"].native
    except cms.MALFORMED as wrong:
        raise DocumentError("badDataFormat", f"A request must be a TimeStampReq in DER: {wrong}.") from None
    again = query(request.imprint, nonce=request.nonce, policy=policy, certificates=request.certificates)
    if again != der:
        raise DocumentError("badDataFormat", "A request must be in DER, which spells everything in one way.")
    return request


def _as_read(asked: tsp.TimeStampReq) -> Request:
    read = asked["message_imprint"]
    imprint = Imprint(read["hash_algorithm"]["algorithm"].native, read["hashed_message"].native)
    if read.dump() != imprint.encoded():
        imprint = replace(imprint, null=True)
    return Request(imprint, asked["nonce"].native, asked["cert_req"].native)


def version_is_one(asked: tsp.TimeStampReq) -> None:
    """RFC 3161 section 2.4.1."""
    if asked["version"].native != "v1":
        raise DocumentError("badRequest", "A request must be of version 1.")


def algorithm_is_known(asked: tsp.TimeStampReq) -> None:
    """RFC 3161 section 2.4.1: one whose strength the authority can answer for."""
    if asked["message_imprint"]["hash_algorithm"]["algorithm"].native not in ALGORITHMS:
        raise DocumentError("badAlg", f"A digest must be one of {', '.join(ALGORITHMS)}.")


def digest_has_its_length(asked: tsp.TimeStampReq) -> None:
    """RFC 3161 section 2.4.1: the length of the digest matches its algorithm."""
    imprint = asked["message_imprint"]
    size = ALGORITHMS[imprint["hash_algorithm"]["algorithm"].native]
    if len(imprint["hashed_message"].native) != size:
        raise DocumentError("badDataFormat", f"The digest must be {size} bytes long.")


def policy_is_ours(asked: tsp.TimeStampReq) -> None:
    """RFC 3161 section 2.4.1: the policy that is asked for is one under which time stamps are given."""
    if asked["req_policy"].native not in {None, POLICY}:
        raise DocumentError("unacceptedPolicy", f"Time stamps are given under the policy {POLICY} alone.")


def nonce_is_short(asked: tsp.TimeStampReq) -> None:
    """RFC 3161 section 2.4.1: a large random number; it comes back as it went, so it has an end."""
    nonce = asked["nonce"].native
    if nonce is not None and not 0 <= nonce < 1 << MAX_NONCE_BITS:
        raise DocumentError("badDataFormat", f"A nonce must be from 0 to 2^{MAX_NONCE_BITS} - 1.")


def extensions_are_none(asked: tsp.TimeStampReq) -> None:
    """RFC 3161 section 2.4.1: extensions that the server does not know are refused."""
    if not isinstance(asked["extensions"], core.Void):  # what is in them is not even looked at: it may be deep
        raise DocumentError("unacceptedExtension", "No extension of requests is known here.")


REQUEST_RULES: Final[tuple[Callable[[tsp.TimeStampReq], None], ...]] = (
    version_is_one,
    algorithm_is_known,
    digest_has_its_length,
    policy_is_ours,
    nonce_is_short,
    extensions_are_none,
)


def tst_info(imprint: Imprint, *, policy: str, serial: int, at: int, nonce: int | None = None) -> bytes:
    """What the authority says (TSTInfo, section 2.4.2), DER: this digest was there ``at`` this Unix second."""
    said: dict[str, Any] = {
        "version": "v1",
        "policy": policy,
        "message_imprint": tsp.MessageImprint.load(imprint.encoded()),
        "serial_number": serial,
        "gen_time": dt.datetime.fromtimestamp(at, dt.UTC),
        "accuracy": {"seconds": ACCURACY_SECONDS},
    }
    if nonce is not None:
        said["nonce"] = nonce
    return bytes(tsp.TSTInfo(said).dump())


def to_be_signed(info: bytes, leaf: bytes) -> bytes:
    """The bytes that the authority's key signs for ``info``; ``leaf`` (DER) is its certificate."""
    return cms.signed_attributes(CONTENT_TYPE, hashlib.sha256(info).digest(), leaf)


def token(info: bytes, signature: bytes, chain: tuple[bytes, ...], *, certificates: bool = True) -> bytes:
    """The TimeStampToken, DER, verified with the key of its certificate; ``signature`` is raw ``r||s``.

    Raises ``DocumentError`` (``signature``).
    """
    attributes = to_be_signed(info, chain[0])
    made = cms.sealed(CONTENT_TYPE, info, attributes, signature, chain, with_certificates=certificates)
    cms.require_signed(made, CONTENT_TYPE, hashlib.sha256(info).digest(), chain[0])
    return made


def granted(stamp: bytes) -> bytes:
    """The answer with a token, DER."""
    said = {"status": {"status": "granted"}, "time_stamp_token": asn1.ContentInfo.load(stamp)}
    return bytes(tsp.TimeStampResp(said).dump())


def refused(failure: str, sentence: str) -> bytes:
    """The answer without one, DER; ``failure`` is a name of ``FAILURES``."""
    status = {"status": "rejection", "status_string": [sentence], "fail_info": {FAILURES[failure]}}
    return bytes(_Refusal({"status": tsp.PKIStatusInfo(status)}).dump())
