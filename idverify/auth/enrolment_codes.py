"""One-time codes that people can type from a slip of paper: 100 random bits in Crockford's base32.

A code that takes two people comes in two parts, which each of them hands over: whoever has one of them opens nothing.
Whoever approves sees the hash of the first part for as long as the proposal waits, so that part has 80 bits; the second
has 60, and nothing that is kept can be tried out against it without the first.

>>> make(lambda n: bytes(n))
'0000-0000-0000-0000-0000'
>>> code_hash("oooo 0000 0000 0000 0000") == code_hash("0000-0000-0000-0000-0000")
True
>>> code_hash("0000-0000-0000-0000 0000-0000-0000") == hash_of_parts(part_hash("0" * 16), "0000-0000-0000")
True
"""

from __future__ import annotations

import hashlib
from typing import Final

from idverify.errors import MalformedRequest
from idverify.ports import Entropy

CHARACTERS: Final = 20
FIRST_PART: Final = 16
SECOND_PART: Final = 12
_BOTH_PARTS: Final = FIRST_PART + SECOND_PART
_GROUP: Final = 4
_USER_HANDLE: Final = b"idverify user handle of a first key\n"
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MAX_TYPED: Final = 100  # room for spaces and hyphens anywhere
# What people read for what is printed, and what word processors make of a hyphen
_AS_PRINTED: Final = str.maketrans({"O": "0", "I": "1", "L": "1"} | dict.fromkeys("-‐‑‒–—−"))  # noqa: RUF001 dashes


def make(entropy: Entropy) -> str:
    """A fresh code: five groups of four characters with hyphens between them."""
    return _random(entropy, CHARACTERS)


def make_first_part(entropy: Entropy) -> str:
    """What whoever proposes a code that takes two hands over: four groups of four characters."""
    return _random(entropy, FIRST_PART)


def make_second_part(entropy: Entropy) -> str:
    """What whoever approves it hands over: three groups of four characters."""
    return _random(entropy, SECOND_PART)


def code_hash(text: str) -> bytes:
    """The hash by which the code that somebody typed is known, 32 bytes; of one in two parts, the first part first.

    Case, spaces, hyphens and look-alikes make no difference. Raises ``MalformedRequest`` for what cannot be a code.
    """
    code = _tidy(text, CHARACTERS, _BOTH_PARTS)
    if len(code) == CHARACTERS:
        return hashlib.sha256(code.encode()).digest()
    return hash_of_parts(part_hash(code[:FIRST_PART]), code[FIRST_PART:])


def part_hash(text: str) -> bytes:
    """SHA-256 of a first part. Raises ``MalformedRequest`` for what cannot be one."""
    return hashlib.sha256(_tidy(text, FIRST_PART).encode()).digest()


def hash_of_parts(first: bytes, second: str) -> bytes:
    """The hash of a code in two parts: SHA-256 over that of the first part (``part_hash``) and that of the second."""
    return hashlib.sha256(first + hashlib.sha256(_tidy(second, SECOND_PART).encode()).digest()).digest()


def _random(entropy: Entropy, characters: int) -> str:
    spare = -5 * characters % 8  # bits of whole bytes that the characters do not hold
    number = int.from_bytes(entropy((5 * characters + spare) // 8), "big") >> spare
    code = "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * characters - 5, -1, -5))
    return "-".join(code[start : start + _GROUP] for start in range(0, characters, _GROUP))


def _tidy(text: str, *lengths: int) -> str:
    code = "".join(text[: _MAX_TYPED + 1].split()).upper().translate(_AS_PRINTED)
    if len(text) > _MAX_TYPED or len(code) not in lengths or not set(code) <= set(_ALPHABET):
        raise MalformedRequest(
            f"An enrolment code is {CHARACTERS} letters and digits, as printed on the slip, or {FIRST_PART} and "
            f"{SECOND_PART} in two parts, the first part first. Check it and type it again."
        )
    return code


def user_handle(text: str) -> bytes:
    """The user handle, 64 bytes, of the account that a code makes: nobody can tell it without the code.

    It is the same at every try, so that an authenticator puts the key of the next try in the place of one that was
    refused (WebAuthn section 6.3.2 step 7) and never offers a key that opens nothing. Raises ``MalformedRequest``.
    """
    return hashlib.sha512(_USER_HANDLE + code_hash(text)).digest()
