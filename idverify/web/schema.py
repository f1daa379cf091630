"""What requests and responses look like: pydantic models, from which openapi.json is made."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    Tag,
    create_model,
    model_validator,
)

from idverify.core.action import canonical_json
from idverify.core.assurance import Confidence, Eidas, IdentityAssurance, Minimum, Protection
from idverify.core.decision import CopyStatus, DecisionKind, PersonStatus
from idverify.core.letter_choices import LetterChoices
from idverify.core.person import PersonDetails, TravelDocument
from idverify.core.policy import Role
from idverify.core.retirement import Retirement
from idverify.core.types import CREDENTIAL_TYPES
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, ImmigrationPermission
from idverify.formats.verification_receipt import MAX_RECEIPT
from idverify.services.ceremonies import Given
from idverify.services.check import MOST
from idverify.services.letter_batch import MOST_LETTERS, LetterState
from idverify.services.notices import NoticeKind
from idverify.services.sealed import DecisionContent

Handle = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="128-bit reference in hex")]
Instant = Annotated[dt.datetime, Field(description="RFC 3339, UTC")]
CredentialTypeName = Annotated[
    str, Field(max_length=200, description=f"One of: {', '.join(CREDENTIAL_TYPES)}", examples=[IMMIGRATION_STATUS.id])
]


class Model(BaseModel):
    """Unknown fields are refused, in requests as in responses."""

    model_config = ConfigDict(extra="forbid")


class NewPerson(Model):
    """Who a person is, as an officer recorded it."""

    details: PersonDetails


class PersonReference(Model):
    """How to refer to a person from now on."""

    person: Handle


class PersonSearch(Model):
    """Find a person by their travel document."""

    travel_document: TravelDocument


class DecisionView(Model):
    """A recorded decision."""

    decision: Handle
    kind: DecisionKind
    reason: str
    legal_basis: str
    decided_by: str
    approved_by: str | None
    decided_at: Instant
    ledger_shard: int
    ledger_index: int


class CredentialView(Model):
    """One copy of a person's status."""

    credential: Handle
    type: str
    format: str
    status: Literal["valid", "invalid", "suspended"]
    issued_at: Instant
    expires_at: Instant
    ledger_shard: int
    ledger_index: int


class OwnCopyView(Model):
    """A copy of the caller's status; ``retired`` is why it was withdrawn, if its holder or another copy did that."""

    copy_reference: Handle
    type: str
    format: str
    status: CopyStatus
    issued_at: Instant
    expires_at: Instant
    retired: Retirement | None


class OwnCopies(Model):
    """The caller's copies, newest first."""

    copies: list[OwnCopyView]


class NewRetirement(Model):
    """Why a copy is withdrawn by its holder."""

    reason: Literal[Retirement.LOST, Retirement.UNWANTED]


class LookView(Model):
    """A check that somebody made."""

    looked_at: Instant
    actor: str
    role: str
    purpose: str | None
    channel: str
    verdict: str


class PersonView(Model):
    """What is held on a person."""

    person: Handle
    status: PersonStatus
    details: PersonDetails
    permissions: dict[str, dict[str, Any]]
    identity_assurance: IdentityAssurance | None
    decisions: list[DecisionView]
    credentials: list[CredentialView]
    looks: list[LookView]


if TYPE_CHECKING:
    Permissions = Model
else:  # each type with its own model, so that a mistake has a place
    Permissions = create_model(
        "Permissions",
        __base__=Model,
        __doc__="What a decision gives, by id of the credential type; what is not named is not given.",
        **{
            f"type_{place}": (kind.permission | None, Field(default=None, alias=kind.id))
            for place, kind in enumerate(CREDENTIAL_TYPES.values())
        },
    )


class NewDecision(Model):
    """A decision on a person. ``permissions`` and ``identity_assurance`` go with grant and vary only.

    ``permission`` is short for ``permissions`` with an immigration status alone.
    """

    kind: DecisionKind
    reason: Annotated[str, Field(max_length=60, examples=["application-granted"])]
    legal_basis: Annotated[str, Field(min_length=1, max_length=300, examples=["Immigration Rules, part 6A"])]
    permission: ImmigrationPermission | None = None
    permissions: Permissions | None = None
    identity_assurance: IdentityAssurance | None = None

    @model_validator(mode="after")
    def _in_one_way(self) -> NewDecision:
        if self.permission is not None and self.permissions is not None:
            raise ValueError("give permission or permissions, not both")
        return self

    def content(self) -> DecisionContent:
        """As services take it."""
        given: dict[str, Any] | None = None
        if self.permission is not None:
            given = {IMMIGRATION_STATUS.id: self.permission.model_dump(mode="json")}
        if self.permissions is not None:
            dumped = self.permissions.model_dump(mode="json", by_alias=True)
            given = {type_id: part for type_id, part in dumped.items() if part is not None}
        return DecisionContent(
            legal_basis=self.legal_basis, permissions=given, identity_assurance=self.identity_assurance
        )


