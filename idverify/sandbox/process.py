"""Starting workers: by exec, never forked, with one end of a socket pair and an environment that holds no secret."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from idverify.sandbox.jobs import Pool

_PROGRAM: Final = "idverify.sandbox.worker"
_IMPORT_ROOT: Final = str(Path(__file__).resolve().parent.parent.parent)
# Libraries and fonts are found by these. All else stays here: settings and passwords travel in the environment.
_PASSED_ON: Final = ("FONTCONFIG_FILE", "FONTCONFIG_PATH", "HOME", "LD_LIBRARY_PATH", "XDG_CACHE_HOME")


def spawn(table: str, pool: Pool) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a worker and return it with our end of its socket.

    Call it on a thread that lives as long as the worker shall: the worker is killed when that thread ends.
    """
    search = os.environ.get("PYTHONPATH")
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join([_IMPORT_ROOT, search] if search else [_IMPORT_ROOT]),
    }
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(
                # -P: the working directory must not decide which code reads people's documents
                [sys.executable, "-P", "-m", _PROGRAM, table, pool, str(theirs.fileno()), str(os.getpid())],
                pass_fds=(theirs.fileno(),),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is for the service, which ends its workers when it has finished
            )
        except BaseException:
            ours.close()
            raise
    return process, ours
