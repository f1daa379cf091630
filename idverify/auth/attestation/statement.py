"""What every attestation format has to do with: its input, its outcome, and the shape of its statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from cryptography import x509

from idverify.auth.attestation import certificate
from idverify.auth.authenticator_data import AttestedCredentialData
from idverify.errors import CeremonyMalformed, CeremonyRefused

MAX_CERTIFICATES: Final = 8

AttestationType = Literal["none", "self", "basic", "attca", "anonca", "unverified"]
"""Section 6.5.3, by the identifiers of the FIDO registry; and ``unverified``, which is ours."""

_Subject = TypeVar("_Subject")


@dataclass(frozen=True, slots=True)
class Attestation:
    """A statement, parsed and not believed, with what it has to be about. ``authenticator_data`` is as received."""

    format: str
    statement: Mapping[Any, Any] | list[Any]
    authenticator_data: bytes
    attested: AttestedCredentialData
    client_data_hash: bytes

    @property
    def signed(self) -> bytes:
        """Section 6.5.4: what most formats sign, and the others hash."""
        return self.authenticator_data + self.client_data_hash


@dataclass(frozen=True, slots=True)
class Attested:
    """A statement that holds. ``certificates`` are its ``x5c`` (DER, leaf first), which nobody has believed yet.

    ``model`` is what the statement signs of the make: the AAGUID, or of U2F keys the hash of their attestation key.
    ``key_stays``: the statement, or the make that it vouches for, says that the key was made inside the device and does
    not leave it; where a format has room to say otherwise (``tpm``, ``android-key``), silence is no.
    """

    type: AttestationType
    certificates: tuple[bytes, ...] = ()
    model: bytes = b""
    key_stays: bool = False


UNVERIFIED: Final = Attested("unverified")


@dataclass(frozen=True, slots=True)
class Certified:
    """The members that statements with certificates share. ``algorithm`` is a COSE identifier."""

    attestation: Attestation
    members: Mapping[str, Any]
    algorithm: int
    signature: bytes
    certificates: tuple[bytes, ...]
    leaf: x509.Certificate


def members(attestation: Attestation, **types: type) -> Mapping[str, Any]:
    """The statement, if it is a map of exactly these members. Raises ``CeremonyMalformed``."""
    said = attestation.statement
    if not isinstance(said, Mapping) or set(said) != set(types):
        raise malformed(f"it must be a map of {', '.join(types)}")
    if any(type(said[name]) is not wanted for name, wanted in types.items()):
        raise malformed("a member has another type than its format says")
    return said


def certified(attestation: Attestation, **types: type) -> Certified:
    """A statement of ``alg``, ``sig``, ``x5c`` and members of other ``types``. Raises ``CeremonyMalformed``."""
    said = members(attestation, alg=int, sig=bytes, x5c=list, **types)
    chain, leaf = certificates(said["x5c"])
    return Certified(attestation, said, said["alg"], said["sig"], chain, leaf)


def certificates(x5c: list[Any]) -> tuple[tuple[bytes, ...], x509.Certificate]:
    """The certificates of a statement, and the first of them parsed. Raises ``CeremonyMalformed``."""
    if not 1 <= len(x5c) <= MAX_CERTIFICATES or not all(type(der) is bytes for der in x5c):
        raise malformed(f"x5c must be 1 to {MAX_CERTIFICATES} certificates")
    try:
        leaf, *_ = [certificate.read(der) for der in x5c]
    except ValueError as wrong:
        raise CeremonyMalformed("attestation-certificate", f"A certificate of x5c cannot be read: {wrong}.") from None
    return tuple(x5c), leaf


def malformed(why: str) -> CeremonyMalformed:
    """The error of a statement that does not have the shape of its format."""
    return CeremonyMalformed("attestation-statement", f"attStmt must be as its format says: {why}.")


def require(format_: str, rules: tuple[Callable[[_Subject], bool], ...], subject: _Subject) -> None:
    """Raises ``CeremonyRefused`` with the format and the name of the first rule that ``subject`` breaks."""
    for rule in rules:
        if not rule(subject):
            raise CeremonyRefused(f"{format_}-{rule.__name__.replace('_', '-')}")
