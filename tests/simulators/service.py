"""A real deployment for tests: real SoftHSM tokens, a real database, the service in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar
from multidict import CIMultiDictProxy

from idverify.app.provision import Wishes, provision
from idverify.app.services import open_doors
from idverify.config import Database
from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.ports import Clock, SystemClock, system_entropy
from idverify.services.access import create_key
from idverify.services.doors import Doors
from idverify.services.invite import Invited, invite
from idverify.stores.open import Location, open_store
from idverify.stores.store import Store
from tests.simulators.signed_in import COOKIE, STAFF, SignedInPerson

ROOT = Path(__file__).resolve().parents[2]
VCT = "urn:idverify:immigration-status:1"
START_SECONDS = 30.0
STOP_SECONDS = 15.0
MOST_CLAIMS = 100
_claims: deque[int] = deque()

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
# Programs, which call with API keys; people are in ``signed_in.STAFF``.
KEYS: dict[str, tuple[str, Role, Purpose | None]] = {
    "register": ("Case System", Role.OFFICER, None),
    "employer": ("Example Employer Ltd", Role.RELYING_PARTY, Purpose.WORK),
    "landlord": ("Example Homes Ltd", Role.RELYING_PARTY, Purpose.RENT),
    "monitor": ("Monitoring", Role.ADMIN, None),
}


def free_port() -> int:
    """A loopback port that is free now, and is given to nobody else until this process has asked for many more.

    Tests run side by side, and a port is only listened at some time after it was chosen: until then it stays bound
    here. That keeps away everybody except who names it, because listeners set SO_REUSEADDR, too.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        _claims.append(probe.detach())  # the process's end closes it
    if len(_claims) > MOST_CLAIMS:  # each is an open file, of which a process may have only so many
        os.close(_claims.popleft())
    return port


@dataclass
class Deployment:
    """A provisioned data directory, with API keys for everybody in ``KEYS``, and people once they are asked for."""

    data: Path
    port: int
    location: Location
    doors: Doors
    clock: Clock = field(default_factory=SystemClock)
    keys: dict[str, str] = field(default_factory=dict)
    people: dict[str, SignedInPerson] = field(default_factory=dict)
    store: Store | None = None  # where this process has it open already

    @property
    def url(self) -> str:
        """The public address."""
        return f"http://localhost:{self.port}"

    async def make_keys(self, store: Store) -> None:
        """An API key for everybody in ``KEYS``, made as ``idverify apikey create`` makes it."""
        for name, (actor, role, purpose) in KEYS.items():
            self.keys[name] = await create_key(store, self.doors, self.clock, system_entropy, actor, role, purpose)

    async def invite(self, invited: Invited) -> str:
        """A one-time code, made as ``idverify enrol`` makes it."""
        async with AsyncExitStack() as opening:
            store = self.store or await opening.enter_async_context(open_store(self.location, self.clock))
            return (await invite(store, self.doors, self.clock, system_entropy, invited, "operator")).code


async def deploy(data: Path, database_url: str | None = None, *, demo: bool = True, **named: str) -> Deployment:
    """Provision a data directory as ``idverify up`` does, without the demo's people; a demo takes any security key.

    ``named``: ``name`` and ``country``, if they are not the demo's.
    """
    port = free_port()
    wishes = Wishes(f"http://localhost:{port}", port, demo=demo, database=Database(url=database_url), **named)
    config, clock = await provision(data, wishes), SystemClock()
    async with open_store(config.location, clock) as store, open_doors(config, store) as doors:
        deployment = Deployment(data, port, config.location, doors, clock)
        await deployment.make_keys(store)
    return deployment


@contextmanager
def serving(deployment: Deployment) -> Iterator[subprocess.Popen[bytes]]:
    """The service over a deployment, in a process of its own; stopped, workers and all, on the way out."""
    process = start(deployment)
    try:
        yield process
    finally:
        stop(process)


