"""One-time codes that people can type from a slip of paper: 100 random bits in Crockford's base32.

>>> make(lambda n: bytes(n))
'0000-0000-0000-0000-0000'
>>> code_hash("oooo 0000 0000 0000 0000") == code_hash("0000-0000-0000-0000-0000")
True
"""

from __future__ import annotations

import hashlib
from typing import Final

from idverify.errors import MalformedRequest
from idverify.ports import Entropy

CHARACTERS: Final = 20
_GROUP: Final = 4
_USER_HANDLE: Final = b"idverify user handle of a first key\n"
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MAX_TYPED: Final = 100  # room for spaces and hyphens anywhere
# What people read for what is printed, and what word processors make of a hyphen
_AS_PRINTED: Final = str.maketrans({"O": "0", "I": "1", "L": "1"} | dict.fromkeys("-‐‑‒–—−"))  # noqa: RUF001 dashes


def make(entropy: Entropy) -> str:
    """A fresh code: five groups of four characters with hyphens between them."""
    number = int.from_bytes(entropy(13), "big") >> 4  # 104 bits, of which a code holds 100
    code = "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * CHARACTERS - 5, -1, -5))
    return "-".join(code[start : start + _GROUP] for start in range(0, CHARACTERS, _GROUP))


def code_hash(text: str) -> bytes:
    """SHA-256 of the code that somebody typed, 32 bytes: case, spaces, hyphens and look-alikes make no difference.

    Raises ``MalformedRequest`` for what cannot be a code.
    """
    code = "".join(text[: _MAX_TYPED + 1].split()).upper().translate(_AS_PRINTED)
    if len(text) > _MAX_TYPED or len(code) != CHARACTERS or not set(code) <= set(_ALPHABET):
        raise MalformedRequest(
            f"An enrolment code is {CHARACTERS} letters and digits, as printed on the slip. Check it and type it again."
        )
    return hashlib.sha256(code.encode()).digest()


def user_handle(text: str) -> bytes:
    """The user handle, 64 bytes, of the account that a code makes: nobody can tell it without the code.

    It is the same at every try, so that an authenticator puts the key of the next try in the place of one that was
    refused (WebAuthn section 6.3.2 step 7) and never offers a key that opens nothing. Raises ``MalformedRequest``.
    """
    return hashlib.sha512(_USER_HANDLE + code_hash(text)).digest()
