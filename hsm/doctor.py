"""`python -m hsm doctor`: is everything in place for a token to serve? Nothing is logged in to, and no PIN is read.

Each check is a row {check, holds, found, cure}: `holds` is None when it could not be told.
"""

import json
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from hsm.config import TokenConfig, check_paths
from hsm.errors import HsmError
from hsm.findings import Finding
from hsm.frames import Op
from hsm.health import Latencies
from hsm.keys import Algorithm
from hsm.link import connect
from hsm.process import EXAMINE

_LIMIT = 30.0  # seconds to load a module: a network token may have to be found first

_PIN_STATES = (
    ("USER_PIN_LOCKED", "the user PIN is locked", "Have the security officer set a new one with the vendor's tool."),
    (
        "USER_PIN_FINAL_TRY",
        "one wrong PIN more locks the token",
        "Confirm the PIN file with the vendor's tool before anything logs in.",
    ),
    (
        "USER_PIN_COUNT_LOW",
        "somebody tried a wrong PIN since the last good login",
        "Find out who. Correct the PIN file where it is wrong; the next good login clears this.",
    ),
    (
        "USER_PIN_TO_BE_CHANGED",
        "the user PIN is still the one of delivery",
        "Change it with the vendor's tool, and the PIN file with it.",
    ),
)
"""What flags say of the PIN without a login (PKCS#11 v2.40 section 3.2, CK_TOKEN_INFO.flags), the worst first."""


async def examine(token: TokenConfig, needed: Collection[Algorithm]) -> list[Finding]:
    """Everything that can be told of a token from outside; never raises for what is wrong with it.

    A mechanism that is missing is wrong only where its algorithm is `needed`.
    """
    findings = [*_module_file(token), *_private_files(token)]
    try:
        module = await _ask(token, threads=False)
    except HsmError as error:
        return [*findings, Finding("module", False, str(error), "See `found`; then run doctor again.")]
    found = f"{module['manufacturer']} {module['description']} {module['version']}, PKCS#11 {module['cryptoki']}"
    return [
        *findings,
        Finding("module", True, found),
        await _threads(token),
        *_token(token, module["tokens"], needed),
    ]


async def _ask(token: TokenConfig, *, threads: bool) -> dict[str, Any]:
    check_paths(token.module, token.softhsm_conf)
    link = await connect(EXAMINE, token.softhsm_conf, Latencies())
    try:
        settings = {"module": str(token.module), "threads": threads, "module_arguments": token.module_arguments}
        found: dict[str, Any] = json.loads(await link.ask(Op.CONFIGURE, json.dumps(settings).encode(), _LIMIT))
    finally:
        await link.close()
    return found


async def _threads(token: TokenConfig) -> Finding:
    """Whether several threads of one worker could use the module."""
    try:
        locking = (await _ask(token, threads=True))["locking"]
    except HsmError as error:
        return Finding("threads", None, str(error), "Use one thread for each worker.")
    if locking:
        return Finding("threads", True, "CKF_OS_LOCKING_OK is taken: several threads may share a worker")
    return Finding("threads", True, "CKR_CANT_LOCK: one thread for each worker; start more workers instead")


# Files ------------------------------------------------------------------------------------------------


def _module_file(token: TokenConfig) -> Iterator[Finding]:
    path = token.module.resolve()
    if not path.is_file():
        return  # the module's own row says so
    writers = [name for name in (path, path.parent) if name.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)]
    yield Finding(
        "module file",
        not writers,
        f"{path}, " + ("writable by its owner alone" if not writers else f"others may write {writers[0]}"),
        "" if not writers else f"Run: chmod go-w {writers[0]}. Whoever can change the module can use the keys.",
    )


def _private_files(token: TokenConfig) -> Iterator[Finding]:
    yield _private("pin file", token.pin_file, allowed=stat.S_IRWXU | stat.S_IRGRP, mode="600")
    if token.softhsm_conf is None:
        return
    conf = token.softhsm_conf
    yield _private("softhsm.conf", conf, allowed=stat.S_IRWXU | stat.S_IRGRP, mode="600")
    if not conf.is_file():
        return
    try:
        directory = _token_directory(conf)
    except OSError as error:
        yield Finding("token directory", None, f"{conf}: {error.strerror}", "Run doctor as the service's own user.")
        return
    if directory is None:
        yield Finding(
            "token directory",
            False,
            f"{conf} names no directories.tokendir",
            "Add: directories.tokendir = an absolute path.",
        )
        return
    yield _private("token directory", directory, allowed=stat.S_IRWXU, mode="700")


def _private(check: str, path: Path, *, allowed: int, mode: str) -> Finding:
    try:
        status = path.stat()
    except OSError as error:
        return Finding(check, False, f"{path}: {error.strerror}", "Bring it back, or correct the path.")
    found = stat.S_IMODE(status.st_mode)
    if found & ~allowed:
        cure = f"Run: chmod {mode} {path}. Whoever reads it can try PINs, or has them."
        return Finding(check, False, f"{path} has mode {found:04o}", cure)
    if not os.access(path, os.R_OK):
        return Finding(check, None, f"{path} cannot be read by this user", "Run doctor as the service's own user.")
    return Finding(check, True, f"{path}, mode {found:04o}")


def _token_directory(conf: Path) -> Path | None:
    for line in conf.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "directories.tokendir" and value.strip():
            return Path(value.strip())
    return None


# The token --------------------------------------------------------------------------------------------


def _token(token: TokenConfig, tokens: list[dict[str, Any]], needed: Collection[Algorithm]) -> Iterator[Finding]:
    named = [one for one in tokens if one["label"] == token.label and token.serial in {None, one["serial"]}]
    if len(named) != 1:
        seen = ", ".join(f"{one['label']!r} ({one['serial']})" for one in tokens if one["label"]) or "none"
        cure = "Bring it back, or correct the label; `python -m hsm init-token` makes a new one."
        if named:
            cure = "Give the serial."
        elif any(one["label"] == token.label for one in tokens):
            cure = "Bring the token of that serial back, or correct the serial."
        yield Finding("token", False, f"{len(named)} tokens labelled {token.label!r}; the module shows {seen}", cure)
        return
    (one,) = named
    yield Finding("token", True, f"{one['label']!r}, serial {one['serial']}, {one['model']}")
    yield _pin(set(one["flags"]))
    for algorithm, mechanisms in one["algorithms"].items():
        yield _algorithm(algorithm, mechanisms, needed=Algorithm(algorithm) in needed)


def _pin(flags: set[str]) -> Finding:
    if "USER_PIN_INITIALIZED" not in flags:
        cure = "Set one with the vendor's tool, or make the token with `python -m hsm init-token`."
        return Finding("user PIN", False, "the token has none", cure)
    for flag, found, cure in _PIN_STATES:
        if flag in flags:
            return Finding("user PIN", False, f"{found} ({flag})", cure)
    return Finding("user PIN", True, "set, and no wrong one was tried")


def _algorithm(algorithm: str, mechanisms: dict[str, bool], *, needed: bool) -> Finding:
    missing = [name for name, offered in mechanisms.items() if not offered]
    check = f"mechanisms {algorithm}"
    if missing:
        cure = f"Use a token that has {algorithm}, or plan no {algorithm} keys here."
        return Finding(check, not needed, f"not on this token: {', '.join(missing)}", cure)
    return Finding(check, True, ", ".join(mechanisms))
