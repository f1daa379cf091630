"""Every type that ships, in each of its formats: granted, signed by its own key in the HSM, collected and checked."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import pytest

from idverify.app.demo import PEOPLE
from idverify.core.types import CREDENTIAL_TYPES
from idverify.core.types.driving_licence import DRIVING_LICENCE
from idverify.core.types.pid import PID
from idverify.formats.carriers import FORMATS
from idverify.services.credential_text import as_document
from idverify.services.offer import formats_of
from tests.simulators.contract import JudgedApi
from tests.simulators.holder import collection, failed
from tests.simulators.soft_wallet import SoftWallet

pytestmark = pytest.mark.drivers_alike

DETAILS, GIVEN = PEOPLE[1]
ISSUED = [(kind.id, name) for kind in CREDENTIAL_TYPES.values() for name in formats_of(kind)]
# What an employer may see of each, by the names of the format
WORK = {"family_name", "given_name", "picture", "work", "permission_end"}
SEEN: dict[tuple[str, str], dict[str, set[str]]] = {
    ("urn:idverify:immigration-status:1", "dc+sd-jwt"): {"": WORK},
    ("urn:idverify:immigration-status:1", "mso_mdoc"): {
        "org.idverify.immigration.1": WORK | {"permission_indefinite"},
    },
    ("urn:eudi:pid:1", "dc+sd-jwt"): {"": {"family_name", "given_name", "birthdate", "picture"}},
    ("urn:eudi:pid:1", "mso_mdoc"): {
        "eu.europa.ec.eudi.pid.1": {"family_name", "given_name", "birth_date", "portrait"},
    },
    ("org.iso.18013.5.1.mDL", "mso_mdoc"): {
        "org.iso.18013.5.1": {"family_name", "given_name", "portrait", "driving_privileges", "expiry_date"},
    },
}


async def person(api: JudgedApi) -> str:
    """One of the demo's people, who has everything; without a passport, since each has a person of their own."""
    details = {name: value for name, value in DETAILS.items() if name != "travel_document"}
    who = (await api.ok("POST", "/api/v1/people", "officer", {"details": details}))["person"]
    given = {
        "kind": "grant",
        "reason": "application-granted",
        "legal_basis": "Rules, part 1",
        "permissions": GIVEN,
        "identity_assurance": {"checked_on": "2026-01-12", "confidence": "high", "profile": "H1B", "eidas": "high"},
    }
    await api.ok("POST", f"/api/v1/people/{who}/decisions", "officer", given)
    return str(who)


async def collected(api: JudgedApi, who: str, type_id: str, format_name: str) -> dict[str, Any]:
    """The service's answer to the wallet."""
    asked = {"type": type_id, "format": format_name}
    offer = await api.ok("POST", f"/api/v1/people/{who}/offers", "officer", asked)
    body, key = collection(SoftWallet(), offer), secrets.token_hex(8)
    answer: dict[str, Any] = await api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key=key)
    return answer


@pytest.mark.parametrize(("type_id", "format_name"), ISSUED)
async def test_it_is_collected_and_checked(api: JudgedApi, type_id: str, format_name: str) -> None:
    """No check fails; an officer sees all of it, an employer its view of work, and how the identity was checked."""
    answer = await collected(api, await person(api), type_id, format_name)
    document = {"document": answer["credential"]}
    officers, employers = [await api.ok("POST", "/api/v1/verify", who, document) for who in ("second", "employer")]

    assert (officers["verdict"], failed(officers)) == ("refer", [])  # nobody presented it
    homes = {"": employers["claims"]} if format_name == "dc+sd-jwt" else employers["claims"]
    seen = {home: set(said) - {"identity_assurance"} for home, said in homes.items()}
    assert {home: said for home, said in seen.items() if said} == SEEN[type_id, format_name]
    everything = officers["claims"]
    inside = everything if format_name == "dc+sd-jwt" else everything["org.idverify.assurance.1"]
    assert inside["identity_assurance"]["assurance_level"] == "high"


async def test_each_is_signed_by_a_key_of_its_own(api: JudgedApi) -> None:
    """One certificate for all formats of a type, and no two types share one."""
    who = await person(api)
    signers: dict[str, set[bytes]] = {}
    for type_id, format_name in ISSUED:
        answer = await collected(api, who, type_id, format_name)
        presented = FORMATS[format_name].read(as_document(format_name, answer["credential"]))
        signers.setdefault(type_id, set()).add(presented.signing_chain[0])

    assert [len(of_type) for of_type in signers.values()] == [1] * len(CREDENTIAL_TYPES)
    assert len(set.union(*signers.values())) == len(CREDENTIAL_TYPES)


async def test_a_picture_is_bytes_where_the_format_has_them(api: JudgedApi) -> None:
    """The same photo: a data URL in JSON, a JPEG in CBOR."""
    who = await person(api)
    pid, licence = [
        FORMATS[name].read(as_document(name, (await collected(api, who, type_id, name))["credential"])).claims
        for type_id, name in ((PID.id, "dc+sd-jwt"), (DRIVING_LICENCE.id, "mso_mdoc"))
    ]
    photo = licence["org.iso.18013.5.1"]["portrait"]

    assert photo.startswith(b"\xff\xd8\xff")
    assert pid["picture"] == f"data:image/jpeg;base64,{base64.b64encode(photo).decode()}"
