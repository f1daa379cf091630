"""What users of other systems complain about, by number, asked of the whole verification of an mdoc."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idverify.core.credential_type import Purpose
from idverify.core.trust import TrustStore
from idverify.core.verdict import Check, CheckId, Outcome, Result
from idverify.formats import jose, status_list
from idverify.ledger.policy import Policy
from idverify.services.status_source import StatusSource
from idverify.services.verify import Submission, Verified, Verifier, verify
from tests.corpus import verified
from tests.simulators import credential_world as world
from tests.simulators import mdoc_world as mdoc
from tests.simulators.ledger_memory import SoftwareSigner

DAY = world.DAY


async def judged(
    document: bytes | None = None, at: int = world.NOW, trust: TrustStore = mdoc.TRUST, verifier: Verifier | None = None
) -> Verified:
    """The verdict on a presentation."""
    shown = mdoc.present(mdoc.issue()) if document is None else document
    return await verify(verifier or verified.verifier(at, trust), Submission(shown, expected=mdoc.ASKED), at)


def found(verified_: Verified, check: CheckId) -> Check:
    """One check of a verdict."""
    return next(one for one in verified_.verdict.checks if one.id is check)


def with_status(value: int | None) -> Verifier:
    """A verifier whose status list says this of the document; ``None``: it has no list."""
    source = StatusSource(None)
    if value is not None:
        claims = status_list.StatusListClaims(world.STATUS_URI, world.NOW, world.NOW + 3600, 300)
        unsigned = status_list.prepare(status_list.pack(16, 2, {5: value}), claims, world.ISSUER)
        token = status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))
        source.keep_snapshot(token, (world.TRUSTED,), frozenset(), world.NOW)
    return Verifier(mdoc.TRUST, source, Policy.of_log([SoftwareSigner().verifier]))


async def test_complaint_3_a_signer_that_expires_signs_nothing_and_is_no_silent_failure() -> None:
    """Issuing refuses what would outlive the certificate; verifying says that the certificate is over."""
    late = replace(mdoc.credential(), expires_at=world.NOW + 500 * DAY)
    with pytest.raises(ValueError, match="certificate ends before"):
        mdoc.FORMAT.prepare(late, world.ISSUER, world.entropy())
    over = found(await judged(at=world.NOW + 401 * DAY), CheckId.ISSUER_TRUSTED)

    assert over.evidence is not None
    assert (over.evidence["rule"], over.evidence["why"]) == ("path-validity", "leaf-expired")
    assert "expired" in over.detail


async def test_complaint_4_our_verifier_takes_what_our_issuer_gives() -> None:
    """Raw and in base64url, with nothing set up but the issuer's root."""
    shown = mdoc.present(mdoc.issue())
    for document in (shown, jose.b64url_encode(shown).encode()):
        assert (await judged(document)).verdict.verdict is Outcome.ACCEPT


async def test_complaint_5_who_is_not_trusted_is_named() -> None:
    """The authority that certified the signer, or the issuer that may not issue this."""
    nobody = found(await judged(trust=TrustStore({})), CheckId.ISSUER_TRUSTED)
    assert nobody.result is Result.FAIL
    assert world.ISS in nobody.detail
    assert nobody.evidence is not None
    assert (nobody.evidence["rule"], nobody.evidence["why"]) == ("issuer-known", "issuer-unknown")
    assert nobody.evidence["certificates"][0]["issuer"] == "CN=Example Root,C=XU"

    library = TrustStore({world.ISS: replace(world.TRUSTED, types=frozenset({"org.example.library"}))})
    not_that = found(await judged(trust=library), CheckId.TYPE_ALLOWED)
    assert "Example Authority is not relied on for documents of type org.iso.18013.5.1.mDL" in not_that.detail


@pytest.mark.parametrize(
    ("value", "outcome", "result"),
    [
        (0, Outcome.ACCEPT, Result.PASS),
        (1, Outcome.REJECT, Result.FAIL),
        (2, Outcome.REJECT, Result.FAIL),
        (None, Outcome.REFER, Result.UNKNOWN),
    ],
)
async def test_complaint_6_revocation_reaches_mdocs(value: int | None, outcome: Outcome, result: Result) -> None:
    """Valid, revoked, suspended, and no list to be had: the last is never green."""
    verdict = await judged(verifier=with_status(value))

    assert verdict.verdict.verdict is outcome
    assert found(verdict, CheckId.STATUS).result is result


async def test_complaint_6_without_a_status_it_is_checked_by_hand() -> None:
    """A document that names no list is not thereby valid for ever."""
    verdict = await judged(mdoc.response(mdoc.issuer_signed(auth=mdoc.issuer_auth(mdoc.mso(status=None)))))

    assert verdict.verdict.verdict is Outcome.REFER
    assert found(verdict, CheckId.STATUS).result is Result.UNKNOWN


@pytest.mark.parametrize(
    ("times", "rule"),
    [
        ({"signed": -7200, "valid_from": -7200, "valid_until": -60}, "not-expired"),
        ({"valid_from": 61}, "not-before"),
        ({"signed": -2 * DAY, "valid_from": 0}, "signed-in-certificate"),
    ],
)
async def test_complaint_8_times_are_looked_at(times: dict[str, int], rule: str) -> None:
    """Signed by the right key all the same."""
    said = mdoc.mso(validityInfo=mdoc.validity(**times))
    verdict = await judged(mdoc.response(mdoc.issuer_signed(auth=mdoc.issuer_auth(said))))

    assert verdict.verdict.verdict is Outcome.REJECT
    assert found(verdict, CheckId.VALIDITY).evidence == {"rule": rule}


async def test_the_libraries_that_were_measured_accepted_these() -> None:
    """An injected namespace, a swapped type, a MAC of nothing: each was accepted by a library in use."""
    injected = {**mdoc.ITEMS, "org.example": [mdoc.item(1, "x", "y")]}
    other = mdoc.document(
        mdoc.issuer_signed(), doc_type="org.example.visa", device=mdoc.device_signed(doc_type="org.example.visa")
    )
    zeroed = {**mdoc.device_signed(), "deviceAuth": {"deviceMac": [bytes.fromhex("a10105"), {}, None, bytes(32)]}}
    for document in (
        mdoc.response(mdoc.issuer_signed(injected)),
        mdoc.response(documents=[other]),
        mdoc.response(device=zeroed),
    ):
        assert (await judged(document)).verdict.verdict is Outcome.REJECT


async def test_an_asker_with_a_purpose_learns_nothing_of_a_type_without_views() -> None:
    """Namespaces that no type maps are verified, and shown raw to whoever may see everything."""
    visa = "org.example.visa"
    signed = mdoc.issuer_signed(auth=mdoc.issuer_auth(mdoc.mso(docType=visa)))
    document = mdoc.document(signed, doc_type=visa, device=mdoc.device_signed(doc_type=visa))
    trust = TrustStore({world.ISS: replace(world.TRUSTED, types=frozenset({visa}))})
    verdict = await judged(mdoc.response(documents=[document]), trust=trust)

    assert verdict.verdict.verdict is Outcome.ACCEPT
    assert verdict.claims_for(Purpose.WORK) == {}
    assert verdict.claims_for(None) == {
        mdoc.ISO: {"family_name": "Example", "age_over_18": True},
        mdoc.GB: {"title": "Dr"},
    }
