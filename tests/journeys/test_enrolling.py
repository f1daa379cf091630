"""People join by a link, on the command line and over HTTP: from the operator's link to a confirmed act."""

from __future__ import annotations

import stat
from pathlib import Path

import orjson
import pytest

from idverify.core.policy import Role
from idverify.services.invite import Invited
from tests.journeys.conftest import Command
from tests.simulators.contract import JudgedApi
from tests.simulators.service import DETAILS, VCT, Deployment

pytestmark = pytest.mark.drivers_alike

REFUSED, USAGE = 1, 64


@pytest.fixture
async def link(idverify: Command, deployment: Deployment, request: pytest.FixtureRequest) -> str:
    """A link for an officer named after the test, as ``idverify enrol`` prints it."""
    name = f"Officer of {request.node.name}".translate(str.maketrans("_[]", " ()"))
    made = await idverify("enrol", "--role", "officer", "--name", name, "--data", deployment.data)
    assert made.status == 0
    return made.output.strip()


async def test_from_a_link_to_a_confirmed_act(
    api: JudgedApi, idverify: Command, deployment: Deployment, link: str, tmp_path: Path
) -> None:
    """A link, a key in a file, a person recorded and offered a credential; what was confirmed is said aloud."""
    key, person = tmp_path / "key", await api.person_with_status()
    as_officer = ("--security-key", key)

    joined = await idverify("securitykey", "enrol", link, "--key", key)
    url, offered = f"{deployment.url}/api/v1/people", orjson.dumps({"type": VCT}).decode()
    recorded = await idverify("api", "POST", url, orjson.dumps({"details": DETAILS}).decode(), *as_officer)
    before = await idverify("api", "GET", f"{deployment.url}/api/v1/sessions", *as_officer)
    offer = await idverify("api", "POST", f"{url}/{person}/offers", offered, *as_officer)
    after = await idverify("api", "GET", f"{deployment.url}/api/v1/sessions", *as_officer)

    assert (joined.status, "Whoever can read it can act as you" in joined.output) == (0, True)
    assert (recorded.status, recorded.errors) == (0, "")
    assert (offer.status, offer.json["type"]) == (0, VCT)
    assert f'"act":"offer-credential","subject":"{person}"' in offer.errors
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(after.json["sessions"]) == len(before.json["sessions"])  # each signs out with its renewed cookie


async def test_a_link_is_used_up(idverify: Command, link: str, tmp_path: Path) -> None:
    """The second key that comes with a link is refused, and no file is made for it."""
    first = await idverify("securitykey", "enrol", link, "--key", tmp_path / "key", "--json")
    second = await idverify("securitykey", "enrol", link, "--key", tmp_path / "other")

    assert (first.status, first.json["role"]) == (0, "officer")
    assert (second.status, "This code was used" in second.errors) == (1, True)
    assert not (tmp_path / "other").exists()


async def test_one_file_holds_several_accounts(
    idverify: Command, deployment: Deployment, link: str, tmp_path: Path
) -> None:
    """A second link adds an account to the key, and the newest signs in."""
    key = tmp_path / "key"
    bank = ("--role", "relying-party", "--purpose", "work", "--name", "Bank of Tests plc")
    more = await idverify("enrol", *bank, "--data", deployment.data, "--json")
    asking = ("api", "GET", f"{deployment.url}/api/v1/proposals")

    first = await idverify("securitykey", "enrol", link, "--key", key)
    as_officer = await idverify(*asking, "--security-key", key)
    second = await idverify("securitykey", "enrol", more.json["link"], "--key", key)
    as_employer = await idverify(*asking, "--security-key", key)

    assert (first.status, second.status) == (0, 0)
    assert (more.json["role"], more.json["actor"]) == ("relying-party", "Bank of Tests plc")
    assert (as_officer.status, as_employer.status) == (0, REFUSED)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--role", "king"), "--role must be one of"),
        (("--role", "citizen"), "by an officer at the counter"),
        (("--role", "relying-party"), "needs a purpose"),
        (("--role", "officer", "--purpose", "work"), "nobody else has one"),
        (("--role", "officer", "--name", "x" * 101), "A name must be"),
    ],
)
async def test_links_that_make_no_sense(
    idverify: Command, deployment: Deployment, options: tuple[str, ...], sentence: str
) -> None:
    """Wrong usage, said in one sentence; no link is made."""
    done = await idverify("enrol", *options, "--data", deployment.data)

    assert (done.status, done.output) == (USAGE, "")
    assert sentence in done.errors


async def test_keys_that_are_none(idverify: Command, deployment: Deployment, tmp_path: Path) -> None:
    """No link, a file of something else, and two ways to be known at once are wrong usage."""
    other = tmp_path / "other"
    other.write_text('{"counter": 1}')
    url = f"{deployment.url}/api/v1/proposals"

    no_link = await idverify("securitykey", "enrol", deployment.url, "--key", tmp_path / "key")
    no_key = await idverify("api", "GET", url, "--security-key", other)
    no_file = await idverify("api", "GET", url, "--security-key", tmp_path / "absent")
    both = await idverify("api", "GET", url, "--security-key", other, "--key", other)

    assert [done.status for done in (no_link, no_key, no_file, both)] == [USAGE] * 4
    assert "/enrol/CODE" in no_link.errors
    assert "holds no security key" in no_key.errors
    assert "not both" in both.errors


async def test_a_refusal_after_confirmation(
    api: JudgedApi, idverify: Command, deployment: Deployment, link: str, tmp_path: Path
) -> None:
    """What the service refuses is refused, confirmed or not, and the status says so."""
    key, person = tmp_path / "key", await api.person_with_status()
    await idverify("securitykey", "enrol", link, "--key", key)
    ruling = {"kind": "suspend", "reason": "under-review", "legal_basis": "Rules, part 9"}
    url = f"{deployment.url}/api/v1"

    waiting = await idverify(
        "api", "POST", f"{url}/people/{person}/decisions", orjson.dumps(ruling).decode(), "--security-key", key
    )
    own = await idverify("api", "POST", f"{url}/proposals/{waiting.json['proposal']}/approval", "--security-key", key)

    assert (waiting.status, own.status) == (0, REFUSED)
    assert "Another officer" in own.errors


async def test_a_citizen_s_session_reaches_no_office(api: JudgedApi) -> None:
    """A person who enrolled with a slip is signed in, and sees neither their own file's desk nor another's."""
    person = await api.person_with_status()
    citizen = await api.enrol_citizen(person)

    for path in (f"/api/v1/people/{person}", "/api/v1/proposals", "/metrics"):
        status, problem = await api.call("GET", path, citizen)
        assert (status, problem["type"]) == (403, "/problems/not-allowed")


async def test_somebody_loses_their_link_to_another(api: JudgedApi) -> None:
    """Two browsers begin with one link; the one that finishes has it, the other is told so."""
    code = await api.deployment.invite(Invited(Role.OFFICER))
    late = await api.begun("/api/v1/enrolments/options", {"code": code, "name": "Lena Late"})

    early = await api.enrol("Eve Early", code, "Eve Early")
    answer = early.key.create(late["public_key"], api.deployment.url)
    asked = {"code": code, "name": "Lena Late", "ceremony": late["ceremony"], "response": answer}
    status, problem = await api.call("POST", "/api/v1/enrolments", None, asked)

    assert (status, problem["type"]) == (409, "/problems/conflict")
    assert "This code was used" in problem["detail"]
