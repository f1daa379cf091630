"""``idverify trust``: whom is relied on, the signed bundle for verifiers without a network, and changes to propose."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from cryptography.x509 import load_der_x509_crl

from idverify.app.services import open_office
from idverify.auth.attestation.certificate import read_pem
from idverify.cli.database import with_store
from idverify.cli.output import WrongUsage, moment, print_json, read_input, say, sha256_of
from idverify.cli.trust_inspect import inspected, is_bundle, is_certificate, is_pem
from idverify.cli.trust_words import issuer_words
from idverify.config import load
from idverify.core.trust import TrustedIssuer
from idverify.errors import Conflict, DocumentError, Unprocessable
from idverify.formats.issuer_document import issuer_json
from idverify.formats.x509 import fingerprint
from idverify.ports import SystemClock
from idverify.services import trust, trust_proposals
from idverify.services.trust_book import own_issuer
from idverify.services.trust_proposals import ByHand, FromList
from idverify.services.trusted_issuers import Change, Proposed, Register, change_json, register, require_changeable
from idverify.stores.store import Store

PAGE = "/admin/trusted-issuers"
SHOWN_WHOLE = 200  # characters of a verifier key


def export(data: Path, output: Path, vkeys_file: Path | None, *, json: bool) -> int:
    """Sign a bundle and write it; the log's verifier keys, too, one a line, where a file is named for them."""
    bundle, root, vkeys = asyncio.run(_signed(data))
    output.write_bytes(bundle)
    if vkeys_file is not None:
        vkeys_file.write_text("".join(f"{vkey}\n" for vkey in vkeys))
    told = {"bundle": str(output), "bytes": len(bundle), "root_sha256": root, "log_vkeys": vkeys}
    if json:
        print_json(told)
        return 0
    say(f"Wrote {output} ({len(bundle)} bytes).")
    say(f"Root fingerprint (SHA-256): {root}")
    for vkey in vkeys:
        say(f"Ledger verifier key: {_shortened(vkey)}")
    if vkeys_file is not None:
        say(f"Wrote {vkeys_file}, with every ledger verifier key, one a line: for --vkey @{vkeys_file}")
    say("Give them to verifiers by another way than the bundle; they verify with:")
    say(f"  python3 -m idverify verify FILE --offline {output} --root-sha256 {root}")
    return 0


def _shortened(vkey: str) -> str:
    """A key that fits on a line or two as it is, a longer one (ML-DSA-44) by its name, key id and SHA-256."""
    if len(vkey) <= SHOWN_WHOLE:
        return vkey
    name, key_id, _ = vkey.split("+", 2)
    digest = hashlib.sha256(vkey.encode()).hexdigest()
    return f"{name}+{key_id}, SHA-256 {digest} (whole with --vkeys FILE or --json)"


async def _signed(data: Path) -> tuple[bytes, str, list[str]]:
    async with open_office(load(data), None) as office:
        await office.board.show_published()
        issuer = office.trust.issuers[office.deployment.iss]
        return await trust.export(office), fingerprint(issuer.roots[0]).hex(), office.log_vkeys


def show(data: Path, at: str | None, *, json: bool) -> int:
    """Everybody of whom anything was decided, ourselves first; with ``at`` those who were relied on then."""
    then = None if at is None else moment(at, "--at")

    async def read(store: Store) -> tuple[Register, TrustedIssuer]:
        return await register(store), await own_issuer(store)

    known, ours = with_store(data, read)
    issuers = [ours, *known.issuers.values()]
    if then is not None:
        issuers = [one for issuer in issuers if (one := issuer.at(then)).roots]
    if json:
        print_json({"version": known.version, "issuers": [_json(issuer, then) for issuer in issuers]})
        return 0
    for issuer in issuers:
        for line in issuer_words(issuer, then):
            say(line)
    return 0


