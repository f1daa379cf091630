"""The whole API on one screen: method, path, who may call, who does it, what comes out, what goes in."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from idverify.formats.sdjwt_vc_draft import ISSUER_METADATA_PATH
from idverify.services.branches import DOCUMENTS, TIME_STAMPS
from idverify.services.iacas import PATH as IACAS_PATH
from idverify.services.issuer_metadata import TYPES_PATH
from idverify.services.letter_batch import MOST_LETTERS
from idverify.web import (
    administering,
    authenticators,
    collect,
    confirmations,
    credential_types,
    erasing,
    letter_batches,
    letters,
    log,
    metrics,
    own_account,
    own_copies,
    own_entries,
    own_keys,
    own_letters,
    people,
    public,
    schema,
    shards,
    signing_in,
    status_lists,
    submission,
    tsa,
    verify,
)
from idverify.web.endpoint import Caller, Endpoint

ANY, KNOWN, PERSON_ONLY = Caller.ANYBODY, Caller.KNOWN, Caller.PERSON
V1: Final = "/api/v1"
PERSON: Final = V1 + "/people/{person:[0-9a-f]{32}}"
PROPOSAL: Final = V1 + "/proposals/{proposal:[0-9a-f]{32}}"
OWN_KEY: Final = V1 + "/security-keys/{key:[0-9a-f]{32}}"
AUTHORISATIONS: Final = V1 + "/authorisations"
NOTICE: Final = V1 + "/notices/{notice:[0-9a-f]{32}}"
ADMIN_PROPOSALS: Final = V1 + "/administration/proposals"
SHARDS: Final = V1 + "/ledger/shards"
SHARD: Final = log.PREFIX + "{shard:[0-9]{1,9}}"
OWN_COPY: Final = V1 + "/own-copies/{copy:[0-9a-f]{32}}"
CREDENTIAL: Final = V1 + "/credentials/{credential:[0-9a-f]{32}}"
LETTER_BATCHES: Final = V1 + "/letter-batches"
LETTER: Final = "/{letter:[0-9a-f]{32}}"
Answers = dict[int, type[BaseModel] | None]
HEALTH: Final[Answers] = {200: schema.Health, 503: schema.Health}
DECIDED: Final[Answers] = {201: schema.DecisionMade, 202: schema.ProposalMade}
REQUESTED: Final[Answers] = {201: schema.VerificationRequestMade}
OTHER_MEDIA: Final[Answers] = {200: None}
BEGUN: Final[Answers] = {201: schema.CeremonyBegun}
SESSION: Final[Answers] = {200: schema.SignedIn}
CODE: Final[Answers] = {201: schema.EnrolmentCode}
LETTER_MADE: Final[Answers] = {201: schema.LetterMade}
LETTER_CODE: Final[Answers] = {201: schema.LetterCodeMade}
GONE: Final[Answers] = {204: None}
CONFIRMED: Final = ("Step-Up",)
OF_LISTS: Final = 2 * MOST_LETTERS  # values: a list of people
OF_REGISTERS: Final = 32_768  # values: a change of trusted issuers, or a list of authenticators, is long

# fmt: off
ROUTES: Final[tuple[Endpoint, ...]] = (
    # people
    Endpoint("POST", V1 + "/sign-in/options", signing_in.sign_in_options, ANY, BEGUN, schema.SignInAsked),
    Endpoint("POST", V1 + "/sign-in", signing_in.sign_in_answer, ANY, SESSION, schema.SignInAnswer),
    Endpoint("POST", V1 + "/enrolments/options", signing_in.enrolment_options, ANY, BEGUN, schema.EnrolmentOpened),
    Endpoint("POST", V1 + "/enrolments", signing_in.enrolment_answer, ANY, SESSION, schema.EnrolmentAnswer),
    Endpoint("POST", V1 + "/sign-out", signing_in.sign_out, PERSON_ONLY, GONE),
    Endpoint("POST", V1 + "/sign-out-everywhere", signing_in.sign_out_everywhere, PERSON_ONLY, GONE),
    Endpoint("GET", V1 + "/sessions", signing_in.list_sessions, PERSON_ONLY, {200: schema.Sessions}),
    Endpoint("POST", V1 + "/sessions/{session:[0-9a-f]{32}}/end", signing_in.end_session, PERSON_ONLY, GONE),
    Endpoint("POST", V1 + "/recovery-codes", own_account.make_recovery_codes, KNOWN, {201: schema.RecoveryCodes}, None,
             CONFIRMED),
    Endpoint("GET", V1 + "/security-keys", own_keys.list_keys, PERSON_ONLY, {200: schema.SecurityKeys}),
    Endpoint("POST", V1 + "/security-keys/options", own_keys.options, PERSON_ONLY, BEGUN, None, CONFIRMED),
    Endpoint("POST", V1 + "/security-keys", own_keys.add, PERSON_ONLY, GONE, schema.NewKeyAnswer),
    Endpoint("POST", OWN_KEY + "/name", own_keys.rename, PERSON_ONLY, GONE, schema.KeyName),
    Endpoint("POST", OWN_KEY + "/removal", own_keys.remove, PERSON_ONLY, GONE, None, CONFIRMED),
    Endpoint("GET", V1 + "/notices", own_account.list_notices, PERSON_ONLY, {200: schema.Notices}),
    Endpoint("POST", NOTICE + "/seen", own_account.see_notice, PERSON_ONLY, GONE),
    Endpoint("POST", NOTICE + "/cancellation", own_account.cancel_code, PERSON_ONLY, GONE),
    # officers
    Endpoint("POST", V1 + "/people", people.create, KNOWN, {201: schema.PersonReference}, schema.NewPerson),
    Endpoint("POST", V1 + "/people/search", people.search, KNOWN, {200: schema.PersonReference}, schema.PersonSearch),
    Endpoint("GET", PERSON, people.read, KNOWN, {200: schema.PersonView}),
    Endpoint("POST", PERSON + "/decisions", people.make_decision, KNOWN, DECIDED, schema.NewDecision, CONFIRMED),
    Endpoint("POST", PERSON + "/offers", people.make_offer, KNOWN, {201: schema.OfferMade}, schema.NewOffer,
             CONFIRMED),
    Endpoint("POST", PERSON + "/enrolments", signing_in.invite_citizen, KNOWN, CODE, None, CONFIRMED),
    Endpoint("GET", V1 + "/proposals", people.list_proposals, KNOWN, {200: schema.Proposals}),
    Endpoint("GET", PROPOSAL, people.read_proposal, KNOWN, {200: schema.ProposalDetail}),
    Endpoint("POST", PROPOSAL + "/approval", people.approve_proposal, KNOWN, {201: schema.DecisionMade}, None,
             CONFIRMED),
    Endpoint("GET", PERSON + "/letters", letters.list_letters, KNOWN, {200: schema.Letters}),
    Endpoint("POST", PERSON + "/letters", letters.print_letter, KNOWN, LETTER_MADE, schema.NewLetter, CONFIRMED),
    Endpoint("POST", PERSON + "/letter-codes", letters.make_code, KNOWN, LETTER_CODE, schema.NewLetterCode, CONFIRMED),
    Endpoint("POST", letters.PATH + "/collection", letters.collect, KNOWN, LETTER_MADE, schema.LetterCollection,
             CONFIRMED),
    Endpoint("GET", letters.PATH + LETTER, letters.letter_file, KNOWN, OTHER_MEDIA),
    Endpoint("GET", letters.PATH + LETTER + "/receipt", letters.letter_receipt, KNOWN, OTHER_MEDIA),
    Endpoint("POST", LETTER_BATCHES, letter_batches.order, KNOWN, {202: schema.LetterBatchView}, schema.NewLetterBatch,
             CONFIRMED, values=OF_LISTS),
    Endpoint("GET", LETTER_BATCHES, letter_batches.list_batches, KNOWN, {200: schema.LetterBatches}),
    Endpoint("GET", LETTER_BATCHES + "/{batch:[0-9a-f]{32}}", letter_batches.show, KNOWN,
             {200: schema.LetterBatchDetail}),
    Endpoint("GET", LETTER_BATCHES + "/{batch:[0-9a-f]{32}}/letters", letter_batches.files, KNOWN, OTHER_MEDIA),
    Endpoint("POST", V1 + "/letters-due", letter_batches.due, KNOWN, {200: schema.LettersDue}, schema.LettersWanted),
    # admins
    Endpoint("POST", PERSON + "/erasure", erasing.propose, KNOWN, {202: schema.ProposalMade}, schema.NewErasure,
             CONFIRMED),
    Endpoint("GET", V1 + "/erasures", erasing.list_proposals, KNOWN, {200: schema.Erasures}),
    Endpoint("POST", V1 + "/erasures/{proposal:[0-9a-f]{32}}/approval", erasing.approve, KNOWN,
             {200: schema.ErasureDone}, None, CONFIRMED),
    Endpoint("GET", SHARDS, shards.show, KNOWN, {200: schema.LedgerState}),
    Endpoint("POST", SHARDS, shards.propose, KNOWN, {202: schema.ShardProposalView}, schema.NewShard, CONFIRMED),
    Endpoint("POST", SHARDS + "/{proposal:[0-9a-f]{32}}/approval", shards.approve, KNOWN, {201: schema.ShardView},
             None, CONFIRMED),
    Endpoint("GET", V1 + "/authenticators", authenticators.show, KNOWN, {200: schema.AuthenticatorState}),
    Endpoint("POST", V1 + "/authenticators/dry-run", authenticators.dry_run, KNOWN, {200: schema.RefusedKeys},
             schema.AuthenticatorDocument, values=OF_REGISTERS),
    Endpoint("POST", V1 + "/authenticators/metadata", authenticators.load_metadata, KNOWN,
             {200: schema.AuthenticatorState}),
    Endpoint("GET", ADMIN_PROPOSALS, administering.list_proposals, KNOWN, {200: schema.AdminProposals}),
    Endpoint("POST", ADMIN_PROPOSALS, administering.propose, KNOWN, {202: schema.AdminProposal}, schema.AdminAction,
             CONFIRMED, values=OF_REGISTERS),
    Endpoint("GET", ADMIN_PROPOSALS + "/{proposal:[0-9a-f]{32}}", administering.read_proposal, KNOWN,
             {200: schema.AdminProposal}),
    Endpoint("POST", ADMIN_PROPOSALS + "/{proposal:[0-9a-f]{32}}/approval", administering.approve, KNOWN,
             {200: schema.AdminActDone}, None, CONFIRMED),
    # officers of their own acts, admins of those of all staff
    Endpoint("GET", AUTHORISATIONS, confirmations.listed, KNOWN, {200: schema.Confirmations},
             optional_query={"before": {"type": "string"}}),
    Endpoint("POST", AUTHORISATIONS + "/{authorisation:[0-9a-f]{32}}/evidence", confirmations.export, KNOWN,
             OTHER_MEDIA, None, CONFIRMED),
    # holders
    Endpoint("POST", V1 + "/credentials", collect.collect, ANY, {201: schema.Collected}, schema.Collection,
             ("Idempotency-Key", "Prefer")),
    Endpoint("GET", CREDENTIAL + "/receipt", collect.receipt, ANY, OTHER_MEDIA, None, ("Authorization", "Prefer")),
    Endpoint("GET", V1 + "/own-entries", own_entries.statement, KNOWN, OTHER_MEDIA),
    Endpoint("GET", V1 + "/own-entries/{shard:[0-9]{1,9}}/{index:[0-9]{1,15}}/receipt", own_entries.receipt, KNOWN,
             OTHER_MEDIA),
    Endpoint("GET", V1 + "/own-copies", own_copies.list_copies, KNOWN, {200: schema.OwnCopies}),
    Endpoint("POST", OWN_COPY + "/retirement", own_copies.retire_copy, KNOWN, GONE, schema.NewRetirement, CONFIRMED),
    Endpoint("GET", own_letters.PATH, own_letters.list_letters, KNOWN, {200: schema.Letters}),
    Endpoint("POST", own_letters.PATH, own_letters.print_letter, KNOWN, LETTER_MADE, schema.NewOwnLetter, CONFIRMED),
    Endpoint("GET", own_letters.PATH + LETTER, own_letters.letter_file, KNOWN, OTHER_MEDIA),
    Endpoint("GET", own_letters.PATH + LETTER + "/receipt", own_letters.letter_receipt, KNOWN, OTHER_MEDIA),
    Endpoint("POST", V1 + "/own-letter-codes", own_letters.make_code, KNOWN, LETTER_CODE, schema.NewLetterCode,
             CONFIRMED),
    # verifiers
    Endpoint("POST", V1 + "/verification-requests", verify.request_presentation, KNOWN, REQUESTED,
             schema.NewVerificationRequest, recalls=True),
    Endpoint("POST", V1 + "/verify", verify.verify, KNOWN, {200: schema.VerifyAnswer}, schema.Submitted,
             optional_query=submission.QUERY, also=submission.MEDIA, most=submission.MAX_BODY, recalls=True),
    Endpoint("POST", V1 + "/verification-receipts/pdf", verify.print_receipt, KNOWN, OTHER_MEDIA,
             schema.ReceiptToPrint),
    # everybody
    Endpoint("GET", V1 + "/trust-bundle", public.trust_bundle, ANY, OTHER_MEDIA),
    Endpoint("GET", "/status/{list:[1-9][0-9]{0,8}}", status_lists.status_list, ANY, OTHER_MEDIA),
    Endpoint("GET", SHARD + "/checkpoint", log.checkpoint, ANY, OTHER_MEDIA),
    Endpoint("GET", SHARD + "/checkpoint.quorum", log.quorum_checkpoint, ANY, OTHER_MEDIA),
    Endpoint("GET", SHARD + "/log.json", log.description, ANY, OTHER_MEDIA),
    Endpoint("GET", SHARD + "/tile/{tile:[0-9a-z./]{1,64}}", log.tile, ANY, OTHER_MEDIA),
    Endpoint("GET", SHARD + "/proof/{index:[0-9]{1,20}}", log.proof, ANY, OTHER_MEDIA),
    Endpoint("GET", SHARD + "/consistency", log.consistency, ANY, OTHER_MEDIA, query=("from", "to")),
    Endpoint("GET", DOCUMENTS.certificate_path, public.root_certificate, ANY, OTHER_MEDIA),
    Endpoint("GET", IACAS_PATH, public.iacas, ANY, OTHER_MEDIA),
    Endpoint("GET", DOCUMENTS.crl_path, public.crl, ANY, OTHER_MEDIA),
    Endpoint("GET", TIME_STAMPS.certificate_path, public.time_stamp_root, ANY, OTHER_MEDIA),
    Endpoint("GET", TIME_STAMPS.crl_path, public.time_stamp_crl, ANY, OTHER_MEDIA),
    Endpoint("POST", tsa.PATH, tsa.stamp, ANY, {200: None, 503: None}),
    Endpoint("GET", "/.well-known/webauthn", public.related_origins, ANY, {200: schema.RelatedOrigins}),
    Endpoint("GET", "/.well-known/passkey-endpoints", public.passkey_endpoints, ANY, {200: schema.PasskeyEndpoints}),
    Endpoint("GET", ISSUER_METADATA_PATH, credential_types.jwt_vc_issuer, ANY, OTHER_MEDIA),
    Endpoint("GET", TYPES_PATH, credential_types.listed, ANY, {200: schema.ListedTypes}),
    Endpoint("GET", TYPES_PATH + "/{vct:[A-Za-z0-9:._-]{1,200}}", credential_types.described, ANY, OTHER_MEDIA),
    Endpoint("GET", "/livez", public.livez, ANY, {200: schema.Health}),
    Endpoint("GET", "/readyz", public.readyz, ANY, HEALTH),
    Endpoint("GET", "/metrics", metrics.metrics, KNOWN, OTHER_MEDIA),
    Endpoint("GET", "/openapi.json", public.openapi, ANY, OTHER_MEDIA),
)
