"""Shamir's scheme over GF(256), byte by byte: any `needed` of the shares give the secret, fewer give nothing.

Adi Shamir, "How to share a secret", CACM 22 (1979). The field is that of AES (FIPS 197 section 4.2), share `x` is the
value of each byte's polynomial at `x`, and the secret is the value at 0.
"""

import secrets
from collections.abc import Mapping

FEWEST, MOST = 2, 255
"""Shares needed at the least, and shares at most: 0 is where the secret is."""

_POLYNOMIAL = 0x11B


def split(secret: bytes, needed: int, total: int) -> dict[int, bytes]:
    """Shares numbered from 1, each as long as the secret. Raises `ValueError` unless 2 <= needed <= total <= 255."""
    if not FEWEST <= needed <= total <= MOST:
        raise ValueError(f"Expected {FEWEST} <= needed <= total <= {MOST}, got {needed} of {total}.")
    coefficients = [secret, *(secrets.token_bytes(len(secret)) for _ in range(needed - 1))]
    return {x: _values(coefficients, x) for x in range(1, total + 1)}


def combine(shares: Mapping[int, bytes], at: int = 0) -> bytes:
    """The value at `at` of the polynomials through these shares: at 0, the secret. Give exactly as many as needed."""
    return bytes(map(_sum, zip(*(_scaled(y, _basis(x, shares, at)) for x, y in shares.items()), strict=True)))


def _values(coefficients: list[bytes], x: int) -> bytes:
    """Horner's rule on every byte at once."""
    value = bytes(len(coefficients[0]))
    for coefficient in reversed(coefficients):
        value = bytes(_times(v, x) ^ c for v, c in zip(value, coefficient, strict=True))
    return value


def _basis(x: int, others: Mapping[int, bytes], at: int) -> int:
    """Lagrange's basis polynomial of the share `x`, at `at`; subtraction is exclusive or."""
    value = 1
    for other in others:
        if other != x:
            value = _times(value, _times(at ^ other, _inverse(x ^ other)))
    return value


def _scaled(values: bytes, factor: int) -> list[int]:
    return [_times(value, factor) for value in values]


def _sum(values: tuple[int, ...]) -> int:
    total = 0
    for value in values:
        total ^= value
    return total


def _product(a: int, b: int) -> int:
    product = 0
    for bit in range(8):
        product ^= -(b >> bit & 1) & a
        a = a << 1 ^ -(a >> 7) & _POLYNOMIAL
    return product


_GENERATOR = 3
_POWERS = [1]
"""Of the generator, twice round, so that no sum of two logarithms falls outside."""

for _ in range(2 * 255 - 1):
    _POWERS.append(_product(_POWERS[-1], _GENERATOR))
_LOGARITHMS = {power: exponent for exponent, power in enumerate(_POWERS[:255])}


def _times(a: int, b: int) -> int:
    return _POWERS[_LOGARITHMS[a] + _LOGARITHMS[b]] if a and b else 0


def _inverse(a: int) -> int:
    """Of any element but 0."""
    return _POWERS[255 - _LOGARITHMS[a]]
