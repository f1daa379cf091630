"""Every page on one screen: method, path, who does it, for whom."""

from __future__ import annotations

from typing import Final

from idverify.auth.mds import MAX_BLOB
from idverify.core.decision import DecisionKind
from idverify.formats.vical import MAX_VICAL
from idverify.web.body import MAX_BODY
from idverify.web.pages import (
    account,
    account_sessions,
    admin,
    admin_proposals,
    api_keys,
    authenticators,
    citizen,
    citizen_letters,
    colleagues,
    confirmations,
    enrol,
    erasures,
    home,
    ledger,
    notices,
    officer_decisions,
    officer_desk,
    officer_letters,
    officer_people,
    officer_proposals,
    officer_slips,
    own_copies,
    print_room,
    recovery_codes,
    relying_party,
    sign_in,
    signing_keys,
    trusted_issuers,
    verifying,
    ways_back,
)
from idverify.web.pages.page import (
    ADMIN,
    ANOTHER_KEY,
    ANYBODY,
    CITIZEN,
    OFFICER,
    RELYING_PARTY,
    SIGNED_IN,
    STAFF,
    WITH_CODES,
    Page,
)

NOTICE: Final = "/account/notices/{notice:[0-9a-f]{32}}"
KEY: Final = "/account/keys/{key:[0-9a-f]{32}}"
PERSON: Final = "/officer/people/{person:[0-9a-f]{32}}"
DECISION: Final = f"{PERSON}/decide/{{kind:{'|'.join(DecisionKind)}}}"
GIFT: Final = f"{PERSON}/decide/{{kind:grant|vary}}/{{document:{'|'.join(officer_decisions.SLUGS)}}}"
PROPOSAL: Final = "/officer/proposals/{proposal:[0-9a-f]{32}}"
ADMIN_PROPOSAL: Final = admin_proposals.PATH + "/{admin_proposal:[0-9a-f]{32}}"
SUSPENDED_KEY: Final = authenticators.PATH + "/suspended/{suspended_key:[0-9a-f]{32}}"
SIGNING_KEY: Final = signing_keys.PATH + "/{signing_key:[0-9a-f]{16}}"
ERASURE: Final = erasures.PATH + "/{erasure:[0-9a-f]{32}}"
NEW_LOG: Final = ledger.PATH + "/{new_log:[0-9a-f]{32}}"
COPY: Final = own_copies.PATH + "/{copy:[0-9a-f]{32}}"
BATCH: Final = print_room.PATH + "/{batch:[0-9a-f]{32}}"
LETTER: Final = "/{letter:[0-9a-f]{32}}"
CODE: Final = "/enrol/{code:[0-9A-Za-z-]{20,40}}"
API_KEY: Final = "{key:[a-z2-7]{16}}/revocation"

