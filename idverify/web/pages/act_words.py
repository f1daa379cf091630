"""Acts that need confirming, in the words of whoever confirms them: a table, so that none goes unsaid."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.core import erasure, retirement
from idverify.core.action import Action
from idverify.core.assurance import CLAIM
from idverify.core.credential_type import Purpose
from idverify.core.decision import REASONS, DecisionKind
from idverify.core.form_parts import MDOC, SD_JWT_VC
from idverify.core.key_order import Replacement
from idverify.core.policy import Role
from idverify.core.retirement import Retirement
from idverify.core.suspension import Suspension
from idverify.core.types import CREDENTIAL_TYPES
from idverify.formats.untrusted import certificate_json
from idverify.services import administration
from idverify.services.establish import CERTIFIED_ROLES
from idverify.services.invite import Kind
from idverify.services.log_keys import CHECKPOINT_COSIGNER, CHECKPOINT_SIGNER
from idverify.services.office import (
    ENTRIES_SIGNER,
    PAPER_SIGNER,
    RECEIPT_SIGNER,
    STATUS_SIGNER,
    TIME_STAMP_SIGNER,
    TRUST_SIGNER,
    VERIFICATION_SIGNER,
)
from idverify.web.pages.said import ANSWERS, Said, said
from idverify.web.pages.words import N_, OWN_NAMES, Language


@dataclass(frozen=True, slots=True)
class ActInWords:
    """``question`` is the page's heading, ``lines`` all that the signature will cover."""

    question: str
    lines: tuple[Said, ...]


DECISIONS: Final[Mapping[DecisionKind, str]] = {
    DecisionKind.GRANT: N_("Grant a permission"),
    DecisionKind.VARY: N_("Change a permission"),
    DecisionKind.SUSPEND: N_("Suspend a permission"),
    DecisionKind.REINSTATE: N_("Reinstate a permission"),
    DecisionKind.REVOKE: N_("Revoke a permission"),
}
ROLES: Final[Mapping[Role, str]] = {
    Role.OFFICER: N_("Officer"),
    Role.CITIZEN: N_("Citizen"),
    Role.RELYING_PARTY: N_("Checking organisation"),
    Role.ADMIN: N_("Administrator"),
}
PURPOSES: Final[Mapping[Purpose, str]] = {
    Purpose.WORK: N_("Right to work"),
    Purpose.RENT: N_("Right to rent"),
    Purpose.TRAVEL: N_("Right to travel here"),
    Purpose.AGE: N_("Over 18"),
    Purpose.CHOSEN: N_("Whatever the holder chooses to show"),
}
# What a letter on paper is for, which says what stands on it
LETTER_PURPOSES: Final[Mapping[Purpose, str]] = {
    **PURPOSES,
    Purpose.CHOSEN: N_("For everything: it shows all that the document says"),
}
# The names are in the catalogue: they are those of the declarations
TYPES: Final[Mapping[str, str]] = {kind.id: kind.name for kind in CREDENTIAL_TYPES.values()}

# What a copy is made for, by its format
FORMAT_NAMES: Final[Mapping[str, str]] = {
    SD_JWT_VC: N_("Websites and apps that check documents (SD-JWT)"),
    MDOC: N_("Showing it face to face with a phone (mdoc)"),
}

