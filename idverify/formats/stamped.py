"""A time stamp (RFC 3161) before whoever relies on its authority: that these bytes were there at a time.

Nobody's stamp is believed but that of an authority under a root that we chose for this; of others nothing is said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from asn1crypto import tsp
from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound

from idverify.errors import DocumentError
from idverify.formats import cms, x509
from idverify.formats.timestamp import ALGORITHMS, CONTENT_TYPE

MAX_TOKEN: Final = 16 * 1024
_STAMPS: Final = frozenset({x509.Purpose.TIME_STAMP})

Hashed = Callable[[str], bytes]
"""The digest of what should be stamped, by an algorithm of ``ALGORITHMS``."""


class Relied(NamedTuple):
    """Whom we rely on: whoever is certified for the time stamps of ``iss`` under ``roots`` (DER)."""

    iss: str
    roots: tuple[bytes, ...]
    revoked: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Stamp:
    """A TimeStampToken taken apart, and not believed: it says that ``imprint`` was there ``at`` (Unix seconds).

    ``info`` is the TSTInfo (DER), ``leaf`` the certificate (DER) of its signer, if that came along.
    """

    token: bytes
    info: bytes
    algorithm: str
    imprint: bytes
    at: int
    leaf: bytes | None


def read(token: bytes) -> Stamp:
    """A token as received. Raises ``DocumentError`` (``size``, ``cms``, ``time-stamp``)."""
    if len(token) > MAX_TOKEN:
        raise DocumentError("size", f"A time stamp may be {MAX_TOKEN} bytes long; got {len(token)}.")
    opened = cms.opened(token)
    if opened.content_type != CONTENT_TYPE:
        raise DocumentError("time-stamp", "A time stamp must hold a TSTInfo.")
    try:
        info = tsp.TSTInfo.load(opened.content, strict=True)
        imprint, when = info["message_imprint"], info["gen_time"].native
        algorithm, digest = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native
    except cms.MALFORMED as wrong:
        raise DocumentError("time-stamp", f"A time stamp must hold a TSTInfo in DER: {wrong}.") from None
    if when.tzinfo is None:  # RFC 3161 section 2.4.2: it ends with Z
        raise DocumentError("time-stamp", "The time of a time stamp must be UTC.")
    at = int(when.timestamp())
    if at < 0:  # asn1crypto knows a year 0, which no calendar here has
        raise DocumentError("time-stamp", "A time stamp must be from 1970 or later.")
    return Stamp(token, opened.content, algorithm, digest, at, opened.certificate)


def is_of(stamp: Stamp, roots: tuple[bytes, ...]) -> bool:
    """Whether the stamp's signer says that one of these roots certified it."""
    try:
        return stamp.leaf is not None and any(x509.names_as_issuer(stamp.leaf, root) for root in roots)
    except DocumentError:  # nothing that any of ours would have certified
        return False


def token_signed(stamp: Stamp, _hashed: Hashed, _relied: Relied) -> None:
    """RFC 5652 section 5.4 and RFC 5816: over this TSTInfo, by the key of the certificate that it names."""
    assert stamp.leaf is not None
    cms.require_signed(stamp.token, CONTENT_TYPE, hashlib.sha256(stamp.info).digest(), stamp.leaf)


def authority_certified(stamp: Stamp, _hashed: Hashed, relied: Relied) -> None:
    """RFC 3161 section 2.3, RFC 5280 section 6: for time stamps and nothing else, when it stamped, and not revoked."""
    assert stamp.leaf is not None
    asked = x509.SignerExpected(relied.iss, relied.roots, _STAMPS, relied.revoked, stamp.at)
    x509.verify_signer((stamp.leaf,), asked)


def purpose_is_critical(stamp: Stamp, _hashed: Hashed, _relied: Relied) -> None:
    """RFC 3161 section 2.3: the extended key usage is critical."""
    assert stamp.leaf is not None
    try:
        usage = x509.read_certificate(stamp.leaf).extensions.get_extension_for_class(ExtendedKeyUsage)
    except ExtensionNotFound:
        usage = None
    if usage is None or not usage.critical:
        raise DocumentError("leaf-purpose", "The purpose of its certificate must be critical.")


def key_in_use(stamp: Stamp, _hashed: Hashed, _relied: Relied) -> None:
    """RFC 3280 section 4.2.1.4: the authority's key was in use."""
    assert stamp.leaf is not None
    x509.require_signed_in_period(stamp.leaf, stamp.at)


def imprint_matches(stamp: Stamp, hashed: Hashed, _relied: Relied) -> None:
    """RFC 3161 section 2.4.2: what it stamped is this and nothing else."""
    if stamp.algorithm not in ALGORITHMS or stamp.imprint != hashed(stamp.algorithm):
        raise DocumentError("imprint", "It is over something else.")


RULES: Final[tuple[Callable[[Stamp, Hashed, Relied], None], ...]] = (
    token_signed,
    authority_certified,
    purpose_is_critical,
    key_in_use,
    imprint_matches,  # last: what is hashed may be long
)


def require_held(stamp: Stamp, hashed: Hashed, relied: Relied) -> None:
    """A stamp that ``is_of`` one of the roots proves what it says. Raises ``DocumentError``."""
    for rule in RULES:
        rule(stamp, hashed, relied)
