"""Time stamps of letters: those of the synthetic authority, and those that nobody should believe."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives.asymmetric import ec

from idverify.core.trust import TrustStore
from idverify.formats import cms, timestamp, x509, x509_build
from idverify.formats.pdf import revisions
from tests.simulators import code_world as code
from tests.simulators import credential_world as world
from tests.simulators import paper_world as paper

ROOT_NAME: Final = "Example time stamps root"
LEAF: Final = paper.stamp_signer()
Stamping = Callable[[bytes], bytes]
"""Makes a token over the bytes that should be stamped."""


def trust() -> TrustStore:
    """The trust of ``code_world``, and the issuer's time-stamp authority with it."""
    ours = code.trust().issuers[world.ISS]
    return TrustStore({world.ISS: replace(ours, stamp_roots=(paper.stamp_root(),))})


def by(
    leaf: bytes = LEAF,
    key: ec.EllipticCurvePrivateKey = paper.STAMP_KEY,
    *,
    at: int = world.NOW + 1,
    of: bytes | None = None,
    certificates: bool = True,
) -> Stamping:
    """Whoever has this certificate and this key stamps ``at`` this time; ``of``: something else than was asked."""

    def stamp(asked: bytes) -> bytes:
        imprint = timestamp.Imprint("sha256", hashlib.sha256(asked if of is None else of).digest())
        info = timestamp.tst_info(imprint, policy=timestamp.POLICY, serial=7, at=at)
        attributes = timestamp.to_be_signed(info, leaf)
        signature = world.sign(key, attributes)
        sealed = timestamp.CONTENT_TYPE, info, attributes, signature, (leaf,)
        return cms.sealed(*sealed, with_certificates=certificates)

    return stamp


def altered(stamping: Stamping, old: bytes, new: bytes) -> Stamping:
    """Its tokens with other bytes in them."""

    def stamp(asked: bytes) -> bytes:
        token = stamping(asked)
        assert old in token
        return token.replace(old, new, 1)

    return stamp


def leaf(purpose: x509.Purpose = x509.Purpose.TIME_STAMP, *, iss: str = world.ISS, days: int = 400) -> bytes:
    """A certificate under the root of time stamps, for any purpose."""
    subject = world.certified("Example time stamps", paper.STAMP_KEY, 8, days)
    tbs = x509_build.tbs_leaf(subject, purpose, paper.stamp_root(), iss=iss, crl_uri=world.CRL_URI)
    return x509_build.seal_certificate(tbs, world.sign(paper.STAMP_ROOT_KEY, tbs))


def unusual(
    *more: tuple[cryptography_x509.ExtensionType, bool],
    critical: bool = True,
    root_key: ec.EllipticCurvePrivateKey = paper.STAMP_ROOT_KEY,
) -> bytes:
    """A certificate for time stamps that our own profile would never build."""

    def of_usual(kind: Any) -> Any:
        return x509.read_certificate(LEAF).extensions.get_extension_for_class(kind).value

    usual = [
        (of_usual(cryptography_x509.SubjectAlternativeName), False),
        (of_usual(cryptography_x509.KeyUsage), True),
        (of_usual(cryptography_x509.ExtendedKeyUsage), critical),
    ]
    return world.unusual_leaf([*usual, *more], key=paper.STAMP_KEY, root_key=root_key, root_name=ROOT_NAME)


def in_use_until(at: int) -> tuple[cryptography_x509.ExtensionType, bool]:
    """The extension that says when a key ceases to sign."""
    begins, ends = (dt.datetime.fromtimestamp(moment, dt.UTC) for moment in (world.NOW - world.DAY, at))
    return cryptography_x509.PrivateKeyUsagePeriod(begins, ends), False


def over_document(pdf: bytes, stamping: Stamping, field: str = "Stamp") -> bytes:
    """A PDF with a document time stamp over it."""
    written, place = revisions.with_document_stamp(pdf, field, paper.EVIDENCE["certificates"], paper.EVIDENCE["crls"])
    return place.filled(written, stamping(written[: place.start] + written[place.end :]))


def attribute(stampings: Sequence[Stamping], signature: bytes) -> dict[str, bytes] | None:
    """The unsigned attribute with a token of each, over the value of a signature; none without any."""
    made = sorted(stamping(signature) for stamping in stampings)
    return {cms.STAMP_ATTRIBUTE: b"".join(made)} if made else None
