"""Making a new token."""

import json
from pathlib import Path

from hsm.config import check_paths
from hsm.errors import HsmPolicy
from hsm.frames import Op
from hsm.health import Latencies
from hsm.link import connect
from hsm.pins import PIN_MAX
from hsm.process import INITIALISE

LABEL_MAX = 32
"""Bytes of a token's label, CK_TOKEN_INFO.label."""

_PIN_MIN = 4  # characters; SoftHSM's limit, PKCS#11 leaves it to the token
_LIMIT = 60.0  # seconds: a hardware token may erase itself first


async def init_token(
    module: Path,
    label: str,
    so_pin: str | Path | None,
    pin: str | Path,
    softhsm_conf: Path | None,
    *,
    module_arguments: str | None = None,
) -> str:
    """Initialise a blank token and set both PINs; returns its serial.

    Refused (`HsmPolicy`) when a token of that label is there already. The PINs travel down a socket to a process
    of their own: they are in no argument, environment or log. In place of a PIN a path names its file, which that
    process reads, and fills with a random PIN if there is none: then this one never knows it.

    `so_pin` is None for a module that has no security officer, only a user (NSS); `module_arguments` is as in
    `TokenConfig`.
    """
    require_label(label)
    for name, value in (("SO PIN", so_pin), ("PIN", pin)):
        if isinstance(value, str) and not _PIN_MIN <= len(value.encode()) <= PIN_MAX:
            raise HsmPolicy(f"Expected a {name} of {_PIN_MIN} to {PIN_MAX} bytes, got {len(value.encode())}.")
    check_paths(module, softhsm_conf)
    link = await connect(INITIALISE, softhsm_conf, Latencies())
    try:
        settings = {
            "module": str(module),
            "label": label,
            **_pin("so_pin", so_pin or ""),
            **_pin("pin", pin),
            "module_arguments": module_arguments,
        }
        return (await link.ask(Op.CONFIGURE, json.dumps(settings).encode(), _LIMIT)).decode()
    finally:
        await link.close()


def require_label(label: str) -> None:
    """Raises `HsmPolicy` for a label that no token can have."""
    if not 1 <= len(label.encode()) <= LABEL_MAX:
        raise HsmPolicy(f"Expected a token label of 1 to {LABEL_MAX} bytes, got {len(label.encode())}. Choose another.")


def _pin(name: str, pin: str | Path) -> dict[str, str]:
    """One PIN's setting: itself, or where it is kept."""
    return {name: pin} if isinstance(pin, str) else {f"new_{name}_file": str(pin.absolute())}
