"""``idverify authenticators``: straight to the database, whether or not the service runs."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from idverify.app.metadata import metadata_roots
from idverify.auth.attestation.path import fingerprint
from idverify.auth.authenticator_list import EMPTY, AuthenticatorList, Listed, read_list, read_model
from idverify.auth.key_policy import DEMO_KEY_POLICIES, KEY_POLICIES
from idverify.auth.mds import MAX_BLOB
from idverify.cli.database import with_store
from idverify.cli.output import WrongUsage, print_json, say
from idverify.config import load
from idverify.errors import Conflict, Unprocessable
from idverify.ports import SystemClock, system_entropy
from idverify.services import authenticators, judgement
from idverify.services.judgement import Refused
from idverify.services.office import load_deployment
from idverify.stores import queries
from idverify.stores.store import Store
from idverify.web.fetch import fetch_metadata

NONE = "none"


def show(data: Path, *, json: bool) -> int:
    """The list, and the state of the metadata."""
    config = load(data)

    async def read(store: Store) -> dict[str, Any]:
        version, row = await authenticators.current(store), await store.fetch_one(queries.NEWEST_METADATA, {})
        metadata = await authenticators.metadata(store, metadata_roots(config))
        return {
            "version": version.version,
            "decided_by": version.decided_by,
            "approved_by": version.approved_by,
            "list": None if version.listed is None else version.listed.to_json(),
            "metadata": None
            if row is None
            else {"number": row["number"], "next_update": _day(row["next_update"]), "usable": metadata is not None},
        }

    found = with_store(data, read)
    if json:
        print_json(found)
        return 0
    say(f"List of authenticators: version {found['version']}" + ("" if found["list"] else " (none is set yet)"))
    for entry in found["list"]["entries"] if found["list"] else ():
        anchors = entry["anchors"] if isinstance(entry["anchors"], str) else ", ".join(entry["anchors"])
        say(f"  {entry['model']}  {entry['name']}  vouched for by {anchors}")
    state = found["metadata"]
    say("Metadata: none" if state is None else f"Metadata: number {state['number']}, due {state['next_update']}")
    return 0


def allow(data: Path, model: str, name: str, anchors: list[Path], least: str | None, *, json: bool) -> int:
    """Add a model to the list in force."""
    roots = tuple(root for path in anchors for root in _roots(path))

    async def add(store: Store) -> int:
        listed = (await authenticators.current(store)).listed or EMPTY
        entry = Listed(read_model(model), name, tuple(fingerprint(root) for root in roots))
        changed = replace(
            listed,
            entries=(*(one for one in listed.entries if one.model != entry.model), entry),
            anchors=tuple(dict.fromkeys((*listed.anchors, *roots))),
            least=listed.least if least is None else None if least == NONE else least,
        )
        return await _set(store, read_list(changed.to_json()))

    return _told(_tried(data, add), json=json)


def set_list(data: Path, file: Path, *, json: bool) -> int:
    """Put a list in force."""
    listed = _list(file)
    return _told(_tried(data, lambda store: _set(store, listed)), json=json)


def dry_run(data: Path, file: Path, *, json: bool) -> int:
    """Whom a list would refuse."""
    config, listed = load(data), _list(file)

    async def try_out(store: Store) -> list[Refused]:
        rules = listed.rules(await authenticators.metadata(store, metadata_roots(config)))
        policies = DEMO_KEY_POLICIES if (await load_deployment(store)).demo else KEY_POLICIES
        keys = await judgement.attested_keys(store, policies)
        return await judgement.refused_by(keys, rules, SystemClock().now())

    refused = with_store(data, try_out)
    if json:
        print_json([{"actor": one.actor, "key": one.name, "rule": one.rule, "why": one.why} for one in refused])
    else:
        for one in refused:
            say(f"{one.actor}: {one.name}: {one.why}")
        say(f"Registered keys that this list refuses: {len(refused)}")
    return 1 if refused else 0


def load_metadata(data: Path, source: str, *, json: bool) -> int:
    """Load metadata from a file or an address."""
    config = load(data)
    blob = asyncio.run(fetch_metadata(source)) if source.startswith("https://") else _file(Path(source))
    roots, now = metadata_roots(config), SystemClock().now()
    loaded = _tried(data, lambda store: authenticators.load_metadata(store, roots, now, blob, "command line"))
    if json:
        print_json({"number": loaded.number, "next_update": _day(loaded.next_update), "models": len(loaded.models)})
    else:
        say(f"Metadata number {loaded.number}, {len(loaded.models)} models, the next due {_day(loaded.next_update)}.")
    return 0


async def _set(store: Store, listed: AuthenticatorList) -> int:
    return await authenticators.set_by_operator(store, SystemClock(), system_entropy, listed)


def _tried(data: Path, work: Any) -> Any:
    try:
        return with_store(data, work)
    except (Unprocessable, Conflict) as refused:
        raise WrongUsage(refused.detail) from refused


def _told(version: int, *, json: bool) -> int:
    if json:
        print_json({"version": version})
    else:
        say(f"Version {version} of the list of authenticators is in force.")
    return 0


def _list(file: Path) -> AuthenticatorList:
    try:
        members = orjson.loads(_file(file))
        return read_list(members.get("list", members))
    except (ValueError, AttributeError) as wrong:
        raise WrongUsage(f"{file} must hold a list of authenticators as JSON.") from wrong
    except Unprocessable as wrong:
        raise WrongUsage(f"{file}: {wrong.detail}") from wrong


def _roots(path: Path) -> list[bytes]:
    try:
        return [root.public_bytes(Encoding.DER) for root in x509.load_pem_x509_certificates(_file(path))]
    except ValueError as wrong:
        raise WrongUsage(f"{path} must hold certificates in PEM.") from wrong


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BLOB + 1)


def _day(at: int) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).date().isoformat()
