"""``idverify up`` and ``idverify serve``: set up what is missing, then serve."""

from __future__ import annotations

import asyncio
import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from idverify.app.demo import FOLDER, furnish
from idverify.app.first_officers import first_codes
from idverify.app.listen import require_free
from idverify.app.logs import log_to
from idverify.app.provision import Wishes, provision
from idverify.app.serve import listener_tls, serve
from idverify.app.services import hold, open_office, running
from idverify.cli.output import WrongUsage, say
from idverify.config import FILE_NAME, Config, Database, Service, load
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.errors import LogHalted, SetupError
from idverify.ports import SystemClock, system_entropy
from idverify.services.invite import TERMS, Kind
from idverify.services.status_lists import REFRESH_SECONDS
from idverify.stores.open import open_store
from idverify.stores.schema import upgrade_existing

DEFAULT_PORT: Final = 8080
LOG_FILE: Final = "idverify.log"


@dataclass(frozen=True, slots=True)
class Listening:
    """How to listen, as asked for on the command line; ``None`` and ``False``: as the settings say."""

    port: int | None
    host: str | None
    public_url: str | None
    tls_certificate: Path | None
    tls_key: Path | None
    behind_proxy: bool


def run(data: Path, listening: Listening, database_url: str | None = None) -> int:
    """Set up and serve until told to stop."""
    data = data.resolve()
    os.umask(0o077)
    wishes = replace(_wishes(listening), database=_database(database_url))
    listener_tls(_service(Service(port=wishes.port), listening))
    if not (data / FILE_NAME).exists():
        require_free(listening.host or Service().host, wishes.port)
    _plan(data)
    config = asyncio.run(_ready(data, wishes, listening))
    log_to(config.data / LOG_FILE)
    to_tell = asyncio.run(_prepared(config))
    asyncio.run(serve(config, lambda: _tell(config, to_tell), lambda reason: _tell_halted(config, reason)))
    say("Stopped.")
    return 0


def serve_only(data: Path) -> int:
    """Serve with the settings as they are; the log goes to standard error."""
    os.umask(0o077)
    log_to(None)
    config = load(data.resolve())
    url = config.identity.public_url
    asyncio.run(serve(config, lambda: say(f"Serving {url}"), lambda reason: _tell_halted(config, reason)))
    return 0


def _plan(data: Path) -> None:
    if (data / FILE_NAME).exists():
        say(f"Using the data in {data}; nothing there is made anew.")
        return
    say(f"Setting up {data}:")
    for step in (
        "two private SoftHSM tokens with random PINs: one online, one for the offline root",
        "keys on them, certificates, a revocation list",
        "the database, the ledger's first entries, three synthetic people",
    ):
        say(f"  - {step}")


async def _ready(data: Path, wishes: Wishes, listening: Listening) -> Config:
    config = await provision(data, wishes, say)
    _require_same_database(config, wishes.database)
    _require_same_address(config, listening)
    return config.model_copy(update={"service": _service(config.service, listening)})


def _wishes(listening: Listening) -> Wishes:
    port = DEFAULT_PORT if listening.port is None else listening.port
    if not 1 <= port <= 65535:
        raise WrongUsage(f"--port must be 1 to 65535; got {port}.")
    return Wishes(listening.public_url or f"http://localhost:{port}", port)


def _database(url: str | None) -> Database:
    try:
        return Database(url=url)
    except ValidationError as error:
        raise WrongUsage(f"--database-url: {error.errors()[0]['msg'].removeprefix('Value error, ')}.") from error


def _service(service: Service, listening: Listening) -> Service:
    """The settings, with what the command line says instead."""
    asked = {
        "host": listening.host,
        "port": listening.port,
        "tls_certificate": listening.tls_certificate,
        "tls_key": listening.tls_key,
        "behind_proxy": listening.behind_proxy or None,
    }
    return service.model_copy(update={name: value for name, value in asked.items() if value is not None})


def _require_same_address(config: Config, listening: Listening) -> None:
    """Credentials carry the public address, so it never follows a port chosen later."""
    fixed = config.identity.public_url
    if listening.public_url is not None and listening.public_url.rstrip("/") != fixed:
        raise SetupError(f"This deployment is {fixed} for good.", "Leave --public-url out, or use another --data DIR.")
    direct = not (config.service.behind_proxy or listening.behind_proxy)
    if direct and listening.port is not None and urlsplit(fixed).port not in (None, listening.port):
        raise SetupError(
            f"Credentials of this deployment point to {fixed}; on port {listening.port} nobody would find it.",
            "Leave --port out, or use another --data DIR.",
        )


