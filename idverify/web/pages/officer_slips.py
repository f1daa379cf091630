"""What an officer prints and hands over: a code to register a key with, or a document to collect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from idverify.errors import NotFound
from idverify.services import invite, offer, reproofing
from idverify.services.invite import Invitation
from idverify.web.pages.act_words import TYPES
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Annotated, Form, Says
from idverify.web.pages.offer_file import as_wallets_read, data_url
from idverify.web.pages.officer_people import path_of
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_, Language, moment_in_words, translate

_HEADING: Final = N_("Register your security key")
_STEPS: Final = (
    N_("Take a security key and any computer with a browser, such as one in a library."),
    N_("Open the address on this sheet and type the code. Small letters and missing hyphens do not matter."),
    N_("Do what the page says: plug the key in, give it a PIN if it has none, and touch it when it blinks."),
    N_("From then on you sign in with the key alone. It needs no phone number and no e-mail address."),
)
_ONCE: Final = N_("The code works once, until %(moment)s.")
_WAITS: Final = N_(
    "The code works from %(moment)s. You need not come again and need nothing else. Until then your account shows "
    "that somebody asked for it."
)
_LETTER: Final = N_("A new security key for your account")
_LETTER_SAYS: Final = (
    N_("On %(asked)s somebody at a counter of the authority showed that they are you, and got a code."),
    N_("From %(begins)s until %(ends)s the code adds a new security key to your account, once."),
    N_("If it was you, you need do nothing but use the code."),
    N_(
        "If it was not you: sign in at %(address)s with your security key. On the page “Your status”, which opens "
        "then, press the button that cancels the code. It stands there until the code was used or has expired."
    ),
    N_(
        "If you cannot sign in, go to any counter with a document that shows who you are. You get a code of your own, "
        "and that cancels the other one. You need no phone and no e-mail for it."
    ),
)
_CARE: Final = N_(
    "Keep this sheet to yourself: whoever has it can register a key in your name. If you lose it, tell any counter."
)

_AT_A_COUNTER: Final = N_("Your reference, by which any counter finds your record:")


@dataclass(frozen=True, slots=True)
class SheetText:
    """The sheet's words in one language."""

    language: Language
    heading: str
    waits: str
    steps: Sequence[str]
    once: str
    care: str
    reference: str


@dataclass(frozen=True, slots=True)
class LetterText:
    """The letter's words in one language."""

    language: Language
    heading: str
    paragraphs: Sequence[str]


class OfferForm(Form):
    """Which type of document to hand out."""

    type: Annotated[str, Says(N_("Choose the document"), N_("Choose the document"))]
    format: Annotated[str | None, Says(N_("Choose the document"), N_("Choose the document"))] = None


async def enrolment(call: PageCall) -> Html:
    """A sheet with a one-time code, in both languages: whoever takes it home may read either."""
    person = call.handle("person")
    invitation = await invite.invite_citizen(call.office, call.caller, person, call.given)
    context = {
        "code": invitation.code,
        "address": f"{call.office.deployment.iss}/enrol",
        "texts": [_sheet_text(language, invitation) for language in Language],
        "waits": invitation.not_before is not None,
        "reference": person.hex(),
        "record": path_of(person),
    }
    return Html("officer/enrolment.html", context)


async def hand_out(call: PageCall) -> Html:
    """The one-time right to collect a document into a wallet."""
    person = call.handle("person")
    form = call.read(OfferForm)
    wanted = offer.Wanted("") if form.model is None else offer.Wanted(form.model.type, form.model.format)
    made = await offer.offer(call.office, call.caller, person, wanted, call.given)
    context = {
        "title": TYPES[made.type],
        "offered": as_wallets_read(made),
        "file": data_url(made),
        "expires_at": made.expires_at,
        "record": path_of(person),
    }
    return Html("officer/offer.html", context)


async def letter(call: PageCall) -> Answer:
    """A letter to the owner of an account for which a code waits, in both languages; else back to the record."""
    person = call.handle("person")
    try:
        asked = await reproofing.asked(call.office, call.caller, person)
    except NotFound:
        return Redirect(path_of(person))
    address = f"{call.office.deployment.iss}/sign-in"
    texts = [_letter_text(language, asked, address) for language in Language]
    return Html("officer/letter.html", {"whose": asked.whose, "texts": texts, "record": path_of(person)})


def _letter_text(language: Language, asked: reproofing.Asked, address: str) -> LetterText:
    moments = {"asked": asked.at, "begins": asked.not_before, "ends": asked.expires_at}
    said = {name: moment_in_words(language, at) for name, at in moments.items()} | {"address": address}
    paragraphs = [translate(language, sentence) % said for sentence in _LETTER_SAYS]
    return LetterText(language, translate(language, _LETTER), paragraphs)


def _sheet_text(language: Language, invitation: Invitation) -> SheetText:
    moment = {"moment": moment_in_words(language, invitation.expires_at)}
    begins = invitation.not_before
    waits = translate(language, _WAITS) % {"moment": moment_in_words(language, begins)} if begins else ""
    steps = [translate(language, step) for step in _STEPS]
    return SheetText(
        language,
        translate(language, _HEADING),
        waits,
        steps,
        translate(language, _ONCE) % moment,
        translate(language, _CARE),
        translate(language, _AT_A_COUNTER),
    )
