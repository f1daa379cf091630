"""The two structures of TPM 2.0 (TCG library, part 2) in a statement: TPMS_ATTEST and TPMT_PUBLIC.

``clockInfo`` and ``firmwareVersion`` are stepped over, as section 8.3 says, whatever their bytes (the W3C's own vector
has 0x33 for a truth): nothing rests on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from idverify.auth.attestation import public_key

RSA, ECC, _NULL = 0x0001, 0x0023, 0x0010  # TPM_ALG_ID
_CURVES: Final = {0x0003: "secp256r1", 0x0004: "secp384r1", 0x0005: "secp521r1"}  # TPM_ECC_CURVE
_CLOCK_AND_FIRMWARE: Final = 17 + 8
_DEFAULT_EXPONENT: Final = 65537  # part 2, section 12.2.3.5: written as 0

# TPMA_OBJECT: fixedTPM, fixedParent, sensitiveDataOrigin
_STAYS: Final = 1 << 1 | 1 << 4 | 1 << 5


@dataclass(frozen=True, slots=True)
class CertInfo:
    """TPMS_ATTEST whose ``attested`` is a TPMS_CERTIFY_INFO."""

    magic: int
    type: int
    extra_data: bytes
    name: bytes


@dataclass(frozen=True, slots=True)
class PublicArea:
    """TPMT_PUBLIC of a signing key. ``numbers`` are modulus and exponent, or x and y; ``curve`` is empty for RSA."""

    encoded: bytes
    name_algorithm: int
    attributes: int
    curve: str
    numbers: tuple[int, int]

    @property
    def stays(self) -> bool:
        """Whether the TPM made the key, and does not let it go."""
        return self.attributes & _STAYS == _STAYS

    def cose_key(self, algorithm: int) -> bytes:
        """The key, to be used with ``algorithm``. Raises ``ValueError`` or ``OverflowError`` for what is none."""
        if self.curve:
            return public_key.elliptic(algorithm, self.curve, *self.numbers)
        return public_key.rsa_key(algorithm, *self.numbers)


def read_cert_info(encoded: bytes) -> CertInfo:
    """Raises ``ValueError`` with the reason."""
    reader = _Reader(encoded)
    magic, type_ = reader.number(4), reader.number(2)
    reader.sized()  # qualifiedSigner
    extra_data = reader.sized()
    reader.take(_CLOCK_AND_FIRMWARE)
    name = reader.sized()
    reader.sized()  # qualifiedName
    reader.end()
    return CertInfo(magic, type_, extra_data, name)


def read_public_area(encoded: bytes) -> PublicArea:
    """Raises ``ValueError`` with the reason."""
    reader = _Reader(encoded)
    kind, name_algorithm, attributes = reader.number(2), reader.number(2), reader.number(4)
    reader.sized()  # authPolicy
    if reader.number(2) != _NULL:
        raise ValueError("a signing key has no symmetric algorithm")
    reader.scheme()
    match kind:
        case _ if kind == RSA:
            reader.number(2)  # keyBits: the modulus says it
            exponent = reader.number(4) or _DEFAULT_EXPONENT
            curve, numbers = "", (int.from_bytes(reader.sized(), "big"), exponent)
        case _ if kind == ECC:
            curve = _CURVES.get(reader.number(2), "unknown")
            reader.scheme()  # kdf
            numbers = int.from_bytes(reader.sized(), "big"), int.from_bytes(reader.sized(), "big")
        case _:
            raise ValueError("its key is neither RSA nor ECC")
    reader.end()
    return PublicArea(encoded, name_algorithm, attributes, curve, numbers)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        start, self._position = self._position, self._position + size
        if self._position > len(self._data):
            raise ValueError("it ends too early")
        return self._data[start : self._position]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def sized(self) -> bytes:
        """A TPM2B: its length in two bytes, then its content."""
        return self.take(self.number(2))

    def scheme(self) -> None:
        """An algorithm, with its hash unless it is none."""
        if self.number(2) != _NULL:
            self.number(2)

    def end(self) -> None:
        if self._position != len(self._data):
            raise ValueError("bytes follow after the end")