# What an act is called in a list of those that were confirmed
ACTS: Final[Mapping[str, str]] = {
    "decide": N_("Decision on a person"),
    "offer-credential": N_("Document handed out"),
    "enrol-citizen": N_("Code for a person to register a key"),
    "enrol-organisation": N_("Link for an organisation to register a key"),
    "enrol-staff": N_("Code for an officer or an administrator to register a key"),
    "end-account": N_("End of an account"),
    "create-api-key": N_("API key made"),
    "revoke-api-key": N_("API key revoked"),
    "erase-person": N_("Erasure of a person"),
    "new-shard": N_("New log of the ledger"),
    "add-security-key": N_("Security key to be added"),
    "remove-security-key": N_("Security key removed"),
    "change-authenticator-list": N_("List of authenticators changed"),
    "change-trusted-issuers": N_("Trusted issuers changed"),
    "reinstate-security-key": N_("Suspended security key put back in use"),
    "replace-signing-key": N_("Signing key to be replaced"),
    "export-evidence": N_("Evidence downloaded"),
    "restore-access": N_("Code for an account whose keys were lost"),
    "make-recovery-codes": N_("Recovery codes made"),
    "retire-copy": N_("Copy of a document withdrawn"),
    "print-letter": N_("Letter on paper issued"),
    "print-letters": N_("Letters on paper ordered"),
    "offer-letter": N_("Code for a letter on paper"),
}


@dataclass(frozen=True, slots=True)
class Approval:
    """What the second administrator's approval does: ``before`` it is given, and once it is ``done``."""

    before: str
    done: str


_PART: Final = N_(
    "If you approve it, you are shown the second part of a code. Hand it to this person in person, at once."
)
_PART_MADE: Final = N_(
    "It was approved, and the code was made. Its two parts work together, once, for 15 minutes after the approval."
)
APPROVALS: Final[Mapping[str, Approval]] = {
    "change-authenticator-list": Approval(
        N_("If you approve it, the list holds at once, and keys that it refuses stop working."),
        N_("It was approved, and the list was put in force."),
    ),
    "change-trusted-issuers": Approval(
        N_("If you approve it, documents are checked by it at once. Compare each SHA-256 with the issuer first."),
        N_("It was approved, and documents are checked by it."),
    ),
    "enrol-staff": Approval(_PART, _PART_MADE),
    "reinstate-security-key": Approval(
        N_("If you approve it, the security key works again at once."),
        N_("It was approved, and the security key was put back in use."),
    ),
    "replace-signing-key": Approval(
        N_(
            "If you approve it, the replacement is ordered. "
            "The operator carries it out: they start the service again with the root's token at hand."
        ),
        N_("It is ordered. The operator starts the service again with the root's token at hand."),
    ),
    "restore-access": Approval(_PART, _PART_MADE),
}
assert APPROVALS.keys() == administration.ACTS.keys()

SUSPENSIONS: Final[Mapping[Suspension, str]] = {
    Suspension.CLONE: N_("Its counter did not rise: there may be a copy of it"),
    Suspension.MODEL: N_("A weakness of its model became known"),
    Suspension.LIST: N_("The list of authenticators no longer takes it"),
}

# What the service's own keys sign, by their roles
SIGNING_KEYS: Final[Mapping[str, str]] = {
    **{kind.key_role: N_("Signs documents") for kind in CREDENTIAL_TYPES.values()},
    STATUS_SIGNER: N_("Signs which documents are withdrawn"),
    TRUST_SIGNER: N_("Signs whom checkers without a network may trust"),
    ENTRIES_SIGNER: N_("Signs what the ledger holds about somebody"),
    VERIFICATION_SIGNER: N_("Signs what a check found, for case files"),
    PAPER_SIGNER: N_("Signs letters and codes on paper"),
    TIME_STAMP_SIGNER: N_("Signs when something was there"),
}
assert SIGNING_KEYS.keys() == CERTIFIED_ROLES.keys()
LEDGER_KEYS: Final[Mapping[str, str]] = {
    CHECKPOINT_SIGNER: N_("Signs the ledger"),
    CHECKPOINT_COSIGNER: N_("Signs the ledger, also against quantum computers"),
    RECEIPT_SIGNER: N_("Signs receipts of the ledger"),
}
# Which documents: each type has a key of its own
SIGNED_TYPES: Final[Mapping[str, str]] = {kind.key_role: kind.name for kind in CREDENTIAL_TYPES.values()}
REPLACEMENTS: Final[Mapping[Replacement, str]] = {
    Replacement.EXPIRES: N_("Its certificate ends before long. What it signed still counts."),
    Replacement.PRECAUTION: N_("As a precaution. What it signed still counts."),
    Replacement.COMPROMISED: N_(
        "Somebody else may have it. Every document that it signed, and all else, is rejected from then on."
    ),
}

