"""Relying parties of others, each made to judge the vectors of security keys: what do they take, what do they refuse?

Each is given everything that its interface takes: RP ID, origins, challenge, user verification, the key on record.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

from cryptography.exceptions import InvalidSignature
from fido2 import cbor
from fido2.attestation.base import InvalidAttestation
from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.webauthn import Aaguid, AttestedCredentialData, PublicKeyCredentialRpEntity
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException

from idverify.auth.cose_key import ALGORITHMS
from tests.simulators import authenticator as sim
from tests.unit.auth.test_rule_knockout import ORIGINS, broken_rule
from tests.vectors.make_fido2_vectors import KEY, Case

RECORDED_COUNT = 1


class Refused(Exception):
    """Our own refusal, by the name of a rule."""


@dataclass(frozen=True)
class RelyingParty:
    """``judge`` takes a case and its family and raises what the library raises; ``own`` is what it documents to."""

    name: str
    judge: Callable[[Case, str], object]
    own: tuple[type[Exception], ...]


@dataclass(frozen=True)
class Decision:
    """What a relying party made of a case; ``foreign`` names an exception that is none of its own."""

    accepted: bool
    foreign: str | None = None

    def is_right(self, case: Case) -> bool:
        """Whether what holds was taken and what does not was refused, with whatever words."""
        return self.accepted == (case.breaks is None)


def decision(party: RelyingParty, case: Case, family: str) -> Decision:
    """Let a relying party decide a case, and see how."""
    try:
        with warnings.catch_warnings(action="ignore"):  # what a library warns its callers of decides nothing
            party.judge(case, family)
    except party.own:
        return Decision(accepted=False)
    except Exception as foreign:  # noqa: BLE001  which ones leave a library is what is asked
        return Decision(accepted=False, foreign=type(foreign).__name__)
    return Decision(accepted=True)


def _ours(case: Case, family: str) -> None:
    if broken := broken_rule(case, family):
        raise Refused(broken)


def _fido2(server: Fido2Server, case: Case, family: str) -> None:
    asked = {"challenge": sim.text(sim.CHALLENGE), "user_verification": _verification(case)}
    if family == "registration":
        server.register_complete(asked, case.response)
    else:
        key = CoseKey.parse(cbor.decode(bytes.fromhex(case.cose_key)))
        known = AttestedCredentialData.create(Aaguid(sim.AAGUID), KEY.credential_id, key)
        server.authenticate_complete(asked, [known], case.response)


def _verification(case: Case) -> str:
    return "required" if case.user_verification else "discouraged"


def _py_webauthn(case: Case, family: str) -> None:
    if family == "registration":
        verify_registration_response(
            credential=case.response,
            expected_challenge=sim.CHALLENGE,
            expected_rp_id=sim.RP_ID,
            expected_origin=sorted(ORIGINS),
            require_user_verification=case.user_verification,
            supported_pub_key_algs=_OFFERED,
        )
    else:
        verify_authentication_response(
            credential=case.response,
            expected_challenge=sim.CHALLENGE,
            expected_rp_id=sim.RP_ID,
            expected_origin=sorted(ORIGINS),
            credential_public_key=bytes.fromhex(case.cose_key),
            credential_current_sign_count=RECORDED_COUNT,
            require_user_verification=case.user_verification,
        )


_FIDO2 = f"fido2 {version('fido2')}"
_OFFERED = [algorithm for algorithm in COSEAlgorithmIdentifier if algorithm in ALGORITHMS]
_RP = PublicKeyCredentialRpEntity(id=sim.RP_ID, name="Example")
_STOCK, _EXACT = Fido2Server(_RP), Fido2Server(_RP, verify_origin=ORIGINS.__contains__)
_OF_FIDO2 = (ValueError, InvalidAttestation, InvalidSignature)  # it names none; these are what it raises itself

OURS = RelyingParty("idverify", _ours, (Refused,))
OTHERS = (
    RelyingParty(_FIDO2, lambda case, family: _fido2(_STOCK, case, family), _OF_FIDO2),
    RelyingParty(f"{_FIDO2}, exact origins", lambda case, family: _fido2(_EXACT, case, family), _OF_FIDO2),
    RelyingParty(f"py_webauthn {version('webauthn')}", _py_webauthn, (WebAuthnException,)),
)
