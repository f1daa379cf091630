"""A key's way through its life: each step is done on the token and then entered, or entered and then done.

What a crash between the two leaves can always be told, and the same command goes on from there:

    planned     entered before the token is asked for a key of that label: the label finds it again
    generated   entered after; then it is proven, witnessed and the transcript written
    attested    entered after the transcript is on the disk
    exchanged   a successor becomes active and the old one retiring in one change of the file
    destroyed   entered before the objects go: from that moment nothing uses the key
"""

import os
import re
from collections.abc import Collection, Mapping
from typing import Any

from cryptography.x509 import load_der_x509_certificate

from hsm.book import Book
from hsm.entries import Entry
from hsm.errors import HsmKeyRefused, HsmPolicy
from hsm.keys import Algorithm, KeyInfo
from hsm.lifecycle import Stage, require_next
from hsm.sealed import SealedKey
from hsm.signer import require_pair
from hsm.verify import verify_signature
from hsm.x509 import accept

PROOF = b"hsm-proof-of-possession/1\n"
"""What goes before the challenge, so that no proof is a signature over anything else."""

NO_SOFTWARE: Mapping[SealedKey, str] = {}
_LABEL_MAX = 64
_ROLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
"""Of a new key: it becomes part of labels, of file names, and of what people type."""


async def start(book: Book, *, adopt: bool) -> None:
    """The first entry of the book: no keys; or, to `adopt` a token in use, every key it vouches for, as active.

    On a token that had an inventory before, they are entered as generated: nobody knows any more which of them were
    replaced, or never witnessed.
    """
    inventory = book.now
    if adopt:
        for key in await book.hsm.inventory():
            if key.id and key.born_here and key.id != book.signer.id:
                await require_pair(key, book.hsm.sign)
                role = key.label.partition("#")[0] or key.label  # `plan` labels them role#number
                made = Entry(key.label, role, key.algorithm, Stage.PLANNED).made(key, book.time)
                inventory = inventory.adding(made if book.had_one else made.at(Stage.ACTIVE, book.time))
    await book.write(inventory)


async def follow(
    book: Book,
    in_use: Mapping[bytes, tuple[str, bytes | None]],
    replaced: Collection[bytes] = (),
    software: Mapping[SealedKey, str] = NO_SOFTWARE,
) -> None:
    """Enter what another register decided: the ids in use, each with its role and certificate (DER), in one change.

    For a program with a register of its own, whose rules say when a key is taken into use, and which were `replaced`.
    A key that the token does not vouch for is refused, as is a certificate that is not for it, and one that has been
    destroyed or replaced is not brought back. One that the register does not know any more is no reason to retire it.
    `software` are the keys in software with their roles: each is marked `sealed`, once the token has opened it.
    """
    known = {entry.id: entry for entry in book.now.entries}
    there = {key.id: key for key in await book.hsm.inventory()}
    fresh = book.now
    for identity, (role, certificate) in in_use.items():
        entry = known.get(identity)
        if entry is None:
            entry = _followed(there.get(identity), identity, role, book.time)
            await require_pair(there[identity], book.hsm.sign)
        entry = _in_use(entry, role, book.time)
        entry = _certified(entry, certificate, book.time)
        fresh = fresh.having(entry) if identity in known else fresh.adding(entry)
    for key, role in software.items():
        entry = known.get(key.id) or await _in_software(book, role, key)
        entry = _in_use(entry, role, book.time)
        fresh = fresh.having(entry) if key.id in known else fresh.adding(entry)
    still = {*in_use, *(key.id for key in software)}
    for entry in book.now.entries:
        if entry.stage is not Stage.ACTIVE or entry.id in still:
            continue
        if entry.id not in replaced:
            raise HsmPolicy(
                f"Expected {entry.label!r}, which is active, to be in use or replaced, got neither. Find out who took "
                "it out of the register."
            )
        fresh = fresh.having(entry.at(Stage.RETIRING, book.time))
    if fresh.entries != book.now.entries or book.is_new:
        await book.write(fresh)


def _in_use(entry: Entry, role: str, at: int) -> Entry:
    """Active: a key whose ceremony for the role is over becomes so as the register says; any other is so already."""
    if entry.stage is Stage.ATTESTED and entry.role == role:
        entry = entry.at(Stage.PUBLISHED, at)
    if entry.stage is Stage.PUBLISHED and entry.role == role:
        entry = entry.at(Stage.ACTIVE, at)
    if entry.stage is not Stage.ACTIVE:
        raise HsmPolicy(
            f"Expected {entry.label!r} to be active, as it is in use, got one that is {entry.stage} in the "
            "inventory. Find out which of the two was put back from a backup."
        )
    return entry


