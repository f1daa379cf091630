"""An office on a token in memory, for the tests of services and web."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from idverify.services import sign_in
from idverify.stores.open import Location
from tests.simulators.software_office import SoftwareOffice, software_office
from tests.simulators.waits import Waits


@pytest.fixture
async def served(tmp_path: Path, location: Location) -> AsyncIterator[SoftwareOffice]:
    """An office of the test's own over each driver, and a caller of its API."""
    async with software_office(tmp_path, location) as running:
        yield running


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """What signing in waits for, which it then does not."""
    waits = Waits()
    monkeypatch.setattr(sign_in, "asyncio", waits)
    return waits
