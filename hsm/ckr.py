"""What each PKCS#11 return value means for us: one table from CKR to action.

The action is the `Status` of the answer; the client's pool carries it out:

    SESSION_LOST    replace the signer process and send the request again
    TOKEN_DOWN      fail the request, replace the process with back-off
    PIN_REFUSED     terminal until an operator acts
    KEY_MISSING, KEY_REFUSED, AMBIGUOUS, DECRYPT_FAILED, POLICY   the request alone is at fault; the process is well

`STATUS_OF` has the values for which python-pkcs11 has a class, `BY_NUMBER` those of the standard that it hands on as
numbers. Whatever is in neither means TOKEN_DOWN.
"""

import re
from types import MappingProxyType

from pkcs11 import exceptions as ckr

from hsm.frames import Op, Status

_GROUPS: dict[Status, tuple[type[ckr.PKCS11Error], ...]] = {
    Status.SESSION_LOST: (
        ckr.KeyHandleInvalid,
        ckr.ObjectHandleInvalid,
        ckr.OperationActive,
        ckr.OperationNotInitialized,
        ckr.SessionClosed,
        ckr.SessionHandleInvalid,
        ckr.UnwrappingKeyHandleInvalid,
        ckr.UserNotLoggedIn,
        ckr.WrappingKeyHandleInvalid,
    ),
    Status.TOKEN_DOWN: (
        ckr.AnotherUserAlreadyLoggedIn,
        ckr.DeviceError,
        ckr.DeviceMemory,
        ckr.DeviceRemoved,
        ckr.ExceededMaxIterations,
        ckr.FunctionCancelled,
        ckr.FunctionFailed,
        ckr.FunctionRejected,
        ckr.GeneralError,
        ckr.HostMemory,
        ckr.NoEvent,
        ckr.RandomNoRNG,
        ckr.SessionCount,
        ckr.SessionExists,
        ckr.SessionReadOnlyExists,
        ckr.SessionReadWriteSOExists,
        ckr.SignatureInvalid,
        ckr.SignatureLenRange,
        ckr.SlotIDInvalid,
        ckr.TokenNotPresent,
        ckr.TokenNotRecognised,
        ckr.UserAlreadyLoggedIn,
        ckr.UserTooManyTypes,
    ),
    Status.PIN_REFUSED: (
        ckr.PinExpired,
        ckr.PinIncorrect,
        ckr.PinInvalid,
        ckr.PinLenRange,
        ckr.PinLocked,
        ckr.PinTooWeak,
        ckr.UserPinNotInitialized,
    ),
    Status.TOKEN_MISSING: (ckr.NoSuchToken,),
    Status.AMBIGUOUS: (ckr.MultipleObjectsReturned, ckr.MultipleTokensReturned),
    Status.KEY_MISSING: (ckr.NoSuchKey,),
    Status.DECRYPT_FAILED: (
        ckr.EncryptedDataInvalid,
        ckr.EncryptedDataLenRange,
        ckr.WrappedKeyInvalid,
        ckr.WrappedKeyLenRange,
    ),
    Status.POLICY: (
        ckr.ArgumentsBad,
        ckr.AttributeReadOnly,
        ckr.AttributeSensitive,
        ckr.AttributeTypeInvalid,
        ckr.AttributeValueInvalid,
        ckr.DataInvalid,
        ckr.DataLenRange,
        ckr.DomainParamsInvalid,
        ckr.FunctionNotSupported,
        ckr.KeyIndigestible,
        ckr.KeyNeeded,
        ckr.KeyNotNeeded,
        ckr.KeyNotWrappable,
        ckr.KeySizeRange,
        ckr.KeyTypeInconsistent,
        ckr.KeyUnextractable,
        ckr.MechanismInvalid,
        ckr.MechanismParamInvalid,
        ckr.PublicKeyInvalid,
        ckr.RandomSeedNotSupported,
        ckr.SessionReadOnly,
        ckr.TemplateIncomplete,
        ckr.TemplateInconsistent,
        ckr.TokenWriteProtected,
        ckr.UnwrappingKeySizeRange,
        ckr.UnwrappingKeyTypeInconsistent,
        ckr.WrappingKeySizeRange,
        ckr.WrappingKeyTypeInconsistent,
    ),
}