class DecisionMade(Model):
    """The decision is recorded and in force."""

    decision: Handle
    status: PersonStatus
    ledger_shard: int
    ledger_index: int
    credentials_changed: int


class ProposalMade(Model):
    """The decision waits for a second officer."""

    proposal: Handle
    expires_at: Instant


class ProposalView(Model):
    """A decision that waits for a second officer."""

    proposal: Handle
    person: Handle
    kind: DecisionKind
    reason: str
    proposed_by: str
    expires_at: Instant


class Proposals(Model):
    """Every decision that waits."""

    proposals: list[ProposalView]


class ProposalDetail(ProposalView):
    """A proposal with all that it says of the person."""

    legal_basis: str
    permissions: dict[str, dict[str, Any]] | None
    identity_assurance: IdentityAssurance | None


class ConfirmationView(Model):
    """That somebody confirmed an act with their security key; what exactly, the evidence says."""

    authorisation: Handle
    act: str
    confirmed_by: str
    role: Role
    confirmed_at: Instant
    ledger_shard: int
    ledger_index: int


class Confirmations(Model):
    """Confirmations, newest first; ``before`` is what to ask with for older ones, null if there are none."""

    confirmations: list[ConfirmationView]
    before: Handle | None


class NewErasure(Model):
    """Why a person is to be erased, and on what legal basis; the basis is erased with them."""

    reason: Annotated[str, Field(max_length=60, examples=["no-longer-needed"])]
    legal_basis: Annotated[str, Field(min_length=1, max_length=300, examples=["Retention schedule, part 2"])]


class ErasureView(Model):
    """An erasure that waits for a second admin."""

    proposal: Handle
    person: Handle
    reason: str
    proposed_by: str
    expires_at: Instant


class Erasures(Model):
    """Every erasure that waits."""

    erasures: list[ErasureView]


class ErasureDone(Model):
    """A person was erased. ``entries`` is how many entries of the ledger nobody can open any more.

    ``scrubbed`` is whether their key was found to be gone from the database's files.
    """

    ledger_index: int
    entries: int
    scrubbed: bool


class NewOffer(Model):
    """Which credential the person may collect; without a format in the usual one of its type."""

    type: CredentialTypeName
    format: Annotated[str | None, Field(max_length=60, examples=["dc+sd-jwt", "mso_mdoc"])] = None


class OfferMade(Model):
    """A one-time right to collect a credential; give it to the person's wallet."""

    issuer: str
    type: str
    format: str
    code: str
    nonce: str
    expires_at: Instant


class Collection(Model):
    """A wallet collects: the offer's code, and proof that it holds the key to bind to."""

    code: Annotated[str, Field(min_length=20, max_length=60)]
    proof: Annotated[str, Field(max_length=4096, description="openid4vci-proof+jwt (OpenID4VCI 1.0 appendix F.1)")]


class LedgerPlace(Model):
    """Where the issuance stands on the ledger."""

    origin: str
    index: int


class Collected(Model):
    """The credential. ``receipt`` comes with it on ``Prefer: wait=2``; ``receipt_url`` has it within a second."""

    credential: str
    format: str
    handle: Handle
    expires_at: Instant
    ledger: LedgerPlace
    receipt: str | None
    receipt_url: str
    receipt_token: str


class CheckpointView(Model):
    """A checkpoint of a log: what a new one names of the log before."""

    origin: Annotated[str, Field(min_length=1, max_length=300)]
    size: Annotated[int, Field(ge=0, lt=2**63)]
    root: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$", description="RFC 6962 root, base64")]


class ShardView(Model):
    """One log of the ledger. ``signed_size`` of its ``size`` entries were signed for; ``halted`` says why it ended."""

    shard: int
    origin: str
    size: int
    signed_size: int
    previous: CheckpointView | None
    halted: str | None


class Succession(Model):
    """Which log ends, which begins, and the checkpoint that the new one names."""

    ends: str
    begins: str
    last_known: CheckpointView
    halted: bool


class ShardProposalView(Succession):
    """A new log that waits for a second admin."""

    proposal: Handle
    proposed_by: str
    expires_at: Instant


