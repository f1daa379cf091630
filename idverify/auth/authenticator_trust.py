"""Whether a role takes a key for what it is: attested, by whom, which model, and what is known of that model.

Everything is judged from the bytes that registration left, so that a key that was registered long ago is judged as one
that comes today: every night, and before a policy is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from idverify.auth import attestation, mds, mds_status
from idverify.auth.attestation.object import AttestationObject, read_attestation_object
from idverify.auth.attestation.path import fingerprint, require_anchor
from idverify.auth.attestation.statement import Attested
from idverify.auth.authenticator_data import Flag
from idverify.auth.mds_status import Effect
from idverify.errors import CeremonyMalformed, CeremonyRefused, DocumentError, KeyNotAllowed

# What a person reads: what is the matter, and what to do next. The names are stable.
SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "attestation-missing": "This key did not say which model it is. Add it again, and let the browser show this"
        " site the make of your key when it asks.",
        "attestation-evidence": "What was kept of this key does not fit it. Remove the key and add it again.",
        "aaguid": "This model of security key is not on the list for your role. Ask an administrator which models are,"
        " and use one of those.",
        "attestation-untrusted": "Nobody whom we trust says that this key is what it claims to be. Ask an administrator"
        " which models are taken, and use one of those.",
        "key-stays": "Nothing shows that this key cannot leave its device. Use a security key of your own.",
        "metadata-stale": "The list of known security keys is out of date, so no key can be added now. The keys that"
        " you have go on working. Ask an administrator to load the current list.",
        "revoked-model": "This model of security key has a known weakness. Use another model, and remove this key.",
        "retired-model": "This model of security key is not taken any more for new keys. Use another model.",
        "not-certified": "This model of security key does not have the certification that your role needs. Ask an"
        " administrator which models have, and use one of those.",
        "not-fips": "This model of security key has no FIPS 140 certification at level 2, which your role needs. Ask an"
        " administrator which models have, and use one of those.",
    }
)

# Why a key that is registered stops working at once. The other rules are told to admins, who decide.
SUSPENDS: Final = frozenset({"revoked-model"})


@dataclass(frozen=True, slots=True)
class AllowedModel:
    """One line of an allow-list: a model, and who may attest it. A model may have several lines.

    ``model`` is an AAGUID (16 bytes); of U2F keys, which have none, an attestationCertificateKeyIdentifier (20 bytes).
    ``root`` is the SHA-256 of one root; ``None``: any root that the metadata names for this very model.
    """

    model: bytes
    root: bytes | None
    name: str


@dataclass(frozen=True, slots=True)
class AuthenticatorRules:
    """What a role asks of a key's make. ``roots`` are DER, beside those of ``metadata``; ``grace`` is in seconds.

    ``minimum`` is one of ``mds_status.CERTIFICATIONS``; ``None``: a model needs no certification, nor to be known.
    """

    allow: tuple[AllowedModel, ...]
    roots: tuple[bytes, ...] = ()
    metadata: mds.Metadata | None = None
    minimum: str | None = "FIDO_CERTIFIED_L1"
    fips: bool = False
    grace: int = 0


class AttestedKey(Protocol):
    """What registration leaves (``RegisteredKey`` does, and so does a row of the database)."""

    @property
    def credential_id(self) -> bytes: ...
    @property
    def cose_key(self) -> bytes: ...
    @property
    def attestation_object(self) -> bytes: ...
    @property
    def client_data_hash(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Trusted:
    """Why a key is trusted: the root (SHA-256) behind it, the allow-list's name, and what the metadata said."""

    root: bytes
    name: str
    certification: str | None
    metadata_number: int | None


@dataclass(frozen=True, slots=True)
class _Case:
    """A key with all that the rules look at. ``voucher``: a root (SHA-256) behind it, and the list's name for it."""

    evidence: AttestationObject
    attested: Attested
    allowed: tuple[AllowedModel, ...]
    voucher: tuple[bytes, str] | None
    statuses: frozenset[str]
    rules: AuthenticatorRules
    key: AttestedKey
    at: int
    is_new: bool


def attestation_evidence(case: _Case) -> bool:
    """The attestation is this key's, not another's that was put beside it."""
    made = case.evidence.attestation.attested
    return (made.credential_id, made.cose_key) == (case.key.credential_id, case.key.cose_key)


def aaguid(case: _Case) -> bool:
    """The model is on the list."""
    return bool(case.allowed)


def attestation_untrusted(case: _Case) -> bool:
    """Its certificates lead to the root that the list has beside the model. Nobody vouches for self attestation."""
    return case.voucher is not None


