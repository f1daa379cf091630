"""Verification requests are remembered to save a look into the database, never instead of what only it can tell."""

from __future__ import annotations

from typing import Any

import pytest

from idverify.services import recent_requests
from idverify.services.recent_requests import RecentRequests
from tests.simulators.holder import Holding, asked, holding
from tests.simulators.software_office import SoftwareOffice


async def answer(served: SoftwareOffice, who: str, held: Holding, request: Any) -> tuple[int, Any]:
    """Status and body that ``who`` gets for a presentation that answers ``request``."""
    body = {"document": held.present(request, ["work"]), "verification_request": request["verification_request"]}
    status, told, *_ = await served.api.call("POST", "/api/v1/verify", who, body)
    return status, told


async def forget(served: SoftwareOffice, request: Any) -> None:
    """As if another process had made it."""
    served.office.recent_requests._rows.pop(bytes.fromhex(request["verification_request"]))


@pytest.mark.parametrize("remembered", [True, False])
async def test_a_request_is_answered_once(served: SoftwareOffice, *, remembered: bool) -> None:
    """By whoever made it, and once, whether this process made it or another one did."""
    held = await holding(served.api)
    request = await asked(served.api, "employer")
    if not remembered:
        await forget(served, request)

    assert (await answer(served, "officer", held, request))[0] == 404
    status, told = await answer(served, "employer", held, request)
    assert (status, told["verdict"]) == (200, "accept")
    assert (await answer(served, "employer", held, request))[0] == 409


async def test_what_is_gone_from_the_database(served: SoftwareOffice) -> None:
    """A request that was remembered and deleted meanwhile is answered like one that never was."""
    held = await holding(served.api)
    request = await asked(served.api, "employer")

    async def delete(transaction: Any) -> None:
        await transaction.connection.run("DELETE FROM verification_request")

    await served.office.store.write(delete)

    assert (await answer(served, "employer", held, request))[0] == 404


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ones are forgotten first."""
    monkeypatch.setattr(recent_requests, "MOST", 2)
    memory = RecentRequests()
    for number in range(3):
        memory.add({"handle": bytes([number])})

    assert [memory.get(bytes([number])) is None for number in range(3)] == [True, False, False]
