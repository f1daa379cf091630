"""PKCS#11 v3.0 called directly, for what python-pkcs11 does not do.

- C_EncryptMessage with CKG_GENERATE_RANDOM: the token makes the nonce of AES-GCM and says which. Several tokens refuse
  one that the caller chose, for two messages under one nonce open both (NIST SP 800-38D section 8).
- C_WrapKey into room enough: NSS says too little when it is asked for the length first, and python-pkcs11 believes it.
"""

import ctypes
from collections.abc import Mapping
from ctypes import c_char_p, c_ulong, c_void_p
from typing import Any, Self

from pkcs11 import Mechanism, PKCS11Error, Session, exceptions

NONCE_SIZE, TAG_SIZE = 12, 16  # bytes, NIST SP 800-38D section 8.2.2 and 5.2.1.2

_NAME = b"PKCS 11"  # of the standard's own interface (PKCS#11 v3.0 section 3.6)
_CKR_OK = 0
_CKG_GENERATE_RANDOM = 3
_KEY_ROOM = 1024  # bytes: far more than any wrapped secret of ours

# Places in CK_FUNCTION_LIST_3_0 counted in pointers, its version taking the first
_C_GET_SESSION_INFO, _C_WRAP_KEY = 16, 61
_C_MESSAGE_ENCRYPT_INIT, _C_ENCRYPT_MESSAGE, _C_MESSAGE_ENCRYPT_FINAL = 73, 74, 77


_ERRORS: Mapping[int, type[PKCS11Error]] = {
    0x02: exceptions.HostMemory,
    0x03: exceptions.SlotIDInvalid,
    0x05: exceptions.GeneralError,
    0x06: exceptions.FunctionFailed,
    0x07: exceptions.ArgumentsBad,
    0x10: exceptions.AttributeReadOnly,
    0x11: exceptions.AttributeSensitive,
    0x12: exceptions.AttributeTypeInvalid,
    0x13: exceptions.AttributeValueInvalid,
    0x20: exceptions.DataInvalid,
    0x21: exceptions.DataLenRange,
    0x30: exceptions.DeviceError,
    0x31: exceptions.DeviceMemory,
    0x32: exceptions.DeviceRemoved,
    0x40: exceptions.EncryptedDataInvalid,
    0x41: exceptions.EncryptedDataLenRange,
    0x50: exceptions.FunctionCancelled,
    0x54: exceptions.FunctionNotSupported,
    0x60: exceptions.KeyHandleInvalid,
    0x62: exceptions.KeySizeRange,
    0x63: exceptions.KeyTypeInconsistent,
    0x64: exceptions.KeyNotNeeded,
    0x66: exceptions.KeyNeeded,
    0x67: exceptions.KeyIndigestible,
    0x69: exceptions.KeyNotWrappable,
    0x6A: exceptions.KeyUnextractable,
    0x70: exceptions.MechanismInvalid,
    0x71: exceptions.MechanismParamInvalid,
    0x82: exceptions.ObjectHandleInvalid,
    0x90: exceptions.OperationActive,
    0x91: exceptions.OperationNotInitialized,
    0xB0: exceptions.SessionClosed,
    0xB1: exceptions.SessionCount,
    0xB3: exceptions.SessionHandleInvalid,
    0xB5: exceptions.SessionReadOnly,
    0xC0: exceptions.SignatureInvalid,
    0xC1: exceptions.SignatureLenRange,
    0xD0: exceptions.TemplateIncomplete,
    0xD1: exceptions.TemplateInconsistent,
    0xE0: exceptions.TokenNotPresent,
    0xE1: exceptions.TokenNotRecognised,
    0xE2: exceptions.TokenWriteProtected,
    0xF0: exceptions.UnwrappingKeyHandleInvalid,
    0xF1: exceptions.UnwrappingKeySizeRange,
    0xF2: exceptions.UnwrappingKeyTypeInconsistent,
    0x101: exceptions.UserNotLoggedIn,
    0x110: exceptions.WrappedKeyInvalid,
    0x112: exceptions.WrappedKeyLenRange,
    0x113: exceptions.WrappingKeyHandleInvalid,
    0x114: exceptions.WrappingKeySizeRange,
    0x115: exceptions.WrappingKeyTypeInconsistent,
    0x120: exceptions.RandomSeedNotSupported,
    0x121: exceptions.RandomNoRNG,
    0x130: exceptions.DomainParamsInvalid,
}
"""What python-pkcs11 raises for the return values of functions of a session; its own table cannot be reached."""


