"""What ``up`` tells whoever started it to do next: only what works then."""

from __future__ import annotations

from pathlib import Path

import pytest

from idverify.cli.up_says import ToTell, tell
from idverify.config import Config, Identity, Service, Token

URL = "http://localhost:8080"
LINK_BY_OPERATOR, LINK_BY_ADMINS = "enrol --role officer", f"the LINK that two admins make at {URL}/admin"


def config(data: Path, *, demo: bool) -> Config:
    """Settings of a deployment."""
    token = Token(module=Path("module"), label="token", serial="1", pin_file=Path("pin"))
    identity = Identity(public_url=URL)
    (data / "idverify.toml").touch()
    return Config(data=data, identity=identity, online=token, root=token, service=Service(demo=demo))


@pytest.mark.parametrize(
    ("found", "said", "unsaid"),
    [
        (ToTell(True, ["ab"], ("CODE",)), [f"{URL}/enrol/CODE", LINK_BY_OPERATOR], [LINK_BY_ADMINS]),
        (ToTell(True, ["ab"], two_admins=True), [f"{URL}/sign-in", LINK_BY_ADMINS], [LINK_BY_OPERATOR]),
        (ToTell(False, None), ["authenticators allow", "enrol --role admin"], ["/enrol/", "/sign-in", "DEMO"]),
        (ToTell(False, None, has_list=True), ["enrol --role admin"], ["authenticators allow", "/sign-in"]),
        (ToTell(False, None, two_admins=True, has_list=True), [f"{URL}/sign-in"], ["enrol", "demo"]),
    ],
    ids=["a new demo", "a demo with two admins", "nobody yet", "a list and no admins", "two admins"],
)
def test_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], found: ToTell, said: list[str], unsaid: list[str]
) -> None:
    """Links of the operator's are refused once two admins are active, and officers' wherever admins come first."""
    tell(config(tmp_path, demo=found.demo), found, "idverify.log")
    told = capsys.readouterr().out

    assert [words for words in said if words not in told] == []
    assert [words for words in unsaid if words in told] == []