async def _in_software(book: Book, role: str, key: SealedKey) -> Entry:
    await book.hsm.open_sealed(key)
    planned = Entry(
        f"{role} {key.id.hex()}", role, key.algorithm, Stage.PLANNED, id=key.id, public_key=key.public_key, sealed=True
    )
    return planned.at(Stage.ACTIVE, book.time)


def _certified(entry: Entry, certificate: bytes | None, at: int) -> Entry:
    """With a certificate that is for this key and holds, where it is another than it had."""
    if certificate == entry.certificate:
        return entry
    if certificate is None:
        raise HsmPolicy(f"Expected the certificate of {entry.label!r}, got none any more. Find out who took it away.")
    try:
        read = load_der_x509_certificate(certificate)
    except ValueError as error:
        raise HsmPolicy(f"Expected a certificate for {entry.label!r}, got something else: {error}.") from error
    return entry.with_certificate(accept(entry, read, None, at))


def _followed(key: KeyInfo | None, identity: bytes, role: str, at: int) -> Entry:
    if key is None or not key.born_here:
        raise HsmKeyRefused(
            f"Expected key {identity.hex()} for {role!r} on the token, born there, got "
            f"{'none' if key is None else 'one that was not'}. Bring the right token, or replace the key."
        )
    return Entry(key.label, role, key.algorithm, Stage.PLANNED).made(key, at).at(Stage.ACTIVE, at)


async def plan(book: Book, role: str, algorithm: Algorithm, replaces: str | None) -> Entry:
    """A key to be made; the one that waits for the end of its ceremony, where there is one."""
    for entry in book.now.entries:
        unfinished = entry.stage in {Stage.PLANNED, Stage.GENERATED}
        if unfinished and (entry.role, entry.algorithm, entry.replaces) == (role, algorithm, replaces):
            return entry
    if replaces is not None:
        _require_replaceable(book, replaces)
    label = f"{role}#{await _next_number(book, role)}"
    if len(label.encode()) > _LABEL_MAX or not (replaces or _ROLE.fullmatch(role)):
        raise HsmPolicy(
            f"Expected a role of 1 to {_LABEL_MAX - 4} letters, digits, '-', '_' and '.', with '/' between parts, such "
            f"as doc-signer/pid, got {role!r}."
        )
    entry = Entry(label, role, algorithm, Stage.PLANNED, replaces=replaces).at(Stage.PLANNED, book.time)
    await book.write(book.now.adding(entry))
    return entry


async def _next_number(book: Book, role: str) -> int:
    """One that no key of the role ever had, as far as file and token know: files are lost."""
    entries = [entry for entry in book.now.entries if entry.role == role]
    labels = {entry.label for entry in entries} | {key.label for key in await book.hsm.inventory()}
    numbers = [label.removeprefix(f"{role}#") for label in labels if label.startswith(f"{role}#")]
    return 1 + max(len(entries), *(int(number) for number in numbers if number.isdecimal()), 0)


def _require_replaceable(book: Book, label: str) -> None:
    old = book.now.entry(label)
    if old.stage is not Stage.ACTIVE:
        raise HsmPolicy(f"Expected {label!r} to be active, got one that is {old.stage}. Only those are replaced.")
    following = book.now.successor(label)
    if following is not None:
        raise HsmPolicy(
            f"Expected {label!r} to have no successor yet, got {following.label!r}, which is {following.stage}. "
            "Take that one into use."
        )


async def generate(book: Book, entry: Entry) -> Entry:
    """Have the token make the key; one that it made before it was cut off is found by its label."""
    if entry.stage is not Stage.PLANNED:
        return entry
    there = [key for key in await book.hsm.inventory() if key.label == entry.label]
    for half in there:
        if not half.id:
            await book.hsm.destroy(b"", entry.label)
    whole = [key for key in there if key.id]
    made = whole[0] if whole else await book.hsm.generate(entry.algorithm, entry.label)
    if len(whole) > 1 or not made.born_here:
        raise HsmKeyRefused(
            f"Expected one key {entry.label!r} born in the token, got {len(whole)} of that label. Find out who made "
            "them, and remove them with the vendor's tool."
        )
    fresh = entry.made(made, book.time)
    await book.write(book.now.having(fresh))
    return fresh


