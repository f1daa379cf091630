"""A security key in software, with the browser around it: for scripts, demonstrations and the command line.

Whoever can read its file can sign in as its owner, and nothing asks for a PIN although the answers say so. It makes
discoverable ES256 credentials that are never backed up and gives no attestation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from idverify.auth import base64url, ceremony
from idverify.core.action import canonical_json
from idverify.errors import KeyAlreadyRegistered, MalformedRequest, NotAllowed, NotFound
from idverify.ports import Entropy, system_entropy

_FLAG: Final = AuthenticatorData.FLAG
_CREDENTIAL_ID_BYTES: Final = 32
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # SP 800-186 section 3.2.1.3


@dataclass(frozen=True, slots=True)
class _Credential:
    rp_id: str
    user_handle: bytes
    credential_id: bytes
    secret: int

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.secret, ec.SECP256R1())

    def to_json(self) -> dict[str, str]:
        return {
            "rp_id": self.rp_id,
            "user_handle": self.user_handle.hex(),
            "credential_id": self.credential_id.hex(),
            "secret": f"{self.secret:064x}",
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> Self:
        user_handle, credential_id = bytes.fromhex(stored["user_handle"]), bytes.fromhex(stored["credential_id"])
        return cls(stored["rp_id"], user_handle, credential_id, int(stored["secret"], 16))


class SoftwareKey:
    """One key, with room for any number of accounts; its counter rises with every signature, and ``dump`` keeps it."""

    def __init__(self, entropy: Entropy = system_entropy) -> None:
        self._entropy = entropy
        self._counter = 0
        self._credentials: list[_Credential] = []

    @classmethod
    def load(cls, dumped: bytes, entropy: Entropy = system_entropy) -> Self:
        """The key that ``dump`` wrote. Raises ``ValueError`` or ``KeyError`` for anything else."""
        stored, key = json.loads(dumped), cls(entropy)
        key._counter = stored["counter"]
        key._credentials = [_Credential.from_json(credential) for credential in stored["credentials"]]
        return key

    def dump(self) -> bytes:
        """All that the key holds, its secrets too: keep it where only its owner can read."""
        credentials = [credential.to_json() for credential in self._credentials]
        return canonical_json({"counter": self._counter, "credentials": credentials})

    def create(self, options: Mapping[str, Any], origin: str) -> dict[str, Any]:
        """Answer creation options, as a browser on a page of ``origin`` would.

        Raises ``KeyAlreadyRegistered`` if a credential to exclude is on this key, ``NotAllowed`` for a page of another
        site, and ``MalformedRequest`` if ES256 is not among the algorithms.
        """
        rp_id, user_handle = options["rp"]["id"], base64url.decode(options["user"]["id"])
        _require_own_site(rp_id, origin)
        if ES256.ALGORITHM not in {offered["alg"] for offered in options["pubKeyCredParams"]}:
            raise MalformedRequest("The software key makes ES256 keys only; offer algorithm -7.")
        if self._among(options.get("excludeCredentials", ()), rp_id):
            raise KeyAlreadyRegistered("This software key is registered already. Use another one.")
        made = _Credential(rp_id, user_handle, self._entropy(_CREDENTIAL_ID_BYTES), self._secret())
        # CTAP 2.2 section 6.1.2: one discoverable credential for an account, the newest
        self._credentials = [old for old in self._credentials if (old.rp_id, old.user_handle) != (rp_id, user_handle)]
        self._credentials.append(made)
        public = ES256.from_cryptography_key(made.key.public_key())  # type: ignore[no-untyped-call]
        attested = AttestedCredentialData.create(bytes(16), made.credential_id, public)
        said = self._authenticator_data(rp_id, _FLAG.AT, attested)
        client_data = CollectedClientData.create(ceremony.CREATE, options["challenge"], origin)
        attestation = AttestationObject.create("none", said, {})
        return _credential_json(made, client_data, attestationObject=attestation, transports=["internal"])

    def get(self, options: Mapping[str, Any], origin: str) -> dict[str, Any]:
        """Answer request options, as a browser on a page of ``origin`` would; of several accounts, with the newest.

        Raises ``NotFound`` if nothing on this key fits, and ``NotAllowed`` for a page of another site.
        """
        rp_id = options["rpId"]
        _require_own_site(rp_id, origin)
        allow = options.get("allowCredentials", ())
        fitting = self._among(allow, rp_id) if allow else [held for held in self._credentials if held.rp_id == rp_id]
        if not fitting:
            raise NotFound(f"This software key holds nothing for {rp_id}. Register it first.")
        chosen = fitting[-1]
        said = self._authenticator_data(rp_id)
        client_data = CollectedClientData.create(ceremony.GET, options["challenge"], origin)
        signed = said + hashlib.sha256(client_data).digest()
        signature = chosen.key.sign(signed, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return _credential_json(
            chosen, client_data, authenticatorData=said, signature=signature, userHandle=chosen.user_handle
        )

    def _among(self, descriptors: Iterable[Mapping[str, Any]], rp_id: str) -> list[_Credential]:
        ids = {base64url.decode(descriptor["id"]) for descriptor in descriptors}
        return [held for held in self._credentials if held.rp_id == rp_id and held.credential_id in ids]

    def _authenticator_data(self, rp_id: str, flag: int = 0, attested: bytes = b"") -> AuthenticatorData:
        self._counter += 1
        rp_id_hash = hashlib.sha256(rp_id.encode()).digest()
        flags = _FLAG(_FLAG.UP | _FLAG.UV | flag)
        said: AuthenticatorData = AuthenticatorData.create(rp_id_hash, flags, self._counter, attested)
        return said

    def _secret(self) -> int:
        """FIPS 186-5 appendix A.2.1: extra random bits, so that no scalar is likelier than another."""
        return int.from_bytes(self._entropy(40), "big") % (_P256_ORDER - 1) + 1


def _require_own_site(rp_id: str, origin: str) -> None:
    """WebAuthn L3 section 5.1.3: a page may use the RP ID of its own host, or of a domain above it."""
    host = urlsplit(origin).hostname or ""
    if host != rp_id and not host.endswith(f".{rp_id}"):
        raise NotAllowed(f"A page of {origin} may not use a key of {rp_id}.")


def _credential_json(credential: _Credential, client_data: bytes, **answer: Any) -> dict[str, Any]:
    """``PublicKeyCredential.toJSON()``."""
    members = {"clientDataJSON": client_data, **answer}
    return {
        "type": "public-key",
        "id": base64url.encode(credential.credential_id),
        "rawId": base64url.encode(credential.credential_id),
        "response": {
            name: base64url.encode(value) if isinstance(value, bytes) else value for name, value in members.items()
        },
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
    }