def _require_same_database(config: Config, asked: Database) -> None:
    if asked.url not in {None, config.database.url}:
        raise SetupError(
            "This deployment's rows are in another database, and its ledger with them.",
            "Leave --database-url out, or use another --data DIR.",
        )


@dataclass(frozen=True, slots=True)
class _ToTell:
    """References of the demo's people who hold a status now (``None``: not looked for), codes for the first officers."""

    references: list[str] | None
    codes: list[str]


async def _prepared(config: Config) -> _ToTell:
    lock, references = hold(config.data), None
    try:
        upgrade_existing(config.location)
        if config.service.demo:
            async with open_office(config, None) as office, running(office):
                if office.log_book.halted is None:
                    references = await furnish(office, config.data)
        clock = SystemClock()
        async with open_store(config.location, clock) as store:
            return _ToTell(references, await first_codes(store, clock, system_entropy))
    except LogHalted:  # serving says so, loudly
        return _ToTell(references, [])
    finally:
        os.close(lock)


def _tell(config: Config, to_tell: _ToTell) -> None:
    url, data = config.identity.public_url, config.data
    say()
    say(f"idverify serves {url}  (log: {data / LOG_FILE})")
    if config.service.demo:
        say("DEMO: synthetic people, keys in software. Not for real documents.")
    _tell_officers(url, to_tell.codes)
    if config.service.demo:
        if to_tell.references is None:
            say("The demo's people are as they were.")
        elif to_tell.references:
            say(f"One of the demo's people, to find at the officer's desk by reference: {to_tell.references[0]}")
            _tell_walk(url, data, to_tell.references[0])
        else:
            say("Nobody of the demo holds a status any more; start a fresh one with another --data DIR.")
    say(
        f"API: {url}/openapi.json   Health: {url}/readyz   Statuses are signed anew at least every {REFRESH_SECONDS} s."
    )
    say("Stop with Ctrl-C.")


def _tell_halted(config: Config, reason: str) -> None:
    """Nobody may overlook it: what happened, what still works, what to do."""
    say()
    say(f"THE LEDGER IS HALTED: {reason}")
    say("Nothing is issued, decided or recorded. Documents are still verified, status lists still published.")
    say("Is there a newer copy of the database? Stop this, put it in place, start again.")
    say("If not, two admins open a new log; the runbook, under Restore, says what to do before:")
    say(f"  python3 -m idverify ledger new-shard {config.identity.public_url} --security-key FILE")


def _tell_officers(url: str, codes: list[str]) -> None:
    """Some decisions take two people, so two are enrolled first, each with a key of their own."""
    say()
    if not codes:
        say(f"Open {url}/sign-in and sign in with your security key.")
        return
    say(f"Officers to enrol: {len(codes)}. Open each link in a browser, with a security key at hand.")
    say(f"Each is good once, for {TERMS[Kind.LINK].seconds // 60} minutes; after that stop this and start it again.")
    for code in codes:
        say(f"  {url}/enrol/{code}")
    say("There, give your name, click the button and touch your key. You are signed in at once; start with Verify.")


def _tell_walk(url: str, data: Path, person: str) -> None:
    """The README's walk on the command line, with this deployment's own address, keys and person."""
    idverify, asked = "python3 -m idverify", f'\'{{"type":"{IMMIGRATION_STATUS.vct}"}}\''
    post, employer = f"{idverify} api POST {url}/api/v1", f"--key {shlex.quote(str(data / FOLDER / 'employer.key'))}"
    link = f"{idverify} enrol --role officer --name 'Olive Officer' --data {shlex.quote(str(data))}"
    shown = "--disclose family_name,given_name,work"
    walk = {
        "an officer enrols, here with a security key in a file": f'{idverify} securitykey enrol "$({link})" --key olive.key',
        "the officer offers a credential, and confirms it": f"{post}/people/{person}/offers {asked} --security-key olive.key > offer.json",
        "the person's wallet collects it": f"{idverify} wallet receive offer.json",
        "an employer asks for a presentation": f"{post}/verification-requests {asked} {employer} > request.json",
        "the wallet shows name and work, nothing else": f"{idverify} wallet present --request request.json {shown} > presentation.json",
        "the employer checks it": f"{post}/verify @presentation.json {employer}",
    }
    say()
    say("Or try it without a browser, in another terminal:")
    for comment, command in walk.items():
        say(f"  # {comment}")
        say(f"  {command}")
    say()
