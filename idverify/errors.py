"""Every error of the product, in one tree.

IdverifyError
├── ClientError                 the request cannot be served as it stands (4xx)
│   ├── MalformedRequest        400  syntax, types, missing or unknown fields
│   │   └── CeremonyMalformed   400  what a security key answered is not what WebAuthn says
│   ├── NotAuthenticated        401  no API key or session, or one that is unknown, revoked or over
│   │   ├── CeremonyRefused     401  the key's answer does not hold: one sentence, whatever the reason
│   │   │   ├── OriginNotAllowed 401 the key was used on a page that is not ours
│   │   │   └── KeyRemoved      401  it holds, and the key is one that was removed
│   │   └── UserVerificationNeeded 401  the key did not ask for its PIN or a fingerprint
│   ├── NotAllowed              403  the role may not do this, or the rule of two people forbids it
│   │   ├── KeyNotAllowed       403  the policy of the role does not take this security key
│   │   ├── KeySuspended        403  it was taken until somebody suspended it; told to nobody but its holder
│   │   ├── SecondKeyNeeded     403  the account does nothing before it has as many keys as its role needs
│   │   └── CrossSite           403  a request that another site made the browser send
│   ├── NotFound                404
│   ├── NotAcceptable           406  it is there, in no form that the caller takes
│   ├── NotOffered              501  a part of a standard that is left out here
│   ├── Conflict                409  used already, or the state has moved on
│   │   ├── CeremonyUsed        409  a challenge is good once
│   │   ├── KeyAlreadyRegistered 409
│   │   ├── OnlyKey             409  without it nobody could open the account any more
│   │   ├── NotYet              409  good later; from when, it says
│   │   └── TooManyKeys         409
│   ├── Gone                    410  expired
│   │   └── CeremonyExpired     410  a challenge is good for minutes
│   ├── TooLarge                413
│   ├── Unprocessable           422  well-formed, but the content breaks a rule of the domain
│   └── TooManyAttempts         429  too many answers of one session or code did not hold; come back
├── DocumentError               a document is malformed or forged: never an HTTP error, always a verdict
├── Unavailable                 503  a part we need is away; nothing was done
│   ├── TokenAway               503  a token did not answer; another one may
│   │   └── Busy                503  the queue is full; come back
│   └── LogHalted               503  the ledger is halted; what it must record is not done
├── OutcomeUnknown              503  it may or may not have happened; repeat with the same idempotency key
└── SetupError                  the operator must act: what is wrong and the cure, in one sentence

``core.action.StepUpRequired`` is a ``NotAuthenticated`` too: it carries the act that a security key must sign.

Raised anywhere, mapped to problem+json (RFC 9457) once, in ``web.problems``; to exit codes once, in ``cli``.
"""

from __future__ import annotations

import datetime as dt
from typing import ClassVar


class IdverifyError(Exception):
    """Root of the tree. ``slug`` names the problem type; ``status`` is its HTTP status."""

    slug: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on our side"

    @property
    def detail(self) -> str:
        """The sentence for the person who asked."""
        return str(self)


class ClientError(IdverifyError):
    """The request cannot be served as it stands."""

    slug, status, title = "bad-request", 400, "The request cannot be served"


