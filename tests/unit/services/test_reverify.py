"""An evidence file is checked with nothing but itself and the log's key; whatever was changed in it is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.core.action import canonical_json
from idverify.core.verdict import CHECKS, Channel, CheckId, Outcome, Result, Verdict
from idverify.errors import DocumentError
from idverify.ledger.cosignature import ML_DSA_44
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.policy import Log, Policies, Policy, PolicyWitness
from idverify.services import reverify as reverify_module
from idverify.services.evidence_file import MAX_FILE, EvidenceFile, is_evidence_file
from idverify.services.proposals import PROPOSAL_SECONDS
from idverify.services.reverify import reverify
from idverify.stores.shard_rules import ACT as NEW_SHARD
from tests.simulators import confirmed_act as simulated
from tests.simulators.authenticator import Authenticator, elliptic_key
from tests.simulators.confirmed_act import ACTION, CONTEXT, confirmed_act, other_opening, recorded
from tests.simulators.ledger_memory import NOW, SoftwareSigner
from tests.simulators.published_tree import POLICY, SIGNER

STRANGER = Authenticator(elliptic_key("stranger"))
LOGS = ("log.example/1", "log.example/2", "log.example/two", "other.example/1")
SIGNERS = {origin: SoftwareSigner(origin) for origin in LOGS}
POLICIES = Policies(tuple(Policy.of_log([signer.verifier]) for signer in SIGNERS.values()))


def failed(verdict: Verdict) -> list[tuple[CheckId, Any]]:
    """Check and rule of whatever failed."""
    return [(check.id, (check.evidence or {}).get("rule")) for check in verdict.checks if check.result is Result.FAIL]


def unknown(verdict: Verdict) -> set[CheckId]:
    return {check.id for check in verdict.checks if check.result is Result.UNKNOWN}


def changed(**members: Any) -> bytes:
    """The file with other members."""
    return json.dumps(json.loads(confirmed_act().encode()) | members).encode()


def evidence(**members: Any) -> dict[str, Any]:
    """The evidence in it with other members."""
    kept: dict[str, Any] = json.loads(confirmed_act().evidence)
    return kept | members


def in_window(issued_at: int, expires_at: int) -> bytes:
    """The file of an act whose challenge was issued and ran out at other times: seconds from when it was recorded."""
    context = replace(CONTEXT, issued_at=NOW + issued_at, expires_at=NOW + expires_at)
    return recorded(simulated.evidence(context=context)).encode()


def in_two_logs(bound: str, confirmed: str) -> bytes:
    """The file of a key that was bound in one log, and of an act that was confirmed in another."""
    files = [recorded(simulated.evidence(), signer=SIGNERS[origin]) for origin in (bound, confirmed)]
    return replace(files[1], key_receipt=files[0].key_receipt).encode()


def test_an_honest_file_is_accepted() -> None:
    """Every check passes, and says what a reader may want to compare."""
    verdict = reverify(confirmed_act().encode(), POLICY)
    told = {check.id: check.evidence or {} for check in verdict.checks}

    assert verdict.verdict is Outcome.ACCEPT
    assert tuple(check.id for check in verdict.checks) == CHECKS[Channel.EVIDENCE]
    assert told[CheckId.ACTION]["action"] == ACTION.to_json()
    assert told[CheckId.SIGNATURE]["account"] == CONTEXT.account
    assert told[CheckId.SIGNATURE]["origins"] == sorted(simulated.ORIGINS)
    assert (told[CheckId.KEY]["index"], told[CheckId.RECEIPT]["index"]) == (simulated.BOUND_AT, simulated.CONFIRMED_AT)


def test_a_file_that_was_laid_out_anew_says_the_same() -> None:
    """Tools indent and sort; what was hashed is the canonical form."""
    file = json.loads(confirmed_act().encode())
    for other in (json.dumps(file, indent=4), json.dumps(dict(reversed(file.items()))), json.dumps(file)):
        assert reverify(other.encode(), POLICY).verdict is Outcome.ACCEPT


@pytest.mark.parametrize(
    ("given_file", "check", "rule"),
    [
        (lambda: b" " * (MAX_FILE + 1), CheckId.SIZE, None),
        (lambda: b"", CheckId.FORMAT, "json"),
        (lambda: b"[]", CheckId.FORMAT, "json"),
        (lambda: b'{"type":"a","type":"a"}', CheckId.FORMAT, "json-duplicate-name"),
        (lambda: b"[" * 100_000, CheckId.FORMAT, "json-depth"),
        (lambda: changed(type="idverify/evidence/v2"), CheckId.FORMAT, "members"),
        (lambda: changed(more=1), CheckId.FORMAT, "members"),
        (lambda: changed(receipt=1), CheckId.FORMAT, "members"),
        (lambda: changed(evidence=None), CheckId.FORMAT, "members"),
        (lambda: changed(evidence=1.5), CheckId.FORMAT, "members"),
        (lambda: changed(evidence={}), CheckId.FORMAT, "evidence"),
        (lambda: changed(evidence={"x": 1.5}), CheckId.FORMAT, "members"),
        (lambda: changed(evidence={"\u00e9": 1}), CheckId.FORMAT, "members"),
        (lambda: changed(evidence=evidence(nonce=evidence()["nonce"].upper())), CheckId.FORMAT, "evidence"),
        (lambda: changed(evidence=evidence(client_data="")), CheckId.FORMAT, "json-clientDataJSON"),
        (lambda: changed(action=[]), CheckId.FORMAT, "members"),
        (lambda: changed(action={"act": "decide"}), CheckId.FORMAT, "members"),
        (lambda: changed(action={**ACTION.to_json(), "content": {"x": 0.5}}), CheckId.FORMAT, "members"),
        (lambda: changed(evidence=evidence(nonce="00" * 32)), CheckId.SIGNATURE, "challenge"),
        (lambda: changed(evidence=evidence(action_digest="00" * 32)), CheckId.SIGNATURE, "challenge"),
        (lambda: changed(evidence=evidence(origins=["https://x.example"])), CheckId.SIGNATURE, "origin"),
        (lambda: changed(evidence=evidence(signature="AAAA")), CheckId.SIGNATURE, "signature"),
        (lambda: changed(evidence=evidence(backup_eligible=True)), CheckId.SIGNATURE, "backup-eligibility"),
        (lambda: changed(action={**ACTION.to_json(), "subject": "cd" * 16}), CheckId.ACTION, "action-digest"),
        (lambda: changed(action={**ACTION.to_json(), "content": {}}), CheckId.ACTION, "action-digest"),
        (lambda: changed(receipt=""), CheckId.RECEIPT, "format"),
        (lambda: changed(receipt="c2sp.org/tlog-proof@v1\nindex 0\n\n"), CheckId.RECEIPT, "format"),
        (lambda: changed(evidence=evidence(credential_id="AAAA")), CheckId.RECEIPT, "object"),
        (lambda: replace(confirmed_act(), receipt=confirmed_act().key_receipt).encode(), CheckId.RECEIPT, "object"),
        (lambda: recorded(simulated.evidence(), kind="cover").encode(), CheckId.RECEIPT, "type"),
        (lambda: recorded(simulated.evidence(), act="offer-credential").encode(), CheckId.RECEIPT, "reason"),
        (lambda: _with(receipt=other_opening), CheckId.RECEIPT, "commitment"),
        (lambda: _with(key_receipt=other_opening), CheckId.KEY, "commitment"),
        (lambda: replace(confirmed_act(), key_receipt=confirmed_act().receipt).encode(), CheckId.KEY, "object"),
        (lambda: recorded(simulated.evidence(), bound="authenticator.removed").encode(), CheckId.KEY, "type"),
        (lambda: recorded(simulated.evidence(key=STRANGER)).encode(), CheckId.KEY, "object"),
        (lambda: in_window(0, 0), CheckId.SIGNATURE, "window"),
        (lambda: in_window(30, 0), CheckId.SIGNATURE, "window"),
        (lambda: in_window(0, 121), CheckId.SIGNATURE, "window"),
        (lambda: in_window(-181, -61), CheckId.RECEIPT, "time"),
        (lambda: in_window(60, 180), CheckId.RECEIPT, "time"),
        (lambda: recorded(simulated.evidence(), bound_at=12).encode(), CheckId.KEY, "order"),
        (lambda: in_two_logs("log.example/2", "log.example/1"), CheckId.KEY, "order"),
    ],
)
def test_a_changed_file_is_rejected(given_file: Callable[[], bytes], check: CheckId, rule: str | None) -> None:
    """Each part, by the check that finds it; a check that rests on a failed one is not known."""
    verdict = reverify(given_file(), POLICIES)

    assert verdict.verdict is Outcome.REJECT
    assert failed(verdict) == [(check, rule)]
    assert tuple(found.id for found in verdict.checks) == CHECKS[Channel.EVIDENCE]


def _with(**change: Callable[[bytes], bytes]) -> bytes:
    ((name, other),) = change.items()
    return replace(confirmed_act(), **{name: other(getattr(confirmed_act(), name))}).encode()


@pytest.mark.parametrize(
    ("lacking", "check"),
    [("action", CheckId.ACTION), ("receipt", CheckId.RECEIPT), ("key_receipt", CheckId.KEY)],
)
def test_what_is_not_in_the_file_is_not_known(lacking: str, check: CheckId) -> None:
    """Erased, or from before it was kept: the rest is checked, and the word is to check by hand."""
    verdict = reverify(replace(confirmed_act(), **{lacking: None}).encode(), POLICY)

    assert verdict.verdict is Outcome.REFER
    assert unknown(verdict) == {check}


def test_without_the_logs_key_nothing_is_said_of_the_log() -> None:
    """Signature and act still hold."""
    verdict = reverify(confirmed_act().encode(), None)

    assert verdict.verdict is Outcome.REFER
    assert unknown(verdict) == {CheckId.RECEIPT, CheckId.KEY}
    assert "verifier key" in verdict.next_step


def test_another_logs_key_does_not_do() -> None:
    """A log that the reader was not told of proves nothing."""
    other = Policies(())
    verdict = reverify(confirmed_act().encode(), other)

    assert failed(verdict) == [(CheckId.RECEIPT, "checkpoint"), (CheckId.KEY, "checkpoint")]


def test_witnesses_that_did_not_see_it() -> None:
    """All else holds, so it is not known rather than wrong."""
    witness = Cosigner.from_seed(ML_DSA_44, "witness.example/w1", bytes(32))
    policy = Policy((Log(SIGNER.verifier),), (PolicyWitness("w", witness.verifier),), quorum="w")
    verdict = reverify(confirmed_act().encode(), policy)

    assert verdict.verdict is Outcome.REFER
    assert unknown(verdict) == {CheckId.RECEIPT, CheckId.KEY}


def test_times_that_no_calendar_has_are_no_crash() -> None:
    """Whoever holds a key can sign any number."""
    far = replace(CONTEXT, issued_at=2**53 - 1, expires_at=-(2**53) + 1)
    verdict = reverify(recorded(simulated.evidence(context=far)).encode(), POLICY)

    assert failed(verdict) == [(CheckId.SIGNATURE, "window"), (CheckId.RECEIPT, "time")]


@pytest.mark.parametrize(("issued_at", "expires_at"), [(0, 1), (0, 120), (59, 179), (-180, -60), (-120, 0)])
def test_times_of_an_honest_act(issued_at: int, expires_at: int) -> None:
    """An entry names the minute it was recorded in, which may have begun before; and committing takes a while."""
    assert reverify(in_window(issued_at, expires_at), POLICIES).verdict is Outcome.ACCEPT


@pytest.mark.parametrize(
    ("bound", "confirmed", "check"),
    [
        ("log.example/1", "log.example/2", set()),
        ("log.example/2", "log.example/2", set()),
        ("other.example/1", "log.example/2", {CheckId.KEY}),
        ("log.example/two", "log.example/1", {CheckId.KEY}),
    ],
)
def test_a_key_that_was_bound_in_another_log(bound: str, confirmed: str, check: set[CheckId]) -> None:
    """An earlier shard came before; of logs of two deployments, or without a number, nobody can say."""
    verdict = reverify(in_two_logs(bound, confirmed), POLICIES)

    assert failed(verdict) == []
    assert unknown(verdict) == check


def test_a_new_log_records_what_was_confirmed_while_the_old_one_was_halted() -> None:
    """Days later, and before the keys that were bound meanwhile: when that was, nobody can say."""
    act = replace(ACTION, act=NEW_SHARD)
    context = replace(CONTEXT, issued_at=NOW - PROPOSAL_SECONDS, expires_at=NOW - PROPOSAL_SECONDS + 120)
    file = recorded(simulated.evidence(act, context), NEW_SHARD, bound_at=12)
    verdict = reverify(replace(file, action=canonical_json(act.to_json())).encode(), POLICY)

    assert failed(verdict) == []
    assert unknown(verdict) == {CheckId.KEY}
    late = replace(context, issued_at=context.issued_at - 180, expires_at=context.expires_at - 180)
    file = recorded(simulated.evidence(act, late), NEW_SHARD)
    verdict = reverify(replace(file, action=canonical_json(act.to_json())).encode(), POLICY)
    assert failed(verdict) == [(CheckId.RECEIPT, "time")]


@pytest.mark.parametrize(
    ("rule", "given_file"),
    [
        ("short_lived", lambda: in_window(0, 121)),
        ("in_time", lambda: in_window(-181, -61)),
        ("in_time", lambda: in_window(60, 180)),
        ("in_order", lambda: recorded(simulated.evidence(), bound_at=12).encode()),
        ("in_order", lambda: in_two_logs("log.example/2", "log.example/1")),
    ],
)
def test_rule_knockout(rule: str, given_file: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, what only that rule refused gets through."""
    monkeypatch.setattr(reverify_module, rule, lambda *_: True)

    assert reverify(given_file(), POLICIES).verdict is Outcome.ACCEPT


