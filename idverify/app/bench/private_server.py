"""A PostgreSQL server of one's own for as long as a measurement takes: in a scratch directory, on a Unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from idverify.errors import SetupError

PATIENCE_SECONDS: Final = 30.0
USER: Final = "idverify"
DATABASE: Final = "postgres"


def binaries() -> Path | None:
    """Where the programs of the newest server are that Debian installed, if there are any."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return found[-1] if found else None


@contextmanager
def private_server(programs: Path, settings: Mapping[str, str]) -> Iterator[str]:
    """The URL of an empty database. The server runs as the user that Debian made for it, where we are root."""
    folder = Path(tempfile.mkdtemp(prefix="idverify-pg-"))
    user = None if os.geteuid() else pwd.getpwnam("postgres")
    become = [] if user is None else [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data, log = folder / "data", folder / "log"
        make: list[str | Path] = [
            programs / "initdb",
            "--auth=trust",
            "--no-locale",
            "--encoding=UTF8",
            f"--username={USER}",
            data,
        ]
        subprocess.run(["setpriv", *become, *make], cwd="/", stdout=subprocess.DEVNULL, check=True)
        asked = {"listen_addresses": "", "unix_socket_directories": str(folder), **settings}
        options = [word for name, value in asked.items() for word in ("-c", f"{name}={value}")]
        # Whatever ends us ends the server: the kernel tells it.
        start: list[str | Path] = ["setpriv", "--pdeathsig=INT", *become, programs / "postgres", "-D", data, *options]
        with log.open("wb") as said:
            server = subprocess.Popen(start, cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            _require_ready(server, data, log)
            yield f"postgresql://{USER}@/{DATABASE}?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(PATIENCE_SECONDS)
    finally:
        shutil.rmtree(folder)


def _require_ready(server: subprocess.Popen[bytes], data: Path, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _is_ready(data):
        if server.poll() is not None or time.monotonic() > deadline:
            raise SetupError("PostgreSQL did not start.", f"It said: {log.read_text()[-500:]}")
        time.sleep(0.01)


def _is_ready(data: Path) -> bool:
    try:
        return (data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):  # not yet written, or not yet all of it
        return False
