"""What the demo wallet's page hands to its scripts."""

from __future__ import annotations

import re

import pytest

from idverify.core.credential_type import Form
from idverify.core.form_parts import SD_JWT_VC
from idverify.core.types import CREDENTIAL_TYPES
from idverify.web.assets import STATIC
from idverify.web.pages.wallet_words import MESSAGES, wallet_words
from idverify.web.pages.words import Language

FORMS = {kind.id: kind.forms[SD_JWT_VC] for kind in CREDENTIAL_TYPES.values() if SD_JWT_VC in kind.forms}
_SAID = re.compile(r'(?:say|NotCollected|NotAnswered)\("([a-z-]+)"')


def test_every_message_is_said_by_a_script_and_every_script_has_its_messages() -> None:
    """No script says what the page does not have, and no sentence is translated in vain."""
    scripts = "".join(path.read_text() for path in STATIC.glob("wallet*.js")).replace('? failure.reason : "', 'say("')
    assert set(_SAID.findall(scripts)) == MESSAGES.keys()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_claim_that_can_be_shown_has_a_name(form: Form) -> None:
    """A holder never has to choose by a code."""
    words = wallet_words(Language.EN, "00")
    assert {path[0] for path in form.disclosable} <= words["titles"].keys()
    assert sorted(words["order"]) == sorted(words["titles"])


def test_a_purpose_ticks_its_view_and_the_holders_choice_ticks_nothing() -> None:
    """What is ticked beforehand is what the asker may learn at most."""
    for type_id, form in FORMS.items():
        views = wallet_words(Language.CY, "00")["views"][type_id]
        assert {purpose: set(claims) for purpose, claims in views.items()} == {
            purpose.value: {path[0] for path in view or ()} for purpose, view in form.views.items()
        }


def test_scripts_load_nothing_from_elsewhere_and_make_no_markup() -> None:
    """No address of another host, no evaluation of text, no HTML put together."""
    for path in STATIC.glob("wallet*.js"):
        text = path.read_text()
        assert not re.search(r"https?://|\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML", text), path
        assert set(re.findall(r'fetch\("([^"]*)"', text)) <= {"/api/v1/credentials"}