class MalformedRequest(ClientError):
    """Syntax, types, missing or unknown fields; ``errors`` lists every one with its place."""

    slug, status, title = "malformed-request", 400, "The request is malformed"

    def __init__(self, detail: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.errors = errors or []


class NotAuthenticated(ClientError):
    """No credentials, or credentials that are unknown or revoked: the same answer for all of them."""

    slug, status, title = "not-authenticated", 401, "Who is asking is not known"


class CeremonyMalformed(MalformedRequest):
    """What a security key answered is not what WebAuthn says. ``rule`` is stable, for the log."""

    slug, status, title = "ceremony-malformed", 400, "The security key's answer is malformed"

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule


class CeremonyRefused(NotAuthenticated):
    """A security key's answer does not hold.

    Unknown key, wrong signature, wrong person: one sentence for all of
    them, so that nobody learns who is registered. ``rule`` is stable and goes to the log only.
    """

    slug, status, title = "verification-failed", 401, "The security key could not be verified"
    told: ClassVar[str] = "The security key's answer does not hold here. Try again with the key that you registered."

    def __init__(self, rule: str) -> None:
        super().__init__(self.told)
        self.rule = rule


class OriginNotAllowed(CeremonyRefused):
    """The key was used on a page of another site, or inside one. Whoever did so knows that: it tells nothing."""

    slug, status, title = "origin-not-allowed", 401, "The security key was used at another address"
    told = "The key was used on a page that is not ours. Open this service by the address that you were given."


class KeyRemoved(CeremonyRefused):
    """A key that was removed signed as it should, so its holder may know. ``credential_id`` is what to forget."""

    slug, title = "key-removed", "This security key was removed"

    def __init__(self, credential_id: bytes) -> None:
        super().__init__("removed")
        self.credential_id = credential_id

    @property
    def detail(self) -> str:
        """Not the sentence of a refusal: there is nothing to try again."""
        return "This key was removed here, or its account was ended. It opens nothing any more."


class UserVerificationNeeded(NotAuthenticated):
    """The key was touched, but asked for no PIN and no fingerprint."""

    slug, status, title = "user-verification-needed", 401, "The security key must ask for its PIN"

    def __init__(self) -> None:
        super().__init__("The key asked for no PIN and no fingerprint. Set a PIN on this key first, then try again.")


class NotAllowed(ClientError):
    """The caller is known but may not do this."""

    slug, status, title = "not-allowed", 403, "This is not allowed"


class KeyNotAllowed(NotAllowed):
    """The policy of the role does not take this security key. ``rule`` says which clause of it."""

    slug, status, title = "key-not-allowed", 403, "This security key cannot be used here"

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule


class KeySuspended(NotAllowed):
    """A registered key that was suspended signs in nowhere and confirms nothing.

    Raised only after its signature was found right, so that nobody else learns of it.
    """

    slug, status, title = "key-suspended", 403, "This security key is suspended"

    def __init__(self) -> None:
        super().__init__(
            "This key was suspended. Use your other key; two admins can put this one back in use. "
            "Where fewer than two can sign in, the operator enrols others on the command line."
        )


class SecondKeyNeeded(NotAllowed):
    """The account has fewer keys than its role needs; until it has them, its owner manages keys and sessions alone."""

    slug, status, title = "second-key-needed", 403, "Your account needs another security key first"

    def __init__(self) -> None:
        super().__init__("Register your second security key first; until then your account can do nothing else.")


class CrossSite(NotAllowed):
    """Another site made the browser send this, or nothing shows that it did not."""

    slug, status, title = "cross-site", 403, "The request did not come from our own pages"


class NotFound(ClientError):
    """There is no such thing, or the caller may not know of it."""

    slug, status, title = "not-found", 404, "There is no such thing"


class NotAcceptable(ClientError):
    """It is there, in no form that the caller takes."""

    slug, status, title = "not-acceptable", 406, "There is no such form of it"


class NotOffered(ClientError):
    """A part of a standard that this service leaves out, and says so."""

    slug, status, title = "not-offered", 501, "This is not offered here"


class Conflict(ClientError):
    """Used already, or the state has moved on."""

    slug, status, title = "conflict", 409, "This conflicts with what is recorded"


class CeremonyUsed(Conflict):
    """A challenge was answered before, rightly or wrongly: it is good once."""

    slug, status, title = "ceremony-used", 409, "This was answered already"

    def __init__(self) -> None:
        super().__init__("This ceremony was answered already. Start again.")


class KeyAlreadyRegistered(Conflict):
    """The security key is registered already, for this account or for another."""

    slug, status, title = "key-already-registered", 409, "This security key is registered already"


class OnlyKey(Conflict):
    """The key is the last way into its account, so it stays."""

    slug, status, title = "only-key", 409, "This is the only key of the account"


class TooManyKeys(Conflict):
    """The account has as many keys as it may have."""

    slug, status, title = "too-many-keys", 409, "There are as many security keys as there may be"

    def __init__(self) -> None:
        super().__init__("You have as many keys as one account may have. Remove one first.")


class NotYet(Conflict):
    """A one-time code that works later: ``not_before`` (Unix seconds) says from when."""

    slug, status, title = "not-yet", 409, "This does not work yet"

    def __init__(self, not_before: int) -> None:
        moment = dt.datetime.fromtimestamp(not_before, dt.UTC).isoformat().replace("+00:00", "Z")
        super().__init__(f"This code works from {moment} on. Nothing else is needed until then.")
        self.not_before = not_before


class Gone(ClientError):
    """It was there and has expired."""

    slug, status, title = "expired", 410, "This has expired"


class CeremonyExpired(Gone):
    """A challenge was answered too late."""

    slug, status, title = "ceremony-expired", 410, "This took too long"

    def __init__(self) -> None:
        super().__init__("The answer came too late, so nothing was done.")


class TooLarge(ClientError):
    """Over a size that is capped before parsing."""

    slug, status, title = "too-large", 413, "The request is too large"


class Unprocessable(ClientError):
    """Well-formed, but the content breaks a rule of the domain."""

    slug, status, title = "unprocessable", 422, "The request breaks a rule"


class TooManyAttempts(ClientError):
    """Too many answers of one session or code did not hold. ``retry_after`` is in seconds."""

    slug, status, title = "too-many-attempts", 429, "Too many attempts"

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many answers of security keys did not hold. Wait ten minutes, then start again.")
        self.retry_after = retry_after


class DocumentError(IdverifyError):
    """A document breaks a rule of its format. ``rule`` is stable and names the clause's rule."""

    slug, title = "document", "The document breaks a rule of its format"

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule


class Unavailable(IdverifyError):
    """A part we need is away; nothing was done."""

    slug, status, title = "unavailable", 503, "A part of the service is away"
    retry_after: int = 5


class TokenAway(Unavailable):
    """A token did not answer; another one may."""

    slug, title = "token-away", "A token of the service is away"


class Busy(TokenAway):
    """The queue is full. ``retry_after`` is in seconds."""

    slug, status, title = "busy", 503, "The service is busy"

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class LogHalted(Unavailable):
    """The ledger is halted: signing on could show two people two different logs. ``reason`` says how that was found."""

    slug, status, title = "log-halted", 503, "The ledger is halted"
    retry_after: int = 60

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Nothing was done: the ledger is halted ({reason}). Documents are still verified. The operator must put "
            "the newest copy of the database in place, or two admins must open a new log: idverify ledger new-shard"
        )
        self.reason = reason


class OutcomeUnknown(IdverifyError):
    """It may or may not have happened: repeat the call with the same idempotency key to learn which."""

    slug, status, title = "outcome-unknown", 503, "It is not known whether this happened"
    retry_after: ClassVar[int] = 1


class SetupError(IdverifyError):
    """What is wrong with this installation, and the cure."""

    slug, title = "setup", "The installation needs attention"

    def __init__(self, wrong: str, cure: str) -> None:
        super().__init__(f"{wrong} {cure}")
        self.wrong, self.cure = wrong, cure
