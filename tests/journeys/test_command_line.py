"""The same journey on the command line: a wallet in a folder, a verifier without a network, keys for callers."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.journeys.conftest import Command, Done
from tests.simulators import credential_world as world
from tests.simulators.contract import JudgedApi
from tests.simulators.holder import asked, decided_by_two, detail, failed, results
from tests.simulators.service import VCT, Deployment

pytestmark = pytest.mark.drivers_alike

ACCEPT, REJECT, REFER, USAGE = 0, 1, 2, 64


@dataclass(frozen=True)
class Walk:
    """A wallet that holds one credential, the request it answered, and a verifier's trust bundle."""

    folder: Path
    person: str
    handle: str
    request: dict[str, Any]
    offline: tuple[object, ...]

    @property
    def presentation(self) -> Path:
        """What ``wallet present`` printed."""
        return self.folder / "presentation.json"

    @property
    def bound(self) -> tuple[str, ...]:
        """The request's nonce and audience, as options."""
        return "--nonce", self.request["nonce"], "--audience", self.request["audience"]


@pytest.fixture
async def walk(api: JudgedApi, idverify: Command, deployment: Deployment, tmp_path: Path) -> Walk:
    """Offer, receive, ask, present, export: each by the command that a person would type."""
    person = await api.person_with_status()
    offer, request = await api.offer(person), await asked(api, "employer")
    (tmp_path / "offer.json").write_bytes(orjson.dumps(offer))
    (tmp_path / "request.json").write_bytes(orjson.dumps(request))
    wallet = ("--wallet", tmp_path / "wallet")

    received = await idverify("wallet", "receive", tmp_path / "offer.json", *wallet, "--json")
    disclosed = ("--disclose", "family_name,work")
    presented = await idverify("wallet", "present", "--request", tmp_path / "request.json", *disclosed, *wallet)
    exported = await idverify("trust", "export", tmp_path / "bundle.jwt", "--data", deployment.data, "--json")

    assert (received.status, presented.status, exported.status) == (0, 0, 0)
    (tmp_path / "presentation.json").write_text(presented.output)
    offline = ("--offline", tmp_path / "bundle.jwt", "--root-sha256", exported.json["root_sha256"])
    return Walk(tmp_path, person, received.json["handle"], request, offline)


async def test_a_wallet_in_a_folder(walk: Walk, idverify: Command, api: JudgedApi) -> None:
    """The wallet lists what it holds, keeps its key to itself, and what it presents is accepted by the service."""
    wallet = ("--wallet", walk.folder / "wallet")

    listed = await idverify("wallet", "list", *wallet, "--json")
    for_people = await idverify("wallet", "list", *wallet)
    answer = await api.ok("POST", "/api/v1/verify", "employer", orjson.loads(walk.presentation.read_bytes()))

    (held,) = listed.json
    assert held["credential"] == walk.handle
    assert held["claims"]["family_name"] == "SPECIMEN"
    assert f"{walk.handle}  urn:idverify:immigration-status:1" in for_people.output
    assert (answer["verdict"], results(answer)["receipt"]) == ("accept", "pass")
    private = [path.stat().st_mode & 0o077 for path in (walk.folder / "wallet").iterdir()]
    assert set(private) == {0}


