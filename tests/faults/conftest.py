"""One deployment for the tests of a file, on real SoftHSM tokens; each test leaves it stopped and whole."""

from __future__ import annotations

import asyncio

import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from tests.simulators.service import Deployment, deploy


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Tokens, keys, database and API keys; nothing runs yet."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    return asyncio.run(deploy(tmp_path_factory.mktemp("deployment") / "data"))
