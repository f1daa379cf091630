"""What ties rows to ledger entries and to each other: each query lists what breaks the sentence it stands under.

The audit runs them after the log itself; they hold on a live database too, whatever moment it is read at, and every
database understands them. Of an erased person no row is left but those of their entries, without opening and true
type, and what staff confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ROW_RULES: Final[Mapping[str, str]] = {
    "no two entries share a handle": """
        SELECT max(ledger_index) FROM ledger_record GROUP BY handle HAVING count(*) > 1""",
    "entries wait only while the log is halted": """
        SELECT NULL FROM ledger_waiting
        WHERE (SELECT halted FROM ledger_state ORDER BY shard DESC LIMIT 1) IS NULL""",
    "no two security keys are one": """
        SELECT NULL FROM security_key WHERE cose_key_hash IS NOT NULL GROUP BY cose_key_hash HAVING count(*) > 1""",
    "an account is of a person exactly if it is a citizen's": """
        SELECT NULL FROM account WHERE (role = 'citizen') <> (person_id IS NOT NULL)""",
    "an idempotency key leads to an entry of its shard": """
        SELECT o.ledger_index FROM ledger_once o LEFT JOIN ledger_record r
        ON r.shard = o.shard AND r.ledger_index = o.ledger_index WHERE r.shard IS NULL""",
    "a credential has an entry of its own handle": """
        SELECT c.ledger_index FROM credential c LEFT JOIN ledger_record r
        ON r.shard = c.ledger_shard AND r.ledger_index = c.ledger_index AND r.handle = c.handle
        AND r.type = 'credential.issued'
        WHERE r.handle IS NULL""",
    "an entry of an issuance has its credential": """
        SELECT r.ledger_index FROM ledger_record r LEFT JOIN credential c USING (handle)
        WHERE r.type = 'credential.issued'
        AND (c.ledger_index IS DISTINCT FROM r.ledger_index OR c.ledger_shard IS DISTINCT FROM r.shard)""",
    "a credential was intended, with this status index": """
        SELECT c.ledger_index FROM credential c LEFT JOIN issuance i
        USING (handle, person_id, key_id, status_list, status_index) WHERE i.state IS DISTINCT FROM 'issued'""",
    "an intent that was carried out has its credential": """
        SELECT NULL FROM issuance i LEFT JOIN credential c USING (handle)
        WHERE i.state = 'issued' AND c.id IS NULL""",
    "a decision has an entry of its own": """
        SELECT d.ledger_index FROM decision d LEFT JOIN ledger_record r
        ON r.shard = d.ledger_shard AND r.ledger_index = d.ledger_index AND r.person_id = d.person_id
        WHERE r.type IS DISTINCT FROM 'decision.' || d.kind""",
    "an entry of a decision has its decision": """
        SELECT r.ledger_index FROM ledger_record r LEFT JOIN decision d
        ON d.ledger_shard = r.shard AND d.ledger_index = r.ledger_index AND d.person_id = r.person_id
        WHERE r.type LIKE 'decision.%' AND d.id IS NULL""",
    "an authorisation has an entry of its own handle": """
        SELECT a.ledger_index FROM authorisation a LEFT JOIN ledger_record r
        ON r.shard = a.ledger_shard AND r.ledger_index = a.ledger_index AND r.handle = a.handle
        WHERE r.type IS NULL OR r.type NOT IN ('authorisation', 'erased')""",
    "an entry of an authorisation has its evidence": """
        SELECT r.ledger_index FROM ledger_record r LEFT JOIN authorisation a USING (handle)
        WHERE r.type = 'authorisation'
        AND (a.ledger_index IS DISTINCT FROM r.ledger_index OR a.ledger_shard IS DISTINCT FROM r.shard)""",
    "an act that was confirmed is kept under the key of whom its entry is about": """
        SELECT a.ledger_index FROM authorisation a JOIN ledger_record r
        ON r.shard = a.ledger_shard AND r.ledger_index = a.ledger_index
        WHERE a.action IS NOT NULL AND a.person_id IS DISTINCT FROM r.person_id""",
    "since people sign in, whoever decides confirms it": """
        SELECT d.ledger_index FROM decision d LEFT JOIN authorisation a ON a.id = d.authorisation_id
        WHERE a.act IS DISTINCT FROM 'decide' AND (d.ledger_shard, d.ledger_index)
        > (SELECT ledger_shard, ledger_index FROM authorisation ORDER BY 1, 2 LIMIT 1)""",
    "two people confirm the same act": """
        SELECT d.ledger_index FROM decision d JOIN authorisation first ON first.id = d.authorisation_id
        LEFT JOIN authorisation second ON second.id = d.approval_id
        WHERE d.approved_by IS NOT NULL
        AND (second.action_digest IS DISTINCT FROM first.action_digest OR second.account_id = first.account_id
        OR second.security_key_id = first.security_key_id)""",
    "since people sign in, what takes two people has two confirmations": """
        SELECT ledger_index FROM decision WHERE kind IN ('vary', 'suspend', 'reinstate', 'revoke')
        AND (approval_id IS NULL OR approved_by IS NULL)
        AND (ledger_shard, ledger_index)
        > (SELECT ledger_shard, ledger_index FROM authorisation ORDER BY 1, 2 LIMIT 1)""",
    "what an admin proposed and was done has another admin's confirmation": """
        SELECT first.ledger_index FROM admin_proposal p LEFT JOIN authorisation first ON first.id = p.authorisation_id
        WHERE p.consumed_at IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM authorisation second
            WHERE second.act = p.act AND second.action_digest = first.action_digest
            AND second.account_id <> first.account_id AND second.security_key_id <> first.security_key_id)""",
    "since admins propose, a link for staff is made by two or by the operator": """
        SELECT a.ledger_index FROM enrolment e LEFT JOIN authorisation a ON a.id = e.authorisation_id
        WHERE e.role IN ('officer', 'admin') AND e.authorisation_id IS NOT NULL
        AND (a.id IS NULL OR (a.ledger_shard, a.ledger_index) > (
            SELECT p.ledger_shard, p.ledger_index FROM authorisation p
            JOIN admin_proposal o ON o.authorisation_id = p.id ORDER BY 1, 2 LIMIT 1))
        AND NOT EXISTS (
            SELECT 1 FROM authorisation first WHERE first.act = a.act AND first.action_digest = a.action_digest
            AND first.account_id <> a.account_id AND first.security_key_id <> a.security_key_id)""",
    "two admins confirm a list of authenticators, or the operator sets it": """
        SELECT second.ledger_index FROM authenticator_list l
        LEFT JOIN authorisation first ON first.id = l.authorisation_id
        LEFT JOIN authorisation second ON second.id = l.approval_id
        WHERE (l.authorisation_id IS NOT NULL OR l.approval_id IS NOT NULL OR l.approved_by IS NOT NULL)
        AND (second.action_digest IS DISTINCT FROM first.action_digest OR second.account_id = first.account_id
        OR second.security_key_id = first.security_key_id OR second.id IS NULL)""",
    "two admins confirm whom is relied on": """
        SELECT second.ledger_index FROM issuer_change c
        LEFT JOIN authorisation first ON first.id = c.authorisation_id
        LEFT JOIN authorisation second ON second.id = c.approval_id
        WHERE first.act IS DISTINCT FROM 'change-trusted-issuers'
        OR second.action_digest IS DISTINCT FROM first.action_digest OR second.account_id = first.account_id
        OR second.security_key_id = first.security_key_id""",
    "two admins order another signing key": """
        SELECT second.ledger_index FROM key_order o LEFT JOIN authorisation first ON first.id = o.authorisation_id
        LEFT JOIN authorisation second ON second.id = o.approval_id
        WHERE first.act IS DISTINCT FROM 'replace-signing-key'
        OR second.action_digest IS DISTINCT FROM first.action_digest OR second.account_id = first.account_id
        OR second.security_key_id = first.security_key_id""",
    "of a role's signing keys on a token, all but the first were ordered": """
        SELECT NULL FROM signing_key k LEFT JOIN key_order o ON o.new_key_id = k.key_id AND o.role = k.role
        WHERE o.id IS NULL GROUP BY k.role, k.token HAVING count(*) > 1""",
    "a role has one signing key in use on a token, or the token is retired with all of them": """
        SELECT NULL FROM signing_key GROUP BY role, token
        HAVING sum(CASE state WHEN 'active' THEN 1 ELSE 0 END) > 1
        OR (sum(CASE state WHEN 'active' THEN 1 ELSE 0 END) = 0 AND (substr(role, 1, 5) = 'root/' OR token IN (
            SELECT w.token FROM signing_key w WHERE w.state = 'active' AND substr(w.role, 1, 5) <> 'root/')))""",
    "an order that was carried out left the old key as its reason asks": """
        SELECT NULL FROM key_order o LEFT JOIN signing_key old ON old.key_id = o.old_key_id AND old.role = o.role
        WHERE old.state IS DISTINCT FROM CASE WHEN o.carried_out_at IS NULL THEN 'active'
            WHEN o.reason = 'compromised' THEN 'revoked' ELSE 'retiring' END
        OR (o.carried_out_at IS NULL) <> (o.new_key_id IS NULL)""",
    "a confirmation carries one decision": """
        SELECT max(ledger_index) FROM (
            SELECT authorisation_id AS id, ledger_index FROM decision
            UNION ALL SELECT approval_id, ledger_index FROM decision
        ) AS used WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1""",
    "a decision commits right before the last confirmation of it": """
        SELECT d.ledger_index FROM decision d JOIN authorisation a ON a.id = coalesce(d.approval_id, d.authorisation_id)
        WHERE a.ledger_shard <> d.ledger_shard OR a.ledger_index <> d.ledger_index + 1""",
    "whoever confirmed is named": """
        SELECT d.ledger_index FROM decision d JOIN authorisation a ON a.id = d.authorisation_id
        JOIN account first ON first.id = a.account_id LEFT JOIN authorisation b ON b.id = d.approval_id
        LEFT JOIN account second ON second.id = b.account_id
        WHERE first.actor IS DISTINCT FROM d.decided_by OR second.actor IS DISTINCT FROM d.approved_by""",
    "the status list says what the row of the copy says": """
        SELECT c.ledger_index FROM credential c LEFT JOIN status_entry s USING (status_list, status_index)
        WHERE coalesce(s.value, 0) <> CASE c.status WHEN 'valid' THEN 0 WHEN 'invalid' THEN 1 ELSE 2 END""",
    "the status of a void intent is INVALID": """
        SELECT NULL FROM issuance i LEFT JOIN status_entry s USING (status_list, status_index)
        WHERE i.state = 'void' AND s.value IS DISTINCT FROM 1""",
    "a copy is as the decision that last changed it left it": """
        SELECT c.ledger_index FROM credential c JOIN decision d ON d.id = c.changed_by
        WHERE c.retired_at IS NULL AND c.status <> CASE d.kind
            WHEN 'suspend' THEN 'suspended' WHEN 'reinstate' THEN 'valid' ELSE 'invalid' END""",
    "a copy that no decision changed is valid, or was retired": """
        SELECT ledger_index FROM credential WHERE changed_by IS NULL AND retired_at IS NULL AND status <> 'valid'""",
    "a copy that was retired stays withdrawn": """
        SELECT ledger_index FROM credential WHERE retired_at IS NOT NULL AND status <> 'invalid'
        OR (retired_at IS NULL) <> (retired_for IS NULL)""",
    "whoever retires a copy confirms it": """
        SELECT c.ledger_index FROM credential c LEFT JOIN authorisation a ON a.id = c.retirement_id
        AND a.person_id = c.person_id AND a.act = 'retire-copy'
        WHERE c.retired_for IN ('lost', 'unwanted') AND a.id IS NULL""",
    "a confirmation retires one copy": """
        SELECT max(ledger_index) FROM credential WHERE retirement_id IS NOT NULL
        GROUP BY retirement_id HAVING count(*) > 1""",
    "a copy that was replaced has one in its place": """
        SELECT c.ledger_index FROM credential c WHERE c.retired_for = 'replaced' AND NOT EXISTS (
            SELECT 1 FROM offer o JOIN issuance i ON i.offer_id = o.id AND i.state = 'issued'
            WHERE o.replaces = c.id AND o.person_id = c.person_id)""",
    "each copy that was retired has an entry": """
        SELECT max(n.ledger_index) FROM (
            SELECT person_id, ledger_index, 1 AS retired FROM credential WHERE retired_at IS NOT NULL
            UNION ALL SELECT person_id, ledger_index, -1 FROM ledger_record WHERE type = 'credential.retired'
        ) AS n GROUP BY n.person_id HAVING sum(n.retired) <> 0""",
    "a letter is of a copy of its person": """
        SELECT NULL FROM letter l LEFT JOIN credential c ON c.id = l.credential_id AND c.person_id = l.person_id
        WHERE c.id IS NULL""",
    "a copy that was asked for on paper has its letter": """
        SELECT c.ledger_index FROM issuance i JOIN offer o ON o.id = i.offer_id AND o.format = 'letter'
        JOIN credential c ON c.handle = i.handle LEFT JOIN letter l ON l.credential_id = c.id
        WHERE i.state = 'issued' AND l.id IS NULL""",
    "a letter that was made is kept, and has an entry": """
        SELECT l.ledger_index FROM letter l LEFT JOIN ledger_record r
        ON r.shard = l.ledger_shard AND r.ledger_index = l.ledger_index AND r.person_id = l.person_id
        AND r.type = 'letter.made'
        WHERE (l.made_at IS NOT NULL AND r.handle IS NULL) OR (l.made_at IS NULL) <> (l.sealed_pdf IS NULL)
        OR (l.made_at IS NULL) <> (l.file_digest IS NULL) OR (l.made_at IS NULL) <> (l.revision_digest IS NULL)""",
    "an entry of a letter has its letter": """
        SELECT r.ledger_index FROM ledger_record r LEFT JOIN letter l
        ON l.ledger_shard = r.shard AND l.ledger_index = r.ledger_index AND l.person_id = r.person_id
        WHERE r.type = 'letter.made' AND l.id IS NULL""",
    "whoever orders letters confirms it": """
        SELECT a.ledger_index FROM letter_batch b LEFT JOIN authorisation a ON a.id = b.authorisation_id
        WHERE a.act IS DISTINCT FROM 'print-letters'""",
    "a letter of a batch is of whom it was ordered for": """
        SELECT l.ledger_index FROM letter_order o LEFT JOIN letter l ON l.id = o.letter_id
        WHERE o.letter_id IS NOT NULL AND l.person_id IS DISTINCT FROM o.person_id""",
}