async def test_a_wallet_holds_and_shows_an_mdoc(walk: Walk, idverify: Command, api: JudgedApi) -> None:
    """The same status as an mdoc: collected, listed, shown in parts, accepted by the service and offline."""
    path, wanted = f"/api/v1/people/{walk.person}/offers", {"type": VCT, "format": "mso_mdoc"}
    offer, request = await api.ok("POST", path, "officer", wanted), await asked(api, "employer")
    wallet, shown = ("--wallet", walk.folder / "wallet"), walk.folder / "mdoc.json"
    (walk.folder / "offer.json").write_bytes(orjson.dumps(offer))
    (walk.folder / "request.json").write_bytes(orjson.dumps(request))

    received = await idverify("wallet", "receive", walk.folder / "offer.json", *wallet, "--json")
    listed = await idverify("wallet", "list", *wallet, "--json")
    asking = ("--request", walk.folder / "request.json", "--credential", received.json["handle"], *wallet)
    refused = await idverify("wallet", "present", *asking, "--disclose", "shoe_size")
    presented = await idverify("wallet", "present", *asking, "--disclose", "family_name,work")
    shown.write_text(presented.output)
    bound = ("--nonce", request["nonce"], "--audience", request["audience"])
    offline = await idverify("verify", shown, *walk.offline, *bound, "--json")
    answer = await api.ok("POST", "/api/v1/verify", "employer", orjson.loads(shown.read_bytes()))

    held = next(one for one in listed.json if one["credential"] == received.json["handle"])
    assert (held["format"], held["type"]) == ("mso_mdoc", VCT)
    assert (refused.status, "it can show:" in refused.output + refused.errors) == (USAGE, True)
    assert (offline.status, offline.json["verdict"], failed(offline.json)) == (ACCEPT, "accept", [])
    assert (answer["verdict"], results(answer)["receipt"]) == ("accept", "pass")
    (elements,) = answer["claims"].values()
    assert elements["family_name"] == "SPECIMEN"
    assert elements.keys() == {"family_name", "work"}


async def test_offline_accepts_what_the_service_accepts(walk: Walk, idverify: Command) -> None:
    """With nothing but the bundle, its root's fingerprint, nonce and audience: accepted, exit 0."""
    done = await idverify("verify", walk.presentation, *walk.offline, *walk.bound, "--json")
    for_people = await idverify("verify", walk.presentation, *walk.offline, *walk.bound)

    assert (done.status, done.json["verdict"], failed(done.json)) == (ACCEPT, "accept", [])
    assert results(done.json)["receipt"] == results(done.json)["freshness"] == "pass"
    assert done.json["claims"]["family_name"] == "SPECIMEN"
    assert "birthdate" not in done.json["claims"]
    assert for_people.output.startswith("ACCEPTED\n")


async def test_offline_refers_what_it_cannot_tell(walk: Walk, idverify: Command) -> None:
    """Without a request to compare with, nobody proved that the document is theirs: exit 2."""
    done = await idverify("verify", walk.presentation, *walk.offline, "--json")

    assert (done.status, done.json["verdict"], results(done.json)["holder_binding"]) == (REFER, "refer", "unknown")


async def test_offline_rejects_what_was_revoked(
    walk: Walk, idverify: Command, api: JudgedApi, deployment: Deployment
) -> None:
    """A bundle made after the revocation rejects, exit 1; the one made before cannot know, and says how old it is."""
    await decided_by_two(api, walk.person, "revoke", "permission-cancelled")
    bundle = walk.folder / "later.jwt"
    exported = await idverify("trust", "export", bundle, "--data", deployment.data, "--json")
    later = ("--offline", bundle, "--root-sha256", exported.json["root_sha256"])

    with_later = await idverify("verify", walk.presentation, *later, *walk.bound, "--json")
    with_earlier = await idverify("verify", walk.presentation, *walk.offline, *walk.bound, "--json")

    assert (with_later.status, failed(with_later.json), with_later.json["claims"]) == (REJECT, ["status"], None)
    assert with_earlier.status == ACCEPT
    assert " s ago." in detail(with_earlier.json, "freshness")


async def test_a_snapshot_grows_old(walk: Walk, idverify: Command) -> None:
    """An hour on, the verdict says how old its knowledge is; after the list's 24 hours it no longer knows."""
    in_an_hour, in_a_day = await _later(idverify, walk, 3600), await _later(idverify, walk, 25 * 3600)

    assert results(in_an_hour.json)["status"] == "pass"
    assert results(in_an_hour.json)["freshness"] == "unknown"
    (freshness,) = (check for check in in_an_hour.json["checks"] if check["id"] == "freshness")
    assert 3600 <= freshness["evidence"]["age_seconds"] <= 3600 + 600
    assert results(in_a_day.json)["status"] == results(in_a_day.json)["freshness"] == "unknown"
    assert (in_a_day.status, in_a_day.json["verdict"]) == (REFER, "refer")
    assert "expired" in detail(in_a_day.json, "status")


