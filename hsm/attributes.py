"""How attributes are read whose values are numbers of a register that makers add to.

python-pkcs11 raises `ValueError` on a number that it has no name for: one odd object would take every list of keys
down.
"""

import sys
from enum import IntEnum
from functools import partial
from typing import Final

from pkcs11 import Attribute, KeyType, Mechanism
from pkcs11.attributes import AttributeMapper

_REGISTERS: Final[dict[Attribute, type[IntEnum]]] = {
    Attribute.KEY_TYPE: KeyType,
    Attribute.KEY_GEN_MECHANISM: Mechanism,
}
_UNAVAILABLE: Final = (2**32 - 1, 2**64 - 1)
"""CK_UNAVAILABLE_INFORMATION, ~0 of a CK_ULONG: of a key that the token did not make."""


def mapper() -> AttributeMapper:
    """For `Token.open`: what is in no register stays a number."""
    tolerant = AttributeMapper()
    for attribute, register in _REGISTERS.items():
        pack, _ = tolerant.attribute_types[attribute]
        tolerant.register_handler(attribute, pack, partial(_read, register))
    return tolerant


def mechanism_name(value: int | None) -> str | None:
    """A mechanism without its CKM_, a maker's own as a number; None where the token does not say."""
    if value is None or value in _UNAVAILABLE:
        return None
    return value.name if isinstance(value, Mechanism) else f"0x{value:08x}"


def _read(register: type[IntEnum], value: bytes) -> int:
    number = int.from_bytes(value, sys.byteorder)
    try:
        return register(number)
    except ValueError:
        return number
