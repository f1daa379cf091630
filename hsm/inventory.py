"""The inventory: every key of a token with its stage, dates, certificate and provenance, in a file the token signs.

The file lies beside the token and is plain JSON, `{"signed": ..., "signature": ...}`. It is signed (ES256) by a key
of the token that signs nothing else (`hsm.signer`); whoever can write files but not use the token cannot change it. It
must read exactly as it would be written, but for the signature, of which ECDSA has two for every one. `sequence`
counts the changes, `previous` is the SHA-256 of the file before, and the whole file is exchanged by one rename, so
that a crash leaves the old one or the new one. The token keeps the count, too, so that an older file is told from the
newest; where it cannot, `inventory --check` says so.
"""

import errno
import json
import os
import stat
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from hsm.entries import Entry, rfc3339, unix
from hsm.errors import HsmInventoryRefused, HsmPolicy, HsmUnavailable
from hsm.lifecycle import Stage
from hsm.signer import SIGNER_LABEL
from hsm.verify import verify_signature

FORMAT: Final = "hsm-inventory/1"
FILE_NAME: Final = "inventory.json"
_FILE_MAX: Final = 16 * 1024 * 1024  # bytes: some ten thousand keys


@dataclass(frozen=True, slots=True)
class Inventory:
    """The keys of one token as of one change; `counted` where the token counts the changes, too."""

    token: dict[str, str]
    sequence: int
    at: int
    previous: bytes | None
    entries: tuple[Entry, ...]
    counted: bool = False

    def entry(self, label: str) -> Entry:
        """The key of this label; `HsmPolicy` when there is none."""
        for entry in self.entries:
            if entry.label == label:
                return entry
        known = ", ".join(repr(entry.label) for entry in self.entries) or "none"
        raise HsmPolicy(f"Expected the label of a key in the inventory, got {label!r}. There are: {known}.")

    def active(self, role: str) -> list[Entry]:
        """The keys that are in use in a role."""
        return [entry for entry in self.entries if entry.role == role and entry.stage is Stage.ACTIVE]

    def successor(self, label: str) -> Entry | None:
        """The key that is to follow this one, if one is on its way."""
        return next(
            (entry for entry in self.entries if entry.replaces == label and entry.stage is not Stage.DESTROYED), None
        )

    def adding(self, entry: Entry) -> Self:
        """With one key more; `HsmPolicy` when its label was ever used."""
        if any(known.label == entry.label for known in self.entries) or entry.label == SIGNER_LABEL:
            raise HsmPolicy(f"Expected a label that no key ever had, got {entry.label!r}. Choose another.")
        return replace(self, entries=(*self.entries, entry))

    def having(self, *changed: Entry) -> Self:
        """With some keys as given, by their labels."""
        fresh = {entry.label: entry for entry in changed}
        return replace(self, entries=tuple(fresh.get(entry.label, entry) for entry in self.entries))

    def signed(self) -> dict[str, Any]:
        """What is signed, in JSON's types."""
        return {
            "format": FORMAT,
            "token": self.token,
            "sequence": self.sequence,
            "counted": self.counted,
            "at": rfc3339(self.at),
            "previous": None if self.previous is None else self.previous.hex(),
            "keys": [entry.to_json() for entry in self.entries],
        }


def to_be_signed(kind: str, signed: dict[str, Any]) -> bytes:
    """What the inventory key signs: the kind of document, then the document on one line, names in order."""
    return f"{kind}\n{json.dumps(signed, sort_keys=True, separators=(',', ':'))}".encode()


def render(signed: dict[str, Any], signature: bytes) -> bytes:
    """A signed document as it stands in its file."""
    return (json.dumps({"signed": signed, "signature": signature.hex()}, indent=2, sort_keys=True) + "\n").encode()


def open_signed(kind: str, content: bytes, spki: bytes, name: str) -> dict[str, Any]:
    """The document in a file, once its signature holds under this key; `HsmInventoryRefused` otherwise."""
    try:
        document = json.loads(content)
        signed, signature = document["signed"], bytes.fromhex(document["signature"])
        exact = render(signed, signature) == content
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise HsmInventoryRefused(
            f"Expected a signed document in {name}, got something else ({type(error).__name__}). "
            "Restore it from a backup."
        ) from error
    if not exact:
        raise HsmInventoryRefused(
            f"Expected {name} as this program writes it, got another rendering. Restore it from a backup; "
            "do not edit it."
        )
    try:
        verify_signature(spki, to_be_signed(kind, signed), signature)
    except HsmUnavailable:
        raise HsmInventoryRefused(
            f"Expected {name} to be signed by this token's inventory key, got a signature that does not hold. "
            "It was altered, or belongs to another token: restore the right one, and find out who changed it."
        ) from None
    return dict(signed)


def read(path: Path, spki: bytes, count: int) -> tuple[Inventory, bytes]:
    """The inventory in a file and the SHA-256 of the file; `HsmInventoryRefused` unless it holds.

    `count` is how many changes the token knows of: a file of before is refused, though the token signed it. One
    change more is what a crash leaves between the file and the token.
    """
    content = _content(path)
    signed = open_signed(FORMAT, content, spki, str(path))
    try:
        if signed["format"] != FORMAT:
            raise ValueError(signed["format"])
        found = Inventory(
            token=signed["token"],
            sequence=signed["sequence"],
            at=unix(signed["at"]),
            previous=None if signed["previous"] is None else bytes.fromhex(signed["previous"]),
            entries=tuple(Entry.from_json(entry) for entry in signed["keys"]),
            counted=signed.get("counted", False),  # none in those of before it was kept
        )
    except (KeyError, TypeError, ValueError) as error:
        raise HsmInventoryRefused(
            f"Expected an inventory of format {FORMAT} in {path}, got {error!r}. It is signed, but by another "
            "version: use the version that wrote it."
        ) from error
    if found.counted and not count:
        raise HsmInventoryRefused(
            f"Expected a token that counts the changes of {path}, got one without its counter. Somebody removed it and "
            "may have put an older inventory back. Restore the token, and find out who."
        )
    if found.sequence < count:
        raise HsmInventoryRefused(
            f"Expected change {count} of the inventory in {path}, got the older {found.sequence}. Restore the newest; "
            "a key that it has as active may have been destroyed since."
        )
    return found, sha256(content).digest()


def _content(path: Path) -> bytes:
    try:
        # whoever put something else in its place holds up nobody
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "it is no file")
            content = file.read(_FILE_MAX + 1)
    except OSError as error:
        raise HsmInventoryRefused(
            f"Expected an inventory at {path}, got: {error.strerror}. Restore it from a backup; for a token that "
            "never had one, run `python -m hsm inventory --start`; where it is lost for good, `--start --again`."
        ) from error
    if len(content) > _FILE_MAX:
        raise HsmInventoryRefused(f"Expected at most {_FILE_MAX} bytes in {path}, got more. Restore it from a backup.")
    return content
