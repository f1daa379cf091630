"""The rules in force, and the entry that a change of them leaves on the ledger.

A rule is data: which keys each role may use, who may do what, what takes two people, which checks a verdict needs, whom
we rely on, who must have seen our log, and what everybody's key is wrapped to for recovery. Their digest is recorded at
the first start, and at every start at which it has changed: nobody softens a rule for a day unseen.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from idverify.auth.key_policy import SESSION_LIMITS, SHARED_LIMITS
from idverify.core import erasure, security_act
from idverify.core.action import canonical_json
from idverify.core.decision import EFFECTS, REASONS
from idverify.core.policy import ALLOWED, Role
from idverify.core.security_act import POLICY_CHANGED
from idverify.core.verdict import REQUIRED
from idverify.formats.x509 import fingerprint
from idverify.ledger.commitment import Record
from idverify.services import administration
from idverify.services.office import Office
from idverify.services.records import entry, split_opening
from idverify.stores import queries
from idverify.stores.writes import WriteSet


def policy(office: Office) -> dict[str, Any]:
    """All rules of this deployment as one document."""
    return {
        "rights": security_act.RIGHTS,
        "security_keys": {
            role.value: {**asdict(rule), "hints": list(rule.hints)} for role, rule in office.key_policies.items()
        },
        "metadata_roots": sorted(fingerprint(root).hex() for root in office.metadata_roots),
        "sessions": {role.value: asdict(limits) for role, limits in SESSION_LIMITS.items()},
        "sessions_on_shared_computers": {role.value: asdict(limits) for role, limits in SHARED_LIMITS.items()},
        "roles": {role.value: sorted(acts) for role, acts in ALLOWED.items()},
        "decisions": {
            kind.value: {
                "two_people": effect.two_people,
                "starts_from": sorted(effect.starts_from),
                "leads_to": effect.leads_to.value,
                "copies": effect.copies.value,
                "carries_permission": effect.carries_permission,
                "reasons": sorted(REASONS[kind]),
            }
            for kind, effect in EFFECTS.items()
        },
        "administration": {"two_people": sorted(administration.ACTS)},
        "erasure": {"two_people": True, "reasons": sorted(erasure.REASONS)},
        "checks": {channel.value: sorted(checks) for channel, checks in REQUIRED.items()},
        "issuers": {
            key: {
                "roots": [fingerprint(root).hex() for root in issuer.roots],
                "types": sorted(issuer.types),
                "status_bases": list(issuer.list_bases),
            }
            for key, issuer in office.trust.issuers.items()
        },
        "log": office.log_book.policy_of(office.log.origin).text,
        "recovery_key": None if office.custodian.recovery_key is None else office.custodian.recovery_key.hex(),
    }


def digest(document: dict[str, Any]) -> bytes:
    """SHA-256 of the document's canonical JSON: the object of ``policy.changed``."""
    return hashlib.sha256(canonical_json(document)).digest()


async def recorded(office: Office) -> bytes | None:
    """The digest that was recorded last, if any was."""
    row: Any = await office.store.fetch_one(queries.NEWEST_OF_TYPE, {"type": POLICY_CHANGED})
    return None if row is None else split_opening(row["opening"])[1].object_digest


async def record_policy(office: Office) -> bool:
    """At start: an entry if the rules are others than those recorded last; whether there was one to make."""
    now = digest(policy(office))
    if await recorded(office) == now:
        return False
    least = office.key_policies[Role.ADMIN].least_keys
    record = Record(POLICY_CHANGED, now, reason=security_act.rights_recorded(least))
    await office.store.commit(WriteSet((), (entry(record, office.entropy, None),)))
    return True
