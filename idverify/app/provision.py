"""Making a data directory: settings, private tokens with random PINs, keys, database, deployment.

Every step looks first at what is there, so an interrupted run is simply run again.
"""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from hsm import Algorithm, Hsm, HsmError, init_token
from hsm.recovery import Recovered, recover
from hsm.shares import read_share
from hsm.softhsm import find_module, render
from idverify.app.key_inventory import enter_keys
from idverify.app.key_orders import carry_out_orders, root_if_there, root_signer
from idverify.app.private import write_private
from idverify.app.same_deployment import require_same_deployment
from idverify.app.token_keys import keys_on
from idverify.app.tokens import AWAY_AT_START, HsmSealer, at_start, token_config
from idverify.app.ways_to_tokens import open_tokens, require_not_retired
from idverify.app.witnessed import Present
from idverify.config import DATABASE, FILE_NAME, Config, Database, Token, load
from idverify.errors import LogHalted, SetupError
from idverify.ports import Clock, SystemClock, system_entropy
from idverify.services.branches import BRANCHES
from idverify.services.cosigning_key import make_cosigning_key
from idverify.services.establish import (
    CERTIFIED_ROLES,
    LOOKUP_ROLE,
    PROBE_ROLE,
    SEALING_ROLE,
    WRAPPING_ROLE,
    Ceremony,
    TokenKey,
    add_keys,
    certify_keys,
    crl_is_due,
    establish,
    renew_crl,
)
from idverify.services.log_keys import CHECKPOINT_COSIGNER, CHECKPOINT_SIGNER
from idverify.services.office import RECEIPT_SIGNER, Deployment, load_deployment
from idverify.services.revoked_keys import unlisted
from idverify.services.wrap_again import wrap_again
from idverify.stores import queries
from idverify.stores.open import Location, open_store
from idverify.stores.schema import current_revision, upgrade, upgrade_existing
from idverify.stores.store import Store
from idverify.stores.vault import Vault

ONLINE: Final = "idverify-online"
ROOT: Final = "idverify-root"
_OLDER_LIST: Final = (
    "The revocation list did not revoke a signing key that was replaced as compromised: somebody put an older one "
    "back. It is signed anew. Find out who may write to the database."
)
_MORE_LOG_KEYS: Final = (
    "The ledger has keys on the token {}, too, which sign where the others do not answer: give auditors and witnesses "
    "its new keys, and verifiers a new trust bundle (trust export)."
)
ISSUER_ID: Final = "1"
SQLITE: Final = Database()

ONLINE_KEYS: Final[Mapping[str, Algorithm]] = {
    **dict.fromkeys(CERTIFIED_ROLES, Algorithm.ES256),
    CHECKPOINT_SIGNER: Algorithm.EDDSA,
    RECEIPT_SIGNER: Algorithm.ES256,
    PROBE_ROLE: Algorithm.ES256,
    WRAPPING_ROLE: Algorithm.A256KWP,
    SEALING_ROLE: Algorithm.A256KWP,
    LOOKUP_ROLE: Algorithm.HS256,
}
"""Of every token, besides the log's key in software that it seals."""
ROOT_KEYS: Final[Mapping[str, Algorithm]] = {branch.root_role: Algorithm.ES256 for branch in BRANCHES}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What whoever runs ``up`` for the first time asked for."""

    public_url: str
    port: int
    name: str = "Utopia Immigration Authority (demo)"
    country: str = "UT"
    demo: bool = True
    database: Database = SQLITE

    def location(self, data: Path) -> Location:
        """Where the rows of a new deployment are going to be."""
        return self.database.url or data / DATABASE


async def provision(
    data: Path, wishes: Wishes, told: Callable[[str], None] = lambda _: None, present: Present | None = None
) -> Config:
    """The settings of a data directory that is ready to serve; made now if it is not there yet.

    ``told`` hears of signing keys that were replaced, and of those that wait for it; ``present`` see the new ones made.
    """
    require_public_url(wishes.public_url)
    make_private(data)
    if not (data / FILE_NAME).exists():
        location = wishes.location(data)
        in_use = current_revision(location) is not None
        tokens = {name: await _token(data, name, database_in_use=in_use) for name in (ONLINE, ROOT)}
        upgrade(location)  # before the settings: where they are, the database is or was
        _write_settings(data, wishes, tokens[ONLINE], tokens[ROOT])
    config = load(data)
    upgrade_existing(config.location)
    await _establish(config, told, present)
    return config


def make_private(data: Path) -> None:
    """The data directory, readable by its owner alone. Raises ``SetupError`` if it cannot be written."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        data.chmod(0o700)
        probe = data / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SetupError(
            f"The data directory {data} cannot be written ({error.strerror}).", "Choose another: --data DIR"
        ) from error


