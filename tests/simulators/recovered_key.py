"""Whose key made an ECDSA signature: the two public keys that fit it (SEC 1 section 4.1.6), on P-256.

So a certificate that others published without its authority can still be followed up to that authority's key.
"""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int]


def _add(one: Point, other: Point) -> Point:
    """Two points that are not each other's negative."""
    (x1, y1), (x2, y2) = one, other
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P) if one == other else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def _times(factor: int, point: Point) -> Point:
    doubled, total = point, None
    while factor:
        if factor & 1:
            total = doubled if total is None else _add(total, doubled)
        doubled, factor = _add(doubled, doubled), factor >> 1
    assert total is not None
    return total


def authority_keys(certificate: x509.Certificate) -> list[ec.EllipticCurvePublicKey]:
    """The two P-256 keys either of which may have signed ``certificate``."""
    r, s = decode_dss_signature(certificate.signature)
    digest = int.from_bytes(hashlib.sha256(certificate.tbs_certificate_bytes).digest(), "big")
    y = pow(r**3 - 3 * r + B, (P + 1) // 4, P)
    inverse = pow(r, -1, N)
    keys = []
    for root in (y, P - y):
        x_, y_ = _add(_times(s * inverse % N, (r, root)), _times(-digest * inverse % N, G))
        keys.append(ec.EllipticCurvePublicNumbers(x_, y_, ec.SECP256R1()).public_key())
    return keys
