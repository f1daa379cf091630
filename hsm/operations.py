"""What a worker can be asked to do: one function per operation, and the table that names them."""

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

from pkcs11 import Attribute, GCMParams, KeyType, ObjectClass
from pkcs11.exceptions import FunctionNotSupported, MechanismInvalid

from hsm.algorithms import offered
from hsm.ckr import Fault
from hsm.frames import Op, Status, join_pair, split_pair
from hsm.generation import generate
from hsm.interface import NONCE_SIZE, TAG_SIZE
from hsm.keyring import KeyRing
from hsm.keys import Algorithm, encode_keys
from hsm.sealed import FROM_SEED, LABEL, SEED_SIZE, SealedKey
from hsm.signing import SigningKey
from hsm.verify import spki_of

_PASSING_SECRET = {
    # a session object: it dies with the call, and is no key of the token
    Attribute.TOKEN: False,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: False,
    Attribute.EXTRACTABLE: True,
}


def _sign(ring: KeyRing, key: bytes, message: bytes) -> bytes:
    return ring.signing(key).sign(message)


def _public_key(ring: KeyRing, key: bytes, _: bytes) -> bytes:
    return ring.signing(key).spki


def _generate(ring: KeyRing, _: bytes, wanted: bytes) -> bytes:
    settings: dict[str, str] = json.loads(wanted)
    return encode_keys([generate(ring, Algorithm(settings["algorithm"]), settings["label"])])


def _wrap(ring: KeyRing, key: bytes, secret: bytes) -> bytes:
    _require_no_seed(secret)
    return _wrapped(ring, key, secret)


def _unwrap(ring: KeyRing, key: bytes, wrapped: bytes) -> bytes:
    secret = _unwrapped(ring, key, wrapped)
    _require_no_seed(secret)
    return secret


def _require_no_seed(secret: bytes) -> None:
    if secret.startswith(LABEL) and len(secret) == len(LABEL) + SEED_SIZE:
        raise Fault(
            Status.POLICY,
            "Expected a secret of the caller's, got the seed of a key in software, which stays in the signer process. "
            "Use `sign_sealed`.",
        )


def _wrapped(ring: KeyRing, key: bytes, secret: bytes) -> bytes:
    wrapping: Any = ring.secret(key, Algorithm.A256KWP)
    passing = ring.session.create_object(
        {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
            Attribute.VALUE: secret,
            **_PASSING_SECRET,
        }
    )
    try:
        mechanism = ring.mechanism(Algorithm.A256KWP)
        if ring.interface is not None:
            return ring.interface.wrap(ring.session, wrapping, mechanism, passing)
        wrapped: bytes = wrapping.wrap_key(passing, mechanism=mechanism)
    finally:
        passing.destroy()
    return wrapped


def _unwrapped(ring: KeyRing, key: bytes, wrapped: bytes) -> bytes:
    wrapping: Any = ring.secret(key, Algorithm.A256KWP)
    passing = wrapping.unwrap_key(
        ObjectClass.SECRET_KEY,
        KeyType.GENERIC_SECRET,
        wrapped,
        mechanism=ring.mechanism(Algorithm.A256KWP),
        capabilities=0,
        template=_PASSING_SECRET,
    )
    try:
        secret: bytes = passing[Attribute.VALUE]
    finally:
        passing.destroy()
    return secret


def _make_sealed(ring: KeyRing, wrapping: bytes, algorithm: bytes) -> bytes:
    """A key in software, of randomness from the token; only its seed under the wrapping key leaves this process."""
    seed = ring.session.generate_random(SEED_SIZE * 8)
    public = FROM_SEED[Algorithm(algorithm.decode())](seed).public_key()
    sealed = _wrapped(ring, wrapping, LABEL + seed)
    if _unwrapped(ring, wrapping, sealed) != LABEL + seed:
        raise Fault(
            Status.TOKEN_DOWN,
            "Expected the token to unwrap what it wrapped, got another secret. Take it out of service.",
        )
    return join_pair(spki_of(public), sealed)


def _open_sealed(ring: KeyRing, wrapping: bytes, pair: bytes) -> bytes:
    _unsealed(ring, wrapping, pair)
    return b""


def _sign_sealed(ring: KeyRing, wrapping: bytes, body: bytes) -> bytes:
    pair, message = split_pair(body)
    return _unsealed(ring, wrapping, pair).sign(message)


def _unsealed(ring: KeyRing, wrapping: bytes, pair: bytes) -> SigningKey:
    """A key in software, refused when it is not that of its public key.

    It is unwrapped for each use and never held: its wrapping key's end is its own.
    """
    public, wrapped = split_pair(pair)
    sealed = SealedKey(public, wrapping, wrapped)
    algorithm = sealed.algorithm
    seed = _unwrapped(ring, wrapping, sealed.sealed).removeprefix(LABEL)
    private = FROM_SEED[algorithm](seed) if len(seed) == SEED_SIZE else None
    opened = SigningKey(algorithm, private.sign, private.public_key()) if private is not None else None
    if opened is None or opened.spki != sealed.public_key:
        raise Fault(
            Status.DECRYPT_FAILED,
            f"Expected the sealed seed of key {sealed.id.hex()}, got that of another. Restore it from a backup.",
        )
    return opened


