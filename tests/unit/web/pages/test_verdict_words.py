"""Verdicts and acts in words: the tables are whole, and the one sentence is the one that matters."""

from __future__ import annotations

import ast
import base64
import datetime as dt
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest
from markupsafe import escape

from idverify import services
from idverify.core.action import Action
from idverify.core.decision import REASONS, DecisionKind
from idverify.core.policy import Role
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, ImmigrationPermission
from idverify.core.verdict import CHECKS, Channel, Check, CheckId, Outcome, Result, fold
from idverify.services import administration
from idverify.services.looks import Answer
from idverify.services.withdrawal import WITHDRAWN as WITHDRAWN_THERE
from idverify.web.pages import act_words, verdict_words
from idverify.web.pages.render import Frame, Renderer
from idverify.web.pages.said import LABELS, said
from idverify.web.pages.words import Language
from tests.simulators.service import DETAILS, PERMISSION

WITHDRAWN = {"withdrawn": {"kind": "revoke", "on": "2026-05-03", "reason": "fraud-found"}}


def answer(*failing: Check, claims: dict[str, Any] | None = None) -> Answer:
    """An answer in which all checks pass but those given."""
    odd = {check.id: check for check in failing}
    checks = [odd.get(check, Check(check, Result.PASS, "As it must be.")) for check in CHECKS[Channel.DOCUMENT]]
    return Answer(fold(checks, Channel.DOCUMENT), IMMIGRATION_STATUS.id, claims)


def shown(asked: Answer, language: Language = Language.EN) -> str:
    """The HTML of a verdict."""
    environment = Renderer(lambda name: name)._environments[language]
    template = environment.from_string(
        '{% from "verdict.html" import verdict_panel with context %}{{ verdict_panel(v) }}'
    )
    frame = Frame(language, "An authority", demo=False, path="/", back="/")
    return template.render(v=verdict_words.in_words(language, asked), page=frame)


def test_every_check_has_a_sentence_for_every_result() -> None:
    """What does not apply has one for all."""
    results = set(Result) - {Result.NOT_APPLICABLE}

    assert verdict_words.SENTENCES.keys() == {(check, result) for check in CHECKS[Channel.PAPER] for result in results}
    assert verdict_words.NAMES.keys() == set(CHECKS[Channel.PAPER])
    assert verdict_words.RESULTS.keys() == set(Result)
    assert verdict_words.WORDS.keys() == set(Outcome)
    assert verdict_words.WITHDRAWN.keys() == WITHDRAWN_THERE.keys() == set(DecisionKind)


def test_a_withdrawn_document_says_when_and_why() -> None:
    """In the reader's language, with the date in words."""
    revoked = answer(Check(CheckId.STATUS, Result.FAIL, "Revoked.", WITHDRAWN))
    english, welsh = (verdict_words.in_words(language, revoked) for language in Language)

    assert (english.word, english.sentence) == ("Rejected", "Revoked on 3 May 2026 by decision.")
    assert english.reason == REASONS[DecisionKind.REVOKE]["fraud-found"]
    assert (welsh.word, welsh.sentence) == ("Gwrthodwyd", "Diddymwyd ar 3 Mai 2026 trwy benderfyniad.")


def test_the_first_failed_check_speaks_for_a_rejection() -> None:
    """Not one that is merely unknown, even if it comes first."""
    words = verdict_words.in_words(
        Language.EN,
        answer(
            Check(CheckId.SIGNATURE, Result.FAIL, "Wrong."),
            Check(CheckId.FORMAT, Result.UNKNOWN, "?"),
            Check(CheckId.VALIDITY, Result.FAIL, "Over."),
        ),
    )

    assert words.sentence == "The signature is wrong: the document was changed or forged."
    assert [check.id for check in words.open] == ["signature", "validity"]
    assert words.folded[0].id == "format"


def test_what_could_not_be_told_is_checked_by_hand_and_is_never_green() -> None:
    """The word, the class of its colour, and the sentence."""
    html = shown(answer(Check(CheckId.STATUS, Result.UNKNOWN, "No network.")))

    assert "idv-verdict--refer" in html
    assert "Check by hand" in html
    assert "Whether it was revoked could not be learnt." in html


