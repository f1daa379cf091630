"""SD-JWT VC in process: against primitives, and against the library `sd-jwt` where it is installed (with the tests).

Both sides say the same of the same person in as many disclosures, sign with the same P-256 key in software, and verify
the same documents. Each document has a holder of its own, and there are more holders than either side could remember:
what is kept between two documents is what an issuer's documents share (header, certificates, their verified path).

The library knows RFC 9901 and is handed the issuer's key. "RFC 9901 alone" is the same work on our side, with the same
key in hand: signature, header, every disclosure and its digest, and with a key binding its signature, ``sd_hash``,
audience and nonce; ours also its age. The other rows are what the product does besides: ``iss``, type, dates, holder's
key, status reference, and the certificates in ``x5c`` up to a root that is relied on for this type. The library looks
at none of these. On neither side is a status list fetched or read.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from hsm.cost import cpu_of
from hsm.rows import Pair, Row, row
from idverify.app.bench.effort import Effort
from idverify.app.bench.stage import ES256, ISS, Call, Stage, sign, verifying
from idverify.app.bench.stage import stage as made_stage
from idverify.core.credential import Credential
from idverify.formats import jose, key_binding, sdjwt
from idverify.formats.base import HolderBindingExpected
from idverify.formats.sdjwt_vc import SdJwtVc
from idverify.formats.sdjwt_vc_draft import PROFILE, WHAT
from idverify.formats.strict_json import parse_object

_TYPE: Final = "urn:example:bench:1"
_ASKED: Final = HolderBindingExpected("https://verifier.example", "n-0S6_WzA2Mj")
_HOLDERS: Final = 1_100  # jose keeps 1,024 keys
_OF_PRIMITIVES: Final = 0.35
_OF_LIBRARY: Final = 2.0
_OF_LIBRARY_WITH_TRUST: Final = 1.4  # nobody's promise: so much more work may cost so much of the lead
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


class _Given(NamedTuple):
    """A document as issued, and as its holder presents it."""

    issued: bytes
    presented: bytes


async def measure(effort: Effort) -> list[Row]:
    """Issue, verify, and verify with a key binding."""
    stage, form = made_stage(_TYPE), SdJwtVc()
    given = [_given(replace(stage, holder_key=ec.generate_private_key(ec.SECP256R1())), form) for _ in range(_HOLDERS)]
    verify = _in_turn(verifying(stage, form, each.issued, None) for each in given)
    verify_bound = _in_turn(verifying(stage, form, each.presented, _ASKED) for each in given)

    def measured(name: str, limit_is: str, target: float, ours: Call, least: Call) -> Row:
        seconds = effort.probe_seconds
        pairs = [Pair(cpu_of(ours, seconds), cpu_of(least, seconds)) for _ in range(effort.rounds)]
        return row(f"SD-JWT {name}", "documents/s", limit_is, target, pairs)

    primitives = (
        f"{{}} ES256 verification{{}}, and base64, SHA-256 and JSON of {len(_CLAIMS)} disclosures and the payload"
    )
    least, least_bound = (_in_turn(_primitives(stage, each.issued, count) for each in given) for count in (1, 2))
    rows = [
        measured("verify", primitives.format("one", ""), _OF_PRIMITIVES, verify, least),
        measured("verify with key binding", primitives.format("two", "s"), _OF_PRIMITIVES, verify_bound, least_bound),
    ]
    if importlib.util.find_spec("sd_jwt") is not None:
        theirs = _library(stage, given)
        alone = _in_turn(_rfc_9901(stage, each.issued, None) for each in given)
        alone_bound = _in_turn(_rfc_9901(stage, each.presented, _ASKED) for each in given)
        library = "the library sd-jwt: the same documents, the same key in hand"
        less = f"{library}; type, dates, certificates and trust are not its business"
        rows += [
            measured("issue, against sd-jwt", library, _OF_LIBRARY, _issuing(stage, form), theirs["issue"]),
            measured("verify, RFC 9901 alone, against sd-jwt", library, _OF_LIBRARY, alone, theirs["verify"]),
            measured(
                "verify with key binding, RFC 9901 alone, against sd-jwt",
                library,
                _OF_LIBRARY,
                alone_bound,
                theirs["bound"],
            ),
            measured("verify, against sd-jwt", less, _OF_LIBRARY_WITH_TRUST, verify, theirs["verify"]),
            measured(
                "verify with key binding, against sd-jwt", less, _OF_LIBRARY_WITH_TRUST, verify_bound, theirs["bound"]
            ),
        ]
    return rows


def _in_turn(calls: Iterable[Call]) -> Call:
    """One call after the other, and again."""
    turns = itertools.cycle(list(calls))

    def call() -> object:
        return next(turns)()

    return call


def _credential(stage: Stage) -> Credential:
    """What is issued, each claim of it to be shown by itself."""
    return stage.credential(_CLAIMS, frozenset((name,) for name in _CLAIMS))


def _issuing(stage: Stage, form: SdJwtVc) -> Callable[[], bytes]:
    credential = _credential(stage)

    def issue() -> bytes:
        unsigned = form.prepare(credential, stage.issuer, os.urandom)
        return form.seal(unsigned, sign(stage.issuer_key, unsigned.payload))

    return issue


def _given(stage: Stage, form: SdJwtVc) -> _Given:
    document = _issuing(stage, form)()
    unsigned = key_binding.prepare(document, _ASKED, stage.now)
    return _Given(document, document + jose.jws(unsigned, sign(stage.holder_key, unsigned)))


def _rfc_9901(stage: Stage, document: bytes, expected: HolderBindingExpected | None) -> Call:
    """Sections 7.1 and 7.3 with the issuer's key in hand: what the library does of our work, and no more."""
    public = stage.issuer_key.public_key()

    def verify() -> dict[str, Any]:
        sd_jwt = sdjwt.read(document)
        token = jose.read_jws(sd_jwt.issuer_signed, PROFILE)
        jose.verify_signature(token, public, WHAT)
        payload = parse_object(token.payload, WHAT, sdjwt.MAX_CONTAINERS)
        claims = sdjwt.disclose(payload, sd_jwt.disclosures).claims
        if expected is not None:
            holder = jose.public_key(claims["cnf"]["jwk"])
            binding = key_binding.read(sd_jwt.key_binding or b"", sd_jwt.presented, holder, stage.now)
            for rule in (*key_binding.BINDING_RULES, *key_binding.REPLAY_RULES):
                rule(binding)
            for audience_rule in key_binding.AUDIENCE_RULES:
                audience_rule(binding, expected)
        return claims

    return verify


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


def _library(stage: Stage, given: Iterable[_Given]) -> dict[str, Call]:
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
        "cnf": {"jwk": dict(credential.holder_key or {})},
        "status": {"status_list": {"idx": credential.status.index, "uri": credential.status.uri}},
        **{hidden(name): value for name, value in _CLAIMS.items()},
    }
    header = {"typ": "dc+sd-jwt", "x5c": jose.x5c_header(stage.issuer.chain)}

    def checked(document: bytes, *asked: str | None) -> None:
        verifier.SDJWTVerifier(document.decode(), lambda _iss, _header: public, *asked).get_verified_payload()

    return {
        "issue": lambda: issuer.SDJWTIssuer(dict(said), private, extra_header_parameters=header).sd_jwt_issuance,
        "verify": _in_turn(partial(checked, each.issued, None, None) for each in given),
        "bound": _in_turn(partial(checked, each.presented, _ASKED.audience, _ASKED.nonce) for each in given),
    }