# fmt: off
PAGES: Final[tuple[Page, ...]] = (
    # everybody
    Page("GET", "/", home.home, ANYBODY),
    Page("GET", "/sign-in", sign_in.sign_in, ANYBODY),
    Page("POST", "/sign-in", sign_in.sign_in, ANYBODY),
    Page("POST", "/sign-in/account", sign_in.sign_in_to_account, ANYBODY),
    Page("GET", "/enrol", enrol.ask_code, ANYBODY),
    Page("POST", "/enrol", enrol.open_code, ANYBODY),
    Page("GET", "/enrol/key", enrol.to_code, ANYBODY),
    Page("POST", "/enrol/key", enrol.register, ANYBODY),
    Page("GET", CODE, enrol.open_link, ANYBODY),
    Page("GET", "/help/lost-key", ways_back.lost_key, ANYBODY),
    # whoever is signed in
    Page("POST", "/sign-out", sign_in.sign_out, SIGNED_IN),
    Page("GET", "/account/keys", account.list_keys, SIGNED_IN),
    Page("GET", account_sessions.LIST, account_sessions.list_sessions, SIGNED_IN),
    Page("POST", account_sessions.LIST + "/{session:[0-9a-f]{32}}/end", account_sessions.end_session, SIGNED_IN),
    Page("POST", "/account/sign-out-everywhere", sign_in.sign_out_everywhere, SIGNED_IN),
    Page("GET", "/account/lost-key", account.lost_key, SIGNED_IN),
    Page("GET", ANOTHER_KEY, account.ask_new_key, SIGNED_IN),
    Page("POST", ANOTHER_KEY, account.begin_new_key, SIGNED_IN),
    Page("POST", "/account/keys", account.add_key, SIGNED_IN),
    Page("GET", KEY, account.one_key, SIGNED_IN),
    Page("POST", KEY + "/name", account.rename_key, SIGNED_IN),
    Page("POST", KEY + "/removal", account.remove_key, SIGNED_IN),
    Page("GET", "/account/codes", recovery_codes.ask, WITH_CODES),
    Page("POST", "/account/codes", recovery_codes.make, WITH_CODES),
    Page("GET", "/account/notices/seen", notices.to_keys, SIGNED_IN),
    Page("POST", "/account/notices/seen", notices.see_all, SIGNED_IN),
    Page("POST", NOTICE + "/seen", notices.see, SIGNED_IN),
    Page("POST", NOTICE + "/cancellation", notices.cancel, SIGNED_IN),
    # officers and administrators
    Page("GET", confirmations.LIST, confirmations.show, STAFF),
    Page("POST", confirmations.LIST + "/{authorisation:[0-9a-f]{32}}/evidence", confirmations.export, STAFF),
    # officers
    Page("GET", "/officer", officer_desk.desk, OFFICER),
    Page("GET", "/officer/people/new", officer_people.ask_new, OFFICER),
    Page("POST", "/officer/people/new", officer_people.create, OFFICER),
    Page("GET", "/officer/people/search", officer_desk.to_desk, OFFICER),
    Page("POST", "/officer/people/search", officer_desk.search, OFFICER),
    Page("GET", "/officer/people/reference", officer_desk.to_desk, OFFICER),
    Page("POST", "/officer/people/reference", officer_desk.by_reference, OFFICER),
    Page("GET", PERSON, officer_people.show, OFFICER),
    Page("GET", DECISION, officer_decisions.ask, OFFICER),
    Page("POST", DECISION, officer_decisions.decide, OFFICER),
    Page("GET", GIFT, officer_decisions.ask, OFFICER),
    Page("POST", GIFT, officer_decisions.decide, OFFICER),
    Page("GET", PERSON + "/enrolment", officer_people.to_record, OFFICER),
    Page("POST", PERSON + "/enrolment", officer_slips.enrolment, OFFICER),
    Page("GET", PERSON + "/letter", officer_slips.letter, OFFICER),
    Page("GET", PERSON + "/offer", officer_people.to_record, OFFICER),
    Page("POST", PERSON + "/offer", officer_slips.hand_out, OFFICER),
    Page("GET", PERSON + "/letters", officer_letters.show, OFFICER),
    Page("POST", PERSON + "/letters", officer_letters.make, OFFICER),
    Page("GET", PERSON + "/letters/code", officer_letters.to_letters, OFFICER),
    Page("POST", PERSON + "/letters/code", officer_letters.make_code, OFFICER),
    Page("GET", officer_letters.COLLECTION, officer_letters.ask_code, OFFICER),
    Page("POST", officer_letters.COLLECTION, officer_letters.collect, OFFICER),
    Page("GET", officer_letters.COLLECTION + LETTER, officer_letters.fetch, OFFICER),
    Page("GET", officer_letters.COLLECTION + LETTER + "/receipt", officer_letters.fetch_receipt, OFFICER),
    Page("GET", print_room.PATH, print_room.show, OFFICER),
    Page("POST", print_room.PATH, print_room.order, OFFICER),
    Page("GET", print_room.DUE, print_room.to_room, OFFICER),
    Page("POST", print_room.DUE, print_room.list_due, OFFICER),
    Page("GET", BATCH, print_room.one, OFFICER),
    Page("GET", BATCH + "/letters.zip", print_room.fetch, OFFICER),
    Page("GET", "/officer/proposals", officer_proposals.list_proposals, OFFICER),
    Page("GET", PROPOSAL, officer_proposals.show, OFFICER),
    Page("POST", PROPOSAL, officer_proposals.approve, OFFICER),
    Page("GET", "/officer/verify", verifying.ask, OFFICER),
    Page("POST", "/officer/verify", verifying.check, OFFICER, verifying.MOST_POSTED),
    Page("GET", "/officer/verify" + verifying.REQUEST, verifying.to_form, OFFICER),
    Page("POST", "/officer/verify" + verifying.REQUEST, verifying.ask_wallet, OFFICER),
    Page("GET", "/officer/verify" + verifying.RECEIPT, verifying.to_form, OFFICER),
    Page("POST", "/officer/verify" + verifying.RECEIPT, verifying.download_receipt, OFFICER),
    Page("GET", "/officer/verify" + verifying.RECEIPT_PDF, verifying.to_form, OFFICER),
    Page("POST", "/officer/verify" + verifying.RECEIPT_PDF, verifying.download_receipt_pdf, OFFICER),
    # citizens
    Page("GET", "/citizen", citizen.desk, CITIZEN),
    Page("POST", "/citizen/collect", citizen.collect, CITIZEN),
    Page("GET", COPY, own_copies.show, CITIZEN),
    Page("POST", COPY, own_copies.withdraw, CITIZEN),
    Page("GET", citizen_letters.PATH, citizen_letters.show, CITIZEN),
    Page("POST", citizen_letters.PATH, citizen_letters.make, CITIZEN),
    Page("GET", citizen_letters.PATH + "/code", citizen_letters.to_letters, CITIZEN),
    Page("POST", citizen_letters.PATH + "/code", citizen_letters.make_code, CITIZEN),
    Page("GET", citizen_letters.PATH + LETTER, citizen_letters.fetch, CITIZEN),
    Page("GET", citizen_letters.PATH + LETTER + "/receipt", citizen_letters.fetch_receipt, CITIZEN),
    Page("GET", "/citizen/wallet", citizen.wallet, CITIZEN),
    # organisations that check
    Page("GET", "/relying-party", relying_party.desk, RELYING_PARTY),
    Page("GET", "/relying-party/verify", verifying.ask, RELYING_PARTY),
    Page("POST", "/relying-party/verify", verifying.check, RELYING_PARTY, verifying.MOST_POSTED),
    Page("GET", "/relying-party/verify/request", verifying.to_form, RELYING_PARTY),
    Page("POST", "/relying-party/verify/request", verifying.ask_wallet, RELYING_PARTY),
    Page("GET", "/relying-party/verify" + verifying.RECEIPT, verifying.to_form, RELYING_PARTY),
    Page("POST", "/relying-party/verify" + verifying.RECEIPT, verifying.download_receipt, RELYING_PARTY),
    Page("GET", "/relying-party/verify" + verifying.RECEIPT_PDF, verifying.to_form, RELYING_PARTY),
    Page("POST", "/relying-party/verify" + verifying.RECEIPT_PDF, verifying.download_receipt_pdf, RELYING_PARTY),
    Page("GET", "/relying-party/keys", api_keys.list_keys, RELYING_PARTY),
    Page("POST", "/relying-party/keys", api_keys.create_own, RELYING_PARTY),
    Page("POST", "/relying-party/keys/" + API_KEY, api_keys.revoke, RELYING_PARTY),
    Page("GET", colleagues.PATH, colleagues.list_colleagues, RELYING_PARTY),
    Page("POST", colleagues.PATH + "/{account:[0-9a-f]{32}}/link", colleagues.restore, RELYING_PARTY),
    Page("GET", "/relying-party/usage", relying_party.usage, RELYING_PARTY),
    # administrators
    Page("GET", "/admin", admin.desk, ADMIN),
    Page("GET", admin_proposals.PATH, admin_proposals.list_proposals, ADMIN),
    Page("GET", ADMIN_PROPOSAL, admin_proposals.show, ADMIN),
    Page("POST", ADMIN_PROPOSAL, admin_proposals.approve, ADMIN),
    Page("GET", authenticators.PATH, authenticators.show, ADMIN),
    Page("POST", authenticators.PATH + "/metadata", authenticators.load, ADMIN, MAX_BLOB + MAX_BODY),
    Page("POST", authenticators.PATH + "/addition", authenticators.add, ADMIN),
    Page("POST", authenticators.PATH + "/removal", authenticators.take_off, ADMIN),
    Page("POST", authenticators.PATH + "/trial", authenticators.try_out, ADMIN),
    Page("POST", authenticators.PATH + "/proposal", authenticators.propose, ADMIN),
    Page("POST", SUSPENDED_KEY, authenticators.put_back, ADMIN),
    Page("GET", trusted_issuers.PATH, trusted_issuers.show, ADMIN),
    Page("POST", trusted_issuers.PATH + "/addition", trusted_issuers.add, ADMIN),
    Page("POST", trusted_issuers.PATH + "/list", trusted_issuers.take_list, ADMIN, MAX_VICAL + MAX_BODY),
    Page("POST", trusted_issuers.PATH + "/change", trusted_issuers.take_change, ADMIN),
    Page("POST", trusted_issuers.PATH + "/withdrawal", trusted_issuers.withdraw, ADMIN),
    Page("POST", trusted_issuers.PATH + "/proposal", trusted_issuers.propose, ADMIN),
    Page("GET", SIGNING_KEY, signing_keys.ask, ADMIN),
    Page("POST", SIGNING_KEY, signing_keys.propose, ADMIN),
    Page("GET", "/admin/enrolment", admin.ask_invitation, ADMIN),
    Page("POST", "/admin/enrolment", admin.invite, ADMIN),
    Page("POST", "/admin/accounts/{account:[0-9a-f]{32}}/end", admin.end_account, ADMIN),
    Page("POST", "/admin/accounts/{account:[0-9a-f]{32}}/way-back", admin.restore_access, ADMIN),
    Page("POST", ledger.PATH, ledger.propose, ADMIN),
    Page("GET", NEW_LOG, ledger.show, ADMIN),
    Page("POST", NEW_LOG, ledger.approve, ADMIN),
    Page("GET", ERASURE, erasures.show, ADMIN),
    Page("POST", ERASURE, erasures.approve, ADMIN),
    Page("GET", "/admin/keys", api_keys.list_keys, ADMIN),
    Page("POST", "/admin/keys", api_keys.create, ADMIN),
    Page("POST", "/admin/keys/" + API_KEY, api_keys.revoke, ADMIN),
)
