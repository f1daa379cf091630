"""``idverify up`` and ``idverify serve``: set up what is missing, then serve."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from idverify.app.demo import furnish
from idverify.app.first_officers import first_codes
from idverify.app.listen import require_free
from idverify.app.logs import log_to
from idverify.app.provision import Wishes, provision
from idverify.app.same_deployment import another_kind
from idverify.app.serve import listener_tls, serve
from idverify.app.services import hold, open_doors, open_office, running
from idverify.app.witnessed import Present
from idverify.cli.output import WrongUsage, say
from idverify.cli.up_says import ToTell, say_plan, tell, tell_halted, tell_serving
from idverify.config import FILE_NAME, Config, Database, Service, load
from idverify.errors import LogHalted, SetupError
from idverify.ports import SystemClock, system_entropy
from idverify.services import authenticators
from idverify.services.doors import Doors
from idverify.services.first_admins import two_admins_are_active
from idverify.stores.open import open_store
from idverify.stores.schema import upgrade_existing
from idverify.stores.store import Store

DEFAULT_PORT: Final = 8080
LOG_FILE: Final = "idverify.log"
COUNTRY: Final = re.compile("[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Listening:
    """How to listen, as asked for on the command line; ``None`` and ``False``: as the settings say."""

    port: int | None
    host: str | None
    public_url: str | None
    tls_certificate: Path | None
    tls_key: Path | None
    behind_proxy: bool


@dataclass(frozen=True, slots=True)
class Founding:
    """What only the first run chooses, as asked for on the command line; ``None``: not asked for."""

    demo: bool | None = None
    name: str | None = None
    country: str | None = None
    database_url: str | None = None


def run(data: Path, listening: Listening, founding: Founding, present: Present | None = None) -> int:
    """Set up and serve until told to stop; ``present`` see each key made that takes another's place."""
    data = data.resolve()
    os.umask(0o077)
    wishes, is_new = _wishes(listening, founding), not (data / FILE_NAME).exists()
    listener_tls(_service(Service(port=wishes.port), listening))
    if is_new:
        _require_named(founding)
        require_free(listening.host or Service().host, wishes.port)
    say_plan(data, is_new=is_new, demo=wishes.demo)
    config = asyncio.run(_ready(data, wishes, listening, founding, present))
    log_to(config.data / LOG_FILE)
    to_tell = asyncio.run(_prepared(config))
    asyncio.run(serve(config, lambda: tell(config, to_tell, LOG_FILE), lambda reason: tell_halted(config, reason)))
    say("Stopped.")
    return 0


def serve_only(data: Path) -> int:
    """Serve with the settings as they are; the log goes to standard error."""
    os.umask(0o077)
    log_to(None)
    config = load(data.resolve())
    asyncio.run(serve(config, lambda: tell_serving(config), lambda reason: tell_halted(config, reason)))
    return 0


async def _ready(
    data: Path, wishes: Wishes, listening: Listening, founding: Founding, present: Present | None
) -> Config:
    config = await provision(data, wishes, say, present)
    _require_same_founding(config, founding)
    _require_same_address(config, listening)
    return config.model_copy(update={"service": _service(config.service, listening)})


def _wishes(listening: Listening, founding: Founding) -> Wishes:
    port = DEFAULT_PORT if listening.port is None else listening.port
    if not 1 <= port <= 65535:
        raise WrongUsage(f"--port must be 1 to 65535; got {port}.")
    if founding.country is not None and not COUNTRY.fullmatch(founding.country):
        raise WrongUsage(f"--country must be two capital letters (ISO 3166-1 alpha-2); got {founding.country!r}.")
    if founding.name is not None and not (founding.name.strip() and founding.name.isprintable()):
        raise WrongUsage("--name must be the authority's name, in printable characters.")
    wishes = Wishes(listening.public_url or f"http://localhost:{port}", port, database=_database(founding.database_url))
    asked: dict[str, Any] = {"demo": founding.demo, "name": founding.name, "country": founding.country}
    return replace(wishes, **{name: value for name, value in asked.items() if value is not None})


def _require_named(founding: Founding) -> None:
    """A demo is of Utopia; of whom anything else is, nobody can guess, and certificates carry it."""
    if founding.demo is False and (founding.name is None or founding.country is None):
        raise WrongUsage("Whose deployment is it? --no-demo needs --name and --country at the first run.")


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


def _require_same_founding(config: Config, asked: Founding) -> None:
    """What the first run chose is never chosen again."""
    if asked.demo not in {None, config.service.demo}:
        raise another_kind(config.service.demo)
    if asked.name not in {None, config.identity.name} or asked.country not in {None, config.identity.country}:
        raise SetupError(
            f"This deployment is of {config.identity.name} ({config.identity.country}) for good.",
            "Leave --name and --country out, or use another --data DIR.",
        )
    if asked.database_url not in {None, config.database.url}:
        raise SetupError(
            "This deployment's rows are in another database, and its ledger with them.",
            "Leave --database-url out, or use another --data DIR.",
        )


async def _prepared(config: Config) -> ToTell:
    lock, references = hold(config.data), None
    try:
        upgrade_existing(config.location)
        if config.service.demo:
            async with open_office(config, None) as office, running(office):
                if office.log_book.halted is None:
                    references = await furnish(office, config.data)
        async with open_store(config.location, SystemClock()) as store, open_doors(config, store) as doors:
            return await _staff(store, doors, ToTell(config.service.demo, references))
    except LogHalted:  # serving says so, loudly
        return ToTell(config.service.demo, references)
    finally:
        os.close(lock)


async def _staff(store: Store, doors: Doors, to_tell: ToTell) -> ToTell:
    """With links for a demo's first officers; the first staff of anything else need a list of authenticators before."""
    known = replace(
        to_tell,
        two_admins=await two_admins_are_active(store),
        has_list=(await authenticators.current(store)).listed is not None,
    )
    if not to_tell.demo:
        return known
    return replace(known, codes=tuple(await first_codes(store, doors, SystemClock(), system_entropy)))