def _encrypt(ring: KeyRing, key: bytes, body: bytes) -> bytes:
    """The nonce is the token's own where it makes them, and drawn here where it does not."""
    aad, plaintext = split_pair(body)
    sealing: Any = ring.secret(key, Algorithm.A256GCM)
    if ring.interface is not None:
        with contextlib.suppress(FunctionNotSupported, MechanismInvalid):  # v3.0, yet not this part of it
            return ring.interface.encrypt(ring.session, sealing, ring.mechanism(Algorithm.A256GCM), aad, plaintext)
    nonce = os.urandom(NONCE_SIZE)
    sealed: bytes = sealing.encrypt(plaintext, **_gcm(ring, nonce, aad))
    return nonce + sealed


def _decrypt(ring: KeyRing, key: bytes, body: bytes) -> bytes:
    aad, sealed = split_pair(body)
    if len(sealed) < NONCE_SIZE + TAG_SIZE:
        raise Fault(
            Status.DECRYPT_FAILED,
            f"Expected at least {NONCE_SIZE + TAG_SIZE} bytes of nonce, ciphertext and tag, got {len(sealed)}.",
        )
    sealing: Any = ring.secret(key, Algorithm.A256GCM)
    plaintext: bytes = sealing.decrypt(sealed[NONCE_SIZE:], **_gcm(ring, sealed[:NONCE_SIZE], aad))
    return plaintext


def _gcm(ring: KeyRing, nonce: bytes, aad: bytes) -> dict[str, Any]:
    return {
        "mechanism": ring.mechanism(Algorithm.A256GCM),
        "mechanism_param": GCMParams(nonce, aad, TAG_SIZE * 8),
    }


def _hmac(ring: KeyRing, key: bytes, data: bytes) -> bytes:
    authenticating: Any = ring.secret(key, Algorithm.HS256)
    code: bytes = authenticating.sign(data, mechanism=ring.mechanism(Algorithm.HS256))
    return code


def _random(ring: KeyRing, _: bytes, count: bytes) -> bytes:
    return ring.session.generate_random(int.from_bytes(count) * 8)


def _destroy(ring: KeyRing, key: bytes, label: bytes) -> bytes:
    """Every object of a key; the answer is how many there were. Repeating it does no harm."""
    ring.forget(key)
    named = {Attribute.ID: key, Attribute.LABEL: label.decode()}
    found = [
        each
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY, ObjectClass.PUBLIC_KEY)
        for each in list(ring.session.get_objects({Attribute.CLASS: kind, Attribute.TOKEN: True, **named}))
    ]
    for each in found:
        each.destroy()
    return len(found).to_bytes(4)


_COUNTER = {
    Attribute.CLASS: ObjectClass.DATA,
    Attribute.LABEL: "inventory",
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,  # whoever has no PIN can neither read nor make one
}
_COUNT_SIZE = 8  # bytes


def _count(ring: KeyRing, _: bytes, wanted: bytes) -> bytes:
    """How many changes of the inventory the token knows of, 8 bytes, or none; with a body, that many from now on."""
    found = list(ring.session.get_objects(_COUNTER))
    values = (each[Attribute.VALUE] for each in found)
    highest: bytes = max((value for value in values if len(value) == _COUNT_SIZE), default=b"")
    if wanted and wanted > highest:
        ring.session.create_object({**_COUNTER, Attribute.VALUE: wanted})
        for each in found:
            each.destroy()
        return wanted
    return highest


def _inventory(ring: KeyRing, _: bytes, __: bytes) -> bytes:
    return encode_keys(ring.inventory())


def _algorithms(ring: KeyRing, _: bytes, __: bytes) -> bytes:
    return json.dumps(sorted(offered(ring.listed))).encode()


Operation = Callable[[KeyRing, bytes, bytes], bytes]
"""(keys of the token, key id, body of the request) -> body of the answer."""

OPERATIONS: dict[int, Operation] = {
    Op.SIGN: _sign,
    Op.PUBLIC_KEY: _public_key,
    Op.GENERATE: _generate,
    Op.WRAP: _wrap,
    Op.UNWRAP: _unwrap,
    Op.ENCRYPT: _encrypt,
    Op.DECRYPT: _decrypt,
    Op.HMAC: _hmac,
    Op.RANDOM: _random,
    Op.INVENTORY: _inventory,
    Op.ALGORITHMS: _algorithms,
    Op.DESTROY: _destroy,
    Op.COUNT: _count,
    Op.MAKE_SEALED: _make_sealed,
    Op.OPEN_SEALED: _open_sealed,
    Op.SIGN_SEALED: _sign_sealed,
}
