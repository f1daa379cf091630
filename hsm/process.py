"""Starting the programs that may touch a PKCS#11 module, each in a process of its own.

They are spawned by exec, never forked: a module loaded before a fork is undefined after it. Each gets one end of
a socket pair and nothing else: the PIN comes down the socket, so that neither the environment nor the arguments,
which other processes can read, ever hold it.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

WORKER = "hsm.worker"
INITIALISE = "hsm.initialise"
BASELINE = "hsm.baseline"
EXAMINE = "hsm.examine"
BENCH_WORKER = "hsm.bench_worker"
BENCH_EXECUTOR = "hsm.bench_executor"

NOOP, SLOW = b"noop", b"slow"
"""Key ids by which `BENCH_WORKER` is asked for what costs nothing, or `LATENCY`."""

LATENCY = 0.01
"""Seconds that a network HSM takes to answer."""

_IMPORT_ROOT = str(Path(__file__).resolve().parent.parent)


def spawn(program: str, softhsm_conf: Path | None) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start `program`, a module of this package, and return it with our end of its socket."""
    environment = dict(os.environ)
    search = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([_IMPORT_ROOT, search] if search else [_IMPORT_ROOT])
    if softhsm_conf is not None:
        environment["SOFTHSM2_CONF"] = str(softhsm_conf.resolve())
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            # -P: the working directory must not decide which code handles the PIN
            [sys.executable, "-P", "-m", program, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the parent, also while this one still imports and could not ignore it
        )
    return process, ours


def reap(process: subprocess.Popen[bytes], patience: float) -> None:
    """Wait `patience` seconds for a process told to end, then end it; blocks, so call it off the loop."""
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
