"""A SoftHSM token of the session's own with one key of each algorithm it offers, and a worker that misbehaves."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hsm import Algorithm, Hsm, HsmModuleMissing, KeyInfo, TokenConfig, init_token
from hsm.pins import create_pin, read_pin
from hsm.softhsm import find_module, render

LABEL = "tests"

OFFERED = sorted(set(Algorithm) - {Algorithm.ML_DSA_44, Algorithm.ML_DSA_65})
"""What SoftHSM 2.6 can do (docs/providers.md); a test holds it against what the module lists."""


@dataclass(frozen=True)
class Prepared:
    """A token that holds one key of each algorithm."""

    config: TokenConfig
    keys: dict[Algorithm, KeyInfo]

    def id(self, algorithm: Algorithm) -> bytes:
        """The key id for this algorithm."""
        return self.keys[algorithm].id

    def having(self, **changes: Any) -> TokenConfig:
        """The configuration with some fields changed."""
        return replace(self.config, **changes)


@pytest.fixture(scope="session")
def module() -> Path:
    """SoftHSM's module, or a skip."""
    try:
        return find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")


async def _prepare(module: Path, directory: Path) -> Prepared:
    conf = render(directory)
    so_pin_file, pin_file = create_pin(directory / "so-pin"), create_pin(directory / "pin")
    serial = await init_token(module, LABEL, read_pin(so_pin_file), read_pin(pin_file), conf)
    config = TokenConfig(module, LABEL, serial, pin_file, conf)
    async with Hsm(replace(config, writable=True)) as hsm:
        keys = {algorithm: await hsm.generate(algorithm, algorithm.value) for algorithm in OFFERED}
    return Prepared(config, keys)


@pytest.fixture(scope="session")
def token(module: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """One token for all tests that leave it as it was."""
    return asyncio.run(_prepare(module, tmp_path_factory.mktemp("token")))


@pytest.fixture
def own_token(token: Prepared, tmp_path: Path) -> Prepared:
    """A copy of the token for a test that damages it."""
    directory = tmp_path / "own"
    assert token.config.softhsm_conf is not None
    shutil.copytree(token.config.softhsm_conf.parent / "tokens", directory / "tokens")
    return Prepared(token.having(softhsm_conf=render(directory)), token.keys)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TokenConfig:
    """A token served by `simulator`, which notes every start in a file named `starts` beside its PIN."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr("hsm.supervisor.WORKER", "simulator")
    so_file = tmp_path / "module.so"
    so_file.touch()
    return TokenConfig(so_file, str(tmp_path / "starts"), None, create_pin(tmp_path / "pin"))


def starts(config: TokenConfig) -> int:
    """How often a simulated worker was started for this token."""
    path = Path(config.label)
    return path.read_text().splitlines().count("start") if path.exists() else 0


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """No signer process outlives the tests."""
    yield
    left = [pid for children in Path("/proc/self/task").glob("*/children") for pid in children.read_text().split()]
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]
    assert [command for command in commands if b"worker" in command] == []
