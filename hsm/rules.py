"""Which key may be used for what now, by the inventory: asked before every request that names a key."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hsm.algorithms import SIGNING
from hsm.entries import Entry, rfc3339
from hsm.errors import HsmKeyRefused
from hsm.frames import Op
from hsm.inventory import Inventory, read
from hsm.keys import KeyInfo
from hsm.lifecycle import USES, Stage, alarm

_CURES = {
    Stage.PLANNED: "Finish its ceremony: `python -m hsm ceremony`.",
    Stage.GENERATED: "Finish its ceremony: `python -m hsm ceremony`.",
    Stage.ATTESTED: "Publish it and take it into use: `python -m hsm mark --to published`, then `--to active`.",
    Stage.PUBLISHED: "Take it into use: `python -m hsm mark --to active`.",
}
_ON_TOKEN = frozenset({Stage.ACTIVE, Stage.RETIRING})


@dataclass(frozen=True, slots=True)
class CertificateAlarm:
    """A key in use whose certificate ends `within_days` (30, 7 or 1; 0 when it has ended)."""

    key: bytes
    label: str
    not_after: int
    within_days: int


class KeyRules:
    """The inventory of an open token, by key id."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._by_id = {entry.id: entry for entry in inventory.entries if entry.id}

    def require(self, op: Op, key: bytes, at: float, until: int | None) -> None:
        """Raise `HsmKeyRefused` unless the key may be used for this now, and for what holds `until` then."""
        stages = USES.get(op)
        if stages is None:
            return
        entry = self._by_id.get(key)
        if entry is None:
            raise HsmKeyRefused(
                f"Expected key {key.hex()} in the inventory, got none. See `python -m hsm inventory --check`."
            )
        _require_stage(entry, op, stages)
        if op is Op.SIGN:
            _require_certificate(entry, at, until)

    def require_sealed(self, key: bytes, wrapping_key: bytes) -> None:
        """Raise `HsmKeyRefused` unless the key in software may sign now.

        It must be active itself. One that has no entry yet, made by a service since the last change, stands and falls
        with its wrapping key: that must still make something new.
        """
        entry = self._by_id.get(key)
        if entry is None:
            self.require(Op.MAKE_SEALED, wrapping_key, 0, None)
        else:
            _require_stage(entry, Op.SIGN_SEALED, USES[Op.SIGN_SEALED])
            self.require(Op.OPEN_SEALED, wrapping_key, 0, None)

    def alarms(self, at: float) -> tuple[CertificateAlarm, ...]:
        """The keys in use whose certificates end before long, the first to end first."""
        found = []
        for entry in self.inventory.entries:
            if entry.stage is Stage.ACTIVE and entry.id is not None and entry.validity is not None:
                days = alarm(entry.validity[1], int(at))
                if days is not None:
                    found.append(CertificateAlarm(entry.id, entry.label, entry.validity[1], days))
        return tuple(sorted(found, key=lambda one: one.not_after))


def _require_stage(entry: Entry, op: Op, stages: frozenset[Stage]) -> None:
    if entry.stage not in stages:
        raise HsmKeyRefused(
            f"Expected {entry.label!r} to be {' or '.join(sorted(stages))} for {op.name}, got one that is "
            f"{entry.stage}. {_CURES.get(entry.stage, f'Use the key that is active for {entry.role!r}.')}"
        )


def _require_certificate(entry: Entry, at: float, until: int | None) -> None:
    if entry.validity is None:
        if until is not None:
            raise HsmKeyRefused(
                f"Expected a certificate for {entry.label!r}, got none. Run `python -m hsm certify` first."
            )
        return
    start, end = entry.validity
    if not start <= at <= end:
        raise HsmKeyRefused(
            f"Expected the certificate of {entry.label!r} to hold now, got one from {rfc3339(start)} to "
            f"{rfc3339(end)}. Check the clock, or renew it with `python -m hsm rotate`."
        )
    if until is not None and until > end:
        raise HsmKeyRefused(
            f"Expected the certificate of {entry.label!r} to outlive what it signs, until {rfc3339(until)}, got one "
            f"that ends {rfc3339(end)}. Sign what ends before, or renew it with `python -m hsm rotate`."
        )


def rules_of(path: Path, spki: bytes, keys: Iterable[KeyInfo], count: int) -> KeyRules:
    """The rules of the inventory at `path` for the token that has these keys and knows of `count` changes.

    `spki` is the public half of its inventory key. Raises `HsmInventoryRefused` unless that signed it, and
    `HsmKeyRefused` when a key in use is not the one that the inventory means, or the token does not vouch for its
    birth.
    """
    there = list(keys)
    inventory, _ = read(path, spki, count)
    wrong = [problem for entry in inventory.entries if (problem := strange(entry, there)) is not None]
    if wrong:
        raise HsmKeyRefused(
            f"Expected the keys of the inventory, each born in the token, got: {'; '.join(wrong)}. "
            "Find out who changed the token. See `python -m hsm inventory --check`."
        )
    return KeyRules(inventory)


def is_half(key: KeyInfo) -> bool:
    """Whether it is a key pair whose public half is not on the token."""
    return key.algorithm in SIGNING and key.public_key is None


def strange(entry: Entry, there: Iterable[KeyInfo]) -> str | None:
    """What is wrong with a key in use as the token has it; one that is missing, or half, is told when it is used."""
    if entry.stage not in _ON_TOKEN or entry.sealed:
        return None
    for key in there:
        if key.id != entry.id:
            continue
        if not key.born_here:
            return f"{entry.label!r} was not born in the token, or could leave it"
        if is_half(key):
            return None
        if (key.public_key, key.algorithm) != (entry.public_key, entry.algorithm):
            return f"{entry.label!r} has another public key or algorithm on the token"
        known = (entry.provenance or {}).get("made_by")  # entries of before it was read have none
        if known is not None and key.made_by != known:
            return f"{entry.label!r} was made by {known}, and by {key.made_by} as the token has it"
    return None