NO_NAME: Final = N_("By its root alone")
FROM_DECISION: Final = N_("From the day of this decision on")
NOT_ASKED: Final = N_("Not asked for")
_REFERENCE: Final = N_("Person's reference")
_KEY: Final = N_("Security key")
_KEYS_REFERENCE: Final = N_("Key's reference")
_DOCUMENT: Final = N_("Document")
_PURPOSE: Final = N_("Purpose")
_REASON: Final = N_("Reason")
_LEGAL_BASIS: Final = N_("Legal basis")
_HALTED: Final = N_("It is halted: nothing is added to it. The new log names the last known checkpoint.")
_CLOSED: Final = N_("It is closed: its last entry names the new log, which names the checkpoint over that entry.")
_SLIPS: Final[Mapping[str, str]] = {
    Kind.SLIP: N_("It works at once, for the person's first key."),
    Kind.RE_PROOFING: N_("It works from tomorrow: the person has an account, and is told there meanwhile."),
}
_REPLACED: Final = Said(N_("Codes that you printed before"), N_("They open nothing any more."), translated=True)
_COLLECT: Final = N_("Do you want to collect this document?")


def in_words(action: Action, role: Role) -> ActInWords:
    """The act in words. Raises ``KeyError`` for an act that this table does not know: it cannot be confirmed."""
    question, lines = _ACTS[action.act]
    if action.act == "offer-credential" and role is Role.CITIZEN:  # to themselves, so whose it is needs no reference
        return ActInWords(_COLLECT, (*_document(action), *_in_place_of(action)))
    return ActInWords(question, tuple(lines(action)))


def _decision(action: Action) -> list[Said]:
    content = action.content
    kind = DecisionKind(content["kind"])
    lines = [
        Said(N_("Decision"), DECISIONS[kind], translated=True),
        Said(_REFERENCE, str(action.subject)),
        Said(_REASON, REASONS[kind][content["reason"]], translated=True),
        Said(_LEGAL_BASIS, content["legal_basis"]),
    ]
    return lines + list(_given(content))


def _given(content: Mapping[str, Any]) -> Iterator[Said]:
    """What a decision gives, type by type. Those of before knew one, which stood there by itself."""
    if "permission" in content:
        yield from said(content["permission"] or {})
        return
    for type_id, part in (content["permissions"] or {}).items():
        yield Said(_DOCUMENT, TYPES[type_id], translated=True)
        yield from said(part)
    if content["identity_assurance"] is not None:
        yield from said({CLAIM: content["identity_assurance"]})


def _enrolment(action: Action) -> list[Said]:
    content = action.content
    lines = [Said(N_("Role"), ROLES[Role(content["role"])], translated=True)]
    if content["actor"] is not None:
        lines.append(Said(N_("Name"), content["actor"]))
    if content["purpose"] is not None:
        lines.append(Said(_PURPOSE, PURPOSES[Purpose(content["purpose"])], translated=True))
    return lines + _first_part(action)


def _first_part(action: Action) -> list[Said]:
    """Of a code that two hand over; there is none where one person does."""
    said = action.content.get("first_part")
    return [] if said is None else [Said(N_("First part of the code (its SHA-256)"), said)]


def _account(action: Action) -> list[Said]:
    name = Said(N_("Name"), action.content["actor"])
    return [name, Said(N_("Account's reference"), str(action.subject)), *_first_part(action)]


def _api_key(action: Action) -> list[Said]:
    purpose = PURPOSES[Purpose(action.content["purpose"])]
    return [Said(N_("Organisation"), action.content["actor"]), Said(_PURPOSE, purpose, translated=True)]