def require_public_url(url: str) -> None:
    """Raises ``SetupError`` unless the URL may become ``iss``: https, or http on this machine's own names."""
    if not _is_bare(url):
        raise SetupError(f"{url!r} is no public address.", "Give scheme and host: --public-url https://id.example")
    parts = urlsplit(url)
    if parts.scheme == "http" and not _is_local(str(parts.hostname)):
        raise SetupError(f"{url} is not on this machine.", "Anything but localhost needs https.")


def _is_bare(url: str) -> bool:
    """Whether the URL is scheme, host and perhaps port, and nothing more."""
    try:
        parts = urlsplit(url)
        origin = parts.scheme in {"http", "https"} and parts.hostname is not None and parts.port != 0
    except ValueError:  # brackets or a port that are none
        return False
    return origin and parts.path in {"", "/"} and not (parts.query or parts.fragment or "@" in parts.netloc)


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _token(data: Path, label: str, *, database_in_use: bool) -> Token:
    """A private SoftHSM token in a directory of its own, with PINs that nobody has seen."""
    home = data / "tokens" / label
    if (home / "serial").exists():
        return _known_token(home, label)
    _start_over(home, database_in_use=database_in_use)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = render(home)
        serial = await init_token(find_module(), label, home / "so-pin", home / "pin", configuration)
    except HsmError as error:
        raise at_start(error) from error
    write_private(home / "serial", serial)
    return _known_token(home, label)


def _start_over(home: Path, *, database_in_use: bool) -> None:
    """Clear a token that an interrupted run left without its serial: nothing stands on it, unless a database does."""
    if database_in_use:
        raise SetupError(f"{home / 'serial'} is gone, and a database needs its token.", "Restore it from a backup.")
    if home.exists():
        shutil.rmtree(home)


def _known_token(home: Path, label: str) -> Token:
    return Token(
        module=find_module(),
        label=label,
        serial=(home / "serial").read_text(),
        pin_file=home / "pin",
        softhsm_conf=home / "softhsm.conf",
    )


def _write_settings(data: Path, wishes: Wishes, online: Token, root: Token) -> None:
    sections: dict[str, dict[str, object]] = {
        "identity": {
            "public_url": wishes.public_url.rstrip("/"),
            "name": wishes.name,
            "country": wishes.country,
        },
        "service": {"port": wishes.port, "demo": wishes.demo},
        "database": wishes.database.model_dump(exclude_none=True),
        "online": online.model_dump(mode="json", exclude_none=True),
        "root": root.model_dump(mode="json", exclude_none=True),
    }
    lines = ["# Settings of this deployment; docs/settings.md explains each. Unknown keys are refused."]
    for name, values in sections.items():
        if not values:
            continue
        lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    write_private(data / FILE_NAME, "\n".join(lines) + "\n")


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case _:
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'


async def _establish(config: Config, told: Callable[[str], None], present: Present | None) -> None:
    """Keys on both tokens, then everything that stands on them. The root's token is closed again at once."""
    clock = SystemClock()
    async with open_store(config.location, clock) as store:
        try:
            if await is_established(store):
                require_same_deployment(config, await load_deployment(store))
                await require_not_retired(store, config)
                await _renew_crl(config, store, clock.now(), told)
            else:
                await _first_keys(config, store, clock)
            await _further_keys(config, store, clock, told)
            await carry_out_orders(config, store, await load_deployment(store), clock, told, present)
            await enter_keys(config, store, told)
            await wrap_for_all(config, store, told)
        except HsmError as error:
            raise at_start(error) from error


async def _first_keys(config: Config, store: Store, clock: Clock) -> None:
    async with (
        Hsm(token_config(config.online, writable=True)) as online,
        Hsm(token_config(config.root, writable=True)) as root,
    ):
        roots = await keys_on(root, config.root.label, ROOT_KEYS)
        online_keys = await keys_on(online, config.online.label, ONLINE_KEYS)
        ceremony = Ceremony(roots, online_keys, await root_signer(root))
        await establish(store, deployment(config), ceremony, clock, system_entropy)


async def _further_keys(config: Config, store: Store, clock: Clock, told: Callable[[str], None]) -> None:
    """What each token should have and has not: keys of a token that came later, and those that an update brings.

    Its signers are certified like those of the first. A token that is away gets them another time.
    """
    for token in config.tokens:
        rows: list[Any] = await store.fetch(queries.KEYS_IN_USE, {})
        there = {row["role"] for row in rows if row["token"] == token.label}
        is_signed_elsewhere = any(row["role"] == CHECKPOINT_SIGNER for row in rows)
        missing = [role for role in (*ONLINE_KEYS, CHECKPOINT_COSIGNER) if role not in there]
        if not missing:
            continue
        try:
            keys = await _made_on(token, missing)
        except AWAY_AT_START as error:
            told(f"The token {token.label} gets no keys now: {error}")
            continue
        if plain := [key for key in keys if key.role not in CERTIFIED_ROLES]:
            await add_keys(store, plain, clock, system_entropy)
        if is_signed_elsewhere and {CHECKPOINT_SIGNER, CHECKPOINT_COSIGNER} <= set(missing):
            told(_MORE_LOG_KEYS.format(token.label))
        if certified := tuple(key for key in keys if key.role in CERTIFIED_ROLES):
            await _certify(config, store, certified, clock, told)


