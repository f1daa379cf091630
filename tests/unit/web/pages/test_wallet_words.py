"""What the demo wallet's page hands to its scripts."""

from __future__ import annotations

import re

import pytest

from idverify.core.types import CREDENTIAL_TYPES
from idverify.web.assets import STATIC
from idverify.web.pages.wallet_words import MESSAGES, wallet_words
from idverify.web.pages.words import Language

_SAID = re.compile(r'(?:say|NotCollected|NotAnswered)\("([a-z-]+)"')


def test_every_message_is_said_by_a_script_and_every_script_has_its_messages() -> None:
    """No script says what the page does not have, and no sentence is translated in vain."""
    scripts = "".join(path.read_text() for path in STATIC.glob("wallet*.js")).replace('? failure.reason : "', 'say("')
    assert set(_SAID.findall(scripts)) == MESSAGES.keys()


@pytest.mark.parametrize("kind", CREDENTIAL_TYPES.values(), ids=lambda kind: kind.vct)
def test_every_claim_that_can_be_shown_has_a_name(kind: object) -> None:
    """A holder never has to choose by a code."""
    words = wallet_words(Language.EN, "00")
    assert kind.disclosable <= words["titles"].keys()  # type: ignore[attr-defined]
    assert sorted(words["order"]) == sorted(words["titles"])


def test_a_purpose_ticks_its_view_and_the_holders_choice_ticks_nothing() -> None:
    """What is ticked beforehand is what the asker may learn at most."""
    for vct, kind in CREDENTIAL_TYPES.items():
        views = wallet_words(Language.CY, "00")["views"][vct]
        assert {purpose: set(claims) for purpose, claims in views.items()} == {
            purpose.value: view or set() for purpose, view in kind.views.items()
        }


def test_scripts_load_nothing_from_elsewhere_and_make_no_markup() -> None:
    """No address of another host, no evaluation of text, no HTML put together."""
    for path in STATIC.glob("wallet*.js"):
        text = path.read_text()
        assert not re.search(r"https?://|\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML", text), path
        assert set(re.findall(r'fetch\("([^"]*)"', text)) <= {"/api/v1/credentials"}