@pytest.mark.parametrize("found", [Result.FAIL, Result.UNKNOWN])
@pytest.mark.parametrize("check", CHECKS[Channel.DOCUMENT])
def test_the_decisive_sentence_is_said_once(check: CheckId, found: Result) -> None:
    """In big letters; the list of checks names the check and does not say it again."""
    html = shown(answer(Check(check, found, "?")))

    assert html.count(str(escape(verdict_words.SENTENCES[check, found]))) == 1


@pytest.mark.parametrize(("language", "word"), [(Language.EN, "Accepted"), (Language.CY, "Derbyniwyd")])
def test_an_accepted_document_shows_what_it_says_and_the_photo(language: Language, word: str) -> None:
    """One big word, claims with labels, the photo to be compared by a person, passed checks folded."""
    claims = {**DETAILS, **PERMISSION, "picture": "data:image/jpeg;base64,/9j/"}
    html = shown(answer(claims=claims), language)

    assert f'<h1 class="idv-verdict__word" id="verdict">{word}</h1>' in html
    assert 'src="data:image/jpeg;base64,/9j/"' in html
    assert "SPECIMEN" in html
    assert html.count("<details") == 1


@pytest.mark.parametrize("claims", [None, {"picture": "data:image/webp;base64,AAAA"}])
def test_paper_is_genuine_and_proves_nobody(claims: dict[str, Any] | None) -> None:
    """In whosever hands it is: accepted, with both said, and the photo to be compared whether it is shown or not."""
    checks = [Check(check, Result.PASS, "As it must be.") for check in CHECKS[Channel.PAPER]]
    bound = Check(CheckId.HOLDER_BINDING, Result.NOT_APPLICABLE, "Paper.")
    named = [bound if check.id is bound.id else check for check in checks]
    html = shown(Answer(fold(named, Channel.PAPER), IMMIGRATION_STATUS.id, claims))

    assert "The document is genuine. The person is not proven: compare the photo" in html
    assert "Paper does not prove whose it is: compare the photo." in html
    assert ("with a travel document" in html) is (claims is None)


JPEG = b"\xff\xd8\xff\xe0jpeg"
MDL = {
    "org.iso.18013.5.1": {
        "family_name": "SPECIMEN",
        "birth_date": dt.date(1974, 8, 12),
        "portrait": JPEG,
    },
    "org.iso.18013.5.1.GB": {"welsh_licence": True},
}


def test_an_mdoc_is_shown_by_our_words_and_its_portrait_large() -> None:
    """Dates in words, the portrait from its bytes; neither namespaces nor bytes as lines."""
    html = shown(answer(claims=MDL))

    assert "Family name" in html
    assert "12 August 1974" in html
    assert f'src="data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"' in html
    assert "org.iso.18013.5.1" not in html


def test_a_namespace_that_is_not_ours_is_shown_raw() -> None:
    """Its elements have their full names and no words of ours; its portrait is not the one to compare."""
    foreign = {"com.example.gym.1": {"family_name": "SPECIMEN", "portrait": b"\xff\xd8\xff", "levels": {1: "a"}}}
    html = shown(answer(claims=foreign))

    for raw in ("com.example.gym.1.family_name", "com.example.gym.1.levels.1", "com.example.gym.1.portrait", "ffd8ff"):
        assert raw in html
    assert "Family name" not in html
    assert "<img" not in html


@pytest.mark.parametrize("picture", [b"\x00\x00\x00\x0cjP  ", b"", "data:image/jpeg;base64,/9j/", None])
def test_only_a_jpeg_is_put_on_the_page(picture: object) -> None:
    """What a browser cannot show, or what is no picture, is none."""
    html = shown(answer(claims={"org.iso.18013.5.1": {"portrait": picture}}))
    assert "<img" not in html


