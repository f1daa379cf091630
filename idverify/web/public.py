"""Routes for everybody: certificates, the trust bundle, health, the API's description."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from idverify.errors import IdverifyError, NotFound
from idverify.formats.strict_json import encode_json
from idverify.ports import uuid7
from idverify.services import iacas as service
from idverify.services import trust
from idverify.services.branches import DOCUMENTS, TIME_STAMPS, Branch
from idverify.stores import queries, tables
from idverify.stores.writes import Remove, WriteSet
from idverify.web import schema
from idverify.web.endpoint import Call, Reply
from idverify.web.representation import Representation
from idverify.web.single_flight import SingleFlight

OPENAPI = web.AppKey("openapi", bytes)
READINESS: web.AppKey[SingleFlight[Reply]] = web.AppKey("readiness", SingleFlight)
_NO_TIME_STAMPS: Final = "This service gives no time stamps yet: its root for them is made at the next start."


async def root_certificate(call: Call) -> Reply:
    """The root of the document branch, DER."""
    issuer = call.office.trust.issuer(call.office.deployment.iss)
    assert issuer is not None
    return cached(call, issuer.roots[0], "application/pkix-cert", 3600)


async def iacas(call: Call) -> Reply:
    """Our roots for mdocs, with their keys, as JSON (OpenID4VCI ``mdoc_iacas_uri``)."""
    return cached(call, encode_json(service.iacas(call.office)), "application/json", 3600)


async def crl(call: Call) -> Reply:
    """The certificate revocation list of the document branch, DER."""
    return await _crl(call, DOCUMENTS)


async def time_stamp_root(call: Call) -> Reply:
    """The root of the branch for time stamps, DER."""
    rows: list[Any] = await call.office.store.fetch(queries.KEYS_IN_USE, {})
    root = next((row["certificate"] for row in rows if row["role"] == TIME_STAMPS.root_role), None)
    if root is None:
        raise NotFound(_NO_TIME_STAMPS)
    return cached(call, root, "application/pkix-cert", 3600)


async def time_stamp_crl(call: Call) -> Reply:
    """The certificate revocation list of the branch for time stamps, DER."""
    return await _crl(call, TIME_STAMPS)


async def _crl(call: Call, branch: Branch) -> Reply:
    row: Any = await call.office.store.fetch_one(queries.CRL_OF, {"root_role": branch.root_role})
    if row is None:
        raise NotFound(_NO_TIME_STAMPS)
    return cached(call, row["der"], "application/pkix-crl", 3600)


async def trust_bundle(call: Call) -> Reply:
    """The signed trust bundle for verifiers without a network."""
    return Reply(await trust.export(call.office), content_type="application/jwt", headers={"Cache-Control": "no-cache"})


async def related_origins(call: Call) -> Reply:
    """Origins whose pages may use our RP ID (WebAuthn L3 section 5.11)."""
    listed = schema.RelatedOrigins(origins=[call.office.deployment.iss, *sorted(call.office.related_origins)])
    return cached(call, listed.model_dump_json().encode(), "application/json", 3600)


async def passkey_endpoints(call: Call) -> Reply:
    """Where people register and manage their keys, for password managers (W3C passkey-endpoints)."""
    ours = call.office.deployment.iss
    listed = schema.PasskeyEndpoints(enroll=f"{ours}/account/keys/new", manage=f"{ours}/account/keys")
    return cached(call, listed.model_dump_json().encode(), "application/json", 3600)


async def livez(_call: Call) -> schema.Health:
    """The process answers."""
    return schema.Health(status="ok", checks={})


async def readyz(call: Call) -> Reply:
    """The database takes a write, the HSM signs, and the ledger is not halted: asked for real, each time.

    One token is enough; how each of several stands is told besides. Anybody may ask, and a probe goes before everybody
    else's signatures: so a crowd is told what one of them is.
    """
    return await call.request.app[READINESS].ask(lambda: _readiness(call))


async def _readiness(call: Call) -> Reply:
    checks = {
        "database": await _outcome(lambda: _database_write(call)),
        "hsm": await _outcome(call.office.signer.probe),
        "ledger": await _outcome(lambda: _ledger_open(call)),
    }
    ready = all(result == "ok" for result in checks.values())
    for label, standing in (await call.office.signer.standings()).items():
        checks[f"token {label}"] = standing
    health = schema.Health(status="ok" if ready else "not-ready", checks=checks)
    return Reply(health, status=200 if ready else 503, headers={"Cache-Control": "no-store"})


async def openapi(call: Call) -> Reply:
    """The description of this API, OpenAPI 3.1."""
    return Reply(call.request.app[OPENAPI])


def cached(call: Call, body: bytes, content_type: str, seconds: int) -> Reply:
    """A public body with a validator; 304 to whoever has it already."""
    shown = Representation.of(body, content_type, f"public, max-age={seconds}")
    status, content, headers = shown.answer(call.request.headers)
    return Reply(content, status, content_type, headers | {"Access-Control-Allow-Origin": "*"})


async def _outcome(ask: Any) -> str:
    try:
        await ask()
    except IdverifyError as error:
        return error.detail
    return "ok"


async def _ledger_open(call: Call) -> None:
    call.office.log_book.require_open()


async def _database_write(call: Call) -> None:
    """A write that changes nothing, but is one: BEGIN IMMEDIATE, a statement, COMMIT."""
    nobody = uuid7(call.office.clock, call.office.entropy)
    await call.office.store.commit(WriteSet((Remove(tables.look, {"id": nobody}),)))
