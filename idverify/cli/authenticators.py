"""``idverify authenticators``: straight to the database, whether or not the service runs."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from idverify.app.authenticators import metadata_roots
from idverify.auth.attestation.certificate import read_pem
from idverify.auth.attestation.path import fingerprint
from idverify.auth.authenticator_list import EMPTY, MOST_NAME, AuthenticatorList, Listed, read_list, read_model
from idverify.auth.key_policy import DEMO_KEY_POLICIES, KEY_POLICIES
from idverify.auth.mds import MAX_BLOB
from idverify.auth.mds_status import CERTIFICATIONS
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
LACKS_METADATA = (
    "WARNING: this list asks for a certification, and no metadata are loaded that tell of one: it takes no key. "
    "Load them, or ask for none: authenticators allow ... --least none"
)

WITHOUT_ROOT = (
    "WARNING: nothing vouches for keys of these models, so none is taken. Give each the root of its maker "
    "(authenticators allow ... --anchor ROOT.pem), or load metadata that name one"
)


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
            "lacks_metadata": version.listed is not None and version.listed.needs_metadata and metadata is None,
            "without_root": [] if version.listed is None else version.listed.models_without_root(metadata),
        }

    found = with_store(data, read)
    if json:
        print_json(found)
        return 0
    say(f"List of authenticators: version {found['version']}" + ("" if found["list"] else " (none is set yet)"))
    _say_list(found["list"] or {"entries": (), "metadata": None})
    state = found["metadata"]
    say("Metadata: none" if state is None else f"Metadata: number {state['number']}, due {state['next_update']}")
    _say_lacks(lacks_metadata=found["lacks_metadata"], without_root=found["without_root"])
    return 0


def _say_list(members: Any) -> None:
    for entry in members["entries"]:
        of_metadata = isinstance(entry["anchors"], str)
        say(
            f"  {entry['model']}  {entry['name']}  vouched for by{' the roots of the metadata' if of_metadata else ':'}"
        )
        for anchor in () if of_metadata else entry["anchors"]:
            say(f"    SHA-256 of the DER certificate: {anchor}")
    if (asked := members["metadata"]) is not None:
        say(f"Least certification: {asked['least'] or NONE}. FIPS 140, level 2: {'yes' if asked['fips'] else 'no'}.")
        say(f"Metadata may be overdue for {asked['grace_days']} days.")


def allow(data: Path, model: str, name: str, anchors: list[Path], least: str | None, *, json: bool) -> int:
    """Add a model to the list in force."""
    roots = tuple(root for path in anchors for root in _roots(path))
    if least not in {None, NONE, *CERTIFICATIONS}:
        raise WrongUsage(f"--least must be one of: {', '.join((NONE, *CERTIFICATIONS))}; got {least!r}.")
    if not (0 < len(name) <= MOST_NAME and name.isprintable()):
        raise WrongUsage(f"--name must be 1 to {MOST_NAME} printable characters: what people call the model.")

    async def add(store: Store) -> _InForce:
        listed = (await authenticators.current(store)).listed or EMPTY
        entry = Listed(read_model(model), name, tuple(map(fingerprint, roots)))
        wanted = listed.least if least is None else None if least == NONE else least
        return await _set(store, data, replace(listed.with_model(entry, roots), least=wanted))

    return _told(_tried(data, add), json=json)


def set_list(data: Path, file: Path, *, json: bool) -> int:
    """Put a list in force."""
    listed = _list(file)
    return _told(_tried(data, lambda store: _set(store, data, listed)), json=json)


def dry_run(data: Path, file: Path, *, json: bool) -> int:
    """Whom a list would refuse."""
    listed = _list(file)
    judged = with_store(data, lambda store: _judged(store, data, listed))
    if json:
        print_json(_refused_json(judged.refused))
    else:
        _say_judged(judged)
    return 1 if judged.refused else 0


def load_metadata(data: Path, source: str, *, json: bool) -> int:
    """Load metadata from a file or an address."""
    config = load(data)
    blob = asyncio.run(fetch_metadata(source)) if source.startswith("https://") else _file(Path(source))
    roots, now = metadata_roots(config), SystemClock().now()
    loaded = _tried(
        data, lambda store: authenticators.load_metadata(store, system_entropy, roots, now, blob, "command line")
    )
    if json:
        print_json({"number": loaded.number, "next_update": _day(loaded.next_update), "models": len(loaded.models)})
    else:
        say(f"Metadata number {loaded.number}, {len(loaded.models)} models, the next due {_day(loaded.next_update)}.")
    return 0


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a list says of the keys that are registered, and why it can take none, or none of some models."""

    refused: list[Refused]
    lacks_metadata: bool
    without_root: list[str]


@dataclass(frozen=True, slots=True)
class _InForce:
    """A list that was set."""

    version: int
    judged: _Judged


async def _judged(store: Store, data: Path, listed: AuthenticatorList) -> _Judged:
    metadata = await authenticators.metadata(store, metadata_roots(load(data)))
    policies = DEMO_KEY_POLICIES if (await load_deployment(store)).demo else KEY_POLICIES
    keys = await judgement.attested_keys(store, policies)
    refused = await judgement.refused_by(keys, listed.rules(metadata), SystemClock().now())
    return _Judged(refused, listed.needs_metadata and metadata is None, listed.models_without_root(metadata))


async def _set(store: Store, data: Path, listed: AuthenticatorList) -> _InForce:
    version = await authenticators.set_by_operator(store, SystemClock(), system_entropy, listed)
    return _InForce(version, await _judged(store, data, listed))


def _say_judged(judged: _Judged) -> None:
    for one in judged.refused:
        say(f"{one.actor}: {one.name}: {one.why}")
    say(f"Registered keys that this list refuses: {len(judged.refused)}")
    _say_lacks(lacks_metadata=judged.lacks_metadata, without_root=judged.without_root)


def _say_lacks(*, lacks_metadata: bool, without_root: list[str]) -> None:
    if lacks_metadata:
        say(LACKS_METADATA)
    if without_root:
        say(f"{WITHOUT_ROOT}: {', '.join(without_root)}")


def _refused_json(refused: list[Refused]) -> list[dict[str, str]]:
    return [{"actor": one.actor, "key": one.name, "rule": one.rule, "why": one.why} for one in refused]


def _tried(data: Path, work: Any) -> Any:
    try:
        return with_store(data, work)
    except (Unprocessable, Conflict) as refused:
        raise WrongUsage(refused.detail) from refused


def _told(set_: _InForce, *, json: bool) -> int:
    judged = set_.judged
    if json:
        refused = _refused_json(judged.refused)
        lacks = {"lacks_metadata": judged.lacks_metadata, "without_root": judged.without_root}
        print_json({"version": set_.version, "refused": refused, **lacks})
        return 0
    say(f"Version {set_.version} of the list of authenticators is in force.")
    _say_judged(judged)
    if judged.refused:
        say("The service suspends them within a minute; if it does not run, when it starts.")
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
        return list(read_pem(_file(path)))
    except ValueError as wrong:
        raise WrongUsage(f"{path} must hold certificates in PEM.") from wrong


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BLOB + 1)


def _day(at: int) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).date().isoformat()