def authenticator_lines(document: Mapping[str, Any]) -> list[Said]:
    """What a list of authenticators says, model by model."""
    asked = document["metadata"]
    lines = [
        Said(
            N_("Least certification"), NOT_ASKED if asked["least"] is None else asked["least"], asked["least"] is None
        ),
        Said(N_("FIPS 140, level 2"), N_("Asked for") if asked["fips"] else NOT_ASKED, translated=True),
        Said(N_("Days that metadata may be overdue"), str(asked["grace_days"])),
    ]
    for entry in document["entries"]:
        vouching = entry["anchors"]
        lines.append(Said(N_("Model"), f"{entry['name']}: {entry['model']}"))
        if isinstance(vouching, str):
            lines.append(Said(N_("Vouched for by"), N_("The roots that FIDO's metadata name"), translated=True))
        else:
            lines += [
                Said(N_("Vouched for by the root (SHA-256 of the DER certificate)"), anchor) for anchor in vouching
            ]
    return lines


def issuer_lines(document: Mapping[str, Any]) -> list[Said]:
    """What a change of trusted issuers says, issuer by issuer."""
    source, lines = document["source"], list[Said]()
    if source is not None:
        issue = "" if source["issue"] is None else f" {source['issue']}"
        lines += [
            Said(N_("Taken from the list of"), f"{source['name']}{issue}"),
            Said(N_("Date of that list"), _day(source["date"]), is_date=True),
            Said(N_("Root that vouches for that list (SHA-256 of the DER certificate)"), source["root_sha256"]),
        ]
    for issuer in document["issuers"]:
        lines.append(Said(N_("Issuer"), issuer["name"]))
        lines.append(Said(N_("Names itself in documents"), issuer["iss"] or NO_NAME, translated=issuer["iss"] is None))
        if issuer["country"]:
            lines.append(Said(N_("Country"), issuer["country"]))
        lines += [Said(N_("Its status lists are at"), base) for base in issuer["status_bases"]]
        for kind in issuer["types"]:
            lines.append(Said(N_("Relied on for documents of type"), f"{kind['type']} ({kind['format']})"))
            lines += _term(kind)
        for root in issuer["roots"]:
            lines += _root(root)
        lines += [
            Said(N_("Signs on paper (SHA-256 of its certificate)"), _sha256(der)) for der in issuer.get("signers", [])
        ]
        lines += [
            Said(N_("Root of its time stamps (SHA-256 of its certificate)"), _sha256(der))
            for der in issuer.get("stamp_roots", [])
        ]
        lines += [Said(N_("List of revoked certificates (SHA-256)"), _sha256(crl)) for crl in issuer["crls"]]
        for policy in issuer.get("log_policies", []):
            digest = hashlib.sha256(policy.encode()).hexdigest()
            lines.append(Said(N_("Keys of its public ledger (SHA-256 of the policy)"), digest))
    return lines


def _root(root: Mapping[str, Any]) -> list[Said]:
    der = base64.b64decode(root["certificate"])
    certificate = certificate_json(der)
    lines = [
        Said(N_("Root"), str(certificate["subject"])),
        Said(N_("SHA-256 of its DER certificate"), str(certificate["sha256"])),
    ]
    if root["origin"]:
        lines.append(Said(N_("Where it came from"), root["origin"]))
    return lines + _term(root)


def _sha256(text: str) -> str:
    return hashlib.sha256(base64.b64decode(text)).hexdigest()


def _term(term: Mapping[str, Any]) -> list[Said]:
    since, until = term["since"], term["until"]
    begins = Said(N_("From"), FROM_DECISION if since is None else _day(since), since is None, since is not None)
    return [begins] if until is None else [begins, Said(N_("Not any more from"), _day(until), is_date=True)]