async def test_wrong_usage_is_told_apart(walk: Walk, idverify: Command) -> None:
    """A question that is not complete is neither a yes nor a no: exit 64 and a sentence about what is missing."""
    other_root = ("--root-sha256", "00" * 32)
    wrong: dict[str, tuple[object, ...]] = {
        "--offline": ("verify", walk.presentation),
        "together": ("verify", walk.presentation, *walk.offline, "--nonce", "n"),
        "cannot be relied on": ("verify", walk.presentation, *walk.offline[:2], *other_root),
        "cannot be read": ("verify", walk.folder / "nothing", *walk.offline),
        "--at must be": ("verify", walk.presentation, *walk.offline, "--at", "tomorrow"),
    }
    for sentence, arguments in wrong.items():
        done = await idverify(*arguments)
        assert (done.status, done.output) == (USAGE, "")
        assert sentence in done.errors.replace("\n", " ")


async def test_what_is_no_document_is_rejected(walk: Walk, idverify: Command) -> None:
    """A file that is no credential at all does not hold: exit 1, and the check that fails is named."""
    nonsense = walk.folder / "nonsense"
    nonsense.write_bytes(bytes(range(256)))

    done = await idverify("verify", nonsense, *walk.offline, "--json")

    assert (done.status, failed(done.json), done.json["claims"]) == (REJECT, ["format"], None)


async def test_a_forger_does_not_write_on_the_terminal(walk: Walk, idverify: Command) -> None:
    """What a forged document would have quoted cannot clear the screen, colour a word or turn text around."""
    forged = walk.folder / "forged"
    forged.write_bytes(world.sd_jwt(world.payload(iss="\x1b[2J\x1b[32mACCEPTED\u202e\u009b1m")))

    done = await idverify("verify", forged, *walk.offline)

    assert done.status == REJECT
    assert "\N{REPLACEMENT CHARACTER}[2J" in done.output
    assert all(line.isprintable() for line in done.output.splitlines())


async def test_a_wallet_asked_for_what_it_has_not(walk: Walk, idverify: Command) -> None:
    """A claim that the credential does not have is a mistake of whoever typed it, named with what there is."""
    asked_for = ("--request", walk.folder / "request.json", "--disclose", "shoe_size")

    done = await idverify("wallet", "present", *asked_for, "--wallet", walk.folder / "wallet")

    assert done.status == USAGE
    assert "shoe_size" in done.errors
    assert "family_name" in done.errors


async def test_keys_are_made_listed_and_revoked(idverify: Command, api: JudgedApi, deployment: Deployment) -> None:
    """A key works as soon as it is made, is listed without its secret, and stops working once revoked."""
    data = ("--data", deployment.data)
    made = await idverify("apikey", "create", "--actor", "Test Desk", "--role", "officer", *data, "--json")
    token = made.json["api_key"]
    api.deployment.keys["desk"] = token
    key_id = token.split("_")[1]

    first, _ = await api.call("GET", "/api/v1/proposals", "desk")
    listed = await idverify("apikey", "list", *data, "--json")
    revoked = await idverify("apikey", "revoke", key_id, *data)
    refused = await _status_until(api, 401)
    twice = await idverify("apikey", "revoke", key_id, *data)

    assert (first, revoked.status, refused) == (200, 0, 401)
    (row,) = (row for row in listed.json if row["id"] == key_id)
    assert (row["actor"], row["role"], row["revoked_at"]) == ("Test Desk", "officer", None)
    assert token.split("_")[2] not in listed.output
    assert (twice.status, "no API key in use" in twice.errors) == (REFER, True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--role", "king"), "--role must be one of"),
        (("--role", "relying-party"), "needs a --purpose"),
        (("--role", "officer", "--purpose", "work"), "other keys have none"),
        (("--role", "relying-party", "--purpose", "spying"), "--purpose must be one of"),
    ],
)
async def test_keys_that_make_no_sense(
    idverify: Command, deployment: Deployment, options: tuple[str, ...], sentence: str
) -> None:
    """Roles and purposes are closed lists, and a purpose goes with a relying party only."""
    done = await idverify("apikey", "create", "--actor", "Somebody", *options, "--data", deployment.data)

    assert done.status == USAGE
    assert sentence in done.errors.replace("\n", " ")


