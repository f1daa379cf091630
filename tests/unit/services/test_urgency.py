"""On whose behalf the token works: each request in its caller's name, the service's own work in nobody's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from hsm import HsmBusy, Priority, TokenSet
from idverify.app.tokens import HsmCustodian, HsmSigner, TokenKeys
from idverify.core.policy import Principal, Role
from idverify.errors import Busy
from idverify.services import urgency
from idverify.services.access import Gate
from idverify.services.establish import LOOKUP_ROLE, WRAPPING_ROLE
from idverify.services.urgency import Urgency
from tests.simulators.holder import holding
from tests.simulators.software_office import SoftToken, SoftwareOffice

KEYS = [
    {"role": role, "token": "one", "key_id": key, "certificate": None}
    for role, key in ((WRAPPING_ROLE, b"wrapping"), (LOOKUP_ROLE, b"lookup"))
]


class OneToken(TokenSet):
    """A token that is there."""

    def __init__(self, hsm: Any) -> None:
        self._hsm = hsm

    def __getitem__(self, name: str) -> Any:
        return self._hsm

    def serves(self, name: str) -> bool:
        """Always."""
        return name == "one"


@pytest.fixture
def worked_for(monkeypatch: pytest.MonkeyPatch) -> set[Urgency]:
    """For whom the token has signed, wrapped, unwrapped or blinded anything."""
    seen: set[Urgency] = set()

    def watched(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def watching(*arguments: Any) -> Any:
            seen.add(urgency.urgency())
            return await work(*arguments)

        return watching

    for name in ("sign", "wrap", "unwrap", "blind"):
        monkeypatch.setattr(SoftToken, name, watched(getattr(SoftToken, name)))
    return seen


async def test_each_request_is_done_in_its_callers_name(served: SoftwareOffice, worked_for: set[Urgency]) -> None:
    """An officer's, then a wallet's that has an offer; one connection may serve both."""
    worked_for.clear()
    person = await served.api.person_with_status()
    assert worked_for - {Urgency.BACKGROUND} == {Urgency.OFFICER}

    holder = await holding(served.api, person)
    assert worked_for - {Urgency.BACKGROUND} == {Urgency.OFFICER, Urgency.CITIZEN}
    assert holder.credential


async def test_a_relying_party_is_known_by_its_key(served: SoftwareOffice) -> None:
    """Before, the request was a stranger's, who stand in the same queue."""
    authorization = (await served.api.identity("employer"))["Authorization"]
    urgency.of_a_request()
    assert urgency.urgency() is Urgency.RELYING_PARTY
    urgency.of_a_citizen()  # as the request before it on the same connection may have left it
    await Gate(served.office.store, served.office.doors).recognise(authorization.removeprefix("Bearer "))

    assert urgency.urgency() is Urgency.RELYING_PARTY


async def test_the_log_is_signed_for_everybody(served: SoftwareOffice, worked_for: set[Urgency]) -> None:
    """Work in the background is in nobody's name, but a checkpoint, which officers wait for too."""
    assert urgency.urgency() is Urgency.BACKGROUND
    with urgency.for_everybody():
        assert urgency.urgency() is Urgency.OFFICER
    assert urgency.urgency() is Urgency.BACKGROUND


@pytest.mark.parametrize(
    ("role", "priority"),
    [
        (Role.OFFICER, Priority.HIGH),
        (Role.ADMIN, Priority.HIGH),
        (Role.CITIZEN, Priority.NORMAL),
        (Role.RELYING_PARTY, Priority.LOW),
        (None, Priority.BACKGROUND),
    ],
)
async def test_the_hsm_is_told(role: Role | None, priority: Priority) -> None:
    """Every call to the token carries the class of whoever it is for."""
    told: list[Priority] = []

    class Telling:
        pending = 0

        def __getattr__(self, _: str) -> Any:
            async def call(*_: object, priority: Priority, **__: object) -> bytes:
                told.append(priority)
                return b""

            return call

    async def kept() -> Mapping[bytes, bytes]:
        return {}

    hsm: Any = Telling()
    if role is not None:
        urgency.of(Principal("id", "somebody", role, None))
    custodian = HsmCustodian(OneToken(hsm), TokenKeys(KEYS), None, kept)
    await HsmSigner(hsm, b"probe").sign(b"key", b"message")
    await custodian.wrap(b"name", b"secret")
    await custodian.unwrap(b"name", {b"wrapping": b"wrapped"})
    await custodian.blind(b"value")

    assert told == [priority] * 4


async def test_busy_tells_when_to_come_back() -> None:
    """The HSM's own estimate becomes `Retry-After`."""

    class Full:
        async def sign(self, *_: object, **__: object) -> bytes:
            raise HsmBusy("Expected room, got none.", retry_after=7)

    hsm: Any = Full()
    with pytest.raises(Busy) as busy:
        await HsmSigner(hsm, b"probe").sign(b"key", b"message")

    assert busy.value.retry_after == 7
