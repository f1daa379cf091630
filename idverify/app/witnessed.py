"""Making the key that takes another's place: before named witnesses, where the token keeps an inventory.

The ceremony is the HSM's own (``hsm.ceremony``): its transcript is a file beside the inventory, signed by the token,
and its SHA-256 goes into the ledger's entry of the key (docs/ledger-format.md section 3). What was cut off goes on from
there: a key whose ceremony is over is taken as it is, and one whose ceremony is not waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, count

from hsm import Algorithm, Hsm, HsmPolicy
from hsm.book import Book, kept
from hsm.ceremony import Ask, Witnesses, at_terminal, hold, transcript_path
from hsm.entries import Entry
from hsm.lifecycle import Stage
from idverify.app.token_keys import keys_on
from idverify.app.tokens import token_config
from idverify.config import Token
from idverify.errors import SetupError
from idverify.services.establish import TokenKey
from idverify.services.key_ceremony import KeyOrder

_UNFINISHED = frozenset({Stage.PLANNED, Stage.GENERATED})


@dataclass(frozen=True, slots=True)
class Present:
    """Who is there to see a key made, and how they are asked."""

    witnesses: Witnesses
    ask: Ask


def present(names: Sequence[str], quorum: int | None) -> Present | None:
    """Who is at the terminal, of whom ``quorum`` must confirm, by default all. Raises ``SetupError`` for no quorum."""
    if not names and quorum is None:
        return None
    try:
        return Present(Witnesses(tuple(names), len(names) if quorum is None else quorum), at_terminal)
    except HsmPolicy as error:
        raise SetupError(str(error), "Correct --witness and --quorum.") from error


async def made_for(
    order: KeyOrder, token: Token, seen_by: Present | None, told: Callable[[str], None]
) -> TokenKey | None:
    """The key of an order, on this token; ``None`` where its ceremony is still to come to its end. ``told`` hears why.

    Raises ``SetupError`` where witnesses are there and the token keeps no inventory.
    """
    if token.inventory is None:
        if seen_by is not None:
            raise SetupError(
                f"A key is made before witnesses where its token keeps an inventory, and {token.label} keeps none.",
                "Set its inventory (docs/settings.md), or leave out --witness.",
            )
        async with Hsm(token_config(token, writable=True)) as hsm:
            return await _unwitnessed(hsm, order, token, order.label)
    async with kept(token_config(token), token.inventory) as book:
        label, entry = _place(book, order.label)
        if entry is None and seen_by is None:
            return await _unwitnessed(book.hsm, order, token, label)
        if entry is None or entry.stage in _UNFINISHED:
            entry = await _witnessed(book, order, label, entry, seen_by, told)
        return None if entry is None else _taken(order, token, entry)


def _place(book: Book, label: str) -> tuple[str, Entry | None]:
    """The label of the order's key, and its entry if it has one; a key that was given up and destroyed is not it."""
    known = {entry.label: entry for entry in book.now.entries}
    names = chain([label], (f"{label} {number}" for number in count(2)))
    name = next(name for name in names if name not in known or known[name].stage is not Stage.DESTROYED)
    return name, known.get(name)


async def _unwitnessed(hsm: Hsm, order: KeyOrder, token: Token, label: str) -> TokenKey:
    (made,) = await keys_on(hsm, token.label, {label: Algorithm.ES256})
    return TokenKey(order.role, made.token, made.key_id, made.algorithm, made.public_key)


async def _witnessed(
    book: Book,
    order: KeyOrder,
    label: str,
    entry: Entry | None,
    seen_by: Present | None,
    told: Callable[[str], None],
) -> Entry | None:
    if seen_by is None:
        told(f"The replacement of {order.role} waits for the end of its key's ceremony: run up with --witness again.")
        return None
    if entry is None:
        entry = Entry(label, order.role, Algorithm.ES256, Stage.PLANNED).at(Stage.PLANNED, book.time)
        await book.write(book.now.adding(entry))
    path = transcript_path(book, entry)
    outcome = await hold(book, entry, seen_by.witnesses, path, seen_by.ask)
    if outcome.transcript is None:
        few = f"{len(outcome.confirmed)} confirmed, and {seen_by.witnesses.quorum} must"
        told(f"The replacement of {order.role} waits: {few}. Run up again.")
        return None
    named = f"{path}, SHA-256 {outcome.transcript.hex()}"
    told(f"The transcript of the ceremony is {named}. The ledger's entry of the key names it.")
    return outcome.entry


def _taken(order: KeyOrder, token: Token, entry: Entry) -> TokenKey:
    is_it = (entry.role, entry.algorithm, entry.stage) == (order.role, Algorithm.ES256, Stage.ATTESTED)
    if not is_it or entry.transcript is None or entry.id is None:
        raise SetupError(
            f"The key {entry.label!r} of the order for {order.role} should be attested, {Algorithm.ES256}, for that "
            f"role, but is {entry.stage}, {entry.algorithm}, for {entry.role}.",
            "Find out who entered it; destroy it with `python -m hsm destroy`, and run up again.",
        )
    return TokenKey(
        order.role, token.label, entry.id, entry.algorithm.value, entry.public_key, transcript=entry.transcript
    )