def start(deployment: Deployment, program: Sequence[str] = ("-m", "idverify.cli")) -> subprocess.Popen[bytes]:
    """Start the service, or a program of the test's own around it, and wait until it answers."""
    log = (deployment.data / "service.log").open("ab")
    command = [sys.executable, *program, "serve", "--data", str(deployment.data)]
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
    """Callers of the service: programs by their name in ``KEYS``, people by theirs, ``None`` for a stranger.

    People of ``STAFF`` enrol when they are first asked for. Whoever's session is over signs in again, and whoever is
    asked to confirm what they do confirms it.
    """

    def __init__(self, session: ClientSession, deployment: Deployment) -> None:
        self.session, self.deployment = session, deployment
        self._one_at_a_time = asyncio.Lock()
        self._holding_key: defaultdict[str | None, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, CIMultiDictProxy[str]]:
        """One exchange, as it is: status, decoded body, headers."""
        url = path if path.startswith("http") else self.deployment.url + path
        sent, data = dict(headers or {}), None
        if body is not None:
            data, sent["Content-Type"] = orjson.dumps(body), "application/json"
        async with self.session.request(method, url, data=data, headers=sent) as response:
            raw = await response.read()
            decoded = orjson.loads(raw) if raw and "json" in response.content_type else raw
            return response.status, decoded, response.headers

    async def call(
        self,
        method: str,
        path: str,
        who: str | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        confirm: bool = True,
    ) -> tuple[int, Any]:
        """What ``who`` gets done; ``confirm`` is whether they use their security key when they are asked to."""
        sent = {**await self.identity(who), **(headers or {})}
        status, answer, _ = await self.send(method, path, body, sent)
        person = self.deployment.people.get(who or "")
        if person is None:
            return status, answer
        if _is_problem(answer, "not-authenticated"):
            await self._sign_in_again(who, person, sent)
        while _is_problem(answer, "not-authenticated") and sent["Cookie"] != person.cookie:
            sent |= person.headers(self.deployment.url)
            status, answer, _ = await self.send(method, path, body, sent)
        if confirm and _is_problem(answer, "step-up-required"):
            async with self._holding_key[who]:  # one act after the other: each renews the token
                return await self._confirm(person, answer["step_up"], method, path, body, sent)
        return status, answer

    async def _confirm(
        self, person: SignedInPerson, asked: Any, method: str, path: str, body: Any, sent: Mapping[str, str]
    ) -> tuple[int, Any]:
        """Send it again, confirmed."""
        headers = {**sent, **person.headers(self.deployment.url), **person.step_up(asked, self.deployment.url)}
        status, answer, received = await self.send(method, path, body, headers)
        person.follow(received)
        return status, answer

    async def identity(self, who: str | None) -> dict[str, str]:
        """The headers by which the service knows somebody."""
        if who is None:
            return {}
        if who in self.deployment.keys:
            return {"Authorization": f"Bearer {self.deployment.keys[who]}"}
        async with self._one_at_a_time:
            if who not in self.deployment.people:
                await self.enrol(who, await self.deployment.invite(STAFF[who]))
        return self.deployment.people[who].headers(self.deployment.url)

    async def officers(self) -> None:
        """Both officers enrol before there are two admins, while the operator may still invite them."""
        for who in ("officer", "second"):
            await self.identity(who)

    async def enrol(self, who: str, code: str, name: str | None = None) -> SignedInPerson:
        """Somebody registers a new security key with a one-time code, and is signed in."""
        person, body = SignedInPerson(), {"code": code, "name": name}
        begun = await self.begun("/api/v1/enrolments/options", body)
        response = person.key.create(begun["public_key"], self.deployment.url)
        answered = {**body, "ceremony": begun["ceremony"], "response": response}
        await self._open(person, "/api/v1/enrolments", answered)
        self.deployment.people[who] = person
        return person

    async def enrol_citizen(self, person: str) -> str:
        """A person on record registers a security key with a code from an officer; their name for ``call``."""
        code = (await self.ok("POST", f"/api/v1/people/{person}/enrolments", "officer"))["code"]
        await self.enrol(f"citizen {person}", code)
        return f"citizen {person}"

    async def sign_in(self, person: SignedInPerson, headers: Mapping[str, str] | None = None) -> None:
        """Somebody signs in with their security key."""
        begun = await self.begun("/api/v1/sign-in/options")
        response = person.key.get(begun["public_key"], self.deployment.url)
        await self._open(person, "/api/v1/sign-in", {"ceremony": begun["ceremony"], "response": response}, headers)

    async def begun(self, path: str, body: Any = None) -> Any:
        """A ceremony that begins: its handle and the options for a security key."""
        status, answer, _ = await self.send("POST", path, body)
        assert status == 201, answer
        return answer

    async def _open(
        self, person: SignedInPerson, path: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> None:
        status, answer, received = await self.send("POST", path, body, headers)
        assert status == 200, answer
        person.opened(SimpleCookie(received["Set-Cookie"])[COOKIE].value, answer["csrf_token"])

    async def _sign_in_again(self, who: str | None, person: SignedInPerson, refused: Mapping[str, str]) -> None:
        async with self._holding_key[who]:
            if person.cookie == refused["Cookie"]:
                await self.sign_in(person)

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
    return ClientSession(timeout=ClientTimeout(total=30), cookie_jar=DummyCookieJar())  # each person has their own


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_problem(answer: Any, slug: str) -> bool:
    return isinstance(answer, dict) and answer.get("type") == f"/problems/{slug}"
