"""Account numbers: what somebody types who signs in with a key that has no room to remember accounts.

A number opens nothing and is no secret; a key must answer all the same. Two check digits (ISO 7064 MOD 97-10) tell a
slip of the finger from a number that nobody has, so that whoever mistypes is told so, and need not search for a fault
of their key. Anybody could compute them: what they tell is nothing about accounts.

>>> make(lambda n: bytes(n))
'0000 0000 0000 0001'
>>> read("0000-0000 00000001"), read("Olive Officer")
('0000 0000 0000 0001', None)
"""

from __future__ import annotations

from typing import Final

from idverify.errors import Unprocessable
from idverify.ports import Entropy

DIGITS: Final = 16
_GROUP: Final = 4
_FREE: Final = 10 ** (DIGITS - 2)
_AS_PRINTED: Final = str.maketrans("", "", "-‐‑‒–—− ")  # noqa: RUF001 dashes, as word processors make them


def make(entropy: Entropy) -> str:
    """A fresh number: four groups of four digits, 46 bits of which nobody can guess."""
    free = int.from_bytes(entropy(16), "big") % _FREE
    return _printed(f"{free * 100 + (98 - free * 100 % 97):0{DIGITS}}")


def read(text: str) -> str | None:
    """The number that somebody typed, as it is printed; ``None`` for what is no number but, say, a name.

    Raises ``Unprocessable`` for a number that nobody can have.
    """
    digits = text.translate(_AS_PRINTED)
    if not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) != DIGITS or int(digits) % 97 != 1:
        raise Unprocessable("An account number has 16 digits, and these are not right. Check each of them.")
    return _printed(digits)


def _printed(digits: str) -> str:
    return " ".join(digits[start : start + _GROUP] for start in range(0, DIGITS, _GROUP))