class LedgerState(Model):
    """Every log, what would follow now (``unknown`` says why that cannot be told), and what waits for approval."""

    shards: list[ShardView]
    following: Succession | None
    unknown: str | None
    proposals: list[ShardProposalView]


class NewShard(Model):
    """After which checkpoint a new log is to be opened: ``following.last_known`` of the ledger's state."""

    last_known: CheckpointView


class LeastAssurance(Model):
    """How well it must have been checked who the person is; what is left out is not demanded."""

    confidence: Annotated[Confidence | None, Field(description="GPG 45")] = None
    authentication: Annotated[Protection | None, Field(description="GPG 44, when the credential was collected")] = None
    eidas: Annotated[Eidas | None, Field(description="Regulation (EU) 910/2014, article 8")] = None

    def minimum(self) -> Minimum:
        """As services take it."""
        return Minimum(confidence=self.confidence, authentication=self.authentication, eidas=self.eidas)


class NewVerificationRequest(Model):
    """Which credential a wallet should present, and how well its holder's identity must have been checked."""

    type: CredentialTypeName
    assurance: LeastAssurance | None = None


class VerificationRequestMade(Model):
    """What the wallet's key binding must name; usable once."""

    verification_request: Handle
    type: str
    nonce: str
    audience: str
    expires_at: Instant


Document = Annotated[
    str, Field(description="As it was handed over: text, base64 of a binary document, or what a wallet printed")
]
LedgerReceipt = Annotated[str | None, Field(description="The document's, if it came by itself: c2sp.org/tlog-proof@v1")]


class SubmittedDocument(Model):
    """A document to verify. ``verification_request`` if it answers one; then its key binding is required."""

    document: Document
    receipt: LedgerReceipt = None
    verification_request: Handle | None = None


class Wanted(Model):
    """What whoever asks wants besides the verdict."""

    verification_receipt: Annotated[bool, Field(description="A signed receipt of the check, for the case file")] = False
    assurance: LeastAssurance | None = None


class SubmittedAlone(SubmittedDocument, Wanted):
    """One document to verify."""


class SubmittedDocuments(Wanted):
    """Several documents to verify, each by itself."""

    documents: Annotated[list[SubmittedDocument], Field(min_length=1, max_length=MOST)]


def _how_many(sent: Any) -> str:
    return "several" if isinstance(sent, dict) and "documents" in sent else "one"


class Submitted(
    RootModel[
        Annotated[
            Annotated[SubmittedAlone, Tag("one")] | Annotated[SubmittedDocuments, Tag("several")],
            Discriminator(_how_many),
        ]
    ]
):
    """A document to verify, or several."""


class CheckView(Model):
    """One named check."""

    id: str
    result: Literal["pass", "fail", "unknown", "not_applicable"]
    detail: str
    evidence: dict[str, Any] | None = None


class VerdictView(Model):
    """The verdict, and the claims that the asker's purpose allows."""

    verdict: Literal["accept", "refer", "reject"]
    checks: list[CheckView]
    next_step: str
    type: str | None
    claims: dict[str, Any] | None
    verification_receipt: Annotated[
        str | None, Field(description="A JWS, if one was asked for: docs/verification-receipts.md")
    ] = None


class ReceiptToPrint(Model):
    """A verification receipt of this service, to be made a PDF of; ``language`` is that of its words."""

    verification_receipt: Annotated[str, Field(max_length=MAX_RECEIPT, description="The JWS")]
    language: Literal["en", "cy"] = "en"


class SignInAsked(Model):
    """Which account somebody wants to sign in to, if their key does not know it. Without a body: none."""

    account: Annotated[
        str | None,
        Field(max_length=100, description="Its number; or the name of somebody of staff. Unknown ones look the same"),
    ] = None


class CeremonyBegun(Model):
    """A challenge for a security key: pass ``public_key`` to the browser's credentials API; good once."""

    ceremony: Handle
    public_key: dict[str, Any]
    expires_at: Instant


class CeremonyAnswer(Model):
    """What the security key answered: ``PublicKeyCredential.toJSON()``."""

    ceremony: Handle
    response: Annotated[dict[str, Any], Field(description="PublicKeyCredential.toJSON() (WebAuthn section 5.1)")]

    def given(self) -> Given:
        """As services take it."""
        return Given(bytes.fromhex(self.ceremony), self.response)


SharedComputer = Annotated[
    bool,
    Field(
        description="A computer that others use too: the session is shorter, a new key one that its owner takes along"
    ),
]


