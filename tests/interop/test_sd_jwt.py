"""Two SD-JWT libraries, `sd-jwt` and `@sd-jwt/sd-jwt-vc`, read what we write, and we read what they write.

What they accept and we refuse is counted, rule by rule, in docs/formats.md.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from idverify.core.form_parts import SD_JWT_VC
from idverify.core.types import CREDENTIAL_TYPES
from idverify.core.verdict import CheckId, Outcome
from idverify.formats import jose, sdjwt, status_list
from idverify.formats.status_list import StatusValue
from idverify.services.verify import Submission
from idverify.web.credential_types import document
from tests.corpus.layout import Case, load
from tests.corpus.verified import Broken, broken, verifier
from tests.interop.javascript import run
from tests.simulators import credential_world as world

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
ROW = re.compile(
    r"\| `(?P<check>[a-z_]+)` \| `(?P<rule>[a-z0-9_-]+)` \| [^|]+ \| \d+ \| (?P<python>[^|]+) \| (?P<js>[^|]+) \|"
)
# Whose the document is, of what type, and whether it was revoked, is for each verifier to decide: no library's part.
POLICY = {CheckId.ISSUER_TRUSTED, CheckId.TYPE_ALLOWED, CheckId.STATUS}
HOSTILE = [case for case in load("sd_jwt") if case.breaks and case.breaks.check not in POLICY]
SHOWN = ["work", "birthdate"]
BINDING = {"iat": world.NOW, "aud": world.ASKED.audience, "nonce": world.ASKED.nonce}
ACCEPTED = Broken(Outcome.ACCEPT, (), ())


def private_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """A key as a library wants it."""
    secret = key.private_numbers().private_value.to_bytes(32, "big")
    return {**jose.public_jwk(key.public_key()), "d": jose.b64url_encode(secret)}


def javascript(*tasks: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the JavaScript library makes of each task."""
    keys = {"issuer": private_jwk(world.ISSUER_KEY), "holder": private_jwk(world.HOLDER_KEY)}
    made = run("sd_jwt_vc.mjs", {**keys, "tasks": tasks})
    assert isinstance(made, list)
    return made


def statuses(value: StatusValue) -> str:
    """Our status list, in which the document has this value."""
    claims = status_list.StatusListClaims(world.STATUS_URI, world.NOW, world.NOW + 3600, 300)
    unsigned = status_list.prepare(status_list.pack(16, 2, {5: value}), claims, world.ISSUER)
    return status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload)).decode()


def verification(document: bytes, at: int = world.NOW, *, asked: bool = True, value: StatusValue) -> dict[str, Any]:
    """The task of verifying a document."""
    nonce = world.ASKED.nonce if asked else None
    return {"do": "verify", "document": document.decode("latin-1"), "at": at, "nonce": nonce} | {
        "status_list": statuses(value)
    }


def of_python(document: bytes, *, asked: bool = True) -> dict[str, Any]:
    """The claims that the Python library reads; raises whatever it raises."""
    request = (world.ASKED.audience, world.ASKED.nonce) if asked else (None, None)
    key = JWK.from_pyca(world.ISSUER_KEY)
    claims = SDJWTVerifier(document.decode("latin-1"), lambda _iss, _header: key, *request).get_verified_payload()
    assert isinstance(claims, dict)
    return claims


def payload() -> dict[str, Any]:
    """What an issuer with our certificate says, in no format yet."""
    status = {"status_list": {"idx": 5, "uri": world.STATUS_URI}}
    return {**world.payload(status=status), **world.CLAIMS}


async def ours(document: bytes) -> Broken:
    """The verdict of the whole service."""
    return await broken(verifier(world.NOW), Submission(document, expected=world.ASKED), world.NOW)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("sd_jwt").setLevel(logging.ERROR)


def test_javascript_reads_what_we_issue_and_present() -> None:
    """Whole, and what our wallet shows of it: signature, disclosures, key binding and status hold."""
    issued = world.issue()
    presented = world.present(sdjwt.select(issued, [(name,) for name in SHOWN]))
    whole, shown = javascript(
        verification(issued, asked=False, value=StatusValue.VALID), verification(presented, value=StatusValue.VALID)
    )

    assert whole["made"].items() >= world.CLAIMS.items()
    assert {name: shown["made"][name] for name in SHOWN} == {name: world.CLAIMS[name] for name in SHOWN}
    assert "family_name" not in shown["made"]


def test_javascript_refuses_what_we_revoke_or_suspend() -> None:
    """It reads our status list, and every value that is not valid."""
    presented = world.present(world.issue())
    withdrawn = [StatusValue.INVALID, StatusValue.SUSPENDED]

    for answer in javascript(*(verification(presented, value=value) for value in withdrawn)):
        assert answer == {"refused": "Status is not valid"}