@given(st.integers(0, len(confirmed_act().encode()) - 1), st.integers(0, 255))
def test_whatever_byte_is_changed_it_is_a_verdict(place: int, byte: int) -> None:
    """Only the credential id is signed by nobody, and the receipt covers that."""
    whole = confirmed_act().encode()
    verdict = reverify(whole[:place] + bytes([byte]) + whole[place + 1 :], POLICY)

    assert (verdict.verdict is Outcome.ACCEPT) == (whole[place] == byte)


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_a_verdict(noise: bytes) -> None:
    """Nothing is raised."""
    assert reverify(noise, POLICY).verdict is Outcome.REJECT


def test_what_is_read_is_what_was_written() -> None:
    """Also of a file that lacks parts."""
    for file in (confirmed_act(), EvidenceFile(confirmed_act().evidence)):
        assert EvidenceFile.decode(file.encode()) == file


def test_a_file_is_told_by_its_type() -> None:
    """Of whatever version, laid out however; neither a document nor what a wallet presents is one."""
    file = confirmed_act().encode()
    for ours in (file, json.dumps(json.loads(file), indent=2).encode(), b' \n{"type" : "idverify/evidence/v99"}'):
        assert is_evidence_file(ours)
    said = json.dumps({"document": '"type":"idverify/evidence/v1"', "receipt": None}).encode()
    for other in (b"eyJ.eyJ.sig~", said, confirmed_act().evidence, b"", b'["type":"idverify/evidence/v1"]'):
        assert not is_evidence_file(other)
    with pytest.raises(DocumentError, match="and no others"):
        EvidenceFile.decode(b'{"type":"idverify/evidence/v99"}')