async def _made_on(token: Token, missing: Sequence[str]) -> list[TokenKey]:
    """The keys of these roles on a token: found there, or made."""
    wanted = {role: algorithm for role, algorithm in ONLINE_KEYS.items() if role in {*missing, SEALING_ROLE}}
    async with Hsm(token_config(token, writable=True)) as hsm:
        keys = list(await keys_on(hsm, token.label, wanted))
        if CHECKPOINT_COSIGNER in missing:
            sealing = next(key.key_id for key in keys if key.role == SEALING_ROLE)
            keys.append(await make_cosigning_key(HsmSealer(hsm, sealing), token.label))
    return [key for key in keys if key.role in missing]


async def further_tokens(config: Config, told: Callable[[str], None]) -> bool:
    """Make what further tokens lack and wrap everybody's key for them, as every ``up`` does; whether all opened."""
    return await _equip(config, None, told)


async def recover_people(config: Config, shares: Sequence[str], told: Callable[[str], None]) -> bool:
    """Bring everybody's keys from the recovery key to the tokens that are configured now, which may be new ones.

    Whether all opened. ``shares`` as people typed them. Raises ``SetupError`` that says which of them is wrong.
    """
    try:
        recovered = recover([read_share(share) for share in shares])
    except HsmError as error:
        raise SetupError(str(error), "Then run it again.") from error
    return await _equip(config, recovered, told)


async def _equip(config: Config, recovered: Recovered | None, told: Callable[[str], None]) -> bool:
    upgrade_existing(config.location)
    clock = SystemClock()
    async with open_store(config.location, clock) as store:
        require_same_deployment(config, await load_deployment(store))
        await require_not_retired(store, config)
        try:
            await _further_keys(config, store, clock, told)
            await enter_keys(config, store, told)
            return await wrap_for_all(config, store, told, recovered)
        except HsmError as error:
            raise at_start(error) from error


async def wrap_for_all(
    config: Config, store: Store, told: Callable[[str], None], recovered: Recovered | None = None
) -> bool:
    """People's keys for tokens and a recovery key that they are not wrapped for yet; whether all of them opened."""
    async with open_tokens(config, store, recovered) as tokens:
        vault = Vault(tokens.custodian, system_entropy)
        wrapped = await wrap_again(store, vault, tokens.custodian)
        if wrapped.keys or wrapped.lookups:
            told(f"People's keys wrapped again: {wrapped.keys}; look-ups added: {wrapped.lookups}.")
        for person in sorted(wrapped.broken):
            told(
                f"The key of the person with the id {person.hex()} does not open, or opens nothing of theirs: "
                "a row was changed. It is left as it is; bring its row back from a backup, then run it again."
            )
    return not wrapped.broken


async def _certify(
    config: Config, store: Store, keys: tuple[TokenKey, ...], clock: Clock, told: Callable[[str], None]
) -> None:
    """The root signs what further keys may sign; without it the deployment serves on, but for what they would sign."""
    async with AsyncExitStack() as stack:
        root = await root_if_there(config, stack, writable=True)
        roles = ", ".join(key.role for key in keys)
        if root is None:
            told(f"New signing keys wait for the root's token: {roles}. Bring it back, then start again.")
            return
        roots = await keys_on(root, config.root.label, ROOT_KEYS)
        ceremony = Ceremony(roots, keys, await root_signer(root))
        try:
            await certify_keys(store, await load_deployment(store), ceremony, clock, system_entropy)
        except LogHalted:
            told("New signing keys wait: the ledger is halted. Have a new log opened, then start again.")
        else:
            told(f"New signing keys are made and certified: {roles}.")


async def _renew_crl(config: Config, store: Store, now: int, told: Callable[[str], None]) -> None:
    """Every ``up`` renews a revocation list that nears its end or lacks a key; otherwise the root stays closed."""
    if not await crl_is_due(store, now):
        return
    async with Hsm(token_config(config.root)) as root:
        if await unlisted(store):
            told(_OLDER_LIST)
        await renew_crl(store, await root_signer(root), now)


async def is_established(store: Store) -> bool:
    """Whether the database has a deployment."""
    return await store.fetch_one(queries.DEPLOYMENT, {}) is not None


def deployment(config: Config) -> Deployment:
    """Who a deployment with these settings is."""
    url = config.identity.public_url.rstrip("/")
    parts = urlsplit(url)
    return Deployment(
        issuer_id=ISSUER_ID,
        iss=url,
        rp_id=str(parts.hostname),
        status_base=f"{url}/status",
        log_origin=f"{parts.netloc}/log/1",
        name=config.identity.name,
        country=config.identity.country,
        demo=config.service.demo,
    )