def test_an_accepted_photo_is_compared_before_there_is_nothing_more_to_do() -> None:
    """A key shows whose document it is; a person sees who stands there."""
    with_photo = verdict_words.in_words(Language.EN, answer(claims={"picture": "data:image/jpeg;base64,/9j/"}))
    without = verdict_words.in_words(Language.EN, answer(claims={}))

    assert with_photo.next_step == "Compare the photo with the person. If it is them, nothing more to do."
    assert without.next_step == "Nothing more to do."


@pytest.mark.parametrize(
    ("claims", "compared"), [({"picture": "data:image/jpeg;base64,/9j/"}, "the photo"), ({}, "the name")]
)
def test_only_a_photo_that_is_shown_is_to_be_compared(claims: dict[str, Any], compared: str) -> None:
    """Whoever is not proven is compared with what the page shows of them, whatever else is not known."""
    unknown = (Check(check, Result.UNKNOWN, "?") for check in (CheckId.FRESHNESS, CheckId.HOLDER_BINDING))
    words = verdict_words.in_words(Language.EN, answer(*unknown, claims=claims))

    assert f"compare {compared}" in words.next_step
    assert ("photo" in words.next_step) == (words.photo is not None)


@pytest.mark.parametrize("picture", ["https://evil.example/x.jpg", "data:text/html,x", "javascript:alert(1)", 5, ["x"]])
def test_only_a_jpeg_of_our_own_is_ever_a_picture(picture: Any) -> None:
    """Whatever else a document carries as its picture is not put on a page."""
    assert verdict_words.in_words(Language.EN, answer(claims={"picture": picture})).photo is None


def test_a_forged_document_cannot_write_our_page() -> None:
    """Its type, its claims and what a check quotes of it are text."""
    hostile = "<script>alert(1)</script>"
    asked = Answer(
        answer(Check(CheckId.FORMAT, Result.FAIL, hostile)).verdict, hostile, {hostile: [hostile], "x": {hostile: 1}}
    )

    assert "<script" not in shown(asked)


def test_everything_that_a_permission_says_has_a_label() -> None:
    """Whoever confirms a decision sees every member of it."""
    whole = {
        "status_type": {"code": "A", "text": "B"},
        "permission_start": "2026-01-01",
        "permission_end": None,
        "conditions": ["C"],
        "work": {"allowed": "yes", "occupations_text": "D", "hours_per_week": 20, "self_employed": False},
        "study": {"allowed": "no"},
        "rent": {"allowed": "limited"},
        "travel": {"allowed": "yes"},
        "public_funds": {"recourse": True, "benefits_text": "E"},
        "sponsor_ref": "F",
    }
    lines = said(ImmigrationPermission.model_validate(whole).model_dump(mode="json"))

    assert {line.label for line in lines} <= set(LABELS.values())
    assert len(lines) == 15
    assert next(line for line in lines if line.label == "Ends").value == "No end date"


def test_what_is_not_stated_is_not_called_none() -> None:
    """A null is silence; an empty list says that there are none."""
    assert [line.value for line in said({"sponsor_ref": None, "conditions": []})] == ["None", "Not stated"]


def test_every_act_of_the_services_has_words() -> None:
    """An act that nobody could read cannot be confirmed."""
    named = {
        node.args[0].value
        if isinstance(node.args[0], ast.Constant)
        else getattr(import_module(module), node.args[0].id)
        for _, module, _ in walk_packages(services.__path__, f"{services.__name__}.")
        for node in ast.walk(ast.parse(Path(str(import_module(module).__file__)).read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Action"
        if isinstance(node.args[0], ast.Constant | ast.Name)
    }

    assert named | administration.ACTS.keys() == act_words._ACTS.keys()


def test_a_decision_is_confirmed_with_all_that_it_says() -> None:
    """The kind, the reason, the legal basis and the whole permission stand on the page."""
    content = {"kind": "grant", "reason": "application-granted", "legal_basis": "Act 1, s. 2", "permission": PERMISSION}
    words = act_words.in_words(Action("decide", "ab" * 16, content), Role.OFFICER)
    values = [line.value for line in words.lines]

    assert values[:4] == ["Grant a permission", "ab" * 16, "The application was granted.", "Act 1, s. 2"]
    assert "Sponsored occupation only" in values
    assert "2024-01-15" in values
