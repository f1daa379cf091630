"""SD-JWT VC in process: against primitives, and against the library `sd-jwt` where it is installed (with the tests).

Both sides say the same of the same person in as many disclosures, sign with the same key in software, and verify the
same document with a key that they hold. Ours also looks at type, dates, certificate and issuer, and keeps nothing
between two documents but what an issuer's documents share: header, certificates and their verified path.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from hsm.cost import cpu_of
from hsm.rows import Pair, Row, row
from idverify.app.bench.effort import Effort
from idverify.app.bench.stage import ES256, ISS, Call, Stage, sign, verifying
from idverify.app.bench.stage import stage as made_stage
from idverify.core.credential import Credential
from idverify.formats import jose, key_binding
from idverify.formats.base import HolderBindingExpected
from idverify.formats.sdjwt_vc import SdJwtVc

_TYPE: Final = "urn:example:bench:1"
_ASKED: Final = HolderBindingExpected("https://verifier.example", "n-0S6_WzA2Mj")
_OF_PRIMITIVES: Final = 0.35
_OF_LIBRARY: Final = 2.0
_CLAIMS: Final[Mapping[str, Any]] = {
    "family_name": "Example",
    "given_name": "Ada",
    "birthdate": "1990-01-31",
    "nationalities": ["XA"],
    "work": {"allowed": "limited", "hours_per_week": 20},
    "study": {"allowed": "yes"},
    "rent": {"allowed": "yes"},
    "travel": {"allowed": "yes"},
    "public_funds": {"recourse": False},
    "permission_end": None,
}


async def measure(effort: Effort) -> list[Row]:
    """Issue, verify, and verify with a key binding."""
    stage, form = made_stage(_TYPE), SdJwtVc()
    issue = _issuing(stage, form)
    document = issue()
    presented = document + _bound(stage, document)
    verify = verifying(stage, form, document, None)
    verify_bound = verifying(stage, form, presented, _ASKED)

    def measured(name: str, limit_is: str, target: float, ours: Call, least: Call) -> Row:
        seconds = effort.probe_seconds
        pairs = [Pair(cpu_of(ours, seconds), cpu_of(least, seconds)) for _ in range(effort.rounds)]
        return row(f"SD-JWT {name}", "documents/s", limit_is, target, pairs)

    count = len(_CLAIMS)
    primitives = f"{{}} ES256 verification{{}}, and base64, SHA-256 and JSON of {count} disclosures and the payload"
    least, least_bound = _primitives(stage, document, 1), _primitives(stage, document, 2)
    rows = [
        measured("verify", primitives.format("one", ""), _OF_PRIMITIVES, verify, least),
        measured("verify with key binding", primitives.format("two", "s"), _OF_PRIMITIVES, verify_bound, least_bound),
    ]
    if importlib.util.find_spec("sd_jwt") is not None:
        theirs = _library(stage, document, presented)
        library = "the library sd-jwt: the same claims, as many disclosures, the same key"
        rows += [
            measured("issue, against sd-jwt", library, _OF_LIBRARY, issue, theirs["issue"]),
            measured("verify, against sd-jwt", library, _OF_LIBRARY, verify, theirs["verify"]),
            measured("verify with key binding, against sd-jwt", library, _OF_LIBRARY, verify_bound, theirs["bound"]),
        ]
    return rows


def _credential(stage: Stage) -> Credential:
    """What is issued, each claim of it to be shown by itself."""
    return stage.credential(_CLAIMS, frozenset((name,) for name in _CLAIMS))


def _issuing(stage: Stage, form: SdJwtVc) -> Callable[[], bytes]:
    credential = _credential(stage)

    def issue() -> bytes:
        unsigned = form.prepare(credential, stage.issuer, os.urandom)
        return form.seal(unsigned, sign(stage.issuer_key, unsigned.payload))

    return issue


def _bound(stage: Stage, document: bytes) -> bytes:
    unsigned = key_binding.prepare(document, _ASKED, stage.now)
    return jose.jws(unsigned, sign(stage.holder_key, unsigned))


def _primitives(stage: Stage, document: bytes, signatures: int) -> Call:
    """What no verification can do without."""
    signed, *disclosures, _ = document.split(b"~")
    payload = signed.split(b".")[1]
    r, s = decode_dss_signature(stage.issuer_key.sign(signed, ES256))
    public = stage.issuer_key.public_key()

    def least() -> None:
        for _ in range(signatures):
            public.verify(encode_dss_signature(r, s), signed, ES256)
        orjson.loads(jose.b64url_decode(payload, "the payload"))
        for disclosure in disclosures:
            hashlib.sha256(disclosure).digest()
            orjson.loads(jose.b64url_decode(disclosure, "a disclosure"))

    return least


def _library(stage: Stage, document: bytes, presented: bytes) -> dict[str, Call]:
    """The library's own calls, which the product does not install."""
    logging.getLogger("sd_jwt").setLevel(logging.ERROR)  # it would warn of every unused option
    issuer, verifier = importlib.import_module("sd_jwt.issuer"), importlib.import_module("sd_jwt.verifier")
    hidden, jwk = importlib.import_module("sd_jwt.common").SDObj, importlib.import_module("jwcrypto.jwk").JWK
    private, public = jwk.from_pyca(stage.issuer_key), jwk.from_pyca(stage.issuer_key.public_key())
    credential = _credential(stage)
    said = {
        "iss": ISS,
        "iat": credential.issued_at,
        "exp": credential.expires_at,
        "vct": credential.type,
        "cnf": {"jwk": dict(credential.holder_key)},
        "status": {"status_list": {"idx": credential.status.index, "uri": credential.status.uri}},
        **{hidden(name): value for name, value in _CLAIMS.items()},
    }
    header = {"typ": "dc+sd-jwt", "x5c": jose.x5c_header(stage.issuer.chain)}

    def checked(text: str, *asked: str | None) -> None:
        verifier.SDJWTVerifier(text, lambda _iss, _header: public, *asked).get_verified_payload()

    return {
        "issue": lambda: issuer.SDJWTIssuer(dict(said), private, extra_header_parameters=header).sd_jwt_issuance,
        "verify": lambda: checked(document.decode(), None, None),
        "bound": lambda: checked(presented.decode(), _ASKED.audience, _ASKED.nonce),
    }
