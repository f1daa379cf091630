"""The program that looks at a module and its tokens without logging in: what `doctor` needs to know of them.

It gets no PIN, and runs in a process of its own like every program that loads a module: a module that crashes when
it is looked at takes nothing else with it.
"""

import json
from typing import Any

from pkcs11 import PKCS11Error, Slot, TokenFlag

from hsm.algorithms import SCHEMES, mechanism_of
from hsm.child import Channel, answer_once, run
from hsm.ckr import fault_of
from hsm.frames import Op
from hsm.keyring import mechanism_names
from hsm.keys import Algorithm
from hsm.locking import Library, load

_NAMES = {flag: flag.name for flag in TokenFlag}


def serve(channel: Channel, request: int, settings: dict[str, Any]) -> None:
    """Answer with what the module says of itself, or with how it takes to threads."""
    threads = 2 if settings["threads"] else 1
    try:
        loaded = load(settings["module"], threads=threads, arguments=settings["module_arguments"])
        found = {"locking": loaded.locking} if threads > 1 else _module(loaded.library)
    except PKCS11Error as error:
        raise fault_of(Op.CONFIGURE, error) from error
    answer_once(channel, request, json.dumps(found).encode())


def _module(library: Library) -> dict[str, Any]:
    major, minor = library.cryptoki_version
    return {
        "manufacturer": library.manufacturer_id,
        "description": library.library_description,
        "version": ".".join(map(str, library.library_version)),
        "cryptoki": f"{major}.{minor}",
        "tokens": [_token(slot) for slot in library.get_slots(token_present=True)],
    }


def _token(slot: Slot) -> dict[str, Any]:
    token = slot.get_token()
    listed = mechanism_names(slot)
    return {
        "label": token.label,
        "serial": token.serial.decode(errors="replace"),
        "model": token.model,
        "flags": sorted(str(name) for flag, name in _NAMES.items() if token.flags & flag),
        "algorithms": {algorithm.value: _mechanisms(algorithm, listed) for algorithm in SCHEMES},
    }


def _mechanisms(algorithm: Algorithm, listed: list[str]) -> dict[str, bool]:
    """Which of those that an algorithm needs are there; not what for: SoftHSM 2.6 fills in random flags for AES-GCM."""
    scheme, use = SCHEMES[algorithm], mechanism_of(algorithm, listed)
    return {scheme.generate: scheme.generate in listed, use or " or ".join(scheme.uses): use is not None}


if __name__ == "__main__":
    run(serve)
