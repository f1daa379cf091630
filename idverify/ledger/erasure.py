"""Showing that a person was erased: nothing that is kept leads to what their entry commits to.

An entry's digest can be opened with salt and record, and with nothing less. Whoever holds the person's receipt has
both, and can look for them in everything that a service stores: as they are, in hexadecimal, in base64 wherever in it
they start, and torn in two, as a database tears a value that crosses a page. Where the entry's handle or digest stands,
every 32 bytes around it are tried as a salt besides.
"""

import base64
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from idverify.ledger.commitment import SALT_SIZE, opens
from idverify.ledger.entry import Entry
from idverify.ledger.errors import MalformedError
from idverify.ledger.receipt import Opening

NEIGHBOURHOOD: Final = 4096
"""Bytes on either side of a handle or digest in which each position is tried as a salt: a database page."""

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Trace:
    """Something that should be gone: `what` was found at `offset` of the bytes searched."""

    offset: int
    what: str


@dataclass(frozen=True, slots=True)
class Erased:
    """What must not be found: the secrets, and, for trying salts, what they would open."""

    handle: bytes
    salts: tuple[bytes, ...]
    opening: Opening | None = None

    @classmethod
    def of(cls, opening: Opening) -> Self:
        """What the receipt of an erased person opens.

        Raises `MalformedError`: it opens nothing, so that not finding it would say nothing.
        """
        entry = Entry.decode(opening.entry)
        if not opens(opening.salt, opening.record, entry.digest):
            raise MalformedError("opening: salt and record are not what the entry commits to")
        return cls(entry.handle, (opening.salt,), opening)

    @classmethod
    def candidates(cls, handle: bytes, salts: Iterable[bytes]) -> Self:
        """Salts one of which opened the entry with this handle; there is no record to try others with.

        Raises `MalformedError`: another size than 16 and 32 bytes, or no salt.
        """
        found = tuple(salts)
        if len(handle) != 16 or not found or any(len(salt) != SALT_SIZE for salt in found):
            raise MalformedError(f"expected a handle of 16 bytes and at least one salt of {SALT_SIZE} bytes")
        return cls(handle, found)


def search(data: Iterable[bytes], erased: Erased) -> Iterator[Trace]:
    """Look through the bytes of one file, in pieces as they come, for anything that opens the commitment."""
    needles = dict(_needles(erased))
    keep = max(map(len, needles)) + 2 * NEIGHBOURHOOD
    window, offset = b"", 0
    told: set[tuple[int, str]] = set()
    for piece in data:
        window += piece
        for trace in _found(window, offset, needles, erased):
            if (trace.offset, trace.what) not in told:
                told.add((trace.offset, trace.what))
                yield trace
        cut = max(0, len(window) - keep)
        window, offset = window[cut:], offset + cut


def _found(window: bytes, offset: int, needles: dict[bytes, str], erased: Erased) -> Iterator[Trace]:
    for needle, what in needles.items():
        for position in _positions(window, needle):
            yield Trace(offset + position, what)
    if erased.opening:
        yield from (
            Trace(offset + position, "a salt that opens the entry") for position in _salts(window, erased.opening)
        )


def _salts(window: bytes, opening: Opening) -> Iterator[int]:
    """Where a salt stands within reach of the entry's handle or digest: each position is tried."""
    entry, record = Entry.decode(opening.entry), opening.record.encode()
    tried = 0
    for position in sorted(
        position for anchor in (entry.handle, entry.digest) for position in _positions(window, anchor)
    ):
        for start in range(
            max(tried, position - NEIGHBOURHOOD), min(position + NEIGHBOURHOOD, len(window) - SALT_SIZE + 1)
        ):
            if hmac.digest(window[start : start + SALT_SIZE], record, "sha256") == entry.digest:
                yield start
        tried = max(tried, position + NEIGHBOURHOOD)


def _positions(window: bytes, needle: bytes) -> Iterator[int]:
    position = window.find(needle)
    while position >= 0:
        yield position
        position = window.find(needle, position + 1)


def _needles(erased: Erased) -> Iterator[tuple[bytes, str]]:
    secrets = [("the salt", salt) for salt in erased.salts]
    if erased.opening:
        secrets.append(("the record", erased.opening.record.encode()))
    for name, secret in secrets:
        middle = len(secret) // 2
        # Torn anywhere, one half of it is still whole.
        for half, part in (("first half", secret[:middle]), ("second half", secret[middle:])):
            for form, needle in _spellings(part):
                yield needle, f"{half} of {name}, {form}"


def _spellings(part: bytes) -> Iterator[tuple[str, bytes]]:
    yield "as it is", part
    yield "in hexadecimal", part.hex().encode()
    yield "in hexadecimal", part.hex().upper().encode()
    for shift in range(3):
        # Wherever in three bytes of a longer text it starts: the letters that no neighbour has a bit in.
        first = -(-8 * shift // 6)
        last = 8 * (shift + len(part)) // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield "in base64", encode(bytes(shift) + part + bytes(2))[first:last]
