"""Whether an encoded point of Ed25519 or Ed448 (RFC 8032) is fit to be a public key.

OpenSSL takes any bytes for such a key. A point off the curve verifies nothing; one of small order verifies signatures
that anybody can make, and whoever registered it could disown what they signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class EdwardsCurve:
    """``a x^2 + y^2 = 1 + d x^2 y^2`` modulo ``p``, with cofactor ``2 ** doublings``; points take ``size`` bytes."""

    size: int
    p: int
    a: int
    d: int
    doublings: int


_P25519: Final = 2**255 - 19
ED25519: Final = EdwardsCurve(32, _P25519, -1, -121665 * pow(121666, -1, _P25519) % _P25519, 3)  # RFC 8032 section 5.1
ED448: Final = EdwardsCurve(57, 2**448 - 2**224 - 1, 1, -39081, 2)  # section 5.2


def is_fit(curve: EdwardsCurve, encoded: bytes) -> bool:
    """Whether ``encoded`` spells a point of the curve, in its one spelling, and not of small order."""
    if len(encoded) != curve.size:
        return False
    p = curve.p
    sign_bit = 8 * curve.size - 1
    y = int.from_bytes(encoded, "little") & ~(1 << sign_bit)
    if y >= p:
        return False
    # Sections 5.1.3 and 5.2.3; the divisor is never 0, since d is no square times a
    x_squared = (y * y - 1) * pow(curve.d * y * y - curve.a, -1, p) % p
    if pow(x_squared, (p - 1) // 2, p) == p - 1:
        return False
    for _ in range(curve.doublings):
        x_squared, y = _double(curve, x_squared, y)
    return (x_squared, y) != (0, 1)


def _double(curve: EdwardsCurve, x_squared: int, y: int) -> tuple[int, int]:
    """Twice a point, its x known only by its square, which is all that the formulas need."""
    p, ax, yy = curve.p, curve.a * x_squared, y * y
    over = pow(ax + yy, -2, p)
    return 4 * x_squared * yy * over % p, (yy - ax) * pow(2 - ax - yy, -1, p) % p
