"""One office for all bad input, served in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.simulators.databases import DRIVERS, fresh
from tests.simulators.holder import Holding, holding
from tests.simulators.software_office import SoftwareOffice, software_office


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=DRIVERS)
async def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SoftwareOffice]:
    """An office over each driver, and a caller of its API."""
    folder = tmp_path_factory.mktemp("fuzz")
    async with fresh(request.param, folder, request) as location, software_office(folder, location) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def held(served: SoftwareOffice) -> Holding:
    """A person with a status and a credential of theirs."""
    return await holding(served.api)
