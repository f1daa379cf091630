"""Setting up: what a public address may be, and going on after an interruption."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hsm import HsmModuleMissing, init_token
from hsm.softhsm import find_module
from idverify.app import private, provision
from idverify.app.provision import Wishes, require_public_url
from idverify.config import DATABASE, FILE_NAME, Config
from idverify.errors import SetupError
from idverify.services.establish import PROBE_ROLE
from idverify.services.office import VERIFICATION_SIGNER

WISHES = Wishes("http://localhost:8080", 8080, demo=False)


class Interrupted(Exception):
    """Ctrl-C, or the power."""


@pytest.fixture
def softhsm() -> None:
    """SoftHSM, or a skip."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")


async def interrupted_before(name: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set up until a file of this name is about to be written, and no further; PINs are the HSM's own."""

    def write(path: Path, text: str) -> None:
        if path.name == name:
            raise Interrupted
        private.write_private(path, text)

    async def make(module: Path, label: str, so_pin_file: Path, pin_file: Path, conf: Path) -> str:
        if pin_file.name == name:
            raise Interrupted
        return await init_token(module, label, so_pin_file, pin_file, conf)

    with monkeypatch.context() as patch:
        patch.setattr(provision, "write_private", write)
        patch.setattr(provision, "init_token", make)
        with pytest.raises(Interrupted):
            await provision.provision(data, WISHES)


@pytest.mark.softhsm
@pytest.mark.parametrize("name", ["pin", "serial", FILE_NAME])
async def test_an_interrupted_run_is_run_again(
    softhsm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Wherever it was cut off, with or without a token made: the next run starts over what stands for nothing yet."""
    await interrupted_before(name, tmp_path, monkeypatch)
    config = await provision.provision(tmp_path, WISHES)

    assert isinstance(config, Config)
    assert (config.data / DATABASE).exists()


@pytest.mark.softhsm
async def test_a_token_that_a_database_needs_is_never_cleared(
    softhsm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its serial it looks unfinished; with a database there, people's keys may stand on it."""
    await interrupted_before(FILE_NAME, tmp_path, monkeypatch)
    home = tmp_path / "tokens" / provision.ONLINE
    (home / "serial").unlink()
    before = sorted(home.rglob("*"))
    with pytest.raises(SetupError, match=r"serial is gone.*backup"):
        await provision.provision(tmp_path, WISHES)

    assert (tmp_path / DATABASE).exists()
    assert sorted(home.rglob("*")) == before


@pytest.mark.softhsm
async def test_a_deployment_of_an_earlier_version_gets_what_it_lacks(softhsm: None, tmp_path: Path) -> None:
    """A role that it did not know gets a key that the root certifies; without the root's token it waits for it."""
    config = await provision.provision(tmp_path, WISHES)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
        database.execute("DELETE FROM signing_key WHERE role IN (?, ?)", (VERIFICATION_SIGNER, PROBE_ROLE))
        database.commit()
    told: list[str] = []
    pin = config.root.pin_file
    away = pin.rename(pin.with_suffix(".away"))

    await provision.provision(tmp_path, WISHES, told.append)
    assert ["wait for the root's token: verification-signer" in line for line in told] == [True]
    assert _roles(tmp_path) == {PROBE_ROLE: False}

    away.rename(pin)
    await provision.provision(tmp_path, WISHES, told.append)
    assert told[1:] == ["New signing keys are made and certified: verification-signer."]
    assert _roles(tmp_path) == {PROBE_ROLE: False, VERIFICATION_SIGNER: True}


def _roles(data: Path) -> dict[str, bool]:
    """Of both roles that were taken away, those that are there; whether they have a certificate."""
    with closing(sqlite3.connect(data / DATABASE)) as database:
        sql = "SELECT role, certificate IS NOT NULL FROM signing_key WHERE role IN (?, ?) AND state = 'active'"
        return {role: bool(certified) for role, certified in database.execute(sql, (VERIFICATION_SIGNER, PROBE_ROLE))}


def test_a_private_file_is_its_owners_and_whole(tmp_path: Path) -> None:
    """Mode 0600 from the first moment; what an earlier crash left unfinished does not stand in the way."""
    path = tmp_path / "pin"
    (tmp_path / "pin.new").write_text("half")
    private.write_private(path, "one")
    private.write_private(path, "two")

    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080/",
        "https://id.example",
        "https://id.example:8443/",
    ],
)
def test_addresses_that_may_be_public(url: str) -> None:
    """Anything with TLS, and this machine's own names without."""
    require_public_url(url)


@pytest.mark.parametrize("url", ["http://id.example", "http://192.0.2.1:8080", "http://localhost.example"])
def test_other_machines_need_tls(url: str) -> None:
    """Credentials would point to an address where anybody could answer."""
    with pytest.raises(SetupError, match="needs https"):
        require_public_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "ftp://localhost",
        "https://",
        "https://id.example/path",
        "https://id.example?query",
        "https://id.example#fragment",
        "https://user@id.example",
        "https://id.example:port",
        "https://id.example:0",
        "https://id.example:99999",
        "https://[::1",
    ],
)
def test_what_is_no_origin_is_no_address(url: str) -> None:
    """Scheme, host and perhaps a port: everything else would end up in every credential."""
    with pytest.raises(SetupError, match="no public address"):
        require_public_url(url)