async def _later(idverify: Command, walk: Walk, seconds: int) -> Done:
    at = dt.datetime.fromtimestamp(int(time.time()) + seconds, dt.UTC).isoformat()
    return await idverify("verify", walk.presentation, *walk.offline, "--at", at, "--json")


async def _status_until(api: JudgedApi, wanted: int) -> int:
    """The status of an ordinary call once it is ``wanted``, or after more than long enough."""
    for _ in range(50):
        status, _ = await api.call("GET", "/api/v1/proposals", "desk")
        if status == wanted:
            break
        await asyncio.sleep(0.1)
    return status


async def test_a_random_audit(walk: Walk, idverify: Command, deployment: Deployment) -> None:
    """Entries that the root draws are opened by the token beside the running service; the report is checked offline."""
    folder = walk.folder / "report"
    data, asked = ("--data", deployment.data), ("--seed", "5eed" * 16, "--count", 40)

    audited = await idverify("ledger", "audit-sample", *data, *asked, "--export", folder, "--json")

    assert (audited.status, audited.json["holds"]) == (0, True)
    assert len(audited.json["entries"]) == min(40, audited.json["size"])
    vkey = orjson.loads((await idverify("trust", "export", walk.folder / "b", *data, "--json")).output)["log_vkeys"][0]
    checked = await idverify("ledger", "audit-sample", "--recheck", folder, "--vkey", vkey, *asked, "--json")
    assert (checked.status, checked.json["holds"], checked.json["seed"]) == (0, True, "5eed" * 16)
    other = ("--seed", "0" * 64)
    refused = await idverify("ledger", "audit-sample", "--recheck", folder, "--vkey", vkey, *other, "--json")
    assert (refused.status, len(refused.json["contradictions"])) == (1, 1)
    (folder / "report.json").write_text((folder / "report.json").read_text().replace('"holds": true', '"holds": 1', 1))
    told = await idverify("ledger", "audit-sample", "--recheck", folder, "--vkey", vkey)
    assert told.status == 1


async def test_a_holder_checks_that_the_list_is_whole(
    walk: Walk, idverify: Command, api: JudgedApi, deployment: Deployment
) -> None:
    """The signed list of one's entries fits the wallet; with an empty wallet it tells of a credential too many."""
    citizen = await api.enrol_citizen(walk.person)
    headers = await api.identity(citizen)
    _, signed, _ = await api.send("GET", "/api/v1/own-entries", None, headers)
    (walk.folder / "list.jwt").write_bytes(signed)
    (walk.folder / "empty").mkdir()
    asked = ("wallet", "audit", walk.folder / "list.jwt", *walk.offline, "--json")

    fits = await idverify(*asked, "--wallet", walk.folder / "wallet")
    extra = await idverify(*asked, "--wallet", walk.folder / "empty")

    assert (fits.status, fits.json["findings"]) == (0, [])
    assert (extra.status, [one["finding"] for one in extra.json["findings"]]) == (1, ["extra"])


async def test_a_receipt_is_fetched_later(walk: Walk, idverify: Command) -> None:
    """A receipt that was not there yet is fetched when the holder wishes, and goes with the next presentation."""
    wallet, path = ("--wallet", walk.folder / "wallet"), walk.folder / "wallet" / f"{walk.handle}.json"
    kept = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps({**kept, "receipt": None}))
    assert not (await idverify("wallet", "list", *wallet, "--json")).json[0]["has_receipt"]

    fetched = await idverify("wallet", "receipts", *wallet, "--json")

    assert (fetched.status, fetched.json) == (0, {"waiting": []})
    again = orjson.loads(path.read_bytes())
    assert again["receipt"].startswith("c2sp.org/tlog-proof@v1")
    disclosed = ("--disclose", "family_name")
    presented = await idverify("wallet", "present", "--request", walk.folder / "request.json", *disclosed, *wallet)
    assert orjson.loads(presented.output)["receipt"] == again["receipt"]
