"""The credential format as the services see it: prepare, seal, read, check."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from idverify.core.credential import StatusReference
from idverify.core.trust import TrustStore
from idverify.core.verdict import Check, CheckId, Result
from idverify.errors import DocumentError
from idverify.formats import jose, sdjwt
from idverify.formats.base import HolderBindingExpected, refused
from tests.simulators import credential_world as world

IN_ORDER = [
    CheckId.FORMAT,
    CheckId.SIGNATURE,
    CheckId.ISSUER_TRUSTED,
    CheckId.TYPE_ALLOWED,
    CheckId.VALIDITY,
    CheckId.HOLDER_BINDING,
    CheckId.AUDIENCE,
]
P, F, U = Result.PASS, Result.FAIL, Result.UNKNOWN


def checks(
    document: bytes, asked: HolderBindingExpected | None = None, trust: TrustStore = world.TRUST, at: int = world.NOW
) -> list[Check]:
    """The checks of one document."""
    return list(world.FORMAT.check(world.FORMAT.read(document), trust, at, asked))


def results(*arguments: Any, **named: Any) -> list[Result]:
    """Only their results."""
    return [check.result for check in checks(*arguments, **named)]


def test_what_is_issued_is_what_was_planned() -> None:
    """Re-reading a sealed credential gives its claims, type, status, key and chain, and nothing more."""
    planned = world.credential()
    document = world.issue(planned)
    read = world.FORMAT.read(document)
    assert (read.format, read.type, read.iss) == ("dc+sd-jwt", world.VCT, world.ISS)
    assert read.claims == planned.claims
    assert read.status == planned.status
    assert read.holder_key == planned.holder_key
    assert read.signing_chain == world.CHAIN
    assert document.startswith(read.issuer_signed + b"~")


def test_status_reference_is_read() -> None:
    """The index and address of the status are those that were issued."""
    assert world.FORMAT.read(world.issue()).status == StatusReference(world.STATUS_URI, 5)


def test_every_disclosable_claim_is_hidden() -> None:
    """The signed part shows metadata and what was not disclosable; each of the rest is one disclosure."""
    document = world.issue()
    bare = world.FORMAT.read(sdjwt.select(document, []))
    assert bare.claims == {"issuing_country": "XU"}
    assert len(sdjwt.read(document).disclosures) == len(world.DISCLOSABLE)


@pytest.mark.parametrize("name", sorted(world.DISCLOSABLE))
def test_each_claim_is_shown_alone(name: str) -> None:
    """Work, study, rent, travel, funds and every other claim can be shown without the others."""
    shown = world.FORMAT.read(sdjwt.select(world.issue(), [(name,)]))
    assert shown.claims == {"issuing_country": "XU", name: world.CLAIMS[name]}


def test_the_time_of_issue_tells_the_day_only() -> None:
    """``iat`` is rounded, so that two copies of one day look alike."""
    payload = world.FORMAT.read(world.issue()).detail.payload
    assert payload["iat"] % world.DAY == 0
    assert payload["exp"] == world.credential().expires_at


@pytest.mark.parametrize("name", ["iss", "exp", "cnf", "vct", "status", "iat", "aud", "jti"])
def test_claims_do_not_pose_as_metadata(name: str) -> None:
    """What the format fills in cannot come from the claims."""
    with pytest.raises(ValueError, match="fills those in itself"):
        world.FORMAT.prepare(world.credential({name: 1}, frozenset()), world.ISSUER, world.entropy())


def test_checks_come_in_order() -> None:
    """Always the same names in the same order, none left out."""
    forged = world.sd_jwt(world.payload(), key=world.STRANGER_KEY)
    for document in (world.issue(), world.present(world.issue()), forged):
        assert [check.id for check in checks(document)] == IN_ORDER


def test_a_presentation_passes_every_check() -> None:
    """The good case: asked, answered, all green."""
    assert results(world.present(sdjwt.select(world.issue(), [("work",)])), world.ASKED) == [P, P, P, P, P, P, P]


def test_a_document_that_nobody_asked_for_is_genuine_and_the_person_unproven() -> None:
    """Without a request, holder binding and audience are unknown, with or without a key binding."""
    assert results(world.issue()) == [P, P, P, P, P, U, U]
    assert results(world.present(world.issue())) == [P, P, P, P, P, U, U]


def test_an_old_key_binding_that_nobody_asked_for_is_no_fault() -> None:
    """A presentation kept in a file is as good as the document in it."""
    assert results(world.present(world.issue(), at=world.NOW - world.DAY)) == [P, P, P, P, P, U, U]


def test_no_answer_to_a_request_fails() -> None:
    """The verifier's policy decides that the wallet must answer."""
    assert results(world.issue(), world.ASKED) == [P, P, P, P, P, F, U]


def test_a_document_bound_to_no_key_cannot_be_presented() -> None:
    """Without ``cnf`` a key binding binds nobody."""
    assert results(world.present(world.sd_jwt(world.payload(cnf=None))), world.ASKED)[5:] == [F, U]


