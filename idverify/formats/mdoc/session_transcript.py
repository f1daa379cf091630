"""The session transcript: what a device's signature covers besides the document, built by the verifier itself.

In proximity it is what both sides saw of each other (ISO/IEC 18013-5, 9.1.5.1); in OpenID4VP it is the request (1.0,
appendix B.2.6). A presentation that was made for anybody else, or for another request, has another transcript.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from idverify.formats.base import HolderBindingExpected
from idverify.formats.strict_cbor import embed, encode

_ORIGIN: Final = "origin:"  # OpenID4VP 1.0 appendix A.2: how an audience is spelled that is a web page


@dataclass(frozen=True, slots=True)
class Session:
    """The verifier's side of one exchange: the encoded SessionTranscript, and its ephemeral key where it has one.

    Without ``reader_key`` a device can only sign; with it, it may also authenticate by a MAC.
    """

    transcript: bytes
    reader_key: ec.EllipticCurvePrivateKey | None = None


def of_request(expected: HolderBindingExpected) -> bytes:
    """The transcript of an answer to our own request, which is not encrypted."""
    if expected.audience.startswith(_ORIGIN):
        return digital_credentials(expected.audience.removeprefix(_ORIGIN), expected.nonce)
    return openid4vp(expected.audience, expected.nonce, expected.response_uri)


def openid4vp(client_id: str, nonce: str, response_uri: str, jwk_thumbprint: bytes | None = None) -> bytes:
    """B.2.6.1: invoked by redirect. ``jwk_thumbprint`` is that of the key to which the answer is encrypted."""
    return _handed_over("OpenID4VPHandover", [client_id, nonce, jwk_thumbprint, response_uri])


def digital_credentials(origin: str, nonce: str, jwk_thumbprint: bytes | None = None) -> bytes:
    """B.2.6.2: invoked by the Digital Credentials API, by the page ``origin``."""
    return _handed_over("OpenID4VPDCAPIHandover", [origin, nonce, jwk_thumbprint])


def _handed_over(kind: str, info: list[Any]) -> bytes:
    return encode([None, None, [kind, hashlib.sha256(encode(info)).digest()]])


def proximity(device_engagement: bytes, reader_key: bytes, nfc: tuple[bytes, bytes | None] | None = None) -> bytes:
    """9.1.5.1: ``device_engagement`` and the COSE_Key ``reader_key`` are the encoded structures as they were sent.

    ``nfc`` are the Handover Select message and, where it was negotiated, the Handover Request; ``None`` is a QR code.
    """
    return encode([embed(device_engagement), embed(reader_key), None if nfc is None else list(nfc)])
