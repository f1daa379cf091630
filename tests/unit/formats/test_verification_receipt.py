"""A verification receipt is believed only from a signer made for it, has one form, and never goes stale."""

from __future__ import annotations

from typing import Any

import pytest

from idverify.core.credential import Issuer
from idverify.core.trust import TrustStore
from idverify.core.verdict import Channel, Check, CheckId, Outcome, Result, fold
from idverify.formats import jose, verification_receipt, x509_build
from idverify.formats.strict_json import encode_json
from idverify.formats.verification_receipt import Relied, VerificationReceipt, body, check, looks_like
from idverify.formats.x509 import Purpose, read_certificate
from tests.simulators import credential_world as world

KEY = world.private_key(83)
TRUST = TrustStore({world.ISS: world.TRUSTED})
VERDICT = fold([Check(CheckId.STATUS, Result.FAIL, "Revoked.", {"value": 1})], Channel.DOCUMENT)
SAID = VerificationReceipt(
    iss=world.ISS,
    issued_at=world.NOW,
    organisation="Example Employer Ltd",
    role="relying-party",
    purpose="work",
    channel="presentation",
    format="dc+sd-jwt",
    type="urn:example:1",
    document=bytes(32),
    claims=bytes([1]) * 32,
    verdict=VERDICT.to_json(),
    relied=Relied(bytes([2]) * 32, world.NOW + 9, ("https://id.example/status/1", world.NOW - 5, bytes([3]) * 32)),
    request=("https://id.example", bytes([4]) * 32),
)


def certificate(purpose: Purpose = Purpose.VERIFICATION) -> bytes:
    """A leaf for the signer of receipts."""
    certified = world.certified("Verifications", KEY, 11, 400)
    tbs = x509_build.tbs_leaf(certified, purpose, world.ROOT, iss=world.ISS, crl_uri=world.CRL_URI)
    return x509_build.seal_certificate(tbs, world.sign(world.ROOT_KEY, tbs))


def signed(said: VerificationReceipt = SAID, leaf: bytes | None = None, key: Any = KEY) -> bytes:
    """A receipt as its signer would make it."""
    unsigned = verification_receipt.prepare(said, Issuer(world.ISS, (leaf or certificate(),), b"12345678"))
    return verification_receipt.seal(unsigned, world.sign(key, unsigned.payload))


def with_body(typ: str = "idverify-verification+jwt", **changes: Any) -> bytes:
    """A receipt whose signer signs whatever it is given."""
    header = {"alg": "ES256", "typ": typ, "x5c": jose.x5c_header((certificate(),))}
    unsigned = jose.signing_input(header, encode_json({**body(SAID), **changes}))
    return jose.jws(unsigned, world.sign(KEY, unsigned))


def found(encoded: bytes, trust: TrustStore = TRUST, at: int = world.NOW) -> tuple[str, list[str]]:
    """The word, and the checks that failed."""
    verdict, _ = check(encoded, trust, at)
    return verdict.verdict.value, [one.id.value for one in verdict.checks if one.result is Result.FAIL]


def test_what_was_signed_is_what_is_read() -> None:
    """Every member comes back as it was said, however much later."""
    verdict, said = check(signed(), TRUST, world.NOW + 20 * 365 * 86400)

    assert verdict.verdict is Outcome.ACCEPT
    assert said == body(SAID)


def test_the_checks_are_the_channels() -> None:
    """All of them, in order, whether it can be read or not."""
    for encoded in (signed(), b"a.b.c", b"x" * 70_000):
        assert [one.id for one in check(encoded, TRUST, world.NOW)[0].checks][:2] == [CheckId.SIZE, CheckId.FORMAT]
        assert len(check(encoded, TRUST, world.NOW)[0].checks) == 5