def _day(at: int) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).date().isoformat()


def _suspended_key(action: Action) -> list[Said]:
    content = action.content
    return [
        Said(N_("Name"), content["actor"]),
        Said(_KEY, content["name"]),
        Said(_KEYS_REFERENCE, str(action.subject)),
        Said(N_("Why it was suspended"), SUSPENSIONS[Suspension(content["suspended_for"])], translated=True),
    ]


def _signing_key(action: Action) -> list[Said]:
    content, role = action.content, action.content["role"]
    documents = [Said(_DOCUMENT, SIGNED_TYPES[role], translated=True)] if role in SIGNED_TYPES else []
    return [
        Said(N_("Signing key"), SIGNING_KEYS[role], translated=True),
        *documents,
        Said(_KEYS_REFERENCE, str(action.subject)),
        Said(_REASON, REPLACEMENTS[Replacement(content["reason"])], translated=True),
        Said(N_("When"), N_("At the next start, if the root's token is at hand."), translated=True),
    ]


def _own_key(action: Action) -> list[Said]:
    registered = _day(action.content["created_at"])
    return [
        Said(_KEY, action.content["name"]),
        Said(N_("Registered on"), registered, is_date=True),
        Said(_KEYS_REFERENCE, str(action.subject)),
    ]


def _new_shard(action: Action) -> list[Said]:
    content, head = action.content, action.content["last_known"]
    return [
        Said(N_("Log that ends"), content["ends"]),
        Said(N_("How it ends"), _HALTED if content["halted"] else _CLOSED, translated=True),
        Said(N_("New log"), content["begins"]),
        Said(N_("Last known checkpoint: log"), head["origin"]),
        Said(N_("Last known checkpoint: entries"), str(head["size"])),
        Said(N_("Last known checkpoint: root"), head["root"]),
    ]


def _slip(action: Action) -> list[Said]:
    return [
        Said(_REFERENCE, str(action.subject)),
        Said(N_("The code"), _SLIPS[action.content["kind"]], translated=True),
    ]


def _document(action: Action) -> tuple[Said, ...]:
    """The document, and its format; offers of before named none, since there was one."""
    document = Said(_DOCUMENT, TYPES[action.content["type"]], translated=True)
    form = action.content.get("format")
    if form is None:
        return (document,)
    return document, Said(N_("Made for"), FORMAT_NAMES.get(form, form), translated=form in FORMAT_NAMES)


def _in_place_of(action: Action) -> list[Said]:
    """The copy that is withdrawn when this one is collected, if there is one."""
    collected_at = action.content.get("collected_at")
    if collected_at is None:
        return []
    day = dt.datetime.fromtimestamp(collected_at, dt.UTC).date().isoformat()
    return [Said(N_("In the place of the copy that was collected on"), day, is_date=True)]


def _copy(action: Action) -> list[Said]:
    content = action.content
    day = dt.datetime.fromtimestamp(content["issued_at"], dt.UTC).date().isoformat()
    return [
        *_document(action),
        Said(N_("Collected on"), day, is_date=True),
        Said(_REASON, retirement.REASONS[Retirement(content["reason"])], translated=True),
        Said(N_("Copy's reference"), str(action.subject)),
    ]


def _offer(action: Action) -> list[Said]:
    return [*_document(action), Said(_REFERENCE, str(action.subject))]


def _letter_choices(action: Action) -> Iterator[Said]:
    content = action.content
    yield Said(_DOCUMENT, TYPES[content["type"]], translated=True)
    yield Said(N_("What it is for"), LETTER_PURPOSES[Purpose(content["purpose"])], translated=True)
    yield Said(N_("Language of the letter"), OWN_NAMES[Language(content["language"])])
    yield Said(N_("Large print"), ANSWERS[content["large_print"]], translated=True)
    yield Said(N_("Photo in the code"), ANSWERS[content["portrait"]], translated=True)


