"""Shares of a recovery key as text that people print, keep apart, and type in again.

A share is 80 letters of base32 (RFC 4648 section 6) in groups of four, of 50 bytes:

    1   version, 1
    8   id of the recovery key
    1   how many shares are needed
    1   number of this share, from 1
   32   the share
    7   first bytes of SHA-256 over the bytes before, so that a slip of the pen is noticed
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations

from hsm import shamir
from hsm.errors import HsmSharesRefused

SECRET_SIZE = 32
"""Bytes of what is shared."""

_VERSION = 1
_SUM_SIZE, _SIZE, _GROUP = 7, 50, 4
_MISREAD = str.maketrans("018", "OIB")  # digits that base32 does not have, and what they were


@dataclass(frozen=True, slots=True)
class Share:
    """One share: of which key (id, 8 bytes), how many are `needed`, its `number`, and its value."""

    key_id: bytes
    needed: int
    number: int
    value: bytes

    def paper(self, total: int) -> str:
        """What to print: which share this is, of how many, and how many open the key; then the line itself."""
        return (
            f"# Share {self.number} of {total} of the recovery key {self.key_id.hex()}; any {self.needed} open it.\n"
            "# Keep it apart from the others, where nobody else reads it.\n"
            f"{self.text()}\n"
        )

    def text(self) -> str:
        """The share itself, on one line."""
        body = bytes([_VERSION]) + self.key_id + bytes([self.needed, self.number]) + self.value
        letters = base64.b32encode(body + _checksum(body)).decode()
        return " ".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))


def read_share(text: str) -> Share:
    """A share as somebody typed it: spaces, hyphens and case do not matter, and lines that begin with `#` are none.

    `HsmSharesRefused` for a slip.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    letters = "".join("".join(lines).split()).replace("-", "").upper().translate(_MISREAD)
    try:
        content = base64.b32decode(letters)
    except (binascii.Error, ValueError):
        content = b""
    body, checksum = content[:-_SUM_SIZE], content[-_SUM_SIZE:]
    if len(content) != _SIZE or checksum != _checksum(body):
        raise HsmSharesRefused(
            f"Expected a share of 80 letters whose checksum holds, got {len(letters)} letters that are none. "
            "Compare it with the paper, letter by letter."
        )
    if body[0] != _VERSION:
        raise HsmSharesRefused(f"Expected a share of version {_VERSION}, got {body[0]}. Use a newer program.")
    share = Share(body[1:9], body[9], body[10], body[11:])
    if share.needed < shamir.FEWEST or share.number < 1:
        raise HsmSharesRefused(
            f"Expected a share numbered from 1 of which {shamir.FEWEST} or more are needed, got number {share.number} "
            f"of which {share.needed} are. Nobody makes such shares: leave it out."
        )
    return share


def share_out(secret: bytes, key_id: bytes, needed: int, total: int) -> list[Share]:
    """`total` shares of a secret, of which any `needed` give it back."""
    return [Share(key_id, needed, number, value) for number, value in shamir.split(secret, needed, total).items()]


def put_together(shares: Iterable[Share], is_right: Callable[[bytes], bool]) -> bytes:
    """The secret. `is_right` tells whether it is the one of the shares' key.

    `HsmSharesRefused`, with what to do, for shares of different keys, too few, or one that is not of this secret.
    """
    given = _of_one_key(shares)
    needed = next(iter(given.values())).needed
    if len(given) < needed:
        raise HsmSharesRefused(
            f"Expected {needed} different shares, got {len(given)}. Bring {needed - len(given)} more."
        )
    for chosen in combinations(sorted(given), needed):
        values = {number: given[number].value for number in chosen}
        secret = shamir.combine(values)
        if not is_right(secret):
            continue
        wrong = [n for n, share in given.items() if shamir.combine(values, n) != share.value]
        if wrong:
            raise HsmSharesRefused(f"Expected shares of one secret, got another as number {wrong[0]}. Leave it out.")
        return secret
    raise HsmSharesRefused(
        "Expected shares that make the recovery key, got at least one that is not of it, though its checksum holds. "
        "Bring another in the place of each in turn."
    )


def _of_one_key(shares: Iterable[Share]) -> dict[int, Share]:
    given: dict[int, Share] = {}
    for share in shares:
        first = next(iter(given.values()), share)
        if share.key_id == first.key_id and share.needed != first.needed:
            raise HsmSharesRefused(
                f"Expected shares of which the same number is needed, got {first.needed} on number {first.number} and "
                f"{share.needed} on number {share.number}. One of the two is not genuine: leave each out in turn."
            )
        if share.key_id != first.key_id:
            raise HsmSharesRefused(
                f"Expected shares of the recovery key {first.key_id.hex()}, got number {share.number} of the key "
                f"{share.key_id.hex()}. Sort the papers by key."
            )
        if given.setdefault(share.number, share) != share:
            raise HsmSharesRefused(f"Expected one share with the number {share.number}, got two. One is not genuine.")
    if not given:
        raise HsmSharesRefused("Expected shares, got none. Name the files that hold them.")
    return given


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_SUM_SIZE]
