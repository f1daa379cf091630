"""Attestation statements (WebAuthn L3 section 8): what an authenticator's maker says of a new key.

Here it is checked that a statement is about this very key and signed as its format says. Whether its certificates lead
to anybody whom we trust is for ``path``, and whether a role takes such a key is for ``authenticator_trust``.

A format that is not in ``FORMATS``, or an algorithm that we do not verify, leaves the statement ``unverified``: worth
as much as none. So it is with android-safetynet, a service that has ended, and with RS1 of old TPMs: nothing rests on
SHA-1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from idverify.auth.attestation import android_key, apple, compound, fido_u2f, none, packed, tpm
from idverify.auth.attestation.statement import UNVERIFIED, Attestation, Attested
from idverify.auth.cose_key import ALGORITHMS

FORMATS: Final[Mapping[str, Callable[[Attestation], Attested]]] = MappingProxyType(
    {
        "none": none.verify,
        "packed": packed.verify,
        "tpm": tpm.verify,
        "android-key": android_key.verify,
        "fido-u2f": fido_u2f.verify,
        "apple": apple.verify,
    }
)


def verify(attestation: Attestation) -> Attested:
    """What the statement proves, once it has been shown to hold.

    Raises ``CeremonyMalformed`` (``attestation-statement``, ``attestation-certificate``, ``none-statement``) and
    ``CeremonyRefused`` (the format's name and that of its rule, such as ``packed-signature``).
    """
    if attestation.format == "compound":
        return compound.verify(attestation, verify)
    verify_format = FORMATS.get(attestation.format)
    if verify_format is None or _algorithm_is_foreign(attestation):
        return UNVERIFIED
    return verify_format(attestation)


def _algorithm_is_foreign(attestation: Attestation) -> bool:
    members = attestation.statement
    algorithm = members.get("alg") if isinstance(members, Mapping) else None
    return type(algorithm) is int and algorithm not in ALGORITHMS