@pytest.mark.parametrize(
    ("document", "due"),
    [
        (world.sd_jwt(world.payload(), key=world.STRANGER_KEY), [P, F, U, U, U, U, U]),
        (world.sd_jwt(world.payload(iss="https://other.example")), [P, P, F, U, U, U, U]),
        (world.sd_jwt(world.payload(vct="urn:example:visa:1")), [P, P, P, F, P, U, U]),
        (world.sd_jwt(world.payload(exp=1)), [P, P, P, P, F, U, U]),
        (world.sd_jwt(world.payload(exp=1, vct="x")), [P, P, P, F, F, U, U]),
    ],
)
def test_what_rests_on_a_failed_check_is_unknown(document: bytes, due: list[Result]) -> None:
    """Nothing is skipped silently, and nothing is green on top of what failed."""
    found = checks(document)
    assert [check.result for check in found] == due
    for check in found:
        assert (check.evidence is not None) == (check.result is F)
        assert check.detail.endswith(".")


def test_the_leeway_is_a_minute() -> None:
    """Clocks differ by a minute, not by more."""
    document = world.sd_jwt(world.payload())
    expiry = world.NOW + world.DAY
    assert [results(document, at=expiry + late)[4] for late in (59, 60)] == [P, F]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"status": "x"}, "status"),
        ({"status": {"status_list": {"uri": 5, "idx": 1}}}, "status"),
        ({"status": {"status_list": {"uri": "u", "idx": -1}}}, "status"),
        ({"status": {"status_list": {"uri": "u", "idx": True}}}, "status"),
        ({"status": {"identifier_list": {}}}, "status"),
        ({"cnf": []}, "jwk"),
        ({"cnf": {"kid": "1"}}, "jwk"),
        ({"vct": ["a"]}, "vct"),
        ({"iss": 5}, "iss"),
    ],
)
def test_malformed_metadata_is_refused(changes: dict[str, Any], rule: str) -> None:
    """What a verifier needs is there in one form, or the document is refused as it is read."""
    with pytest.raises(DocumentError) as error:
        world.FORMAT.read(world.sd_jwt(world.payload(**changes)))
    assert error.value.rule == rule
    assert refused(error.value).id is CheckId.FORMAT


@pytest.mark.parametrize(
    "changes", [{"exp": "soon"}, {"exp": True}, {"exp": 1e10}, {"nbf": "x"}, {"iat": None, "nbf": -1}]
)
def test_dates_are_whole_seconds(changes: dict[str, Any]) -> None:
    """A date in another form is no date."""
    assert results(world.sd_jwt(world.payload(**changes)))[4] is F


def test_a_document_over_the_cap_fails_the_size_check() -> None:
    """The officer is told that it is too large, not that it is forged."""
    with pytest.raises(DocumentError) as error:
        world.FORMAT.read(bytes(sdjwt.MAX_DOCUMENT + 1))
    assert refused(error.value).to_json()["id"] == "size"


def test_trust_is_per_issuer() -> None:
    """One trusted issuer's root does not vouch for a signer of another name."""
    both = TrustStore({**world.TRUST.issuers, "https://b.example": replace(world.TRUSTED, iss="https://b.example")})
    found = checks(world.sd_jwt(world.payload(iss="https://b.example")), trust=both)
    assert found[2].evidence == {"rule": "san-names-issuer"}


def test_a_chain_of_another_curve_is_refused() -> None:
    """``x5c`` with something that is no P-256 certificate fails the signature check."""
    head = world.header(x5c=jose.x5c_header((b"0\x00",)))
    assert results(world.sd_jwt(world.payload(), head=head))[1] is F


DOCUMENT = world.present(world.issue())


def outcome(document: bytes) -> set[Result]:
    """The results for any bytes, as an answer to a request; anything but a ``DocumentError`` is a bug and flies on."""
    try:
        return set(results(document, world.ASKED))
    except DocumentError as error:
        return {refused(error).result}


def test_the_unchanged_document_passes() -> None:
    """The document that the following tests change holds."""
    assert outcome(DOCUMENT) == {P}


@given(st.binary(max_size=300))
@example(b"e30.e30.~")
def test_any_bytes_are_refused(document: bytes) -> None:
    """Random bytes fail a check or are refused by name; nothing else happens."""
    assert F in outcome(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["_sd", "...", "x", world.ISS]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "jwk", "status_list", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(["_sd", "...", "_sd_alg", "iss", "exp", "nbf", "iat", "cnf", "vct", "status", "claim"])


@given(st.dictionaries(NAMES, JSON, max_size=5), st.lists(st.lists(JSON, max_size=4), max_size=4))
def test_any_signed_payload_gives_checks(changes: dict[str, Any], disclosures: list[list[Any]]) -> None:
    """Whatever an issuer signs and a holder adds: without a key binding it fails, and nothing else happens."""
    encoded = [world.disclosure(*elements) for elements in disclosures]
    claims = world.payload() | {"_sd": [world.digest(one) for one in encoded]} | changes
    assert F in outcome(world.sd_jwt(claims, encoded))


@given(st.integers(0, len(DOCUMENT) - 1), st.binary(min_size=1, max_size=3))
def test_a_changed_document_is_refused(place: int, other: bytes) -> None:
    """Whatever bytes of a presentation are replaced by others, it does not pass."""
    changed = DOCUMENT[:place] + other + DOCUMENT[place + len(other) :]
    if changed == DOCUMENT:
        return
    assert F in outcome(changed)
