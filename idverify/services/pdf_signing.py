"""PDFs that people keep are signed here: assembled in a worker that holds no key, signed by the HSM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from idverify.core.credential import Issuer
from idverify.errors import Unavailable
from idverify.formats import cms, timestamp
from idverify.formats.pdf.sign import LEVELS
from idverify.sandbox.answers import Round, Sealed
from idverify.services.office import TIME_STAMP_SIGNER, Office
from idverify.stores import queries

LEVEL: Final = "B-LTA"
"""Certificates and revocation lists are in the PDF, so that it can be checked after they are gone."""


async def signed(office: Office, pdf: bytes, role: str, signer: Issuer, until: int) -> Sealed:
    """The PDF, certified by ``signer``, whose role this is, in as many rounds as the level needs.

    ``until``, Unix seconds, is how long it is to hold. Raises ``DocumentError`` where it cannot be signed, and
    ``Unavailable`` where the HSM, a key or a worker is away.
    """
    stamps = office.keys.issuer(TIME_STAMP_SIGNER)
    serials = [office.entropy(timestamp.SERIAL_BYTES) for _ in range(LEVELS.index(LEVEL))]
    lists = await office.store.fetch(queries.CRLS, {})
    roots, crls = [one["issuer_certificate"] for one in lists], [one["der"] for one in lists]
    step: Round | Sealed = await office.sandbox.do(
        "prepare-letter",
        {
            "pdf": pdf,
            "level": LEVEL,
            "at": office.clock.now(),
            "until": until,
            "paper": list(signer.chain),
            "stamps": {"chain": list(stamps.chain), "serials": serials},
            "evidence": {"certificates": roots, "crls": crls},
            "role": role,
        },
    )
    while isinstance(step, Round):
        signature = await _signature(office, step, {role: signer, TIME_STAMP_SIGNER: stamps})
        step = await office.sandbox.do(
            "seal-letter", {"state": step.state, "signature": signature, "at": office.clock.now()}
        )
    return step


async def _signature(office: Office, step: Round, signers: Mapping[str, Issuer]) -> bytes:
    """A worker that somebody took over gets no other key to sign, and nothing that is no part of a PDF's signature."""
    content = timestamp.CONTENT_TYPE if step.role == TIME_STAMP_SIGNER else cms.DATA
    if step.role not in signers or not cms.are_attributes(step.payload, content):
        raise Unavailable("The worker that makes this PDF asked for another signature than it needs. Ask an operator.")
    return await office.signer.sign(signers[step.role].key_id, step.payload)