class _Interface(ctypes.Structure):
    """CK_INTERFACE."""

    _fields_ = (("name", c_char_p), ("functions", ctypes.POINTER(c_void_p)), ("flags", c_ulong))


class _Mechanism(ctypes.Structure):
    """CK_MECHANISM."""

    _fields_ = (("mechanism", c_ulong), ("parameter", c_void_p), ("length", c_ulong))


class _GcmMessage(ctypes.Structure):
    """CK_GCM_MESSAGE_PARAMS (PKCS#11 v3.0, current mechanisms, section 2.13.3)."""

    _fields_ = (
        ("nonce", c_void_p),
        ("nonce_length", c_ulong),
        ("nonce_fixed_bits", c_ulong),
        ("nonce_generator", c_ulong),
        ("tag", c_void_p),
        ("tag_bits", c_ulong),
    )


class Interface:
    """The functions of an initialised module that has PKCS#11 v3.0."""

    def __init__(self, functions: Any) -> None:
        self._functions = functions

    @classmethod
    def of(cls, module: str, session: Session) -> Self | None:
        """That of the module that opened this session, None when it is older.

        Also None when the module keeps a state per caller, as p11-kit's client does: it knows no such session here.
        """
        library = ctypes.CDLL(module)
        found = ctypes.POINTER(_Interface)()
        if not hasattr(library, "C_GetInterface"):
            return None
        if library.C_GetInterface(_NAME, None, ctypes.byref(found), c_ulong(0)) != _CKR_OK:
            return None
        functions = found.contents.functions
        major = ctypes.string_at(functions, 1)[0]  # CK_VERSION stands where the first pointer would
        interface = cls(functions)
        if major < 3:
            return None
        information = ctypes.create_string_buffer(64)  # CK_SESSION_INFO has less
        return interface if interface._ask(_C_GET_SESSION_INFO, session, information) == _CKR_OK else None

    def encrypt(self, session: Session, key: Any, mechanism: Mechanism, aad: bytes, plaintext: bytes) -> bytes:
        """Nonce || ciphertext || tag, the nonce drawn by the token."""
        nonce, tag = ctypes.create_string_buffer(NONCE_SIZE), ctypes.create_string_buffer(TAG_SIZE)
        message = _GcmMessage(
            nonce=ctypes.addressof(nonce),
            nonce_length=NONCE_SIZE,
            nonce_generator=_CKG_GENERATE_RANDOM,
            tag=ctypes.addressof(tag),
            tag_bits=TAG_SIZE * 8,
        )
        parameter = (ctypes.byref(message), c_ulong(ctypes.sizeof(message)))
        used = _Mechanism(mechanism, ctypes.addressof(message), ctypes.sizeof(message))
        room = ctypes.create_string_buffer(len(plaintext) + TAG_SIZE)
        length = c_ulong(len(room))
        self._call(_C_MESSAGE_ENCRYPT_INIT, session, ctypes.byref(used), c_ulong(key.handle))
        data = (aad, c_ulong(len(aad)), plaintext, c_ulong(len(plaintext)))
        try:
            self._call(_C_ENCRYPT_MESSAGE, session, *parameter, *data, room, ctypes.byref(length))
        except PKCS11Error:
            self._ask(_C_MESSAGE_ENCRYPT_FINAL, session)  # whatever it answers: the first error is the one to tell
            raise
        self._call(_C_MESSAGE_ENCRYPT_FINAL, session)
        return nonce.raw + room.raw[: length.value] + tag.raw

    def wrap(self, session: Session, wrapping: Any, mechanism: Mechanism, secret: Any) -> bytes:
        """A key under another."""
        room = ctypes.create_string_buffer(_KEY_ROOM)
        length = c_ulong(len(room))
        used = _Mechanism(mechanism, None, 0)
        keys = (c_ulong(wrapping.handle), c_ulong(secret.handle))
        self._call(_C_WRAP_KEY, session, ctypes.byref(used), *keys, room, ctypes.byref(length))
        return room.raw[: length.value]

    def _call(self, place: int, session: Session, *arguments: Any) -> None:
        """One function of a session; raises what python-pkcs11 would."""
        value = self._ask(place, session, *arguments)
        if value != _CKR_OK:
            known = _ERRORS.get(value)
            raise PKCS11Error(f"Unmapped error code 0x{value:x}") if known is None else known()

    def _ask(self, place: int, session: Any, *arguments: Any) -> int:
        function = ctypes.CFUNCTYPE(c_ulong)(self._functions[place])
        return int(function(c_ulong(session.handle), *arguments))
