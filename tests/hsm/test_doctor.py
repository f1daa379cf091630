"""`doctor`: what is wrong is named with its cure, and nothing is logged in to."""

import json
from pathlib import Path

import pytest

from hsm import Algorithm, Hsm, HsmPinRefused
from hsm.cli import COULD_NOT_TELL, DOES_NOT_HOLD, HOLDS, main
from hsm.doctor import examine
from hsm.findings import Finding, verdict
from hsm.pins import create_pin

from .conftest import Prepared
from .typed import options

pytestmark = pytest.mark.softhsm


async def wrong(token: Prepared, needed: tuple[Algorithm, ...] = (), **changes: object) -> dict[str, Finding]:
    """What does not hold, by the name of its check."""
    return {found.check: found for found in await examine(token.having(**changes), needed) if found.holds is not True}


async def test_a_good_token_has_nothing_wrong(token: Prepared) -> None:
    """Module, files, threads, PIN, and each algorithm of SoftHSM 2.6 with its mechanisms; those of ML-DSA are named."""
    needed = [algorithm for algorithm in Algorithm if not algorithm.value.startswith("ML-DSA")]
    findings = {found.check: found for found in await examine(token.config, needed)}

    assert verdict(findings.values()) is True
    assert "SoftHSM" in findings["module"].found
    assert "CKF_OS_LOCKING_OK" in findings["threads"].found
    assert "ECDSA" in findings["mechanisms ES256"].found
    assert {f"mechanisms {algorithm}" for algorithm in Algorithm} <= findings.keys()


async def test_the_pin_is_not_needed(token: Prepared, tmp_path: Path) -> None:
    """A wrong PIN in the file is not tried: its count stays as it was."""
    assert await wrong(token, pin_file=create_pin(tmp_path / "wrong")) == {}
    assert await wrong(token) == {}


async def test_a_wrong_pin_that_was_tried_shows(own_token: Prepared, tmp_path: Path) -> None:
    """CKF_USER_PIN_COUNT_LOW is read without a login."""
    with pytest.raises(HsmPinRefused):
        async with Hsm(own_token.having(pin_file=create_pin(tmp_path / "wrong"))):
            pytest.fail("opened")

    found = (await wrong(own_token))["user PIN"]
    assert "USER_PIN_COUNT_LOW" in found.found
    assert "Find out who" in found.cure


@pytest.mark.parametrize(
    ("check", "name", "mode"),
    [("pin file", "pin", 0o604), ("softhsm.conf", "conf", 0o644), ("token directory", "tokens", 0o750)],
)
async def test_what_others_could_read_is_named(own_token: Prepared, check: str, name: str, mode: int) -> None:
    """The cure is the command to type."""
    conf = own_token.config.softhsm_conf
    assert conf is not None
    path = {"pin": own_token.config.pin_file, "conf": conf, "tokens": conf.parent / "tokens"}[name]
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        found = await wrong(own_token)
    finally:
        path.chmod(before)

    assert found.keys() == {check}
    assert f"chmod {'700' if name == 'tokens' else '600'} {path}" in found[check].cure


async def test_a_missing_token_pin_file_and_directory(own_token: Prepared, tmp_path: Path) -> None:
    """Each has a row of its own, and the tokens that are there are named."""
    found = await wrong(own_token, label="other", pin_file=tmp_path / "nowhere")
    assert found.keys() == {"token", "pin file"}
    assert "'tests'" in found["token"].found

    conf = tmp_path / "my.conf"
    conf.touch(mode=0o600)
    conf.write_text("log.level = ERROR\n")
    assert "directories.tokendir" in (await wrong(own_token, softhsm_conf=conf))["token directory"].found


async def test_a_module_that_is_none(token: Prepared, tmp_path: Path) -> None:
    """The module's own error, and one writable by others."""
    text = tmp_path / "text.so"
    text.write_text("not a library")
    text.chmod(0o622)
    found = await wrong(token, module=text)

    assert found.keys() == {"module", "module file"}
    assert "chmod go-w" in found["module file"].cure
    assert (await wrong(token, module=tmp_path / "no.so")).keys() == {"module"}


async def test_a_mechanism_is_missing_only_where_it_is_needed(own_token: Prepared) -> None:
    """SoftHSM's own switch leaves it EdDSA alone."""
    conf = own_token.config.softhsm_conf
    assert conf is not None
    conf.write_text(
        conf.read_text().replace("slots.mechanisms = ALL", "slots.mechanisms = CKM_EDDSA,CKM_EC_EDWARDS_KEY_PAIR_GEN")
    )

    assert await wrong(own_token, (Algorithm.EDDSA,)) == {}
    assert "ECDSA" in (await wrong(own_token, (Algorithm.ES256,)))["mechanisms ES256"].found


def test_what_could_not_be_told_is_not_green() -> None:
    """None beats True, False beats None."""
    yes, no, unknown = (Finding("check", holds, "") for holds in (True, False, None))

    assert [verdict([yes]), verdict([yes, unknown]), verdict([unknown, no])] == [True, None, False]


def test_the_command(token: Prepared, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit codes, JSON for programs."""
    assert main(["doctor", *options(token), "--needs", "ES256"]) == HOLDS
    assert {row["holds"] for row in json.loads(capsys.readouterr().out)} == {True}
    assert main(["doctor", *options(token), "--serial", "0000"]) == DOES_NOT_HOLD
    assert COULD_NOT_TELL == 2
