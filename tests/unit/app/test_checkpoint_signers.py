"""The log's keys: what the token signs, whichever kind it has, and the post-quantum one in software beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsm import Algorithm, HsmPolicy
from idverify.app import provision, token_keys
from idverify.app.checkpoint_signers import checkpoint_signers
from idverify.app.provision import ONLINE_KEYS, Wishes
from idverify.errors import SetupError
from idverify.ledger import Checkpoint
from idverify.ledger.cosignature import ML_DSA_44, timestamp
from idverify.ledger.ecdsa import ECDSA
from idverify.ledger.note import ED25519
from idverify.services.cosigning_key import make_cosigning_key
from idverify.services.log_keys import CHECKPOINT_SIGNER, LogKey
from idverify.stores import queries, tables
from idverify.stores.open import open_store
from idverify.stores.writes import Remove, WriteSet
from tests.simulators.ledger_memory import ORIGIN
from tests.simulators.service import deploy
from tests.simulators.software_office import SoftToken, StandingClock, software_office

HEAD = Checkpoint(ORIGIN, 3, bytes(32))


class P256Token(SoftToken):
    """A token without EdDSA."""

    key = ec.generate_private_key(ec.SECP256R1())

    async def sign(self, key_id: bytes, message: bytes) -> bytes:
        """``r || s``."""
        assert key_id
        r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


async def test_a_token_without_eddsa_signs_with_ecdsa() -> None:
    """Its signature goes into the note in DER, and verifies as type 02."""
    token = P256Token("token")
    spki = token.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signers = await checkpoint_signers(
        [LogKey(b"12345678", "ES256", spki, None)], ORIGIN, token, token, StandingClock()
    )
    ((signer,),) = signers.kinds
    assert signer.verifier.signature_type == ECDSA
    assert signer.verifier.verify(HEAD.text(), await signer.sign(HEAD))
    assert not signer.verifier.verify(Checkpoint(ORIGIN, 4, bytes(32)).text(), await signer.sign(HEAD))


async def test_the_key_in_software_is_sealed_and_marked() -> None:
    """Its row says which token seals it; that one unseals the seed, and what it signs bears the time."""
    token, clock = SoftToken("token"), StandingClock()
    made = await make_cosigning_key(token, "token")
    assert (made.token, made.algorithm) == ("token", "ML-DSA-44")
    assert made.public_key is not None
    assert made.key_id == hashlib.sha256(made.public_key).digest()[:8]
    signers = await checkpoint_signers(
        [LogKey(made.key_id, made.algorithm, made.public_key, made.sealed)], ORIGIN, token, token, clock
    )
    ((signer,),) = signers.kinds
    signature = await signer.sign(HEAD)
    assert signer.verifier.signature_type == ML_DSA_44
    assert signer.verifier.verify(HEAD.text(), signature)
    assert timestamp(signature) == clock.now()


async def test_a_sealed_seed_of_another_key_is_refused() -> None:
    """Else whoever changes the database would have the log sign with a key that no reader was told of."""
    token = SoftToken("token")
    made, other = [await make_cosigning_key(token, "token") for _ in range(2)]
    assert made.public_key is not None
    with pytest.raises(SetupError, match="another key"):
        await checkpoint_signers(
            [LogKey(made.key_id, made.algorithm, made.public_key, other.sealed)], ORIGIN, token, token, StandingClock()
        )


async def test_every_checkpoint_bears_both_kinds_of_signature(tmp_path: Path) -> None:
    """The office's publisher signs with the token's key and with the one beside it; a reader of both needs both."""
    async with software_office(tmp_path) as served:
        _, note = await served.office.publisher.receipt_proof(0)
        policy = served.office.log_book.policy_of(served.office.log.origin).policy
        assert {log.verifier.signature_type for log in policy.logs} == {ED25519, ML_DSA_44}
        assert policy.require(note).origin == served.office.log.origin


async def test_an_older_deployment_gets_the_keys_that_it_lacks(tmp_path: Path) -> None:
    """Started by this version, a database without the newer keys has them, each with an entry; the next start none."""
    deployment = await deploy(tmp_path)
    newer = ("receipt-signer", "sealing", "checkpoint-cosigner")
    async with open_store(deployment.location, deployment.clock) as store:
        await store.commit(WriteSet(tuple(Remove(tables.signing_key, {"role": role}) for role in newer)))
        before = len(await store.fetch(queries.SIGNING_KEYS, {}))
    for _ in range(2):
        await provision.provision(tmp_path, Wishes(deployment.url, deployment.port, demo=False))
        async with open_store(deployment.location, deployment.clock) as store:
            rows = {row["role"] for row in await store.fetch(queries.SIGNING_KEYS, {})}
            assert set(newer) <= rows
            assert len(rows) == before + len(newer)


async def test_a_token_that_cannot_make_eddsa_keys_gets_another() -> None:
    """Its refusal of the mechanism is no end: the checkpoint key is one of ECDSA then. Other refusals stand."""

    class NoEdwards:
        async def generate(self, algorithm: Algorithm, label: str) -> tuple[Algorithm, str]:
            if algorithm is not Algorithm.ES256:
                raise HsmPolicy("mechanism")
            return algorithm, label

    made = await token_keys._generated(NoEdwards(), ONLINE_KEYS[CHECKPOINT_SIGNER], CHECKPOINT_SIGNER)  # type: ignore[arg-type]
    assert made == (Algorithm.ES256, CHECKPOINT_SIGNER)
    with pytest.raises(HsmPolicy):
        await token_keys._generated(NoEdwards(), Algorithm.A256KWP, "wrapping")  # type: ignore[arg-type]
