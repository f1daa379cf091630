"""What may be done with a key at each stage of its life, and which stage may follow which.

    planned -> generated -> attested -> published -> active -> retiring (verify only) -> destroyed

A key that was never active may be given up at any stage. One that somebody else may have is destroyed at once.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from hsm.errors import HsmPolicy
from hsm.frames import Op

DAY: Final = 86_400
ALARM_DAYS: Final = (1, 7, 30)
"""Before the end of a certificate: it is renewed by people, who must hear of it in time."""


class Stage(StrEnum):
    """Where a key stands."""

    PLANNED = "planned"  # decided on; the token may or may not have it yet
    GENERATED = "generated"  # on the token, which vouches for its birth
    ATTESTED = "attested"  # witnesses saw that, and that it works
    PUBLISHED = "published"  # whoever verifies can know it
    ACTIVE = "active"  # in use
    RETIRING = "retiring"  # what it made still verifies or opens; it makes nothing new
    DESTROYED = "destroyed"  # gone, or going: the entry stays


NEXT: Final = MappingProxyType(
    {
        Stage.PLANNED: frozenset({Stage.GENERATED, Stage.DESTROYED}),
        Stage.GENERATED: frozenset({Stage.ATTESTED, Stage.DESTROYED}),
        Stage.ATTESTED: frozenset({Stage.PUBLISHED, Stage.DESTROYED}),
        Stage.PUBLISHED: frozenset({Stage.ACTIVE, Stage.DESTROYED}),
        Stage.ACTIVE: frozenset({Stage.RETIRING}),
        Stage.RETIRING: frozenset({Stage.DESTROYED}),
        Stage.DESTROYED: frozenset[Stage](),
    }
)
"""The stages that may follow each; a compromised key may go from `ACTIVE` to `DESTROYED` as well."""

_MAKES, _OPENS = frozenset({Stage.ACTIVE}), frozenset({Stage.ACTIVE, Stage.RETIRING})

USES: Final = MappingProxyType(
    {
        Op.SIGN: _MAKES,
        Op.WRAP: _MAKES,
        Op.ENCRYPT: _MAKES,
        Op.UNWRAP: _OPENS,
        Op.DECRYPT: _OPENS,
        Op.MAKE_SEALED: _MAKES,
        Op.OPEN_SEALED: _OPENS,
        Op.SIGN_SEALED: _MAKES,  # of the key in software
        Op.HMAC: _OPENS,  # looks up by what was stored under it
    }
)
"""The stages at which a key may be asked for each operation. What is not listed uses no key, or its public half."""


def require_next(label: str, now: Stage, wanted: Stage, *, compromised: bool = False) -> None:
    """Raise `HsmPolicy` unless the stage `wanted` may follow `now`."""
    if wanted in NEXT[now] or (compromised and now is Stage.ACTIVE and wanted is Stage.DESTROYED):
        return
    allowed = ", ".join(sorted(NEXT[now])) or "nothing"
    raise HsmPolicy(f"Expected {label!r}, which is {now}, to become {allowed}, got {wanted}. {_CURES[now]}")


_CURES: Final = {
    Stage.PLANNED: "Finish its ceremony first.",
    Stage.GENERATED: "Finish its ceremony first.",
    Stage.ATTESTED: "Publish its public key or certificate, then say so: `python -m hsm mark --to published`.",
    Stage.PUBLISHED: "Take it into use first: `python -m hsm mark --to active`, or `rotate`.",
    Stage.ACTIVE: "Put another in its place with `python -m hsm rotate`, or say --compromised.",
    Stage.RETIRING: "What it signed may still be verified; to sign, make another with `python -m hsm ceremony`.",
    Stage.DESTROYED: "Make another with `python -m hsm ceremony`.",
}


def alarm(not_after: int, at: int) -> int | None:
    """The least number of `ALARM_DAYS` within which a certificate ends, 0 where it has, None: nobody need hear yet."""
    if not_after <= at:
        return 0
    return next((days for days in ALARM_DAYS if not_after - at <= days * DAY), None)
