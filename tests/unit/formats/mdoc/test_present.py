"""What a wallet shows: the elements that were wished for and no other, for one verifier and one request."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idverify.core.verdict import CheckId, Result
from idverify.errors import DocumentError
from idverify.formats import cose
from idverify.formats.base import HolderBindingExpected
from idverify.formats.mdoc import device_auth
from idverify.formats.mdoc.session_transcript import Session, digital_credentials, of_request, openid4vp, proximity
from idverify.formats.strict_cbor import embed, encode
from tests.simulators import credential_world as world
from tests.simulators import mdoc_world as mdoc


def holds(document: bytes, session: Session) -> Result:
    """Whether the holder is bound, in a session."""
    found = mdoc.FORMAT.check_in_session(mdoc.FORMAT.read(document), mdoc.TRUST, world.NOW, session)
    return next(check.result for check in found if check.id is CheckId.HOLDER_BINDING)


def test_only_what_was_wished_for_is_shown() -> None:
    """Elements by namespace and name; what is not there is not made up."""
    document = mdoc.issue()
    shown = mdoc.FORMAT.read(mdoc.present(document, [*mdoc.WISHES, (mdoc.GB, "family_name"), ("org.example", "x")]))

    assert shown.claims == {
        mdoc.ISO: {name: mdoc.CLAIMS[mdoc.ISO][name] for space, name in mdoc.WISHES if space == mdoc.ISO},
        mdoc.GB: {"title": "Dr"},
    }
    assert mdoc.FORMAT.read(mdoc.present(document, [])).claims == {}
    assert b"EXAMP901310A99AA" not in mdoc.present(document)


def test_the_handover_of_openid4vp() -> None:
    """Appendix B.2.6.1, spelled by hand: null, null, and the digest of the request."""
    info = b"\x84\x6averifier.x\x65nonce\xf6\x68https://"
    due = b"\x83\xf6\xf6\x82\x71OpenID4VPHandover\x58\x20" + hashlib.sha256(info).digest()

    assert openid4vp("verifier.x", "nonce", "https://") == due
    assert of_request(HolderBindingExpected("verifier.x", "nonce", "https://")) == due
    encrypted = b"\x84\x6averifier.x\x65nonce\x44\x01\x02\x03\x04\x68https://"
    assert openid4vp("verifier.x", "nonce", "https://", b"\x01\x02\x03\x04").endswith(
        hashlib.sha256(encrypted).digest()
    )


def test_the_handover_of_the_digital_credentials_api() -> None:
    """Appendix B.2.6.2: the page that asked, without the prefix that an audience has."""
    info = b"\x83\x69https://x\x65nonce\xf6"
    due = b"\x83\xf6\xf6\x82\x76OpenID4VPDCAPIHandover\x58\x20" + hashlib.sha256(info).digest()

    assert digital_credentials("https://x", "nonce") == due
    assert of_request(HolderBindingExpected("origin:https://x", "nonce")) == due


def test_proximity() -> None:
    """ISO/IEC 18013-5 9.1.5.1: by QR code without a handover, by NFC with the messages that were exchanged."""
    both = b"\x83\xd8\x18\x41\x01\xd8\x18\x41\x02"

    assert proximity(b"\x01", b"\x02") == both + b"\xf6"
    assert proximity(b"\x01", b"\x02", (b"select", None)) == both + b"\x82\x46select\xf6"
    assert proximity(b"\x01", b"\x02", (b"select", b"request")) == both + b"\x82\x46select\x47request"


@pytest.mark.parametrize(
    "asked",
    [
        mdoc.ASKED,
        HolderBindingExpected("https://verifier.example", "n"),
        HolderBindingExpected("origin:https://verifier.example", "n"),
    ],
)
def test_it_holds_for_who_asked(asked: HolderBindingExpected) -> None:
    """And for nobody else."""
    document = mdoc.present(mdoc.issue(), asked=asked)
    other = HolderBindingExpected(asked.audience, asked.nonce + "x", asked.response_uri)

    assert holds(document, Session(of_request(asked))) is Result.PASS
    assert holds(document, Session(of_request(other))) is Result.FAIL


def test_a_mac_holds_where_the_reader_has_a_key() -> None:
    """With the key of this session; not with another, nor when the device signs with a key of another."""
    reader, transcript = world.private_key(77), proximity(b"\x01", b"\x02")
    covered = device_auth.device_authentication(transcript, mdoc.DOC_TYPE, embed(b"\xa0"))
    key = device_auth.mac_key(world.HOLDER_KEY, reader.public_key(), transcript)
    protected = bytes.fromhex("a10105")
    mac = [protected, {}, None, cose.mac(protected, covered, key)]
    document = mdoc.response(device={"nameSpaces": embed(b"\xa0"), "deviceAuth": {"deviceMac": mac}})

    assert holds(document, Session(transcript, reader)) is Result.PASS
    assert holds(document, Session(transcript, ec.generate_private_key(ec.SECP256R1()))) is Result.FAIL
    assert holds(document, Session(proximity(b"\x01", b"\x03"), reader)) is Result.FAIL
    assert holds(document, Session(transcript)) is Result.FAIL
    assert holds(mdoc.response(), Session(of_request(mdoc.ASKED), reader)) is Result.PASS


def test_a_presentation_that_nobody_asked_for() -> None:
    """It may be an answer to somebody else: what it proves is not known."""
    presented = mdoc.FORMAT.read(mdoc.present(mdoc.issue()))
    found = {check.id: check for check in mdoc.FORMAT.check(presented, mdoc.TRUST, world.NOW, None)}

    assert found[CheckId.HOLDER_BINDING].result is Result.UNKNOWN
    assert "which one was not given" in found[CheckId.HOLDER_BINDING].detail


def test_what_the_device_says_is_not_what_the_issuer_said() -> None:
    """Even where it may say it, and even if it names an element that the issuer has not shown."""
    info = {"deviceKey": mdoc.DEVICE_KEY, "keyAuthorizations": {"nameSpaces": [mdoc.ISO]}}
    authorised = mdoc.issuer_signed(auth=mdoc.issuer_auth(mdoc.mso(deviceKeyInfo=info)))
    document = mdoc.response(authorised, mdoc.device_signed(said={mdoc.ISO: {"given_name": "Somebody"}}))

    assert holds(document, Session(of_request(mdoc.ASKED))) is Result.PASS
    assert "given_name" not in mdoc.FORMAT.read(document).claims[mdoc.ISO]


@pytest.mark.parametrize(
    "given", [None, [], {"nameSpaces": 5}, {"nameSpaces": [5], "dataElements": [1]}, {"dataElements": {1: 2}}]
)
def test_authorisations_that_are_none_authorise_nothing(given: object) -> None:
    """Whatever stands there: the document is read, and the device may say nothing."""
    info = {"deviceKey": mdoc.DEVICE_KEY, "keyAuthorizations": given}
    document = mdoc.issuer_signed(auth=mdoc.issuer_auth(mdoc.mso(deviceKeyInfo=info)))

    assert not mdoc.FORMAT.read(document).detail.mso.authorised.cover(mdoc.ISO, "given_name")


def test_what_is_no_mdoc() -> None:
    """A CBOR item of another kind."""
    for other in (encode([1]), encode("text"), encode(5)):
        with pytest.raises(DocumentError) as refused:
            mdoc.FORMAT.read(b"\x81" + other)
        assert refused.value.rule == "mdoc"
