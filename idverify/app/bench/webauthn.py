"""Security keys: strict checks against the primitives that no check can do without, and against stock ``fido2``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.webauthn import Aaguid, AttestedCredentialData, PublicKeyCredentialRpEntity

from hsm.cost import cpu_of
from hsm.rows import Pair, Row, row
from idverify.app.bench.effort import Effort
from idverify.auth import base64url, options
from idverify.auth.cose_key import ALGORITHMS, verifying_key
from idverify.auth.key_policy import KEY_POLICIES
from idverify.auth.software_key import SoftwareKey
from idverify.auth.webauthn import Expectation, KnownKey, check_assertion, check_registration
from idverify.core.policy import Role

_RP_ID: Final = "localhost"
_ORIGIN: Final = "http://localhost:8080"
_CHALLENGE: Final = hashlib.sha256(b"bench").digest()
_USER_HANDLE: Final = bytes(64)
_EXPECTED: Final = Expectation(_RP_ID, frozenset({_ORIGIN}), _CHALLENGE)
_OF_PRIMITIVE: Final = 0.5
_OF_STOCK: Final = 4.0
_ML_DSA_44: Final = -48

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Example:
    """One key's registration, an assertion of it, and what the database holds of it."""

    registration: Mapping[str, Any]
    assertion: Mapping[str, Any]
    known: KnownKey


async def measure(effort: Effort) -> list[Row]:
    """The same answer again and again, on both sides."""
    made = _example()
    checked, (stock_assertion, stock_registration) = _checked(made), _stock(made)

    def measured(name: str, limit_is: str, target: float, ours: Call, least: Call) -> Row:
        seconds = effort.probe_seconds
        pairs = [Pair(cpu_of(ours, seconds), cpu_of(least, seconds)) for _ in range(effort.rounds)]
        return row(f"WebAuthn {name}", "answers/s", limit_is, target, pairs)

    es256, stock = "one ES256 verification with a key that is held", "stock fido2 on the same answer"
    rows = [
        measured("assertion, checked", es256, _OF_PRIMITIVE, checked, _es256()),
        measured("assertion, against fido2", stock, _OF_STOCK, checked, stock_assertion),
        measured("registration, against fido2", stock, _OF_STOCK, _registered(made), stock_registration),
    ]
    if _ML_DSA_44 in ALGORITHMS:  # not every OpenSSL has it
        ml_dsa = "one ML-DSA-44 verification with a key that is held"
        rows.append(measured("assertion of ML-DSA-44, checked", ml_dsa, _OF_PRIMITIVE, *_ml_dsa(made)))
    return rows


def _example() -> _Example:
    key, policy = SoftwareKey(), KEY_POLICIES[Role.CITIZEN]
    asked = options.creation_options(_RP_ID, "bench", _USER_HANDLE, "bench", _CHALLENGE, (), policy)
    registration = key.create(asked, _ORIGIN)
    made = check_registration(_EXPECTED, registration)
    known = KnownKey(made.credential_id, made.cose_key, made.sign_count, made.backup_eligible, _USER_HANDLE)
    return _Example(registration, key.get(options.request_options(_RP_ID, _CHALLENGE), _ORIGIN), known)


def _checked(made: _Example) -> Call:
    return lambda: check_assertion(_EXPECTED, made.known, made.assertion)


def _registered(made: _Example) -> Call:
    """With a key that was never seen before, as every new one is."""

    def register() -> None:
        verifying_key.cache_clear()
        check_registration(_EXPECTED, made.registration)

    return register


def _stock(made: _Example) -> tuple[Call, Call]:
    """The library's own check of the assertion, and of the registration."""
    server = Fido2Server(PublicKeyCredentialRpEntity(id=_RP_ID, name="bench"), verify_origin={_ORIGIN}.__contains__)
    asked = {"challenge": base64url.encode(_CHALLENGE), "user_verification": "required"}
    key = CoseKey.parse(cbor2.loads(made.known.cose_key))
    known = [AttestedCredentialData.create(Aaguid(bytes(16)), made.known.credential_id, key)]
    return (
        lambda: server.authenticate_complete(asked, known, made.assertion),
        lambda: server.register_complete(asked, made.registration),
    )


def _es256() -> Call:
    key, message, algorithm = ec.generate_private_key(ec.SECP256R1()), bytes(69), ec.ECDSA(hashes.SHA256())
    signature, public = key.sign(message, algorithm), key.public_key()
    return lambda: public.verify(signature, message, algorithm)


def _ml_dsa(made: _Example) -> tuple[Call, Call]:
    """The same assertion, signed by a key of ML-DSA-44: its check, and the bare verification."""
    key = mldsa.MLDSA44PrivateKey.generate()
    public, answer = key.public_key(), made.assertion["response"]
    said, client_data = (base64url.decode(answer[part]) for part in ("authenticatorData", "clientDataJSON"))
    signed = said + hashlib.sha256(client_data).digest()
    signature = key.sign(signed)
    cose_key = cbor2.dumps({1: 7, 3: _ML_DSA_44, -1: public.public_bytes_raw()}, canonical=True)
    assertion = {**made.assertion, "response": {**answer, "signature": base64url.encode(signature)}}
    known = replace(made.known, cose_key=cose_key)
    return _checked(replace(made, assertion=assertion, known=known)), lambda: public.verify(signature, signed)
