"""Certification paths (RFC 5280 section 6) from a certificate that came along to one that we chose to trust.

The work is done by ``cryptography``'s verifier: names, signatures, validity, authorities, path lengths, key usage of
authorities, sizes of keys. Its web rules for the end of a path refuse what attestation keys have for certificates, so
they are not used; what such a certificate must be, its format says. Anchors are those handed in and no others: a root
that comes along in ``x5c`` is one more certificate that has to be certified. An anchor may be an authority below a
root, or the very certificate at the end of the path, as FIDO's metadata allows.

Not taken, and so never trusted: authorities that lack basic constraints, that are certificates of version 1, or sign
with SHA-1, Ed25519 or RSA below 2048 bits; and RSA signatures whose algorithm lacks its NULL, which the first Security
Key by Yubico has. That one is older than FIDO2 and asks for no PIN, so that no role that needs attestation takes it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from idverify.auth.attestation import certificate
from idverify.errors import DocumentError

MAX_DEPTH: Final = 6


def fingerprint(der: bytes) -> bytes:
    """SHA-256 of a certificate as it stands: how people compare roots."""
    return hashlib.sha256(der).digest()


def require_anchor(chain: tuple[bytes, ...], anchors: tuple[bytes, ...], at: int) -> bytes:
    """The fingerprint of the one of ``anchors`` to which ``chain`` leads (DER, leaf first), ``at`` Unix seconds.

    Raises ``DocumentError`` (``certificate``, ``path``).
    """
    if not chain or not anchors:
        raise DocumentError("path", "A path needs certificates to begin with, and anchors to lead to.")
    try:
        leaf, *others = [certificate.read(der) for der in chain]
        store = Store([certificate.read(der) for der in anchors])
    except ValueError as wrong:
        raise DocumentError("certificate", f"A certificate of the path cannot be read: {wrong}.") from None
    policy = (
        PolicyBuilder()
        .store(store)
        .time(datetime.fromtimestamp(at, UTC))
        .max_chain_depth(MAX_DEPTH)
        .extension_policies(ca_policy=_AUTHORITY, ee_policy=ExtensionPolicy.permit_all())
    )
    try:
        path = policy.build_client_verifier().verify(leaf, others).chain
    except VerificationError as wrong:
        reason = re.split(" [({]", str(wrong), maxsplit=1)[0]  # what follows is Rust's own notation
        raise DocumentError("path", f"The certificates must lead to a trusted one: {reason}.") from None
    return fingerprint(path[-1].public_bytes(Encoding.DER))


def _certifies(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    """RFC 5280 section 4.2.1.3: an authority whose uses are named may certify."""
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("an authority's key may not be used to certify")


_AUTHORITY: Final = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _certifies)
)
