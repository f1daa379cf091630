"""Opening a token that is not there: one sentence and the cure."""

from pathlib import Path

import pytest

from hsm import Hsm, HsmError, HsmModuleMissing, HsmPolicy, HsmTokenMissing, HsmUnavailable, TokenConfig, init_token
from hsm.pins import read_pin
from hsm.softhsm import find_module, render

from .conftest import LABEL, Prepared

pytestmark = pytest.mark.softhsm


async def refusal(config: TokenConfig) -> HsmError:
    """The error with which opening this token ends."""
    with pytest.raises(HsmError) as caught:
        async with Hsm(config):
            pytest.fail("opened")
    return caught.value


async def test_a_missing_module(token: Prepared, tmp_path: Path) -> None:
    """The path, and what to install."""
    error = await refusal(token.having(module=tmp_path / "no.so"))

    assert isinstance(error, HsmModuleMissing)
    assert "no.so" in str(error)
    assert "Install" in str(error)


async def test_a_module_that_is_none(token: Prepared, tmp_path: Path) -> None:
    """A file that is no library is told from one that is not there."""
    text = tmp_path / "text.so"
    text.write_text("not a library")
    error = await refusal(token.having(module=text))

    assert isinstance(error, HsmModuleMissing)
    assert "text.so" in str(error)


async def test_a_missing_configuration(token: Prepared, tmp_path: Path) -> None:
    """SoftHSM without its configuration is found out before anything is started."""
    error = await refusal(token.having(softhsm_conf=tmp_path / "no.conf"))

    assert isinstance(error, HsmTokenMissing)
    assert "init-token" in str(error)


async def test_a_missing_token_directory(token: Prepared, tmp_path: Path) -> None:
    """The module does not say what is wrong, so we say where to look."""
    conf = render(tmp_path)
    (tmp_path / "tokens").rmdir()
    error = await refusal(token.having(softhsm_conf=conf))

    assert isinstance(error, HsmUnavailable)
    assert "directories.tokendir" in str(error)


@pytest.mark.parametrize("change", [{"label": "other"}, {"serial": "0000"}])
async def test_a_missing_token(token: Prepared, change: dict[str, str]) -> None:
    """The message names the tokens that are there."""
    error = await refusal(token.having(**change))

    assert isinstance(error, HsmTokenMissing)
    assert repr(LABEL) in str(error)


async def test_labels_are_not_given_twice(token: Prepared) -> None:
    """A second token of the same label could be taken for the first."""
    pin = read_pin(token.config.pin_file)
    with pytest.raises(HsmPolicy, match="another label"):
        await init_token(token.config.module, LABEL, pin, pin, token.config.softhsm_conf)


@pytest.mark.parametrize(
    ("label", "so_pin", "pin"),
    [("", "12345678", "12345678"), ("x" * 33, "12345678", "12345678"), ("l", "1", "12345678"), ("l", "12345678", "1")],
)
async def test_new_tokens_have_bounded_labels_and_pins(module: Path, label: str, so_pin: str, pin: str) -> None:
    """What a token could not hold is refused before anything is started."""
    with pytest.raises(HsmPolicy, match="Expected a"):
        await init_token(module, label, so_pin, pin, None)


def test_render_is_private_and_keeps_what_is_there(tmp_path: Path) -> None:
    """Configuration 0600, tokens 0700, absolute path inside; a second call changes nothing."""
    conf = render(tmp_path / "data")
    text = conf.read_text()

    assert f"directories.tokendir = {tmp_path.resolve() / 'data' / 'tokens'}\n" in text
    assert "@" not in text
    assert conf.stat().st_mode & 0o777 == 0o600
    assert (conf.parent / "tokens").stat().st_mode & 0o777 == 0o700
    conf.write_text(text + "# kept\n")
    assert render(tmp_path / "data").read_text().endswith("# kept\n")


def test_softhsm_is_looked_for_in_the_usual_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none, the message says how to get it."""
    monkeypatch.setattr("hsm.softhsm._MODULE_PLACES", ("/nowhere/libsofthsm2.so",))
    with pytest.raises(HsmModuleMissing, match="apt install softhsm2"):
        find_module()
