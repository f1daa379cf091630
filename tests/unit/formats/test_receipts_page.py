"""The example in docs/verification-receipts.md is a receipt, to the letter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from idverify.core.verdict import Outcome
from idverify.formats import jose, verification_receipt
from idverify.formats.strict_json import encode_json
from idverify.formats.verification_receipt import Relied, VerificationReceipt, body
from tests.simulators import credential_world as world
from tests.unit.formats.test_verification_receipt import KEY, TRUST, certificate

PAGE = Path(__file__).resolve().parents[3] / "docs" / "verification-receipts.md"


def example() -> dict[str, Any]:
    """What stands on the page."""
    shown: dict[str, Any] = orjson.loads(
        PAGE.read_text().partition("<!-- example -->\n```json\n")[2].partition("```")[0]
    )
    return shown


def test_the_example_is_accepted() -> None:
    """Signed by an issuer that is relied on, it is a receipt."""
    header = {"alg": "ES256", "typ": verification_receipt.TYPE, "x5c": jose.x5c_header((certificate(),))}
    unsigned = jose.signing_input(header, encode_json(example() | {"iss": world.ISS, "iat": world.NOW}))

    verdict, _ = verification_receipt.check(jose.jws(unsigned, world.sign(KEY, unsigned)), TRUST, world.NOW)

    assert verdict.verdict is Outcome.ACCEPT


def test_the_example_is_what_the_service_writes() -> None:
    """Every member, and no other, in the order of the page."""
    shown = example()
    asker, document, relied, request = (shown[name] for name in ("checked_by", "document", "relied_on", "request"))
    listed = relied["status_list"]
    said = VerificationReceipt(
        iss=shown["iss"],
        issued_at=shown["iat"],
        **asker,
        channel=document["channel"],
        format=document["format"],
        type=document["type"],
        document=bytes.fromhex(document["sha256"]),
        claims=None,
        verdict=shown["verdict"],
        relied=Relied(
            bytes.fromhex(relied["trust_sha256"]),
            relied["revocations_until"],
            (listed["uri"], listed["iat"], bytes.fromhex(listed["sha256"])),
        ),
        request=(request["audience"], bytes.fromhex(request["nonce_sha256"])),
    )

    assert encode_json(body(said)) == encode_json(shown)