def _letter(action: Action) -> list[Said]:
    return [*_letter_choices(action), *_in_place_of(action), Said(_REFERENCE, str(action.subject))]


def _letters(action: Action) -> list[Said]:
    content = action.content
    return [
        *_letter_choices(action),
        Said(N_("How many letters"), str(content["count"])),
        Said(N_("The list of people (its SHA-256)"), content["people"]),
    ]


def _erasure(action: Action) -> list[Said]:
    return [
        Said(_REFERENCE, str(action.subject)),
        Said(_REASON, erasure.REASONS[action.content["reason"]], translated=True),
        Said(_LEGAL_BASIS, action.content["legal_basis"]),
    ]


def _evidence(action: Action) -> list[Said]:
    act = action.content["act"]
    return [
        Said(N_("What was confirmed"), ACTS.get(act, act), translated=act in ACTS),
        Said(N_("Confirmed by"), action.content["confirmed_by"]),
        Said(N_("Confirmation's reference"), str(action.subject)),
    ]


def _subject(label: str) -> Callable[[Action], list[Said]]:
    return lambda action: [Said(label, str(action.subject))]


_ACTS: Final[Mapping[str, tuple[str, Callable[[Action], list[Said]]]]] = {
    "decide": (N_("Do you confirm this decision?"), _decision),
    "offer-credential": (N_("Do you confirm that this document is handed out?"), _offer),
    "enrol-citizen": (N_("Do you confirm that this person gets a code to register a key?"), _slip),
    "change-authenticator-list": (
        N_("Do you confirm that staff may use these security keys and no others?"),
        lambda action: [
            Said(N_("Version of the list"), str(action.content["version"])),
            *authenticator_lines(action.content["document"]),
        ],
    ),
    "change-trusted-issuers": (
        N_("Do you confirm that these issuers are relied on for this, and no longer than this?"),
        lambda action: [
            Said(N_("Number of the change"), str(action.content["version"])),
            *issuer_lines(action.content["document"]),
        ],
    ),
    "enrol-organisation": (N_("Do you confirm that this organisation gets a link to register a key?"), _enrolment),
    "enrol-staff": (N_("Do you confirm that this person gets a code to register a key?"), _enrolment),
    "reinstate-security-key": (N_("Do you confirm that this security key works again?"), _suspended_key),
    "replace-signing-key": (N_("Do you confirm that another signing key takes the place of this one?"), _signing_key),
    "end-account": (N_("Do you confirm that this account ends, and every session of it?"), _account),
    "create-api-key": (N_("Do you confirm that this organisation gets an API key?"), _api_key),
    "revoke-api-key": (N_("Do you confirm that this API key stops working?"), _subject(N_("API key"))),
    "erase-person": (N_("Do you confirm that everything held on this person is erased for good?"), _erasure),
    "new-shard": (N_("Do you confirm that the ledger goes on in a new log?"), _new_shard),
    "export-evidence": (
        N_("Do you confirm that you want the evidence of this act as a file?"),
        _evidence,
    ),
    "restore-access": (N_("Do you confirm that whoever has this account gets a code to add a key to it?"), _account),
    "make-recovery-codes": (N_("Do you confirm that you want new recovery codes?"), lambda _: [_REPLACED]),
    "retire-copy": (N_("Do you confirm that nobody may accept this copy any more?"), _copy),
    "print-letter": (N_("Do you confirm that this letter is issued?"), _letter),
    "print-letters": (N_("Do you confirm that these letters are issued?"), _letters),
    "offer-letter": (
        N_("Do you confirm that there is a code with which any counter prints this letter?"),
        _offer,
    ),
    "add-security-key": (N_("Do you confirm that you want to add another security key?"), lambda _: []),
    "remove-security-key": (
        N_("Do you confirm that this security key opens nothing here any more?"),
        _own_key,
    ),
}
assert ACTS.keys() == _ACTS.keys()
