"""A real deployment for tests: real SoftHSM tokens, a real database, the service in a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientSession, ClientTimeout

from idverify.app.provision import Wishes, provision
from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.ports import SystemClock, system_entropy
from idverify.services.access import create_key
from idverify.stores.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[2]
VCT = "urn:idverify:immigration-status:1"
START_SECONDS = 30.0
STOP_SECONDS = 15.0

DETAILS = {"family_name": "SPECIMEN", "given_name": "ANNA", "birthdate": "1974-08-12", "nationalities": ["QU"]}
PERMISSION = {
    "status_type": {"code": "SKILLED-WORKER", "text": "Skilled worker"},
    "permission_start": "2024-01-15",
    "permission_end": None,
    "work": {"allowed": "limited", "occupations_text": "Sponsored occupation only"},
    "study": {"allowed": "yes"},
    "rent": {"allowed": "yes"},
    "travel": {"allowed": "yes"},
    "public_funds": {"recourse": False},
}
KEYS: dict[str, tuple[str, Role, Purpose | None]] = {
    "officer": ("Olive Officer", Role.OFFICER, None),
    "second": ("Oscar Officer", Role.OFFICER, None),
    "employer": ("Example Employer Ltd", Role.RELYING_PARTY, Purpose.WORK),
    "landlord": ("Example Homes Ltd", Role.RELYING_PARTY, Purpose.RENT),
    "admin": ("Ada Admin", Role.ADMIN, None),
}


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Deployment:
    """A provisioned data directory, with API keys for everybody in ``KEYS``."""

    data: Path
    port: int
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The public address."""
        return f"http://localhost:{self.port}"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data / "idverify.sqlite"


async def deploy(data: Path) -> Deployment:
    """Provision a data directory as ``idverify up`` does, without the demo's people."""
    deployment = Deployment(data, free_port())
    config = await provision(data, Wishes(deployment.url, deployment.port, demo=False))
    async with SqliteStore(config.database, SystemClock()) as store:
        for name, (actor, role, purpose) in KEYS.items():
            deployment.keys[name] = await create_key(store, SystemClock(), system_entropy, actor, role, purpose)
    return deployment


@contextmanager
def serving(deployment: Deployment) -> Iterator[subprocess.Popen[bytes]]:
    """The service over a deployment, in a process of its own; stopped, workers and all, on the way out."""
    process = start(deployment)
    try:
        yield process
    finally:
        stop(process)


def start(deployment: Deployment) -> subprocess.Popen[bytes]:
    """Start the service and wait until it answers."""
    log = (deployment.data / "service.log").open("ab")
    command = [sys.executable, "-m", "idverify.cli", "serve", "--data", str(deployment.data)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    log.close()
    deadline = time.monotonic() + START_SECONDS
    while not _answers(deployment.port):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process)
            raise AssertionError((deployment.data / "service.log").read_text())
        time.sleep(0.05)
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the service as an operator does; whatever does not stop is ended and fails the test."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        kill(process)
        raise


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the service as the kernel would: no warning, no clean-up."""
    process.send_signal(signal.SIGKILL)
    process.wait()


def workers_of(pid: int) -> list[int]:
    """Signer processes that a service started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (entry / "cmdline").read_bytes()
        except OSError:  # it ended while we looked
            continue
        if parent == pid and b"hsm.worker" in command:
            found.append(int(entry.name))
    return found


class Api:
    """A caller of the service. ``who`` is a name in ``KEYS`` or ``None``; answers are (status, decoded body)."""

    def __init__(self, session: ClientSession, deployment: Deployment) -> None:
        self.session, self.deployment = session, deployment

    async def call(
        self, method: str, path: str, who: str | None = None, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """One request."""
        sent = dict(headers or {})
        if who is not None:
            sent["Authorization"] = f"Bearer {self.deployment.keys[who]}"
        url = path if path.startswith("http") else self.deployment.url + path
        data = None
        if body is not None:
            data, sent["Content-Type"] = orjson.dumps(body), "application/json"
        async with self.session.request(method, url, data=data, headers=sent) as response:
            raw = await response.read()
            decoded = orjson.loads(raw) if "json" in response.content_type else raw
            return response.status, decoded

    async def ok(self, method: str, path: str, who: str | None = None, body: Any = None, **headers: str) -> Any:
        """One request that must succeed; underscores in header names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        status, answer = await self.call(method, path, who, body, named)
        assert 200 <= status < 300, (status, answer)
        return answer

    async def person_with_status(self) -> str:
        """A new person whose status was granted; their reference."""
        reference = (await self.ok("POST", "/api/v1/people", "officer", {"details": DETAILS}))["person"]
        granted = {
            "kind": "grant",
            "reason": "application-granted",
            "legal_basis": "Rules, part 1",
            "permission": PERMISSION,
        }
        await self.ok("POST", f"/api/v1/people/{reference}/decisions", "officer", granted)
        return str(reference)

    async def offer(self, person: str) -> Any:
        """An offer for a person."""
        return await self.ok("POST", f"/api/v1/people/{person}/offers", "officer", {"type": VCT})


def client() -> ClientSession:
    """A session for ``Api``; use it as an async context manager."""
    return ClientSession(timeout=ClientTimeout(total=30))


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
