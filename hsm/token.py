"""Choosing exactly one token, and logging in once."""

from typing import Any

from pkcs11 import PKCS11Error, Session, Token, TokenFlag

from hsm.ckr import STATUS_OF, Fault
from hsm.frames import Status
from hsm.locking import Library, load


def choose(library: Library, label: str, serial: str | None) -> Token:
    """The one token of this label, and serial where given; slot numbers are never used, as they change."""
    tokens = [
        token
        for token in library.get_tokens(token_label=label)
        if serial is None or token.serial.decode(errors="replace") == serial
    ]
    if not tokens:
        seen = ", ".join(sorted(repr(token.label) for token in library.get_tokens() if token.label)) or "none"
        wanted = repr(label) if serial is None else f"{label!r} with serial {serial}"
        raise Fault(
            Status.TOKEN_MISSING,
            f"Expected a token labelled {wanted}, got: {seen}. Run `python -m hsm init-token` or correct the label.",
        )
    if len(tokens) > 1:
        serials = ", ".join(token.serial.decode(errors="replace") for token in tokens)
        raise Fault(
            Status.TOKEN_MISSING,
            f"Expected one token labelled {label!r}, got {len(tokens)} with serials {serials}. Give the serial.",
        )
    token: Token = tokens[0]
    return token


class OpenToken:
    """A token logged in to, for as long as the process lives.

    `anchor` holds the login and is never closed: closing it would log out `sessions`, which do the work, each for one
    thread, and are read-only unless keys are to be made.
    """

    def __init__(self, token: Token, pin: str, *, writable: bool, sessions: int) -> None:
        self.pin_count_low = bool(token.flags & TokenFlag.USER_PIN_COUNT_LOW)
        _refuse_last_try(token)
        try:
            self.anchor: Session = token.open(user_pin=pin)
        except PKCS11Error as error:
            status = STATUS_OF.get(type(error), Status.TOKEN_DOWN)
            raise Fault(
                status,
                f"Expected token {token.label!r} to accept the PIN, got {type(error).__name__}. "
                + (
                    "Correct the PIN file, then restart; it is not tried again." if status is Status.PIN_REFUSED else ""
                ),
            ) from None
        self.sessions: list[Session] = [token.open(rw=writable) for _ in range(sessions)]

    @property
    def session(self) -> Session:
        """The first, which is the only one of a program that works alone."""
        return self.sessions[0]


def _refuse_last_try(token: Token) -> None:
    """A PIN that may lock the token for good is for a person to enter, not for a program."""
    for flag, state in (
        (TokenFlag.USER_PIN_LOCKED, "locked"),
        (TokenFlag.USER_PIN_FINAL_TRY, "one wrong PIN from being locked"),
    ):
        if token.flags & flag:
            raise Fault(
                Status.PIN_REFUSED,
                f"Expected token {token.label!r} to be open for login, got one whose user PIN is {state}. "
                "Reset or confirm the PIN with the vendor's tool, then restart.",
            )


def open_token(settings: dict[str, Any]) -> OpenToken:
    """Load, choose and log in as the configuration frame says; takes the PIN out of it.

    As many sessions as it asks for, or one when the module cannot be shared by threads.
    """
    pin = settings.pop("pin")
    wanted: int = settings.get("sessions", 1)
    try:
        module = load(settings["module"], threads=wanted, arguments=settings.get("module_arguments"))
        token = choose(module.library, settings["label"], settings["serial"])
        return OpenToken(token, pin, writable=settings["writable"], sessions=wanted if module.locking else 1)
    except PKCS11Error as error:
        status = STATUS_OF.get(type(error), Status.TOKEN_DOWN)
        raise Fault(status, f"Expected the token to open, got {type(error).__name__}. Check its device.") from error