def _json(issuer: TrustedIssuer, at: int | None) -> dict[str, Any]:
    if issuer.root_terms and at is None:
        return issuer_json(issuer)
    return {
        "iss": issuer.iss or None,
        "name": issuer.name,
        "country": issuer.country,
        "status_bases": list(issuer.list_bases),
        "roots": [fingerprint(root).hex() for root in issuer.roots],
        "types": sorted(issuer.types),
    }


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked of ``idverify trust import``; ``types`` are FORMAT=TYPE, ``withdraw`` is a key or a SHA-256."""

    file: Path | None
    output: Path
    provider_root: Path | None
    root_sha256: str | None
    said: ByHand
    withdraw: str | None
    day: str | None


def make_change(data: Path, wanted: Wanted, *, json: bool) -> int:
    """Make a change from a file, hold it against what is in force, and write it for two admins to confirm."""
    now = SystemClock().now()

    async def make(store: Store) -> FromList:
        known, ours = await register(store), await own_issuer(store)
        made = _made(known, wanted, now)
        require_changeable(Proposed(made.change, known, ours))
        return made

    try:
        made = with_store(data, make)
    except (DocumentError, Unprocessable, Conflict) as refused:
        return _refused(refused, json=json)
    document = change_json(made.change)
    wanted.output.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    if json:
        left_out = [{"authority": one.entry.authority, "rule": one.rule} for one in made.refused]
        told = {"file": str(wanted.output), "change": document, "refused": left_out, "narrowed": made.narrowed}
        print_json(told)
        return 0
    say("Two admins will confirm that these are relied on for this, and no longer than this:")
    for issuer in made.change.issuers:
        for line in issuer_words(issuer, None):
            say(line)
    for one in made.refused:
        say(f"Not taken: {one.entry.authority or 'a certificate without a name'}: {one.detail} ({one.rule})")
    for name in made.narrowed:
        say(f"Relied on only for the types that all of its certificates have: {name}")
    say(f"Wrote {wanted.output}. Nothing is changed yet: one admin proposes the file at {PAGE}, another approves it.")
    return 0


def _made(known: Register, wanted: Wanted, now: int) -> FromList:
    if wanted.withdraw is not None:
        at = now if wanted.day is None else moment(wanted.day, "--since")
        root, key = _withdrawn(known, wanted.withdraw)
        return _alone(trust_proposals.withdrawal(known, key, at, root))
    if wanted.file is None:
        raise WrongUsage("Give the file to import, or --withdraw.")
    content = read_input(str(wanted.file))
    if wanted.provider_root is not None:
        (root_der, *_) = certificates(wanted.provider_root)
        return trust_proposals.from_vical(known, content, root_der, now)
    if wanted.root_sha256 is not None:
        return _alone(trust_proposals.from_bundle(known, content, sha256_of(wanted.root_sha256, "--root-sha256"), now))
    if is_crl(content):
        return _alone(trust_proposals.with_crl(known, content))
    if is_bundle(content):
        raise WrongUsage("A trust bundle needs --root-sha256, the fingerprint that its issuer told you by another way.")
    if not is_certificate(content):
        raise WrongUsage(
            f"{wanted.file} is no certificate (PEM or DER), list of revoked certificates or trust bundle. "
            "If it is a VICAL, give --provider-root."
        )
    if not wanted.said.name:
        raise WrongUsage("A certificate needs --name, --country, --type and --origin.")
    return _alone(trust_proposals.by_hand(known, certificates(wanted.file), wanted.said, now))


def _alone(change: Change) -> FromList:
    return FromList(change, (), ())


def _withdrawn(known: Register, what: str) -> tuple[bytes | None, str]:
    for key, issuer in known.issuers.items():
        for root in issuer.root_terms:
            if fingerprint(root.certificate).hex() == what:
                return bytes.fromhex(what), key
    return None, what


def _refused(refused: DocumentError | Unprocessable | Conflict, *, json: bool) -> int:
    rule = refused.rule if isinstance(refused, DocumentError) else refused.slug
    if json:
        print_json({"refused": rule, "detail": refused.detail})
    else:
        say(f"It cannot be proposed: {refused.detail} ({rule})")
    return 1


def certificates(path: Path) -> tuple[bytes, ...]:
    """The certificates of a file, PEM or DER, in DER. Raises ``WrongUsage``."""
    content = read_input(str(path))
    try:
        return read_pem(content) if is_pem(content) else (content,)
    except ValueError as wrong:
        raise WrongUsage(f"{path} must hold certificates: {wrong}.") from wrong


def is_crl(content: bytes) -> bool:
    """Whether a file is a list of revoked certificates, DER."""
    try:
        load_der_x509_crl(content)
    except ValueError:
        return False
    return True


def types_of(given: list[str]) -> tuple[tuple[str, str], ...]:
    """FORMAT=TYPE, several times. Raises ``WrongUsage``."""
    pairs = [one.partition("=") for one in given]
    if not all(form and kind for form, _, kind in pairs):
        raise WrongUsage("--type must be FORMAT=TYPE, such as mso_mdoc=org.iso.18013.5.1.mDL.")
    return tuple((form, kind) for form, _, kind in pairs)


def inspect(file: Path, provider_root: Path | None, root_sha256: str | None, *, json: bool) -> int:
    """What a certificate, a VICAL or a bundle says: 0 it holds, 1 it does not, 2 there was nothing to tell it by."""
    pinned = None if provider_root is None else certificates(provider_root)[0]
    digest = None if root_sha256 is None else sha256_of(root_sha256, "--root-sha256")
    found = inspected(read_input(str(file)), pinned, digest, SystemClock().now())
    if json:
        print_json(found.to_json())
    else:
        for line in found.lines:
            say(line)
    return found.status
