"""DER (X.690) as it is written, where a library would take longer or want a key.

>>> sequence().hex(), tlv(0x04, bytes(200))[:4].hex()
('3000', '0481c800')
"""

from __future__ import annotations

from typing import Final

SEQUENCE: Final = 0x30
SET: Final = 0x31
OCTET_STRING: Final = 0x04
BIT_STRING: Final = 0x03


def tlv(tag: int, content: bytes) -> bytes:
    """One value: its tag, its length in the fewest bytes, and what is in it (X.690 section 8.1, 10.1)."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE of what is encoded already."""
    return tlv(SEQUENCE, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    """SET OF what is encoded already, in the order of the encodings (X.690 section 11.6)."""
    return tlv(SET, b"".join(sorted(parts)))