LEAF = read_certificate(certificate())
REVOKED = TrustStore({world.ISS: world.TRUSTED}, frozenset({(LEAF.issuer.rfc4514_string(), LEAF.serial_number)}))
HOSTILE: dict[str, tuple[bytes, TrustStore, int, str, str]] = {
    "too large": (b"x" * 70_000, TRUST, world.NOW, "size", "size"),
    "no token": (b"a.b", TRUST, world.NOW, "format", "jws"),
    "another kind": (with_body(typ="idverify-entries+jwt"), TRUST, world.NOW, "format", "header-typ"),
    "no issuer": (with_body(iss=None), TRUST, world.NOW, "format", "iss"),
    "no time": (with_body(iat="now"), TRUST, world.NOW, "format", "iat"),
    "nobody": (with_body(checked_by={"role": "officer"}), TRUST, world.NOW, "format", "receipt-form"),
    "no document": (with_body(document=None), TRUST, world.NOW, "format", "receipt-form"),
    "odd digest": (with_body(document={"sha256": "AA", "channel": "document"}), TRUST, 0, "format", "receipt-form"),
    "odd channel": (with_body(document={"sha256": "0" * 64, "channel": "x"}), TRUST, 0, "format", "receipt-form"),
    "no verdict": (with_body(verdict={"verdict": "yes", "checks": []}), TRUST, world.NOW, "format", "receipt-form"),
    "odd claims": (with_body(claims_sha256=7), TRUST, world.NOW, "format", "receipt-form"),
    "no trust": (with_body(relied_on={}), TRUST, world.NOW, "format", "receipt-form"),
    "odd request": (with_body(request={"nonce_sha256": ""}), TRUST, world.NOW, "format", "receipt-form"),
    "forged": (signed(key=world.private_key(84)), TRUST, world.NOW, "signature", "signature"),
    "stranger": (signed(), TrustStore({}), world.NOW, "issuer_trusted", "issuer-known"),
    "of documents": (signed(leaf=certificate(Purpose.DOCUMENT)), TRUST, world.NOW, "issuer_trusted", "leaf-purpose"),
    "revoked": (signed(), REVOKED, world.NOW, "issuer_trusted", "path-not-revoked"),
    "before its key": (with_body(iat=7), TRUST, world.NOW, "issuer_trusted", "path-validity"),
    "from tomorrow": (signed(), TRUST, world.NOW - 61, "validity", "issued-in-past"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_receipts(case: str) -> None:
    """Each is rejected by the check that is there for it, and nothing is told of what it says."""
    encoded, trust, at, failed, rule = HOSTILE[case]
    verdict, said = check(encoded, trust, at)

    assert (verdict.verdict, said) == (Outcome.REJECT, None)
    assert found(encoded, trust, at)[1] == [failed]
    broken = next(one for one in verdict.checks if one.evidence is not None)
    assert dict(broken.evidence or {}) == {"rule": rule} or failed == "size"


@pytest.mark.parametrize("check_id", verification_receipt.RULES)
def test_every_check_can_fail_alone(check_id: CheckId, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its rules one of the hostile receipts is accepted."""
    only = [case for case in HOSTILE.values() if case[3] == check_id.value]
    monkeypatch.setattr(verification_receipt, "RULES", {**verification_receipt.RULES, check_id: ()})

    assert {found(encoded, trust, at)[0] for encoded, trust, at, _, _ in only} == {"accept"}


@pytest.mark.parametrize("rule", verification_receipt.FORMAT_RULES)
def test_every_rule_of_the_form_can_fail_alone(rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, one of the malformed receipts gets as far as its signature."""
    kept = tuple(one for one in verification_receipt.FORMAT_RULES if one is not rule)
    monkeypatch.setattr(verification_receipt, "FORMAT_RULES", kept)
    malformed = [case[0] for case in HOSTILE.values() if case[4] == "receipt-form"]

    assert any(found(encoded)[0] == "accept" for encoded in malformed)


def test_what_looks_like_one() -> None:
    """Its type says so, and nothing else; what it looks like is not what it is."""
    assert looks_like(b" \n" + signed())
    assert looks_like(with_body(iss=None))
    assert not looks_like(with_body(typ="JWT"))
    for other in (b"", b"\xa2\x00", b"{}", world.issue(), b"." * 9, b"e30.e30.", b"bnVsbA.a.b"):
        assert not looks_like(other)


def test_a_list_of_revoked_certificates_that_is_out_of_date() -> None:
    """Nobody knows then whether the signer was revoked since: that is not green."""
    trust = TrustStore({world.ISS: world.TRUSTED}, crl_ends={world.ROOT: world.NOW + 60})

    assert check(signed(), trust, world.NOW)[0].verdict is Outcome.ACCEPT
    late, said = check(signed(), trust, world.NOW + 60)
    assert (late.verdict, said) == (Outcome.REFER, None)
