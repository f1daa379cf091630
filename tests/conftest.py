"""What holds for all tests: the switch for those that take minutes, who runs beside whom, and a database server."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from idverify.stores.open import Location
from tests.simulators.databases import DRIVERS, fresh
from tests.simulators.postgres import Cluster, migrated_cluster

# What services do reaches a database by the stores alone, all of whose cases run over each driver.
SHARED_OUT = "tests/unit/services/"
ONE_DEPLOYMENT = {"tests/browser", "tests/journeys"}

# Files of tests are written where nothing waits for a disk, if there is such a place, with room for those of a whole
# run. Killed processes lose nothing there either; failures of a disk are injected by the tests that look at them.
IN_MEMORY, ROOM = Path("/dev/shm"), 4 << 30  # noqa: S108  only its subdirectories are used, each of one owner
if "TMPDIR" not in os.environ and os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)

# How long an example takes says how busy the machine is, for other tests run beside it.
settings.register_profile("beside others", deadline=None)
settings.load_profile("beside others")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: run with --long"))
        elif item.get_closest_marker("drivers_alike") and _over(item) not in {None, DRIVERS[0]}:
            item.add_marker(pytest.mark.skip(reason="over one driver as over the other: run with --long"))
        elif item.nodeid.startswith(SHARED_OUT) and _over(item) not in {None, _turn_of(item)}:
            item.add_marker(pytest.mark.skip(reason="over the other driver this time: run with --long"))


def _turn_of(item: pytest.Item) -> str:
    """The driver whose turn a case is: of the cases of every file each gets half."""
    return DRIVERS[crc32("".join(re.split("|".join(DRIVERS), item.nodeid)).encode()) % len(DRIVERS)]


def _over(item: pytest.Item) -> str | None:
    """The driver that a case of a test is for."""
    named = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    return next((value for value in named if value in DRIVERS), None)


class Together(LoadScopeScheduling):
    """What runs in one process: tests of a file, which share its fixtures, or of a folder, which share a deployment."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        return folder if folder in ONE_DEPLOYMENT else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A private PostgreSQL server with a template database of our schema, until the last test is over."""
    with migrated_cluster() as running:
        yield running


@pytest.fixture(params=DRIVERS)
async def location(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Location]:
    """A migrated, empty database of each driver."""
    async with fresh(request.param, tmp_path, request) as made:
        yield made
