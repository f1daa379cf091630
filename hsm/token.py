"""Choosing exactly one token, and logging in once.

A PIN is presented to a token once. What can be known before is looked at before: the flags that say that the PIN is
locked or about to be, and the note of a refusal (`hsm.refusals`).
"""

import json
from pathlib import Path
from typing import Any

from pkcs11 import Attribute, ObjectClass, PKCS11Error, Session, Token, TokenFlag

from hsm import refusals
from hsm.attributes import mapper
from hsm.ckr import Fault, status_of, told
from hsm.config import PROBE_LABEL
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
        raise Fault(Status.TOKEN_MISSING, _missing(library, label, serial))
    if len(tokens) > 1:
        serials = ", ".join(token.serial.decode(errors="replace") for token in tokens)
        raise Fault(
            Status.AMBIGUOUS,
            f"Expected one token labelled {label!r}, got {len(tokens)} with serials {serials}. Give the serial.",
        )
    token: Token = tokens[0]
    return token


def _missing(library: Library, label: str, serial: str | None) -> str:
    seen = [(token.label, token.serial.decode(errors="replace")) for token in library.get_tokens() if token.label]
    shown = ", ".join(sorted(f"{one!r} with serial {other}" for one, other in seen)) or "none"
    wanted = repr(label) if serial is None else f"{label!r} with serial {serial}"
    cure = "Bring it back, or correct the label."
    if any(one == label for one, _ in seen):
        cure = "That is another token of this label: bring the right one back, or correct the serial."
    return f"Expected a token labelled {wanted}, got: {shown}. {cure} `python -m hsm init-token` makes a new one."


class OpenToken:
    """A token logged in to, for as long as the process lives.

    `anchor` holds the login and is never closed: closing it would log out `sessions`, which do the work, each for one
    thread, and are read-only unless keys are to be made.
    """

    def __init__(self, token: Token, pin: str, settings: dict[str, Any], *, sessions: int) -> None:
        self.serial = token.serial.decode(errors="replace")
        self.pin_count_low = bool(token.flags & TokenFlag.USER_PIN_COUNT_LOW)
        _refuse_by_flags(token, uncertain=settings.get("uncertain", False))
        note = Path(settings["refusals"]) if "refusals" in settings else None
        _refuse_by_note(token, pin, note)
        try:
            self.anchor: Session = token.open(user_pin=pin, attribute_mapper=mapper())
        except PKCS11Error as error:
            raise _not_opened(token, pin, note, error) from None
        if note is not None:
            refusals.forget(note)
        self.sessions: list[Session] = [
            token.open(rw=settings["writable"], attribute_mapper=mapper()) for _ in range(sessions)
        ]
        self._probe_key = settings.get("probe_key")

    @property
    def session(self) -> Session:
        """The first, which is the only one of a program that works alone."""
        return self.sessions[0]

    def greeting(self, sessions: int) -> bytes:
        """What the client needs to know of the token and of the sessions that serve, in JSON."""
        probe_key = self._probe_key or _labelled_probe(self.session)
        told_once = {
            "serial": self.serial,
            "pin_count_low": self.pin_count_low,
            "sessions": sessions,
            "probe_key": probe_key,
        }
        return json.dumps(told_once).encode()


def _labelled_probe(session: Session) -> str | None:
    """The id of the key pair labelled for probes, in hexadecimal; None where there is none."""
    wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: PROBE_LABEL, Attribute.TOKEN: True}
    found = [bytes(key[Attribute.ID]).hex() for key in list(session.get_objects(wanted))]
    if len(found) > 1:
        raise Fault(
            Status.AMBIGUOUS,
            f"Expected one key pair labelled {PROBE_LABEL!r}, got {', '.join(found)}. Remove the others, or name one.",
        )
    return found[0] if found and found[0] else None


_UNFIT = (
    (TokenFlag.USER_PIN_LOCKED, "locked"),
    (TokenFlag.USER_PIN_FINAL_TRY, "one wrong PIN from being locked"),
)


def _refuse_by_flags(token: Token, *, uncertain: bool) -> None:
    """A PIN that may lock the token for good is for a person to enter, not for a program.

    After an attempt of ours whose outcome nobody saw (`uncertain`), a wrong PIN that the token remembers may have been
    ours.
    """
    unfit = (*_UNFIT, (TokenFlag.USER_PIN_COUNT_LOW, "remembered as wrong since the last good login"))
    for flag, state in unfit if uncertain else _UNFIT:
        if token.flags & flag:
            raise Fault(
                Status.PIN_REFUSED,
                f"Expected token {token.label!r} to be open for login, got one whose user PIN is {state}. The PIN was "
                "not tried. Reset or confirm it with the vendor's tool, then write the PIN file anew.",
            )


def _refuse_by_note(token: Token, pin: str, note: Path | None) -> None:
    if note is not None and refusals.is_noted(note, pin):
        raise Fault(
            Status.PIN_REFUSED,
            f"Expected another PIN than the one that token {token.label!r} has refused, got the same. It was not tried "
            f"again. Correct the PIN file; if the token's PIN has been set to it since, delete {note}.",
        )


def _not_opened(token: Token, pin: str, note: Path | None, error: PKCS11Error) -> Fault:
    status = status_of(error)
    sentence = f"Expected token {token.label!r} to accept the PIN, got {told(error)}."
    if status is not Status.PIN_REFUSED:
        return Fault(status, f"{sentence} Check the token's device.")
    sentence += " Correct the PIN file; this PIN is not tried again."
    if note is None or not refusals.write(note, pin):
        sentence += " It could not be noted beside the PIN file: correct it before this program is restarted."
    return Fault(status, sentence)


def open_token(settings: dict[str, Any]) -> OpenToken:
    """Load, choose and log in as the configuration frame says; takes the PIN out of it.

    As many sessions as it asks for, or one when the module cannot be shared by threads.
    """
    pin = settings.pop("pin")
    wanted: int = settings.get("sessions", 1)
    try:
        module = load(settings["module"], threads=wanted, arguments=settings.get("module_arguments"))
        token = choose(module.library, settings["label"], settings["serial"])
        return OpenToken(token, pin, settings, sessions=wanted if module.locking else 1)
    except PKCS11Error as error:
        raise Fault(status_of(error), f"Expected the token to open, got {told(error)}. Check its device.") from error
