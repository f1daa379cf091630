"""A SoftHSM token of the session's own with one key of each algorithm it offers, and a worker that misbehaves."""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hsm import Algorithm, Hsm, HsmModuleMissing, KeyInfo, TokenConfig, init_token
from hsm.pins import create_pin, read_pin
from hsm.softhsm import find_module, render

from .typed import Typed, typist

LABEL = "tests"


@dataclass(frozen=True)
class Provider:
    """A module that the same tests run against, and what it lacks (docs/providers.md says so to operators)."""

    name: str
    module: Callable[[], Path]
    lacks: frozenset[Algorithm]
    tells_origin: bool = True
    arguments: Callable[[Path], str | None] = lambda _: None

    @property
    def offers(self) -> list[Algorithm]:
        """What it can do; a test holds this against what the module lists."""
        return sorted(set(Algorithm) - self.lacks)

    def __repr__(self) -> str:
        return self.name


def _nss() -> Path:
    found = [
        path for pattern in ("usr/lib/*/libsoftokn3.so", "usr/lib64/libsoftokn3.so") for path in ROOT.glob(pattern)
    ]
    if not found:
        raise HsmModuleMissing("Expected NSS's libsoftokn3.so, got none. Install it (Debian: libnss3).")
    return found[0]


ROOT = Path("/")
POST_QUANTUM = frozenset({Algorithm.ML_DSA_44, Algorithm.ML_DSA_65})
SOFTHSM = Provider("SoftHSM", find_module, POST_QUANTUM)
NSS = Provider(
    "NSS",
    _nss,
    POST_QUANTUM | {Algorithm.EDDSA},
    tells_origin=False,
    # the token's label, padded to CK_TOKEN_INFO.label by the module
    arguments=lambda directory: f"configdir='sql:{directory}' flags= dbTokenDescription='{LABEL}'",
)
PROVIDERS = (SOFTHSM, NSS)
OFFERED = SOFTHSM.offers


def each(algorithms: Iterable[Algorithm] = tuple(Algorithm)) -> pytest.MarkDecorator:
    """For a test of `provided` and `algorithm`: every provider with each of these algorithms that it offers."""
    pairs = [
        (provider, algorithm) for algorithm in algorithms for provider in PROVIDERS if algorithm in provider.offers
    ]
    return pytest.mark.parametrize(("provided", "algorithm"), pairs, indirect=["provided"])


@dataclass(frozen=True)
class Prepared:
    """A token that holds one key of each algorithm."""

    config: TokenConfig
    keys: dict[Algorithm, KeyInfo]
    provider: Provider = SOFTHSM

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


async def _prepare(provider: Provider, directory: Path) -> Prepared:
    module, arguments = provider.module(), provider.arguments(directory)
    conf = render(directory) if provider is SOFTHSM else None
    so_pin_file, pin_file = create_pin(directory / "so-pin"), create_pin(directory / "pin")
    so_pin = read_pin(so_pin_file) if provider is SOFTHSM else None
    serial = await init_token(module, LABEL, so_pin, read_pin(pin_file), conf, module_arguments=arguments)
    config = TokenConfig(
        module, LABEL, serial, pin_file, conf, module_arguments=arguments, tells_origin=provider.tells_origin
    )
    async with Hsm(replace(config, writable=True)) as hsm:
        keys = {algorithm: await hsm.generate(algorithm, algorithm.value) for algorithm in provider.offers}
    return Prepared(config, keys, provider)


@pytest.fixture(scope="session")
def token(module: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """One token of SoftHSM's for all tests that leave it as it was."""
    del module  # which skips where there is none
    return asyncio.run(_prepare(SOFTHSM, tmp_path_factory.mktemp("token")))


@pytest.fixture(scope="session")
def nss_token(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """One token of NSS's, likewise."""
    try:
        _nss()
    except HsmModuleMissing as error:
        pytest.skip(f"needs NSS: {error}")
    return asyncio.run(_prepare(NSS, tmp_path_factory.mktemp("nss")))


@pytest.fixture(scope="session", params=PROVIDERS, ids=repr)
def provided(request: pytest.FixtureRequest) -> Prepared:
    """The same token from each provider in turn."""
    prepared: Prepared = request.getfixturevalue("token" if request.param is SOFTHSM else "nss_token")
    return prepared


@pytest.fixture
def own_token(token: Prepared, tmp_path: Path) -> Prepared:
    """A copy of the token for a test that damages it."""
    directory = tmp_path / "own"
    assert token.config.softhsm_conf is not None
    shutil.copytree(token.config.softhsm_conf.parent / "tokens", directory / "tokens")
    return replace(token, config=token.having(softhsm_conf=render(directory)))


@pytest.fixture
def run(own_token: Prepared, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Type a command for the test's own token."""
    return typist(own_token, capsys, monkeypatch)


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
