"""The types that ship: each whole, each by the names of its standard, each showing a purpose what it needs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from idverify.core.assurance import IdentityAssurance
from idverify.core.credential_type import Facts, Form, Purpose, visible_claims
from idverify.core.form_parts import MDOC, PAPER_CODE, SD_JWT_VC
from idverify.core.person import PersonDetails
from idverify.core.types import CREDENTIAL_TYPES, credential_type, declared_as, declared_form, wire_types
from idverify.core.types.driving_licence import DRIVING_LICENCE
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.core.types.pid import PID
from idverify.errors import Unprocessable
from tests.simulators.service import DETAILS, PERMISSION

NOON = int(dt.datetime(2026, 9, 22, 12, tzinfo=dt.UTC).timestamp())
PICTURE = "data:image/jpeg;base64,/9j/"
WHOLE = DETAILS | {
    "picture": PICTURE,
    "title": "Dr",
    "sex": 2,
    "nationalities": ["QU", "QS"],
    "place_of_birth": {"country": "GB", "locality": "Little Utopia"},
    "birth_family_name": "MUSTER",
    "birth_given_name": "ANN",
    "address": {"formatted": "1 High Street, Utopia City", "locality": "Utopia City", "postal_code": "UT1 1AA"},
    "personal_administrative_number": "AB123456C",
}
PARTS: Mapping[str, dict[str, Any]] = {
    IMMIGRATION_STATUS.id: PERMISSION,
    PID.id: {"date_of_issuance": "2026-01-01", "date_of_expiry": "2030-12-31", "document_number": "PID-1"},
    DRIVING_LICENCE.id: {
        "document_number": "SPECI708124A99AB",
        "issue_date": "2020-01-01",
        "expiry_date": "2030-12-31",
        "driving_privileges": [
            {"vehicle_category_code": "B", "issue_date": "2020-01-01", "expiry_date": "2040-08-11", "codes": ["01"]}
        ],
        "provisional_driving_privileges": [{"vehicle_category_code": "A"}],
    },
}
HELD = IdentityAssurance.model_validate({"checked_on": "2026-05-03", "confidence": "high", "eidas": "high"})


def facts(type_id: str, details: Mapping[str, Any] = WHOLE, assurance: IdentityAssurance | None = HELD) -> Facts:
    """What a copy of a type speaks of."""
    return Facts(
        details=PersonDetails.model_validate(details),
        permission=CREDENTIAL_TYPES[type_id].permission.model_validate(PARTS[type_id]),
        assurance=assurance,
        status_reference="ab" * 16,
        decided_on=dt.date(2026, 5, 3),
        issuing_authority="Utopia Immigration Authority",
        issuing_country="UT",
        issued_at=NOON,
    )


FORMS = [(kind.id, name) for kind in CREDENTIAL_TYPES.values() for name in kind.forms]


def form_of(type_id: str, name: str) -> Form:
    return CREDENTIAL_TYPES[type_id].forms[name]


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def test_what_ships() -> None:
    """Three types: the immigration status and the PID in every format, the driving licence as an mdoc alone."""
    assert FORMS == [
        ("urn:idverify:immigration-status:1", SD_JWT_VC),
        ("urn:idverify:immigration-status:1", PAPER_CODE),
        ("urn:idverify:immigration-status:1", MDOC),
        ("urn:eudi:pid:1", SD_JWT_VC),
        ("urn:eudi:pid:1", PAPER_CODE),
        ("urn:eudi:pid:1", MDOC),
        ("org.iso.18013.5.1.mDL", MDOC),
    ]
    assert wire_types() == {
        "urn:idverify:immigration-status:1",
        "org.idverify.immigration.1",
        "urn:eudi:pid:1",
        "eu.europa.ec.eudi.pid.1",
        "org.iso.18013.5.1.mDL",
    }


def test_types_are_a_closed_list() -> None:
    """A type that is not issued here is refused, with those that are."""
    assert credential_type(IMMIGRATION_STATUS.id) is IMMIGRATION_STATUS
    with pytest.raises(Unprocessable, match=IMMIGRATION_STATUS.id):
        credential_type("urn:example:library-card:1")


def test_each_type_has_a_key_of_its_own() -> None:
    """No two types share a signer: one that was stolen spoils one type."""
    assert len({kind.key_role for kind in CREDENTIAL_TYPES.values()}) == len(CREDENTIAL_TYPES)


@pytest.mark.parametrize(("type_id", "name"), FORMS)
def test_a_document_is_found_by_what_it_calls_itself(type_id: str, name: str) -> None:
    """By format and wire type together; the same word in another format is none of ours."""
    kind, form = CREDENTIAL_TYPES[type_id], form_of(type_id, name)

    assert declared_as(name, form.type) == (kind, form)
    assert declared_form("pdf", form.type) is None


@pytest.mark.parametrize(("type_id", "name"), FORMS)
def test_every_form_has_a_view_for_every_purpose(type_id: str, name: str) -> None:
    """No purpose falls through to seeing everything, and no view names what a copy never says."""
    form = form_of(type_id, name)
    said = form.claims(facts(type_id))
    if name == PAPER_CODE:
        said = {**said, "picture": "data:image/webp;base64,UklGRg=="}  # which whoever makes the code puts in

    assert form.views.keys() == set(Purpose)
    assert [purpose for purpose, view in form.views.items() if view is None] == [Purpose.CHOSEN]
    for view in form.views.values():
        for path in view or ():
            if path[-1] in {
                "travel_document",
                "permission_end",
                "permission_indefinite",
            }:  # nobody's, and the mdoc's alone
                continue
            assert visible_claims(Form(form.type, form.claims, {Purpose.WORK: frozenset({path})}), Purpose.WORK, said)


@pytest.mark.parametrize(("type_id", "name"), FORMS)
def test_values_are_those_of_the_format(type_id: str, name: str) -> None:
    """JSON, and so a code, has text, numbers and nulls; an mdoc has dates and bytes too, and no null."""
    form = form_of(type_id, name)
    kinds = {type(leaf) for leaf in leaves(form.claims(facts(type_id)))}

    assert kinds <= ({str, int, bool, bytes, dt.date} if name == MDOC else {str, int, bool, type(None)})


@pytest.mark.parametrize(("type_id", "name"), FORMS)
def test_how_the_identity_was_checked_is_in_every_copy(type_id: str, name: str) -> None:
    """Also where nobody stated it: then it says so, and claims nothing."""
    form = form_of(type_id, name)
    stated, unstated = (form.claims(facts(type_id, assurance=held)) for held in (HELD, None))

    for said, level in ((stated, "high"), (unstated, "not_stated")):
        held = said["org.idverify.assurance.1"]["identity_assurance"] if name == MDOC else said["identity_assurance"]
        assert held["assurance_level"] == level


def test_a_pid_by_the_names_of_the_rulebook() -> None:
    """Claims and elements of sections 4.1 and 3.1, mandatory ones and those that are known; no age."""
    claims, spaces = (PID.forms[name].claims(facts(PID.id)) for name in (SD_JWT_VC, MDOC))

    assert claims == {
        "family_name": "SPECIMEN",
        "given_name": "ANNA",
        "birthdate": "1974-08-12",
        "nationalities": ["QU", "QS"],
        "place_of_birth": {"country": "GB", "locality": "Little Utopia"},
        "picture": PICTURE,
        "sex": 2,
        "birth_family_name": "MUSTER",
        "birth_given_name": "ANN",
        "address": {"formatted": "1 High Street, Utopia City", "locality": "Utopia City", "postal_code": "UT1 1AA"},
        "personal_administrative_number": "AB123456C",
        "date_of_issuance": "2026-01-01",
        "date_of_expiry": "2030-12-31",
        "document_number": "PID-1",
        "issuing_authority": "Utopia Immigration Authority",
        "issuing_country": "UT",
        "attestation_legal_category": "PID",
        "identity_assurance": {
            "time": "2026-05-03",
            "trust_framework": "gpg45",
            "assurance_level": "high",
            "eidas_level": "high",
        },
    }
    assert spaces["eu.europa.ec.eudi.pid.1"] == {
        "family_name": "SPECIMEN",
        "given_name": "ANNA",
        "birth_date": dt.date(1974, 8, 12),
        "nationality": ["QU", "QS"],
        "place_of_birth": {"country": "GB", "locality": "Little Utopia"},
        "portrait": bytes.fromhex("ffd8ff"),
        "sex": 2,
        "family_name_birth": "MUSTER",
        "given_name_birth": "ANN",
        "resident_address": "1 High Street, Utopia City",
        "resident_city": "Utopia City",
        "resident_postal_code": "UT1 1AA",
        "personal_administrative_number": "AB123456C",
        "issuance_date": dt.date(2026, 1, 1),
        "expiry_date": dt.date(2030, 12, 31),
        "document_number": "PID-1",
        "issuing_authority": "Utopia Immigration Authority",
        "issuing_country": "UT",
        "attestation_legal_category": "PID",
    }


def test_whoever_wants_no_photo_has_an_empty_one() -> None:
    """The attribute is mandatory, its content is not (rulebook section 2.3)."""
    bare = {name: value for name, value in WHOLE.items() if name != "picture"}

    assert PID.forms[SD_JWT_VC].claims(facts(PID.id, bare))["picture"] == ""
    assert PID.forms[MDOC].claims(facts(PID.id, bare))["eu.europa.ec.eudi.pid.1"]["portrait"] == b""


def test_a_pid_shows_parts_of_parts() -> None:
    """The place of birth and the address member by member, nationalities one by one."""
    form = PID.forms[SD_JWT_VC]
    places = form.places(form.claims(facts(PID.id)))

    assert {place for place in places if len(place) > 1} == {
        ("place_of_birth", "country"),
        ("place_of_birth", "locality"),
        ("address", "formatted"),
        ("address", "locality"),
        ("address", "postal_code"),
        ("nationalities", 0),
        ("nationalities", 1),
    }


def test_a_driving_licence_by_the_names_of_the_standard() -> None:
    """All mandatory elements of table 5, ages as of the day of issue, and the domestic namespace."""
    spaces = DRIVING_LICENCE.forms[MDOC].claims(facts(DRIVING_LICENCE.id))

    assert spaces["org.iso.18013.5.1"] == {
        "family_name": "SPECIMEN",
        "given_name": "ANNA",
        "birth_date": dt.date(1974, 8, 12),
        "portrait": bytes.fromhex("ffd8ff"),
        "issue_date": dt.date(2020, 1, 1),
        "expiry_date": dt.date(2030, 12, 31),
        "issuing_country": "UT",
        "issuing_authority": "Utopia Immigration Authority",
        "document_number": "SPECI708124A99AB",
        "driving_privileges": [
            {
                "vehicle_category_code": "B",
                "issue_date": dt.date(2020, 1, 1),
                "expiry_date": dt.date(2040, 8, 11),
                "codes": [{"code": "01"}],
            }
        ],
        "un_distinguishing_sign": "UTO",
        "age_over_18": True,
        "age_over_21": True,
        "age_over_25": True,
        "birth_place": "Little Utopia, GB",
        "resident_address": "1 High Street, Utopia City",
        "resident_city": "Utopia City",
        "resident_postal_code": "UT1 1AA",
    }
    assert spaces["org.iso.18013.5.1.GB"] == {
        "title": "Dr",
        "welsh_licence": False,
        "provisional_driving_privileges": [{"vehicle_category_code": "A"}],
    }


def test_a_view_keeps_to_its_places() -> None:
    """At any depth, in any namespace: what is shown besides stays unseen."""
    spaces = DRIVING_LICENCE.forms[MDOC].claims(facts(DRIVING_LICENCE.id))
    seen = visible_claims(DRIVING_LICENCE.forms[MDOC], Purpose.AGE, spaces)

    assert {space: set(elements) for space, elements in seen.items()} == {
        "org.iso.18013.5.1": {"age_over_18", "portrait"},
        "org.idverify.assurance.1": {"identity_assurance"},
    }


def test_a_document_of_no_declared_form_shows_a_purpose_nothing() -> None:
    """Only whoever needs no purpose sees what it says."""
    assert visible_claims(None, Purpose.WORK, {"a": 1}) == {}
    assert visible_claims(None, None, {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("type_id", "changes"),
    [
        (PID.id, {"date_of_expiry": "2025-12-31"}),
        (PID.id, {"document_number": "no blanks"}),
        (DRIVING_LICENCE.id, {"expiry_date": "2019-12-31"}),
        (DRIVING_LICENCE.id, {"driving_privileges": []}),
        (DRIVING_LICENCE.id, {"driving_privileges": [{"vehicle_category_code": "b"}]}),
        (DRIVING_LICENCE.id, {"shoe_size": 43}),
    ],
)
def test_parts_that_cannot_be(type_id: str, changes: dict[str, Any]) -> None:
    """A part that contradicts itself or says more than it may is refused."""
    with pytest.raises(ValueError, match="validation error"):
        CREDENTIAL_TYPES[type_id].permission.model_validate(PARTS[type_id] | changes)


@pytest.mark.parametrize("changes", [{"place_of_birth": {}}, {"address": {}}, {"sex": 7}, {"title": ""}])
def test_details_that_cannot_be(changes: dict[str, Any]) -> None:
    """What is recorded of a person says something, or is left out."""
    with pytest.raises(ValueError, match="validation error"):
        PersonDetails.model_validate(DETAILS | changes)


def test_what_tells_a_purpose_nothing_is_known() -> None:
    """Nobody who checks an age learns anything of a PID; of the other types every purpose learns something."""
    mute = {(kind.id, purpose) for kind in CREDENTIAL_TYPES.values() for purpose in Purpose if not kind.tells(purpose)}

    assert mute == {("urn:eudi:pid:1", Purpose.AGE)}


@pytest.mark.parametrize("type_id", [IMMIGRATION_STATUS.id, PID.id])
def test_a_code_says_what_the_document_says(type_id: str) -> None:
    """By the same names, but for the picture, which has no room in it."""
    document, code = (form_of(type_id, name).claims(facts(type_id)) for name in (SD_JWT_VC, PAPER_CODE))

    assert dict(code) == {name: value for name, value in document.items() if name != "picture"}
