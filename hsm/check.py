"""`python -m hsm inventory --check`: does the token hold what the inventory says, and nothing else?"""

from collections.abc import Iterable, Iterator
from typing import Final

from hsm.entries import Entry, rfc3339
from hsm.findings import Finding
from hsm.inventory import Inventory
from hsm.keys import KeyInfo
from hsm.lifecycle import Stage, alarm
from hsm.rules import is_half, strange
from hsm.signer import SIGNER_LABEL

_OF_A_LIVE_ROLE: Final = {Stage.ACTIVE, Stage.RETIRING}
_STRANGER: Final = (
    "Nothing here uses it, but what it wrapped, encrypted or signed elsewhere would be lost with it. Find out who made "
    "it. If it is yours, put this inventory away and begin one with `--start --again --adopt`; else remove it with the "
    "vendor's tool."
)
_ENDED: Final = "Destroy its keys once nothing needs them. If it was to go on, make one with `python -m hsm ceremony`."
_HALF: Final = "Nothing can use it. Remove it with the vendor's tool, or make the key again."
_UNFINISHED: Final = {
    Stage.GENERATED: "Finish its ceremony: run `python -m hsm ceremony` with the same role again.",
    Stage.ATTESTED: "Certify it where it needs that, publish it, then `python -m hsm mark --to published`.",
    Stage.PUBLISHED: "Take it into use: `python -m hsm mark --to active`, or `rotate`.",
}


def check(inventory: Inventory, keys: Iterable[KeyInfo], count: int, at: float) -> list[Finding]:
    """One row for each key of either, and one for the inventory itself; `count` is the changes the token knows of."""
    there = list(keys)
    listed = {entry.label: entry for entry in inventory.entries}
    found = f"signed by this token; change {inventory.sequence} of {rfc3339(inventory.at)}"
    uncounted = "" if count else "The token cannot count changes: keep older files where nobody can put one back."
    return [
        Finding("inventory", True, found, uncounted),
        *(_entry(entry, there, int(at)) for entry in inventory.entries),
        *_roles(inventory),
        *_unlisted(listed, there),
    ]


def _entry(entry: Entry, there: list[KeyInfo], at: int) -> Finding:
    for rule in (_planned, _gone, _missing, _half, _strange, _certificate):
        finding = rule(entry, there, at)
        if finding is not None:
            return finding
    how = "in software, sealed by the token" if entry.sealed else f"on the token as {_hex(entry.id)}"
    return Finding(entry.label, True, f"{entry.stage}; {how}", _UNFINISHED.get(entry.stage, ""))


def _planned(entry: Entry, there: list[KeyInfo], _: int) -> Finding | None:
    if entry.stage is not Stage.PLANNED:
        return None
    again = "Run `python -m hsm ceremony` with the same role again: it goes on from there."
    if any(key.label == entry.label for key in there):
        return Finding(entry.label, False, "planned, and already on the token: its ceremony was cut off", again)
    return Finding(entry.label, True, "planned; not made yet", again)


def _gone(entry: Entry, there: list[KeyInfo], _: int) -> Finding | None:
    if entry.stage is not Stage.DESTROYED:
        return None
    if any(key.label == entry.label for key in there):
        cure = f"Run `python -m hsm destroy --key {entry.label!r}` again."
        return Finding(entry.label, False, "destroyed by the inventory, and still on the token: it was cut off", cure)
    return Finding(entry.label, True, "destroyed")


def _missing(entry: Entry, there: list[KeyInfo], _: int) -> Finding | None:
    if entry.sealed or any(key.id == entry.id for key in there):
        return None
    cure = "Bring the right token, or restore it. If the key is lost for good, enter that with `destroy`."
    return Finding(entry.label, False, f"{entry.stage}, and not on the token ({_hex(entry.id)})", cure)


def _half(entry: Entry, there: list[KeyInfo], _: int) -> Finding | None:
    if entry.sealed or not any(key.id == entry.id and is_half(key) for key in there):
        return None
    cure = "Restore the token from a backup and find out who changed it, or `rotate` the key."
    return Finding(entry.label, False, f"{entry.stage}, and without its public half on the token", cure)


def _strange(entry: Entry, there: list[KeyInfo], _: int) -> Finding | None:
    problem = strange(entry, there)
    if problem is None:
        return None
    return Finding(
        entry.label, False, problem, "Find out who changed the token; `rotate`, and treat it as compromised."
    )


def _certificate(entry: Entry, _: list[KeyInfo], at: int) -> Finding | None:
    if entry.validity is None or entry.stage is not Stage.ACTIVE:
        return None
    end = entry.validity[1]
    days = alarm(end, at)
    if days is None:
        return None
    when = "has ended" if days == 0 else f"ends within {days} day{'s' if days > 1 else ''}"
    return Finding(entry.label, False, f"its certificate {when}: {rfc3339(end)}", "Run `python -m hsm rotate`.")


def _roles(inventory: Inventory) -> Iterator[Finding]:
    """Of each role whose keys are in use or just were, one is active."""
    for role in dict.fromkeys(entry.role for entry in inventory.entries if entry.stage in _OF_A_LIVE_ROLE):
        labels = [entry.label for entry in inventory.active(role)]
        if not labels:
            yield Finding(f"role {role}", True, "it has ended: no key is active, and nothing new is made", _ENDED)
        elif len(labels) > 1:
            cure = "Find out which is used, and `mark --to retiring` the others."
            yield Finding(f"role {role}", False, f"several keys are active: {', '.join(labels)}", cure)


def _unlisted(listed: dict[str, Entry], there: list[KeyInfo]) -> Iterator[Finding]:
    for key in there:
        entry = listed.get(key.label)
        if (key.label == SIGNER_LABEL and key.id) or (entry is not None and entry.id in {key.id, None}):
            continue
        if not key.id:
            yield Finding(key.label, False, "without an id: a generation was cut off half way", _HALF)
        else:
            found = f"{_hex(key.id)} is on the token, and not in the inventory"
            yield Finding(key.label, False, found, _STRANGER)


def _hex(value: bytes | None) -> str:
    return value.hex() if value is not None else "no id"
