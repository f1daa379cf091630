"""FIDO2 security keys: the relying party's side of WebAuthn Level 3, pure over bytes.

A stranger's answer passes, in this order, and stops at the first thing that is wrong:

1. ``credential_json``: every member's type and size, before anything is decoded;
2. ``client_data``, ``authenticator_data``, ``strict_cbor``: strict parsing, to the last byte;
3. ``ceremony``: what both ceremonies must fulfil: type, challenge, origin, RP ID, presence, verification, backup state;
4. ``registration``: attested id, a key that ``cose_key`` finds well formed, and an attestation statement that holds
   (``attestation``); or ``assertion``: the signature, and then what the database knows of the key.

Whether a role takes a key for what it is, ``judge`` says, at registration and at any later time: whose certificates
vouch for it (``attestation.path``), and what FIDO knows of its model (``mds``, ``mds_status``).

Whatever the bytes are, nothing leaves but ``CeremonyMalformed``, ``CeremonyRefused``, ``UserVerificationNeeded`` and
``KeyNotAllowed``; ``mds.read_blob``, whose bytes no stranger sends, raises ``DocumentError``. The challenge is the
caller's to use once, and to burn before anything here is called.
"""

from __future__ import annotations

from idverify.auth.assertion import Asserted, KnownKey, check_assertion, check_nothing
from idverify.auth.authenticator_trust import AllowedModel, AttestedKey, AuthenticatorRules, Trusted, judge
from idverify.auth.ceremony import Expectation
from idverify.auth.credential_json import credential_id_of
from idverify.auth.registration import RegisteredKey, check_registration, parse_registration

__all__ = [
    "AllowedModel",
    "Asserted",
    "AttestedKey",
    "AuthenticatorRules",
    "Expectation",
    "KnownKey",
    "RegisteredKey",
    "Trusted",
    "check_assertion",
    "check_nothing",
    "check_registration",
    "credential_id_of",
    "judge",
    "parse_registration",
]
