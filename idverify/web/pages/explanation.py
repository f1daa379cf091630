"""What went wrong, for people: what happened and what to do next, per problem type and per error of a browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from idverify.errors import ClientError, IdverifyError, KeyNotAllowed, KeyRemoved
from idverify.web.pages.words import N_


@dataclass(frozen=True, slots=True)
class Explanation:
    """``title`` and ``next_step`` are in the catalogue; ``happened`` too, unless a service put it together.

    ``forget`` is the id of a credential that opens nothing any more, where it may be said.
    """

    title: str
    happened: str
    next_step: str
    status: int = 200
    forget: bytes | None = None


_TRY_AGAIN: Final = N_("Go back and try again.")
_ANOTHER_KEY: Final = N_("Use another security key, or ask whoever enrolled you for help.")
_WAIT: Final = N_("Wait a minute and try again. If you repeat what you sent, it is not done twice.")

# By the slug of the error's class (``errors``): a title that people understand, and what they can do
_OF_ERRORS: Final[Mapping[str, tuple[str, str]]] = {
    "bad-request": (N_("This cannot be done as it was sent"), _TRY_AGAIN),
    "malformed-request": (N_("What was sent could not be read"), _TRY_AGAIN),
    "ceremony-malformed": (
        N_("The security key's answer could not be read"),
        N_("Try again. If it stays so, use another browser or another security key."),
    ),
    "not-authenticated": (N_("You are not signed in"), N_("Sign in with your security key.")),
    "verification-failed": (
        N_("The security key could not be verified"),
        N_("Try again with the key that you registered here. If you lost it, ask whoever enrolled you for a new code."),
    ),
    "origin-not-allowed": (
        N_("The security key was used at another address"),
        N_("Open the service by the address that you were given, letter by letter, and try again."),
    ),
    "key-removed": (
        N_("This security key was removed"),
        N_("Sign in with another key of yours. If you have none, ask whoever enrolled you for a new code."),
    ),
    "user-verification-needed": (
        N_("The security key must ask for its PIN"),
        N_("Set a PIN on this key first, in the settings of your computer or browser, then try again."),
    ),
    "not-allowed": (N_("You may not do this"), N_("If you need to, ask somebody whose task it is.")),
    "key-not-allowed": (N_("This security key cannot be used here"), _ANOTHER_KEY),
    "key-suspended": (
        N_("This security key is suspended"),
        N_(
            "Sign in with your other key. Ask two administrators to look into it; they can put the key back in use. "
            "Where fewer than two can sign in, whoever runs this service enrols others on its command line."
        ),
    ),
    "second-key-needed": (
        N_("Register your second security key first"),
        N_("Open your security keys and add another one. You have both keys then, and may lose one."),
    ),
    "cross-site": (
        N_("Nothing was done, to keep you safe"),
        N_("Open the page here again and send it from there. If you signed in again since, that is why."),
    ),
    "not-found": (N_("There is no such page"), N_("Check the address, or go to the start page.")),
    "method-not-allowed": (N_("There is no such page"), N_("Check the address, or go to the start page.")),
    "conflict": (
        N_("This does not fit what is on record"),
        N_("Look at the record again: somebody may have changed it, or it was done already."),
    ),
    "ceremony-used": (
        N_("This was answered already"),
        N_("Look whether it was done. If it was not, start again: each time it takes a new answer of your key."),
    ),
    "not-yet": (N_("This code does not work yet"), N_("Come back with it later. You need do nothing else.")),
    "key-already-registered": (
        N_("This security key is registered already"),
        N_("Sign in with it, or use another key."),
    ),
    "only-key": (
        N_("This is your only key, so it stays"),
        N_("Open your security keys and add another key first; if you can print recovery codes, they will do, too."),
    ),
    "too-many-keys": (
        N_("You have as many security keys as you may have"),
        N_("Remove a key that you do not use any more, then add the new one."),
    ),
    "ceremony-expired": (
        N_("This took too long"),
        N_("Start again. You have two minutes to confirm something, and at least five for anything else."),
    ),
    "expired": (N_("This has expired"), N_("Start again.")),
    "not-acceptable": (N_("This is not there in a form for people"), N_("Programs read it. Go back.")),
    "not-offered": (N_("This is not offered here"), N_("Go back.")),
    "too-large": (N_("This is too large"), N_("Send a smaller file: the form says how large it may be.")),
    "unprocessable": (N_("A rule does not allow this"), N_("Go back, change what the rule is about, and try again.")),
    "too-many-attempts": (
        N_("There were too many attempts"),
        N_("Wait ten minutes. If you do not know why the key is refused, ask whoever enrolled you for help."),
    ),
    "unavailable": (N_("A part of the service is away"), _WAIT),
    "token-away": (N_("A part of the service is away"), _WAIT),
    "busy": (N_("The service is busy"), _WAIT),
    "log-halted": (
        N_("The ledger is halted, so nothing was done"),
        N_("Documents are still checked. Whatever is recorded has to wait until two administrators have seen to it."),
    ),
    "outcome-unknown": (N_("It is not known whether this was done"), _WAIT),
    "internal": (N_("Something went wrong on our side"), _WAIT),
    "setup": (N_("Something went wrong on our side"), _WAIT),
}
# Of these, what fits one rule alone
_OF_RULES: Final[Mapping[str, str]] = {
    "no-list": N_("No key will do before that. Whoever runs this service sets the list on its command line."),
}
_LOGGED: Final = N_("It is not your fault. What happened was written down for those who look after the service.")

_NOT_DONE: Final = N_("The security key did not answer")
_FAILED: Final = Explanation(
    N_("The security key failed"),
    N_("The key reported a fault: it may be full, or it was pulled out too early."),
    N_("Plug it in again and try once more. If it stays so, use another security key."),
)
_NOT_UNDERSTOOD: Final = Explanation(
    N_("This browser did not understand what it was asked"),
    N_("The browser is too old for what this service needs of it, or an extension of it changed the question."),
    N_("Use a current browser, without extensions that manage passwords, and try again."),
)
# By the name of the error that navigator.credentials gives (WebAuthn L3 sections 5.1.3.1 and 5.1.4.3, and what the
# extensions, the Credential Management API and browsers themselves add), or that the page gives in its stead
_OF_BROWSERS: Final[Mapping[str, Explanation]] = {
    "NotAllowedError": Explanation(
        _NOT_DONE,
        N_(
            "It was not touched in time, the question was closed, it has no key for this service, or it has no PIN yet."
        ),
        N_(
            "Plug the key in and try again; touch it when it blinks. "
            "If it has no PIN, set a PIN on this key first, in the settings of your computer or browser."
        ),
    ),
    "InvalidStateError": Explanation(
        N_("This security key is registered already"),
        N_("The key that answered is one of those that you have here."),
        N_("Sign in with it. To add another, plug in a different key."),
    ),
    "SecurityError": Explanation(
        N_("The browser does not trust this address"),
        N_("Security keys work at this service's own address only, over a secure connection."),
        N_("Open the service by the address that you were given, letter by letter, and try again."),
    ),
    "NotSupportedError": Explanation(
        N_("This browser or key cannot do it"),
        N_("The browser is too old for security keys, or the key is of a kind that is not used here."),
        N_("Use a current browser, or another security key."),
    ),
    "AbortError": Explanation(
        N_("It was stopped"),
        N_("You or the browser stopped it before the key answered."),
        N_("Try again when you are ready."),
    ),
    "ConstraintError": Explanation(
        N_("This key cannot do what is needed"),
        N_("The key cannot ask for a PIN or a fingerprint, or has no room for another account."),
        N_("Set a PIN on this key first, or free room on it. Otherwise use another security key."),
    ),
    "TimeoutError": Explanation(
        _NOT_DONE,
        N_("The time to touch it ran out."),
        N_("Try again, and touch the key as soon as it blinks."),
    ),
    "OperationError": Explanation(
        N_("The browser is busy with a security key"),
        N_("Another page, or another window of this one, waits for a key at this moment."),
        N_("Close the other pages that ask for a key, and try again."),
    ),
    "UnknownError": _FAILED,
    "NotReadableError": _FAILED,
    "NetworkError": _FAILED,
    "TypeError": _NOT_UNDERSTOOD,
    "DataError": _NOT_UNDERSTOOD,
    "EncodingError": _NOT_UNDERSTOOD,
    "JavaScriptNotEnabled": Explanation(
        N_("JavaScript is switched off"),
        N_("A browser talks to a security key by JavaScript alone. Everything else here works without it."),
        N_(
            "Switch JavaScript on for this site and load the page again, or use another computer, "
            "such as one in a library. If you cannot, an officer at a counter can help you."
        ),
    ),
}
OTHER: Final = "other"
REASONS: Final = (*_OF_BROWSERS, OTHER)
_OF_ANY_BROWSER: Final = Explanation(
    N_("The security key could not be used"),
    N_("The browser gave a reason that we do not know."),
    N_("Try again. If it stays so, use another browser or another security key."),
)


def of_error(error: IdverifyError) -> Explanation:
    """An error in words for people. What a server fault was about stays in the log."""
    title, next_step = _OF_ERRORS[error.slug]
    if isinstance(error, KeyNotAllowed):
        next_step = _OF_RULES.get(error.rule, next_step)
    happened = error.detail if isinstance(error, ClientError) else _LOGGED
    forget = error.credential_id if isinstance(error, KeyRemoved) else None
    return Explanation(title, happened, next_step, error.status, forget)


def reason_of(name: str) -> str:
    """The name of a browser's error if it is one that we know, for logs and figures; ``OTHER`` for whatever else."""
    return name if name in _OF_BROWSERS else OTHER


def of_browser(name: str) -> Explanation:
    """What the browser said instead of an answer, by the name of its error."""
    return _OF_BROWSERS.get(name, _OF_ANY_BROWSER)