class SignInAnswer(CeremonyAnswer):
    """What the security key answered, and where."""

    shared_computer: SharedComputer = False


PersonName = Annotated[str | None, Field(max_length=100, description="Asked of staff whose link names nobody")]


class EnrolmentOpened(Model):
    """A one-time code, to start registering a security key with it."""

    code: Annotated[str, Field(max_length=60)]
    name: PersonName = None
    shared_computer: SharedComputer = False


class EnrolmentAnswer(EnrolmentOpened):
    """The registration that completes an enrolment."""

    ceremony: Handle
    response: dict[str, Any]
    key_name: Annotated[str, Field(max_length=60, description="What you call this key")] = "My key"

    def given(self) -> Given:
        """As services take it."""
        return Given(bytes.fromhex(self.ceremony), self.response)


class SignedIn(Model):
    """A session: the cookie came with this answer. Send ``csrf_token`` as X-CSRF-Token with whatever changes things."""

    role: Role
    actor: str
    csrf_token: str
    expires_at: Instant


class KeyName(Model):
    """What its owner calls a security key."""

    key_name: Annotated[str, Field(max_length=60, description="What you call this key")]


class NewKeyAnswer(CeremonyAnswer, KeyName):
    """The registration of another security key."""


class SecurityKeyView(Model):
    """A security key of one's own."""

    key: Handle
    key_name: str
    created_at: Instant
    last_used_at: Instant | None
    is_current: bool
    is_suspended: bool


class SecurityKeys(Model):
    """The security keys that open an account, oldest first."""

    keys: list[SecurityKeyView]


class SessionView(Model):
    """A session of one's own: which key opened it, and since when; ``last_used_at`` is to the minute."""

    session: Handle
    key_name: str
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    shared_computer: bool
    is_current: bool


class Sessions(Model):
    """The sessions of an account that hold now, oldest first."""

    sessions: list[SessionView]


class EnrolmentCode(Model):
    """A one-time code with which a person registers a security key; shown this once.

    With ``not_before`` it works from then on: the person has an account, whose owner is told meanwhile.
    """

    code: str
    expires_at: Instant
    not_before: Instant | None


class RecoveryCodes(Model):
    """Printed one-time codes, each of which registers one key; shown this once."""

    codes: list[str]
    expires_at: Instant


class NoticeView(Model):
    """What happened to the caller's account. ``pending``: a code for it can still be cancelled.

    ``name`` is who registered a key with a code that the caller proposed.
    """

    notice: Handle
    kind: NoticeKind
    at: Instant
    pending: bool
    not_before: Instant | None
    key_name: str | None
    name: str | None


class Notices(Model):
    """What the caller has not seen yet, newest first."""

    notices: list[NoticeView]


class AuthenticatorDocument(Model):
    """A list of authenticators to try out."""

    document: dict[str, Any]


class RefusedKey(Model):
    """A registered key that a list refuses; ``rule`` is stable."""

    key: Handle
    name: str
    actor: str
    role: Role
    rule: str
    detail: str


class RefusedKeys(Model):
    """The registered keys that a list would refuse."""

    refused: list[RefusedKey]


class SuspendedKey(Model):
    """A suspended key; the members are those of the act that puts it back, with ``suspended_at`` in Unix seconds."""

    key: Handle
    name: str
    actor: str
    suspended_for: str
    suspended_at: int


class MetadataView(Model):
    """The metadata of authenticators. ``stale``: no new key of staff is taken, those that are registered go on."""

    number: int
    next_update: Instant
    usable: bool
    overdue: bool
    stale: bool


class AuthenticatorState(Model):
    """Which security keys staff may use. Version 0: no list is set yet."""

    version: int
    document: dict[str, Any] | None
    metadata: MetadataView | None
    refused: list[RefusedKey]
    suspended: list[SuspendedKey]


Subject = Annotated[str, Field(pattern=r"^([0-9a-f]{16}){1,2}$", description="reference, or a key's id, in hex")]


def _canonical(content: dict[str, Any]) -> dict[str, Any]:
    canonical_json(content)
    return content


class AdminAction(Model):
    """An act of administration that takes two admins, as both confirm it.

    One that makes a one-time code (``enrol-staff``, ``restore-access``) holds ``first_part``: the SHA-256, in hex, of
    16 characters of ``0123456789ABCDEFGHJKMNPQRSTVWXYZ`` that the proposer draws at random and hands over to the
    person. The service never sees them.
    """

    act: Annotated[str, Field(max_length=60, examples=["enrol-staff"])]
    subject: Subject | None = None
    content: Annotated[dict[str, Any], AfterValidator(_canonical)]  # or it could not be signed


