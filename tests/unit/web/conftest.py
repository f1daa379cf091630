"""What HTTP does is one for every driver: stores, services and journeys run on each, the web on the embedded one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from idverify.stores.open import Location
from tests.simulators.databases import fresh


@pytest.fixture
async def location(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Location]:
    """A migrated, empty file."""
    async with fresh("sqlite", tmp_path, request) as made:
        yield made