def key_stays(case: _Case) -> bool:
    """The key was made in the device and does not leave it (SP 800-63B-4 section 2.3.2)."""
    return case.attested.key_stays and not case.evidence.authenticator_data.has(Flag.BE)


def metadata_stale(case: _Case) -> bool:
    """Who knows nothing new takes nothing new; keys that are registered go on working."""
    metadata = case.rules.metadata
    return not (case.is_new and metadata and mds.is_stale(metadata, case.at, case.rules.grace))


def revoked_model(case: _Case) -> bool:
    """No report in effect speaks of a weakness."""
    return not mds_status.having(case.statuses, Effect.REFUSES)


def retired_model(case: _Case) -> bool:
    """A new key is of no model that is retired, or of a status that we do not know."""
    return not (case.is_new and mds_status.having(case.statuses, Effect.REFUSES_NEW))


def not_certified(case: _Case) -> bool:
    """The certification that the role needs is in effect."""
    return case.rules.minimum is None or mds_status.reaches(case.statuses, case.rules.minimum)


def not_fips(case: _Case) -> bool:
    """FIPS 140, level 2 or higher, where the role needs it."""
    return not case.rules.fips or not case.statuses.isdisjoint(mds_status.FIPS)


RULES: tuple[Callable[[_Case], bool], ...] = (
    attestation_evidence,
    revoked_model,  # before all else that may be wrong, since it alone suspends
    aaguid,
    attestation_untrusted,
    key_stays,
    metadata_stale,
    retired_model,
    not_certified,
    not_fips,
)


def judge(key: AttestedKey, rules: AuthenticatorRules, at: int, registered_at: int | None = None) -> Trusted:
    """Why ``rules`` take ``key``, ``at`` Unix seconds.

    ``registered_at`` says that the key is registered already: its certificates had to be valid then (some live for
    days), and rules for new keys alone do not apply. Raises ``KeyNotAllowed`` with a rule of ``SENTENCES``.
    """
    case = _case(key, rules, at, registered_at)
    if case.attested.type in {"none", "unverified"}:  # a model is hearsay then, whatever AAGUID was sent
        raise _refused("attestation-missing")
    for rule in RULES:
        if not rule(case):
            raise _refused(rule.__name__.replace("_", "-"))
    root, name = case.voucher or (b"", "")
    return Trusted(
        root=root,
        name=name,
        certification=mds_status.certification(case.statuses),
        metadata_number=None if rules.metadata is None else rules.metadata.number,
    )


def _refused(rule: str) -> KeyNotAllowed:
    return KeyNotAllowed(rule, SENTENCES[rule])


def _case(key: AttestedKey, rules: AuthenticatorRules, at: int, registered_at: int | None) -> _Case:
    if not key.attestation_object:  # registered before it was kept
        raise _refused("attestation-missing")
    try:
        evidence = read_attestation_object(key.attestation_object, key.client_data_hash)
        attested = attestation.verify(evidence.attestation)
    except (CeremonyMalformed, CeremonyRefused, KeyNotAllowed):
        raise _refused("attestation-evidence") from None
    entry = None if rules.metadata is None else rules.metadata.models.get(attested.model)
    allowed = tuple(line for line in rules.allow if line.model == attested.model)
    named = () if entry is None else entry.roots
    return _Case(
        evidence=evidence,
        attested=attested,
        allowed=allowed,
        voucher=_voucher(attested, allowed, rules.roots, named, at if registered_at is None else registered_at),
        statuses=frozenset() if entry is None else mds_status.in_effect(entry.reports, at),
        rules=rules,
        key=key,
        at=at,
        is_new=registered_at is None,
    )


def _voucher(
    attested: Attested, allowed: tuple[AllowedModel, ...], roots: tuple[bytes, ...], named: tuple[bytes, ...], at: int
) -> tuple[bytes, str] | None:
    """The first line of the list whose root stands behind the key; ``named`` are the roots that the metadata name.

    A model that is on no list is led to any root: what is wrong with it is that, not its path.
    """
    if not allowed:
        return _led_to(attested, (*roots, *named), "", at)
    for line in allowed:
        of_line = tuple(root for root in (*roots, *named) if fingerprint(root) == line.root)
        if found := _led_to(attested, named if line.root is None else of_line, line.name, at):
            return found
    return None


def _led_to(attested: Attested, roots: tuple[bytes, ...], name: str, at: int) -> tuple[bytes, str] | None:
    try:
        return require_anchor(attested.certificates, roots, at), name
    except DocumentError:
        return None
