"""What letters on paper are signed with: a paper signer, a time-stamp authority under its own root, and their lists."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import weasyprint
from cryptography.hazmat.primitives.asymmetric import ec

from idverify.formats import x509, x509_build
from idverify.formats.pdf import sign
from tests.simulators import credential_world as world

STAMP_KEY, STAMP_ROOT_KEY = (world.private_key(secret) for secret in (1101, 1102))
KEYS: Final[Mapping[str, ec.EllipticCurvePrivateKey]] = {sign.PAPER: world.ISSUER_KEY, sign.TIME_STAMP: STAMP_KEY}
YEAR: Final = 365 * world.DAY
HTML: Final = """<html lang="en"><head><title>Letter</title></head>
<body><h1>Your status</h1><p>Ada Example may work 20 hours a week.</p></body></html>"""


def paper_signer(days: int = 3000) -> bytes:
    """The certificate of the paper signer, DER; it began the day before."""
    return world.leaf(x509.Purpose.PAPER, days=days)


def stamp_root() -> bytes:
    """The root of the branch for time stamps, DER."""
    return world.root(STAMP_ROOT_KEY, "Example time stamps root")


def stamp_signer(days: int = 3000) -> bytes:
    """The certificate of the time-stamp authority, DER."""
    subject = world.certified("Example time stamps", STAMP_KEY, 7, days)
    tbs = x509_build.tbs_leaf(subject, x509.Purpose.TIME_STAMP, stamp_root(), iss=world.ISS, crl_uri=world.CRL_URI)
    return x509_build.seal_certificate(tbs, world.sign(STAMP_ROOT_KEY, tbs))


def crl(root: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """A revocation list that revokes nothing, DER."""
    tbs = x509_build.tbs_crl(
        root, number=1, this_update=world.NOW - world.DAY, next_update=world.NOW + 30 * world.DAY, revoked=()
    )
    return x509_build.seal_crl(tbs, world.sign(key, tbs))


STAMPS: Final[Mapping[str, Any]] = {
    "chain": [stamp_signer()],
    "serials": [hashlib.sha256(bytes([number])).digest()[:16] for number in range(2)],
}
EVIDENCE: Final[Mapping[str, Any]] = {
    "certificates": [world.ROOT, stamp_root()],
    "crls": [crl(world.ROOT, world.ROOT_KEY), crl(stamp_root(), STAMP_ROOT_KEY)],
}


@cache
def letter() -> bytes:
    """A tagged PDF/A-3a that nobody has signed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # WeasyPrint leaves the file of its colour profile open
        drawn: bytes = weasyprint.HTML(string=HTML).write_pdf(pdf_variant="pdf/a-3a", pdf_tags=True)
    return drawn


def prepared(level: str, pdf: bytes | None = None, at: int = world.NOW) -> sign.Round:
    """The first round of a letter that is to hold for three years."""
    return sign.prepare(pdf or letter(), level, at, at + 3 * YEAR, [paper_signer()], STAMPS, EVIDENCE)


def rounds(begun: sign.Round, at: int = world.NOW) -> tuple[bytes, list[str]]:
    """The letter, and whose keys were asked, in order; a second goes by with each."""
    asked: list[str] = []
    step: sign.Round | sign.Sealed = begun
    while "state" in step:
        asked.append(step["role"])
        step = sign.seal(step["state"], world.sign(KEYS[step["role"]], step["payload"]), at + len(asked))
    return step["pdf"], asked
