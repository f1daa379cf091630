"""A deployment to measure: provisioned like any other, with synthetic people who wait for their credentials."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from idverify.app.provision import Wishes, provision
from idverify.app.services import open_office
from idverify.app.software_officer import SoftwareOfficer, software_officer
from idverify.config import Config
from idverify.core.credential_type import Purpose
from idverify.core.decision import DecisionKind
from idverify.core.person import PersonDetails
from idverify.core.policy import Role
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.formats import jose, key_binding, key_proof, sdjwt
from idverify.formats.base import HolderBindingExpected
from idverify.services import access, decide, people
from idverify.services.decide import Ruling
from idverify.services.offer import Offer, Wanted, offer
from idverify.services.office import Office
from idverify.services.sealed import DecisionContent

_DESKS: Final = 32
_SHOWN: Final = ("family_name", "given_name", "work")
DETAILS: Final = {"family_name": "SPECIMEN", "given_name": "ANNA", "birthdate": "1974-08-12", "nationalities": ["QU"]}
_PERMISSION: Final = {
    "status_type": {"code": "SKILLED-WORKER", "text": "Skilled worker"},
    "permission_start": "2024-01-15",
    "permission_end": None,
    "work": {"allowed": "limited", "occupations_text": "Sponsored occupation only"},
    "study": {"allowed": "yes"},
    "rent": {"allowed": "yes"},
    "travel": {"allowed": "yes"},
    "public_funds": {"recourse": False},
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is measured, the API key of a relying party, and an offer for each person."""

    config: Config
    api_key: str
    offers: tuple[Offer, ...]


async def deploy(data: Path, people_wanted: int, details: Mapping[str, Any] = DETAILS) -> Deployment:
    """Provision ``data``; nobody's key is in any memory when the service starts later."""
    config = await provisioned(data)
    async with open_office(config, None) as office:
        key = await access.create_key(
            *(office.store, office.doors, office.clock, office.entropy),
            *("Example Employer Ltd", Role.RELYING_PARTY, Purpose.WORK),
        )
        offers = await _offers(office, people_wanted, PersonDetails.model_validate(details))
    return Deployment(config, key, tuple(offers))


async def provisioned(data: Path) -> Config:
    """Its settings, tokens and keys, and nobody in it yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return await provision(data, Wishes(f"http://localhost:{port}", port, demo=True))


async def _offers(office: Office, wanted: int, details: PersonDetails) -> list[Offer]:
    """People queue at desks, each with an officer who confirms one act at a time."""
    free: asyncio.Queue[SoftwareOfficer] = asyncio.Queue()
    async with AsyncExitStack() as desks:
        arriving = (desks.enter_async_context(software_officer(office, f"Officer {n}")) for n in range(_DESKS))
        for officer in await asyncio.gather(*arriving):
            free.put_nowait(officer)
        return await asyncio.gather(*(_served(free, details) for _ in range(wanted)))


async def _served(free: asyncio.Queue[SoftwareOfficer], details: PersonDetails) -> Offer:
    officer = await free.get()
    try:
        return await _person_with_offer(officer, details)
    finally:
        free.put_nowait(officer)


async def _person_with_offer(officer: SoftwareOfficer, details: PersonDetails) -> Offer:
    office = officer.office
    person = await people.create(office, officer.principal, details)
    content = DecisionContent(legal_basis="Rules, part 1", permissions={IMMIGRATION_STATUS.id: _PERMISSION})
    granted = Ruling(person, DecisionKind.GRANT, "application-granted", content)
    await officer.confirm(lambda principal, given: decide.decide(office, principal, granted, given))
    return await officer.confirm(
        lambda principal, given: offer(office, principal, person, Wanted(IMMIGRATION_STATUS.id), given)
    )


class Holder:
    """A wallet in memory: one P-256 key that collects one credential and presents it."""

    def __init__(self, offered: Offer) -> None:
        self.offer = offered
        self.credential = ""
        self._key = ec.generate_private_key(ec.SECP256R1())

    def proof(self) -> str:
        """The key proof that the offer asks for."""
        jwk = jose.public_jwk(self._key.public_key())
        return self._signed(key_proof.prepare(jwk, self.offer.issuer, self.offer.nonce, int(time.time())))

    def shown(self, names: Iterable[str] = _SHOWN) -> str:
        """The credential with these claims, bound to nothing."""
        return sdjwt.select(self.credential.encode(), [(name,) for name in names]).decode()

    def presented(self, audience: str, nonce: str) -> str:
        """The same, bound to a verification request by this holder's key."""
        shown = self.shown()
        expected = HolderBindingExpected(audience, nonce)
        return shown + self._signed(key_binding.prepare(shown.encode(), expected, int(time.time())))

    def _signed(self, unsigned: bytes) -> str:
        r, s = decode_dss_signature(self._key.sign(unsigned, ec.ECDSA(hashes.SHA256())))
        return jose.jws(unsigned, r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
