"""The program that initialises a token: PINs come down its socket, so no other process can read them.

`softhsm2-util --pin` would show them in its arguments.
"""

import ctypes
from pathlib import Path
from typing import Any

from pkcs11 import PKCS11Error, Slot, TokenFlag

from hsm.child import Channel, answer_once, run
from hsm.ckr import Fault, fault_of
from hsm.errors import HsmPinMissing
from hsm.frames import Op, Status
from hsm.locking import Library, load
from hsm.pins import create_pin, read_pin

_LABEL_SIZE = 32  # CK_TOKEN_INFO.label, blank padded (PKCS#11 v2.40 section 3.2)
_C_INIT_TOKEN = 10  # place in CK_FUNCTION_LIST counted in pointers, its version taking the first


def serve(channel: Channel, request: int, settings: dict[str, Any]) -> None:
    """Initialise a free slot as the configuration says; the answer is the new token's serial."""
    so_pin, pin = _pin(settings, "so_pin"), _pin(settings, "pin")
    library = load(settings["module"], arguments=settings.get("module_arguments")).library
    try:
        slot = _free_slot(library, settings["label"])
        _init_token(settings["module"], slot, so_pin, settings["label"])
        token = slot.get_token()
        session = token.open(rw=True, so_pin=so_pin)
        session.init_pin(pin)
        session.close()
    except PKCS11Error as error:
        raise fault_of(Op.CONFIGURE, error) from error
    answer_once(channel, request, token.serial)


def _pin(settings: dict[str, Any], name: str) -> str:
    """The PIN that was given, or the one in the file that was named, drawn at random if it is new."""
    if name in settings:
        return str(settings[name])
    try:
        return read_pin(create_pin(Path(settings[f"new_{name}_file"])))
    except HsmPinMissing as error:
        raise Fault(Status.PIN_MISSING, str(error)) from None


def _free_slot(library: Library, label: str) -> Slot:
    tokens = [(slot, slot.get_token()) for slot in library.get_slots(token_present=True)]
    blank: list[Slot] = [slot for slot, token in tokens if not token.flags & TokenFlag.TOKEN_INITIALIZED]
    # a blank token may have a label already: NSS takes it from its arguments
    if any(token.label == label for slot, token in tokens if slot not in blank):
        raise Fault(Status.POLICY, f"Expected no token labelled {label!r}, got one. Choose another label.")
    if blank:
        return blank[0]
    raise Fault(Status.TOKEN_MISSING, "Expected a slot with a blank token, got none. Add one with the vendor's tool.")


def _init_token(module: str, slot: Slot, so_pin: str, label: str) -> None:
    """C_InitToken, which python-pkcs11 lacks, called in the module that is already loaded and initialised."""
    functions = ctypes.POINTER(ctypes.c_void_p)()
    value = ctypes.CDLL(module).C_GetFunctionList(ctypes.byref(functions))
    if value == 0:
        prototype = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
        pin = so_pin.encode()
        padded = label.encode().ljust(_LABEL_SIZE)
        value = prototype(functions[_C_INIT_TOKEN])(slot.slot_id, pin, len(pin), padded)
    if value != 0:
        raise Fault(
            Status.TOKEN_DOWN, f"Expected C_InitToken to succeed, got CKR 0x{value:x}. Check PIN length and device."
        )


if __name__ == "__main__":
    run(serve)