def test_python_reads_what_we_issue_and_present() -> None:
    """The same, but for the status, which it does not know."""
    issued = world.issue()
    shown = of_python(world.present(sdjwt.select(issued, [(name,) for name in SHOWN])))

    assert of_python(issued, asked=False).items() >= world.CLAIMS.items()
    assert {name: shown[name] for name in SHOWN} == {name: world.CLAIMS[name] for name in SHOWN}
    assert "family_name" not in shown


async def test_we_accept_what_javascript_issues_and_presents() -> None:
    """With disclosures inside disclosures, hidden elements, decoys, and its own key binding."""
    frame = {
        "_sd": ["family_name", "work"],
        "work": {"_sd": ["allowed"]},
        "nationalities": {"_sd": [0]},
        "_sd_decoy": 3,
    }
    header = {"x5c": jose.x5c_header(world.CHAIN)}
    (issued,) = javascript({"do": "issue", "claims": payload(), "frame": frame, "header": header})
    wanted = {"work": {"allowed": True}, "nationalities": {"0": True}}
    (presented,) = javascript(
        {"do": "present", "document": issued["made"], "frame": wanted, "binding": BINDING},
    )
    claims = world.FORMAT.read(presented["made"].encode()).claims

    assert await ours(presented["made"].encode()) == ACCEPTED
    assert claims == {name: value for name, value in world.CLAIMS.items() if name != "family_name"}


async def test_we_accept_what_python_issues_and_presents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise, without its decoys: it puts them into ``cnf`` and ``status`` too, where nothing may be hidden."""
    said = payload()
    said["work"] = {SDObj("allowed"): "limited", "hours_per_week": 20}
    tagged = {SDObj(name) if name in {"family_name", "work"} else name: value for name, value in said.items()}
    tagged["nationalities"] = [SDObj("XA")]
    head = {"typ": "dc+sd-jwt", "x5c": jose.x5c_header(world.CHAIN)}
    issued = SDJWTIssuer(tagged, JWK.from_pyca(world.ISSUER_KEY), extra_header_parameters=head).sd_jwt_issuance
    holder = SDJWTHolder(issued)
    monkeypatch.setattr("sd_jwt.holder.time", lambda: world.NOW)
    wanted = {"work": {"allowed": True}, "nationalities": [True]}
    request = (world.ASKED.nonce, world.ASKED.audience, JWK.from_pyca(world.HOLDER_KEY))
    holder.create_presentation(wanted, *request)
    bound = holder.sd_jwt_presentation.encode()
    claims = world.FORMAT.read(bound).claims

    assert await ours(bound) == ACCEPTED
    assert claims == {name: value for name, value in world.CLAIMS.items() if name != "family_name"}


VCTS = [kind.forms[SD_JWT_VC].type for kind in CREDENTIAL_TYPES.values() if SD_JWT_VC in kind.forms]


@pytest.mark.parametrize("vct", VCTS)
def test_javascript_reads_our_type_metadata(vct: str) -> None:
    """Its schema of the draft's section 4 takes each document, and has lost nothing of it."""
    ours = orjson.loads(document(vct))
    (theirs,) = javascript({"do": "type_metadata", "document": ours})

    assert theirs["made"] == ours


def by_python(cases: list[Case]) -> list[bool]:
    """Which cases the Python library accepts. What it raises is of many kinds, some of them no refusal at all."""

    def accepted(case: Case) -> bool:
        try:
            of_python(case.document, asked=case.given.get("asked", True))
        except Exception:  # noqa: BLE001  ValueError, KeyError, TypeError, AttributeError and more
            return False
        return True

    return [accepted(case) for case in cases]


def by_javascript(cases: list[Case]) -> list[bool]:
    """Which cases the JavaScript library accepts."""
    tasks = [
        verification(case.document, case.at, asked=case.given.get("asked", True), value=StatusValue.VALID)
        for case in cases
    ]
    return ["made" in answer for answer in javascript(*tasks)]


@pytest.mark.parametrize(("library", "column"), [(by_python, "python"), (by_javascript, "js")])
def test_what_libraries_accept_and_we_refuse(library: Callable[[list[Case]], list[bool]], column: str) -> None:
    """How many documents of each rule get past a library is what the page says, which claims nothing of policy."""
    accepted = Counter(case.breaks for case, taken in zip(HOSTILE, library(HOSTILE), strict=True) if taken)
    due = {(rule.check, rule.name): str(accepted[rule]) for case in HOSTILE if (rule := case.breaks)}
    shown = {(row["check"], row["rule"]): row[column] for row in ROW.finditer(PAGE.read_text())}

    assert {place: figure for place, figure in shown.items() if figure != "policy"} == due
    assert {check for (check, _), figure in shown.items() if figure == "policy"} == POLICY
