"""Settings: read strictly, refused with the key that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from idverify.config import DATABASE, FILE_NAME, load
from idverify.errors import SetupError

SETTINGS = """
[identity]
public_url = "http://localhost:8080"

[service]
port = 8080

[online]
module = "module.so"
label = "online"
serial = "1"
pin_file = "pin"

[root]
module = "module.so"
label = "root"
serial = "2"
pin_file = "root-pin"
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with settings."""
    (tmp_path / FILE_NAME).write_text(SETTINGS)
    return tmp_path


def test_settings_are_read(data: Path) -> None:
    """What the file says, and defaults for the rest."""
    config = load(data)

    assert config.identity.public_url == "http://localhost:8080"
    assert (config.service.host, config.service.port) == ("127.0.0.1", 8080)
    assert config.online.workers == 1
    assert config.location == data / DATABASE


def test_the_environment_wins_over_the_file(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting is overridden by its name with two underscores between section and key."""
    monkeypatch.setenv("IDVERIFY_SERVICE__PORT", "9090")

    assert load(data).service.port == 9090


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("[service]", '[service]\ncolour = "red"'), "service.colour"),
        (lambda text: text + '\n[kitchen]\nsink = "yes"\n', "kitchen"),
        (lambda text: text.replace("8080\n", "99999\n"), "service.port"),
        (lambda text: text.replace("8080\n", '"many"\n'), "service.port"),
        (lambda text: text.replace("public_url", "public_uri"), "identity.public_url"),
        (lambda text: text.replace('serial = "2"\n', ""), "root.serial"),
        (lambda _: "this is not TOML", "line 1"),
    ],
    ids=["unknown key", "unknown section", "out of range", "wrong type", "misspelt", "missing", "not TOML"],
)
def test_settings_that_cannot_be_used(data: Path, change: Callable[[str], str], said: str) -> None:
    """One sentence with the file and the key, and the cure."""
    (data / FILE_NAME).write_text(change(SETTINGS))
    with pytest.raises(SetupError, match=said) as refused:
        load(data)

    assert str(data / FILE_NAME) in str(refused.value)
    assert refused.value.cure == "Correct it and start again."


@pytest.mark.parametrize("password", ["hush/me", "1/hush", "12#hush", "hush?me", "[hush", "hush:me/"])
def test_a_password_that_cuts_an_address_in_two(data: Path, password: str) -> None:
    """It is refused here, and not quoted: no error that names host and database can have a part of it."""
    url = f"postgresql://idverify:{password}@localhost/idverify"
    (data / FILE_NAME).write_text(f'{SETTINGS}\n[database]\nurl = "{url}"\n')
    with pytest.raises(SetupError, match=r"database\.url: .*percent-encoded") as refused:
        load(data)

    assert "hush" not in str(refused.value)


def test_a_directory_without_settings_is_named_with_the_command(tmp_path: Path) -> None:
    """Whoever has not set up yet is told how."""
    with pytest.raises(SetupError, match="idverify up --data"):
        load(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://idverify@localhost/ledger",
        "postgresql://idverify:secret@127.0.0.1:5433/ledger",
        "postgresql://idverify@[::1]/ledger",
        "postgresql://idverify@/ledger?host=/run/postgresql",
        "postgresql://idverify@db.example/ledger?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql://idverify@/ledger?host=one.example,two.example&target_session_attrs=primary&sslmode=verify-full",
    ],
)
def test_a_database_on_a_server(data: Path, url: str) -> None:
    """By its URL, in the file or in the environment; over a network only where the server proves who it is."""
    (data / FILE_NAME).write_text(f'{SETTINGS}\n[database]\nurl = "{url}"\n')

    assert load(data).location == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://idverify@db.example/ledger", "sslmode=verify-full"),
        ("postgresql://idverify@db.example/ledger?sslmode=require", "sslmode=verify-full"),
        ("postgresql://idverify@/ledger?host=/run/postgresql,db.example", "sslmode=verify-full"),
        ("postgresql://idverify@localhost", "must be postgresql://"),
        ("mysql://idverify@localhost/ledger", "must be postgresql://"),
        ("ledger", "must be postgresql://"),
    ],
)
def test_a_database_that_is_not_safe_to_use(data: Path, monkeypatch: pytest.MonkeyPatch, url: str, said: str) -> None:
    """A server that could be anybody, or none at all: refused, with the name of the setting."""
    monkeypatch.setenv("IDVERIFY_DATABASE__URL", url)
    with pytest.raises(SetupError, match=r"database\.url") as refused:
        load(data)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    "origin",
    ["http://id.example", "https://id.example/", "https://ID.example", "https://id.example/path", "id.example"],
)
def test_a_related_origin_is_spelled_as_browsers_do(data: Path, origin: str) -> None:
    """It is compared as a whole string, so another spelling would never do."""
    (data / FILE_NAME).write_text(SETTINGS.replace("port = 8080", f'related_origins = ["{origin}"]'))
    with pytest.raises(SetupError, match="must be origins"):
        load(data)


@pytest.mark.parametrize("origin", ["https://id.example", "https://id.example:8443", "http://localhost:8081"])
def test_related_origins_are_read(data: Path, origin: str) -> None:
    """As they stand."""
    (data / FILE_NAME).write_text(SETTINGS.replace("port = 8080", f'related_origins = ["{origin}"]'))

    assert load(data).service.related_origins == (origin,)
