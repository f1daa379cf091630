"""Which lines of an operator are witnesses that a log can ask."""

from __future__ import annotations

import pytest

from idverify.ledger.errors import MalformedError
from idverify.ledger.note import vkey
from idverify.services.log_policy import NO_WITNESSES, log_policy, require_witnesses
from tests.simulators.signed_log import SignedLog
from tests.simulators.witness_memory import cosigners

KEYS = [vkey(key.verifier) for key in cosigners("witness.example/w1")]
BOTH = f"witness a {KEYS[0]}\nwitness b {KEYS[1]} https://w1.example\n"


@pytest.mark.parametrize("lines", [NO_WITNESSES, f"{BOTH}quorum b\n", f"{BOTH}group any any a b\nquorum any\n"])
def test_a_quorum_that_can_be_asked_will_do(lines: str) -> None:
    """Also if a witness that is not needed has no address."""
    require_witnesses(log_policy("https://id.example", (), lines).policy)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (f"{BOTH}quorum a\n", "a have none"),
        (f"{BOTH}group all all a b\nquorum all\n", "a have none"),
        (f"log {vkey(SignedLog().verifier)}\n{BOTH}quorum b\n", "log line"),
    ],
)
def test_what_a_log_could_never_meet_is_refused(lines: str, said: str) -> None:
    """A quorum without addresses leaves every receipt waiting; the log's own lines are ours to write."""
    with pytest.raises(MalformedError, match=said):
        require_witnesses(log_policy("https://id.example", (), lines).policy)