class AdminProposal(Model):
    """An act of administration that waits for a second admin."""

    proposal: Handle
    action: AdminAction
    proposed_by: str
    expires_at: Instant


class AdminProposals(Model):
    """Every act of administration that waits."""

    proposals: list[AdminProposal]


class SecondPart(Model):
    """The second part of a one-time code, 12 characters; shown this once. The person types it behind the first part."""

    second_part: str
    expires_at: Instant


class AdminActDone(Model):
    """The act was carried out. ``enrolment`` is what the approver hands over where it made a one-time code."""

    enrolment: SecondPart | None


class NewLetter(LetterChoices):
    """A letter on paper: which document, what of it for which purpose, and how it is printed."""


class NewOwnLetter(LetterChoices):
    """The same for oneself; ``replaces`` is the copy that is withdrawn with it."""

    replaces: Handle | None = None


class LetterCollection(LetterChoices):
    """A letter for whoever brought a code to the counter; ``type`` is the one that the code is for."""

    code: Annotated[str, Field(max_length=100)]


class NewLetterCode(Model):
    """Which document a code for a letter is for."""

    type: str


class LetterCodeMade(Model):
    """A one-time code with which any counter prints a letter; shown this once."""

    code: str
    type: str
    expires_at: Instant


class LetterMade(Model):
    """A copy on paper that was made, and where its file is: PDF, kept for as long as the person's record is."""

    letter: Handle
    file: str


class LetterView(Model):
    """A letter. ``copy_reference`` is the copy that it is; ``sha256`` is of the file, once that is made."""

    letter: Handle
    copy_reference: Handle
    type: str
    status: CopyStatus
    created_at: Instant
    made_at: Instant | None
    expires_at: Instant
    sha256: str | None


class Letters(Model):
    """A person's letters, newest first."""

    letters: list[LetterView]


class NewLetterBatch(Model):
    """Letters that a print room makes together: for whom, and what all of them choose."""

    people: Annotated[list[Handle], Field(min_length=1, max_length=MOST_LETTERS)]
    choices: LetterChoices


class LettersWanted(Model):
    """Whoever should have a letter of this type that is good until the end of this day."""

    type: str
    good_until: dt.date


class LettersDue(Model):
    """Those who have none, up to 1000: order these, and ask again."""

    people: list[Handle]


class LetterOrderView(Model):
    """One letter of a batch: ``waiting``, ``made`` or ``failed``; then ``detail`` says why."""

    person: Handle
    state: LetterState
    letter: Handle | None
    sha256: str | None
    detail: str | None


class LetterBatchView(Model):
    """A batch: how many of its letters are made, and how many failed; the rest is being made."""

    batch: Handle
    created_by: str
    created_at: Instant
    choices: LetterChoices
    total: int
    made: int
    failed: int


class LetterBatchDetail(LetterBatchView):
    """The same, letter by letter, in the order of the list."""

    letters: list[LetterOrderView]


class LetterBatches(Model):
    """The newest batches first."""

    batches: list[LetterBatchView]


class Health(Model):
    """Whether the service lives, or is ready to work."""

    status: Literal["ok", "not-ready"]
    checks: dict[str, str]


class RelatedOrigins(Model):
    """Origins whose pages may use our RP ID; the first is our own."""

    origins: list[str]


class ListedType(Model):
    """A type of credential; ``type_metadata`` is where its document is, ``integrity`` its hash (W3C SRI)."""

    vct: str
    name: str
    type_metadata: str
    integrity: str


class ListedTypes(Model):
    """Every type of credential that is issued here."""

    types: list[ListedType]


class PasskeyEndpoints(Model):
    """Pages where people register a key and manage those that they have."""

    enroll: str
    manage: str


class Problem(BaseModel):
    """RFC 9457. ``errors`` lists every field that is wrong, with its place; ``reason`` is a policy's for a key."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None
    reason: str | None = None


class Refused(Model):
    """Why a document of several was not looked at: an RFC 9457 problem, as it would have been alone."""

    problem: Problem


class VerdictsView(Model):
    """The answer on ``documents``: of each in order its verdict, or why its request cannot be answered."""

    results: list[VerdictView | Refused]


class VerifyAnswer(RootModel[VerdictView | VerdictsView]):
    """The verdict on one document, or the verdicts on several."""


def instant(at: int) -> dt.datetime:
    """Unix seconds as a time in UTC."""
    return dt.datetime.fromtimestamp(at, dt.UTC)
