"""What the tests of a file share.

A deployment on real SoftHSM tokens, which each leaves stopped and whole, and a program that forks processes over a log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from tests.faults.log_processes import Forks, forking
from tests.simulators.service import Deployment, deploy


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Tokens, keys, database and API keys; nothing runs yet."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    return asyncio.run(deploy(tmp_path_factory.mktemp("deployment") / "data"))


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """The program that forks."""
    with forking() as program:
        yield program
