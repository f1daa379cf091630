"""What can go wrong between a caller and a key, as one tree.

HsmError
├── HsmBusy             the queue is full: come back later (503 and Retry-After)
├── HsmTimeout          the deadline passed; a repeatable operation had no effect that matters
├── HsmUnavailable      the token is down or its signer process cannot be kept alive
├── HsmKeyMissing       the token has no such key
├── HsmPinMissing       no PIN file, or one that holds no PIN or that others can read; the token was not asked
├── HsmKeyRefused       the key may not be used: its birth, its stage of life or its certificate forbids it
├── HsmInventoryRefused the inventory is missing, altered, or not signed by this token
├── HsmPinRefused       terminal: the PIN is wrong, locked or about to be locked; it is never tried again
├── HsmTokenMissing     no token with that label and serial
├── HsmAmbiguous        several tokens or keys answer to one name
├── HsmModuleMissing    no PKCS#11 module at that path
├── HsmDecryptFailed    the ciphertext or wrapped key was not made with this key, or was altered
├── HsmPolicy           the caller asked for what this package does not do: a bug, never repeated
├── HsmSharesRefused    shares of a recovery key that do not make it: which, and what to bring
└── HsmOutcomeUnknown   an operation that must not be repeated was cut off: look before trying again
"""


class HsmError(Exception):
    """The root: catch this to catch everything this package raises on purpose.

    `token` is the label of the token that could not be opened, where that is what failed.
    """

    token: str | None = None

    def __str__(self) -> str:
        """The sentence it was raised with; without one, what its class stands for: never nothing."""
        return super().__str__() or f"{type(self).__name__}. {type(self).__doc__ or HsmError.__doc__}"


class HsmBusy(HsmError):
    """As many requests of this class are pending as `TokenConfig.queue_limit` admits; `retry_after` is in seconds."""

    def __init__(self, sentence: str, retry_after: int = 1) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class HsmTimeout(HsmError):
    """No answer before the caller's deadline; an answer that comes later is dropped."""


class HsmUnavailable(HsmError):
    """No signer process can serve now; the next one is being started in the background."""


class HsmKeyMissing(HsmError):
    """No key of that CKA_ID in the token."""


class HsmPinMissing(HsmError):
    """The PIN file cannot be used as it is. No attempt was made, so the token is no nearer to locking."""


class HsmKeyRefused(HsmError):
    """The key is there but may not be used for this: not born in the token, not active, or its certificate ends."""


class HsmInventoryRefused(HsmError):
    """The file that says which keys there are is not there, or this token did not sign it as it stands."""


class HsmPinRefused(HsmError):
    """The PIN did not open the token. One attempt only: tokens lock after a few."""


class HsmTokenMissing(HsmError):
    """The module shows no token of that label and serial."""


class HsmAmbiguous(HsmError):
    """More than one token of a label, or key of an id, is there: which one is meant cannot be guessed."""


class HsmModuleMissing(HsmError):
    """The PKCS#11 module is not there or does not load."""


class HsmDecryptFailed(HsmError):
    """Authentication of a ciphertext or wrapped key failed; the token itself is well."""


class HsmPolicy(HsmError):
    """Arguments or a mechanism outside this package's allow-list."""


class HsmSharesRefused(HsmError):
    """Too few shares, one with a slip of the pen, or one of another key."""


class HsmOutcomeUnknown(HsmError):
    """The signer process ended, or the deadline passed, with a `generate` under way."""


def for_another(error: HsmError) -> HsmError:
    """The same error for another caller: one exception object raised twice would grow its traceback for ever."""
    return type(error)(str(error))