async def prove(book: Book, entry: Entry) -> dict[str, Any]:
    """That the key works and the token has its private half: a signature or a round trip over a fresh challenge."""
    assert entry.id is not None
    challenge = os.urandom(32)
    proof: dict[str, Any] = {"challenge": challenge.hex(), "signature": None}
    if entry.algorithm is Algorithm.A256KWP:
        again = await book.hsm.unwrap(entry.id, await book.hsm.wrap(entry.id, challenge))
    elif entry.algorithm is Algorithm.A256GCM:
        again = await book.hsm.decrypt(entry.id, await book.hsm.encrypt(entry.id, challenge))
    elif entry.algorithm is Algorithm.HS256:
        codes = [await book.hsm.hmac(entry.id, text) for text in (challenge, challenge, challenge[::-1])]
        again = challenge if codes[0] == codes[1] != codes[2] else b""
        proof |= {"hmac": codes[0].hex()}
    else:
        assert entry.public_key is not None
        signature = await book.hsm.sign(entry.id, PROOF + challenge)
        verify_signature(entry.public_key, PROOF + challenge, signature)
        return proof | {"signature": signature.hex()}
    if again != challenge:
        raise HsmKeyRefused(
            f"Expected {entry.label!r} to give back what it took, got something else. Take the token out of service."
        )
    return proof


async def mark(book: Book, label: str, wanted: Stage, *, ends_role: bool = False) -> Entry:
    """Enter that a key was published, is taken into use, or makes nothing new any more.

    A role has one active key. Its last one becomes retiring only where that `ends_role`.
    """
    entry = book.now.entry(label)
    if wanted not in {Stage.PUBLISHED, Stage.ACTIVE, Stage.RETIRING}:
        raise HsmPolicy(f"Expected published, active or retiring, got {wanted}. Other stages have their own commands.")
    require_next(label, entry.stage, wanted)
    if wanted is Stage.ACTIVE and entry.replaces is not None:
        old = book.now.entry(entry.replaces)
        if old.stage is Stage.ACTIVE:
            return await exchange(book, old.label)
        _require_certified_like(old, entry, book.time)  # the old one was compromised, or its role ended
    others = [one.label for one in book.now.active(entry.role) if one.label != label]
    if wanted is Stage.ACTIVE and others:
        raise HsmPolicy(
            f"Expected no active key in the role {entry.role!r}, got {others[0]!r}, which {label!r} does not replace. "
            f"Make its successor with `python -m hsm rotate --key {others[0]}`."
        )
    if wanted is Stage.RETIRING and not (others or ends_role):
        raise HsmPolicy(
            f"Expected another active key in the role {entry.role!r}, got none: nothing new could be made in it. Use "
            "`python -m hsm rotate`, or say --ends-role."
        )
    return await _enter(book, entry.at(wanted, book.time))


async def exchange(book: Book, label: str) -> Entry:
    """Put the published successor of an active key in its place, in one change: there is always exactly one."""
    old, fresh = book.now.entry(label), book.now.successor(label)
    require_next(label, old.stage, Stage.RETIRING)
    if fresh is None:
        raise HsmPolicy(f"Expected a successor of {label!r}, got none. Make it with `python -m hsm rotate`.")
    require_next(fresh.label, fresh.stage, Stage.ACTIVE)
    _require_certified_like(old, fresh, book.time)
    taken = fresh.at(Stage.ACTIVE, book.time)
    await book.write(book.now.having(old.at(Stage.RETIRING, book.time), taken))
    return taken


def _require_certified_like(old: Entry, fresh: Entry, at: int) -> None:
    """A key with a certificate is followed by one with a certificate that holds."""
    if old.validity is None and fresh.validity is None:
        return
    if fresh.validity is None or not fresh.validity[0] <= at <= fresh.validity[1]:
        raise HsmPolicy(
            f"Expected {fresh.label!r} to have a certificate that holds now, as {old.label!r} has one, got none. "
            "Run `python -m hsm certify`."
        )


async def destroy(book: Book, label: str, *, compromised: bool = False) -> tuple[Entry, int]:
    """Enter that a key is destroyed, then destroy it; how many objects went. Repeating it finishes the work."""
    entry = book.now.entry(label)
    if entry.stage is not Stage.DESTROYED:
        require_next(label, entry.stage, Stage.DESTROYED, compromised=compromised)
        entry = await _enter(book, entry.at(Stage.DESTROYED, book.time))
    there = {key.id for key in await book.hsm.inventory() if key.label == label}
    # one that was never entered with its id is whatever has its label; halves of a generation have no id
    ours = {entry.id} if entry.id is not None else there
    gone = [await book.hsm.destroy(identity, label) for identity in sorted(ours | {b""})]
    return entry, sum(gone)


async def _enter(book: Book, entry: Entry) -> Entry:
    await book.write(book.now.having(entry))
    return entry
