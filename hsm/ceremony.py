"""Making a key before witnesses, and the transcript that says who saw what.

The walk: the key is planned and generated (`hsm.keeping`), proves that it works, and shows its thumbprint. Each witness
confirms by typing the end of it, which nobody can who does not look. With as many as the quorum asks for, the
transcript is written, signed by the token's inventory key, and the key is attested with the transcript's SHA-256:
that hash is for a ledger, an archive, a notice board. Without a quorum the key stays generated and signs nothing.
"""

import asyncio
import re
import secrets
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from hsm.book import Book, put_in_place
from hsm.entries import Entry, rfc3339
from hsm.errors import HsmInventoryRefused, HsmPolicy, HsmUnavailable
from hsm.inventory import open_signed, render, to_be_signed
from hsm.keeping import PROOF, generate, prove
from hsm.key_rows import FILE_MAX
from hsm.lifecycle import Stage
from hsm.verify import verify_signature

FORMAT: Final = "hsm-ceremony/1"
_TYPED: Final = 8  # characters of the thumbprint that a witness types
_WITNESSES_MAX, _NAME_MAX = 32, 100

Ask = Callable[[str], str]
"""Show a question to whoever is present and return what they type."""


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Who is to be present, by name, and how many of them must confirm."""

    names: tuple[str, ...]
    quorum: int

    def __post_init__(self) -> None:
        """Raise `HsmPolicy` unless the names are distinct and the quorum can be reached."""
        unfit = [name for name in self.names if not 1 <= len(name.strip()) <= _NAME_MAX or not name.isprintable()]
        if unfit or len(set(map(_heard, self.names))) != len(self.names) or len(self.names) > _WITNESSES_MAX:
            raise HsmPolicy(
                f"Expected at most {_WITNESSES_MAX} distinct names of witnesses, got {list(self.names)}. Name each "
                "once."
            )
        if not 1 <= self.quorum <= len(self.names):
            raise HsmPolicy(
                f"Expected a quorum of 1 or more of the witnesses who are named, got {self.quorum} of "
                f"{len(self.names)}. Name each with --witness."
            )


def _heard(name: str) -> str:
    """A name as it is read aloud: neither capitals nor spaces make it another person's."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


@dataclass(frozen=True, slots=True)
class Outcome:
    """The key, who confirmed it, and the SHA-256 of the transcript; None where too few did."""

    entry: Entry
    confirmed: tuple[str, ...]
    transcript: bytes | None


async def hold(book: Book, planned: Entry, witnesses: Witnesses, path: Path, ask: Ask) -> Outcome:
    """Make, prove and attest the key that is planned; `path` is where its transcript goes, and must be free."""
    if await asyncio.to_thread(path.exists):
        raise HsmPolicy(f"Expected no file at {path}, got one. Name another for the transcript.")
    begun = book.time
    entry = await generate(book, await _asked_of(book, planned, witnesses.quorum))
    proof = await prove(book, entry)
    present = []
    for name in witnesses.names:
        confirmed = await asyncio.to_thread(_confirms, name, entry, ask)
        present.append({"name": name, "confirmed": rfc3339(book.time) if confirmed else None})
    names = tuple(one["name"] for one in present if one["confirmed"] is not None and one["name"] is not None)
    if len(names) < witnesses.quorum:
        return Outcome(entry, names, None)
    told: dict[str, Any] = {
        "format": FORMAT,
        "token": book.now.token,
        "begun": rfc3339(begun),
        "ended": rfc3339(book.time),
        "key": entry.to_json(),
        "proof_of_possession": proof,
        "quorum": witnesses.quorum,
        "witnesses": present,
    }
    content = render(told, await book.hsm.sign(book.signer.id, to_be_signed(FORMAT, told)))
    await asyncio.to_thread(put_in_place, path, content)
    attested = entry.at(Stage.ATTESTED, book.time, transcript=sha256(content).digest())
    await book.write(book.now.having(attested))
    return Outcome(attested, names, attested.transcript)


async def _asked_of(book: Book, planned: Entry, quorum: int) -> Entry:
    """The entry with its quorum, which never falls: whoever refused is not outvoted by asking fewer."""
    if planned.quorum is not None and quorum < planned.quorum:
        raise HsmPolicy(
            f"Expected a quorum of {planned.quorum}, with which the ceremony of {planned.label!r} began, got {quorum}. "
            "Call as many witnesses, or `destroy` the key."
        )
    asked = replace(planned, quorum=quorum)
    if asked != planned:
        await book.write(book.now.having(asked))
    return asked


def transcript_path(book: Book, entry: Entry) -> Path:
    """A place beside the inventory: never that of a transcript whose ceremony was cut off after it was written."""
    name = re.sub(r"[^A-Za-z0-9._#-]", "-", entry.label)
    return book.path.with_name(f"ceremony-{name}-{book.time}-{secrets.token_hex(2)}.json")


def at_terminal(question: str) -> str:
    """Ask whoever is at the terminal."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline()


def shown(entry: Entry) -> str:
    """What witnesses compare: the thumbprint of the public key, the id of a secret key."""
    value = entry.thumbprint or entry.id
    assert value is not None
    return value.hex()


def _confirms(name: str, entry: Entry, ask: Ask) -> bool:
    whole = shown(entry)
    groups = " ".join(whole[start : start + _TYPED] for start in range(0, len(whole), _TYPED))
    typed = ask(
        f"{entry.label} ({entry.algorithm}): {groups}\n"
        f"{name}, type the last {_TYPED} characters to confirm, or nothing if you do not: "
    )
    return typed.strip().lower() == whole[-_TYPED:]


def check_transcript(content: bytes, spki: bytes, name: str) -> dict[str, Any]:
    """What a transcript says, once its signature, the proof in it and its quorum hold.

    Raises `HsmInventoryRefused`. Needs no token: `spki` is the SubjectPublicKeyInfo of its inventory key, DER.
    """
    if len(content) > FILE_MAX:
        raise HsmInventoryRefused(f"Expected at most {FILE_MAX} bytes in {name}, got more. It is no transcript.")
    told = open_signed(FORMAT, content, spki, name)
    try:
        key, proof, confirmed = Entry.from_json(told["key"]), told["proof_of_possession"], confirmed_in(told)
        challenge, quorum = bytes.fromhex(proof["challenge"]), int(told["quorum"])
        signature = None if proof["signature"] is None else bytes.fromhex(proof["signature"])
    except (KeyError, TypeError, ValueError) as error:
        raise HsmInventoryRefused(
            f"Expected a transcript of format {FORMAT} in {name}, got {error!r}. It is signed, but by another "
            "version: use the version that wrote it."
        ) from error
    if not _proves(key, challenge, signature):
        raise HsmInventoryRefused(
            f"Expected {key.label!r} to have signed its challenge in {name}, got a proof that does not hold. "
            "Do not use the key: hold another ceremony."
        )
    if len(confirmed) < max(quorum, 1):
        raise HsmInventoryRefused(
            f"Expected {quorum} witnesses in {name} to have confirmed, got {len(confirmed)}. "
            "It is no transcript of a ceremony that came to its end."
        )
    return told


def _proves(key: Entry, challenge: bytes, signature: bytes | None) -> bool:
    """Of a secret key only the token could tell, which did when the ceremony was held."""
    if key.public_key is None:
        return True
    try:
        verify_signature(key.public_key, PROOF + challenge, signature or b"")
    except HsmUnavailable:
        return False
    return True


def confirmed_in(told: dict[str, Any]) -> list[str]:
    """The names of the witnesses of a transcript who confirmed."""
    return [one["name"] for one in told["witnesses"] if one["confirmed"] is not None]