STATUS_OF = MappingProxyType({error: status for status, errors in _GROUPS.items() for error in errors})
"""Every return value that python-pkcs11 names, and its action."""

BY_NUMBER = MappingProxyType(
    {
        0x1A: ("CKR_COPY_PROHIBITED", Status.POLICY),
        0x1B: ("CKR_ACTION_PROHIBITED", Status.POLICY),
        0x65: ("CKR_KEY_CHANGED", Status.SESSION_LOST),
        0x68: ("CKR_KEY_FUNCTION_NOT_PERMITTED", Status.POLICY),
        0x103: ("CKR_USER_TYPE_INVALID", Status.POLICY),
        0x140: ("CKR_CURVE_NOT_SUPPORTED", Status.POLICY),
        0x170: ("CKR_INFORMATION_SENSITIVE", Status.POLICY),
        0x190: ("CKR_CRYPTOKI_NOT_INITIALIZED", Status.SESSION_LOST),
        0x1B0: ("CKR_NEW_PIN_MODE", Status.PIN_REFUSED),
        0x1B1: ("CKR_NEXT_OTP", Status.PIN_REFUSED),
        0x203: ("CKR_KEY_EXHAUSTED", Status.POLICY),
    }
)
"""Return values of PKCS#11 v3.0 that python-pkcs11 has no class for and that do not mean TOKEN_DOWN."""

_NUMBER = re.compile(r"0x([0-9a-f]+)", re.IGNORECASE)
_NOT_INITIALISED = "not initialized"  # python-pkcs11's words for CKR_CRYPTOKI_NOT_INITIALIZED

_CURES = {
    Status.SESSION_LOST: "The signer process is being replaced.",
    Status.TOKEN_DOWN: "Check the token's device; the signer process is being replaced.",
    Status.PIN_REFUSED: "Correct the PIN file; this PIN is not tried again.",
    Status.TOKEN_MISSING: "Check the token's label and serial.",
    Status.AMBIGUOUS: "Give the token's serial or the key's id, or remove the others.",
    Status.KEY_MISSING: "Check the key id against `python -m hsm inventory`.",
    Status.DECRYPT_FAILED: "Check that the same key and associated data were used.",
    Status.POLICY: "Check that the token offers this mechanism and the key is meant for it.",
}

_OPENING = frozenset({Op.DECRYPT, Op.UNWRAP, Op.OPEN_SEALED, Op.SIGN_SEALED})


class Fault(Exception):
    """An answer other than OK, on its way to the client."""

    def __init__(self, status: Status, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def fault_of(op: Op, error: ckr.PKCS11Error) -> Fault:
    """The fault that a PKCS#11 error in the middle of `op` amounts to."""
    status = status_of(error)
    if op in _OPENING and isinstance(error, ckr.GeneralError):
        # SoftHSM 2.6 answers CKR_GENERAL_ERROR to a wrong tag; a token that has gone answers with dead handles
        status = Status.DECRYPT_FAILED
    return Fault(status, f"Expected {op.name} to succeed, got {told(error)} from the token. {_CURES[status]}")


def status_of(error: ckr.PKCS11Error) -> Status:
    """The action for an error, by its class or else by the number in its text."""
    if (status := STATUS_OF.get(type(error))) is not None:
        return status
    if _NOT_INITIALISED in str(error):
        return BY_NUMBER[0x190][1]
    number = _NUMBER.search(str(error))
    return BY_NUMBER.get(int(number[1], 16), ("", Status.TOKEN_DOWN))[1] if number else Status.TOKEN_DOWN


def told(error: ckr.PKCS11Error) -> str:
    """An error in words: most of them have nothing to say but the name of their class."""
    number = _NUMBER.search(str(error))
    name = BY_NUMBER[int(number[1], 16)][0] if number and int(number[1], 16) in BY_NUMBER else type(error).__name__
    return f"{name} ({error})" if str(error) else name
