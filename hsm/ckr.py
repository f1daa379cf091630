"""What each PKCS#11 return value means for us: one table from CKR to action.

The action is the `Status` of the answer; the client's pool carries it out:

    SESSION_LOST    replace the signer process and send the request again
    TOKEN_DOWN      fail the request, replace the process with back-off
    PIN_REFUSED     terminal until an operator acts
    KEY_MISSING, DECRYPT_FAILED, POLICY   the request alone is at fault; the process is well

A return value that is not in the table, or that python-pkcs11 does not map, means TOKEN_DOWN.
"""

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
    Status.TOKEN_MISSING: (ckr.MultipleTokensReturned, ckr.NoSuchToken),
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
        ckr.MultipleObjectsReturned,
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

_CURES = {
    Status.SESSION_LOST: "The signer process is being replaced.",
    Status.TOKEN_DOWN: "Check the token's device; the signer process is being replaced.",
    Status.PIN_REFUSED: "Correct the PIN file, then restart; it is not tried again.",
    Status.TOKEN_MISSING: "Check the token's label and serial.",
    Status.KEY_MISSING: "Check the key id against `python -m hsm inventory`.",
    Status.DECRYPT_FAILED: "Check that the same key and associated data were used.",
    Status.POLICY: "Check that the token offers this mechanism and the key is meant for it.",
}

_OPENING = frozenset({Op.DECRYPT, Op.UNWRAP})


class Fault(Exception):
    """An answer other than OK, on its way to the client."""

    def __init__(self, status: Status, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def fault_of(op: Op, error: ckr.PKCS11Error) -> Fault:
    """The fault that a PKCS#11 error in the middle of `op` amounts to."""
    status = STATUS_OF.get(type(error), Status.TOKEN_DOWN)
    if op in _OPENING and isinstance(error, ckr.GeneralError):
        # SoftHSM 2.6 answers CKR_GENERAL_ERROR to a wrong tag; a token that has gone answers with dead handles
        status = Status.DECRYPT_FAILED
    detail = f"{type(error).__name__} ({error})" if str(error) else type(error).__name__
    return Fault(status, f"Expected {op.name} to succeed, got {detail} from the token. {_CURES[status]}")
