"""A revocation that somebody doubts: the admin hands out how two officers confirmed it, and a stranger checks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from idverify.core.policy import Role
from idverify.services.invite import Invited
from tests.journeys.conftest import Command, audited
from tests.simulators.contract import JudgedApi
from tests.simulators.databases import DRIVERS
from tests.simulators.holder import decided_by_two
from tests.simulators.service import Deployment


@pytest.fixture(scope="module", params=DRIVERS)
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One of its own, since its two admins end what the operator may do for other journeys."""
    with audited(request, tmp_path_factory.mktemp("evidence") / "data") as made:
        yield made


@pytest.fixture
async def admin(idverify: Command, deployment: Deployment, tmp_path: Path) -> tuple[object, ...]:
    """An admin with a key in a file, who confirms with it."""
    code = await deployment.invite(Invited(Role.ADMIN, f"Edna of {tmp_path.name}".replace("_", " ")))
    joined = await idverify("securitykey", "enrol", f"{deployment.url}/enrol/{code}", "--key", tmp_path / "key")
    assert joined.status == 0
    return "--security-key", tmp_path / "key"


@pytest.fixture
async def evidence(
    api: JudgedApi, idverify: Command, deployment: Deployment, admin: tuple[object, ...], tmp_path: Path
) -> list[Path]:
    """The files of both confirmations of the revocation of a person, as ``idverify api`` prints them."""
    person, url = await api.person_with_status(), f"{deployment.url}/api/v1/authorisations"
    await decided_by_two(api, person, "revoke", "fraud-found")
    listed = (await idverify("api", "GET", url, *admin)).json["confirmations"]
    decisions = [one for one in listed if one["act"] == "decide"]
    both = sorted(decisions, key=lambda one: (one["ledger_shard"], one["ledger_index"]))[-2:]
    assert [one["confirmed_by"] for one in both] == ["Olive Officer", "Oscar Officer"]
    files = [tmp_path / f"evidence-{number}.json" for number in (1, 2)]
    for file, one in zip(files, both, strict=True):
        exported = await idverify("api", "POST", f"{url}/{one['authorisation']}/evidence", *admin)
        assert (exported.status, '"act":"export-evidence"' in exported.errors) == (0, True)
        file.write_text(exported.output)
    assert [orjson.loads(file.read_bytes())["action"]["subject"] for file in files] == [person] * 2
    return files


async def test_a_stranger_checks_both(
    idverify: Command, deployment: Deployment, evidence: list[Path], tmp_path: Path
) -> None:
    """With nothing but the files and the log's key: one act, two accounts, two keys, on the ledger."""
    exported = await idverify("trust", "export", tmp_path / "bundle.jwt", "--data", deployment.data, "--json")
    keys = tmp_path / "log.vkey"
    keys.write_text("\n".join(exported.json["log_vkeys"]))

    done = [await idverify("verify", file, "--vkey", f"@{keys}", "--json") for file in evidence]
    told = [{check["id"]: check.get("evidence") for check in each.json["checks"]} for each in done]

    assert [(each.status, each.json["verdict"]) for each in done] == [(0, "accept")] * 2
    assert told[0]["action"] == told[1]["action"]
    assert told[0]["action"]["action"]["content"]["kind"] == "revoke"
    for name in ("account", "security_key", "cose_key_sha256"):
        assert told[0]["signature"][name] != told[1]["signature"][name]
    assert told[0]["receipt"]["index"] < told[1]["receipt"]["index"]
    assert (await idverify("verify", evidence[0])).status == 2


async def test_what_was_changed_or_exchanged_does_not_hold(
    idverify: Command, deployment: Deployment, evidence: list[Path], tmp_path: Path
) -> None:
    """A reason made milder, and one officer's signature under the other's receipt."""
    exported = await idverify("trust", "export", tmp_path / "bundle.jwt", "--data", deployment.data, "--json")
    key = ("--vkey", exported.json["log_vkeys"][0])
    one, other = (orjson.loads(file.read_bytes()) for file in evidence)
    milder = {**one["action"], "content": {**one["action"]["content"], "reason": "permission-cancelled"}}
    for changed, check in (({"action": milder}, "action"), ({"receipt": other["receipt"]}, "receipt")):
        file = tmp_path / "changed.json"
        file.write_bytes(orjson.dumps(one | changed))

        done = await idverify("verify", file, *key, "--json")

        assert done.status == 1
        assert [found["id"] for found in done.json["checks"] if found["result"] == "fail"] == [check]
