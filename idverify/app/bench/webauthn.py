"""Security keys: a strictly checked assertion against the bare verification of its signature."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hsm.cost import cpu_of
from hsm.rows import Pair, Row, row
from idverify.app.bench.effort import Effort
from idverify.auth import options
from idverify.auth.key_policy import KEY_POLICIES
from idverify.auth.software_key import SoftwareKey
from idverify.auth.webauthn import Expectation, KnownKey, check_assertion, check_registration
from idverify.core.policy import Role

_RP_ID: Final = "localhost"
_ORIGIN: Final = "http://localhost:8080"
_CHALLENGE: Final = hashlib.sha256(b"bench").digest()
_USER_HANDLE: Final = bytes(64)
_TARGET: Final = 0.5


async def measure(effort: Effort) -> list[Row]:
    """The same assertion again and again, on both sides."""
    ours, bare = _strict(), _bare()
    pairs = [Pair(cpu_of(ours, effort.probe_seconds), cpu_of(bare, effort.probe_seconds)) for _ in range(effort.rounds)]
    limit = "one ES256 verification with a key that is held"
    return [row("WebAuthn assertion, checked", "assertions/s", limit, _TARGET, pairs)]


def _strict() -> Callable[[], object]:
    key, expected = SoftwareKey(), Expectation(_RP_ID, frozenset({_ORIGIN}), _CHALLENGE)
    policy = KEY_POLICIES[Role.CITIZEN]
    asked = options.creation_options(_RP_ID, "bench", _USER_HANDLE, "bench", _CHALLENGE, (), policy)
    made = check_registration(expected, key.create(asked, _ORIGIN))
    known = KnownKey(made.credential_id, made.cose_key, made.sign_count, made.backup_eligible, _USER_HANDLE)
    answer = key.get(options.request_options(_RP_ID, _CHALLENGE), _ORIGIN)
    return lambda: check_assertion(expected, known, answer)


def _bare() -> Callable[[], object]:
    key, message, algorithm = ec.generate_private_key(ec.SECP256R1()), bytes(69), ec.ECDSA(hashes.SHA256())
    signature, public = key.sign(message, algorithm), key.public_key()
    return lambda: public.verify(signature, message, algorithm)
