"""What of a token's trouble is told to whom: anybody hears why it is away, the operator which one and the cure."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

import hsm
from hsm import HsmInventoryRefused, HsmModuleMissing, HsmPinMissing, HsmPinRefused, HsmTokenMissing, HsmUnavailable
from idverify.app.services import publish_or_wait
from idverify.app.tokens import at_start, during_work
from idverify.errors import TokenAway, Unavailable

SECRET = "Expected a PIN file at /srv/tokens/one/pin, got none."


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (HsmPinRefused, "refused its PIN"),
        (HsmPinMissing, "PIN file cannot be read"),
        (HsmTokenMissing, "the token is not there"),
        (HsmModuleMissing, "its module is not there"),
        (HsmInventoryRefused, "its inventory was altered"),
        (HsmUnavailable, "The HSM is away; nothing was signed"),
    ],
)
def test_why_a_token_is_away(kind: type[hsm.HsmError], why: str) -> None:
    """Without a path and without a label, which are the operator's."""
    told = during_work(kind(SECRET))
    assert isinstance(told, TokenAway)
    assert why in told.detail
    assert "/srv" not in told.detail


def test_which_token_did_not_open() -> None:
    """Several have module, label and PIN file alike but for the name."""
    error = HsmUnavailable("Expected the signer process to answer, got its end.")
    assert at_start(error).wrong == str(error)
    error.token = "documents"
    assert at_start(error).wrong == f"Token documents: {error}"


async def test_a_late_checkpoint_is_told_once() -> None:
    """Not every second of an outage; another reason is news, and so is its end."""
    office: Any = SimpleNamespace(store=SimpleNamespace(stopped_by=lambda: None), log_book=SimpleNamespace())
    late, told = None, []
    for failure in (None, Unavailable("one"), Unavailable("one"), Unavailable("two"), None, None):
        office.log_book.publish = _publishing(failure)
        with capture_logs() as logs:
            late = await publish_or_wait(office, late)
        told.append([(one["event"], one.get("error")) for one in logs])
    late_one, late_two = ("checkpoint_late", "one"), ("checkpoint_late", "two")
    assert told == [[], [late_one], [], [late_two], [("checkpoint_in_time", None)], []]


def _publishing(failure: Exception | None) -> Any:
    async def publish() -> None:
        if failure is not None:
            raise failure

    return publish
