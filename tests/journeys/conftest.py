"""One real deployment for all journeys: SoftHSM, database, and the service in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from idverify.cli import main
from idverify.cli.ledger import fsck
from tests.simulators.contract import JudgedApi
from tests.simulators.databases import DRIVERS, empty
from tests.simulators.service import Deployment, client, deploy, serving


@pytest.fixture(scope="session", params=DRIVERS)
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment over each driver, served until the last journey is over; then its ledger must hold."""
    with audited(request, tmp_path_factory.mktemp("journeys") / "data") as made:
        yield made


@contextmanager
def audited(request: pytest.FixtureRequest, data: Path) -> Iterator[Deployment]:
    """A deployment that is served, and whose ledger must hold in the end."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    with empty(request.param, request) as database_url:
        made = asyncio.run(deploy(data, database_url))
        with serving(made):
            yield made
        assert fsck(made.data, None, json=True) == 0


@pytest.fixture
async def api(deployment: Deployment) -> AsyncIterator[JudgedApi]:
    """A caller of the service whose every answer must be as openapi.json says."""
    async with client() as session:
        yield JudgedApi(session, deployment)


@dataclass(frozen=True)
class Done:
    """What a command answered."""

    status: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        """The output of a command that was asked for JSON."""
        return orjson.loads(self.output)


Command = Callable[..., Awaitable[Done]]


@pytest.fixture
def idverify(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run one command of ``idverify``, as its own process would, and return what it answered."""

    async def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["idverify", *map(str, arguments)])
        capsys.readouterr()
        status = await asyncio.to_thread(main)  # commands run an event loop of their own
        captured = capsys.readouterr()
        return Done(status, captured.out, captured.err)

    return run
