"""A security key with a maker: it proves its model by packed attestation, and counts as such keys do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from idverify.auth.attestation.path import fingerprint
from idverify.auth.authenticator_list import AuthenticatorList, Listed
from tests.simulators.authenticator import AAGUID, AT, UP, UV, authenticator_data, cbor, client_data
from tests.simulators.makers import BATCH, NOT_CA, ROOT, Authority, aaguid_extension, batch_certificate, sign
from tests.simulators.signed_in import PersonalKey, from_text

OTHER_MODEL = hashlib.sha256(b"another model").digest()[:16]


class AttestedKey(PersonalKey):
    """A key of a model, attested under a maker's root."""

    def __init__(self, model: bytes = AAGUID, maker: Authority = ROOT) -> None:
        super().__init__()
        self.model = model
        self.certificate = batch_certificate(maker, extensions=(NOT_CA, aaguid_extension(model)))

    def create(self, options: Mapping[str, Any], origin: str, flags: int = UP | UV) -> dict[str, Any]:
        """The answer to creation options."""
        self.user_handle = from_text(options["user"]["id"])
        client = client_data("webauthn.create", from_text(options["challenge"]), {"origin": origin})
        tail = self.model + self.authenticator.attested()[16:]
        said = authenticator_data(flags | AT, 0, options["rp"]["id"], tail)
        signature = sign(BATCH, said + hashlib.sha256(client).digest())
        statement = {"alg": -7, "sig": signature, "x5c": [self.certificate]}
        attestation = cbor({"fmt": "packed", "attStmt": statement, "authData": said})
        return self.authenticator.register(client=client, attestation=attestation)


def list_of(*models: bytes, least: str | None = None, root: Authority | None = ROOT) -> AuthenticatorList:
    """A list that takes these models under one root, or under those that the metadata name."""
    anchors = () if root is None else (root.certificate,)
    entries = tuple(Listed(model, f"Model {model.hex()[:4]}", tuple(map(fingerprint, anchors))) for model in models)
    return AuthenticatorList(entries, anchors, least, fips=False, grace_days=30)
