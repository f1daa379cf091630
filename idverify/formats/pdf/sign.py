"""PAdES signatures (ETSI EN 319 142-1) in as many rounds as the level needs, with keys that are elsewhere.

``prepare`` and ``seal`` are pure and speak in plain values, so that they run in a worker that holds no key and may be
killed. Each round says which key signs which bytes (ES256) and what the next call needs to go on:

    B-B     the paper signer signs the letter
    B-T     and a time stamp says when that signature was there
    B-LTA   and certificates and revocation lists go in, with a time stamp over all of it
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypedDict

import cbor2

from idverify.errors import DocumentError
from idverify.formats import cms, timestamp
from idverify.formats.jose import der_signature
from idverify.formats.pdf.revisions import Place, with_certification, with_document_stamp
from idverify.formats.timestamp import Imprint
from idverify.formats.x509 import require_may_sign

PAPER: Final = "paper-signer"
TIME_STAMP: Final = "time-stamp-signer"
SIGNATURE_FIELD: Final = "Signature"
STAMP_FIELD: Final = "Time stamp"
LEVELS: Final = ("B-B", "B-T", "B-LTA")


class Round(TypedDict):
    """What is signed next: by the key of which role (ES256), which bytes, and the state that ``seal`` takes then."""

    role: str
    payload: bytes
    state: bytes


class Sealed(TypedDict):
    """The signed letter. Its own signature covers its first ``revision`` bytes, in which it stands itself."""

    pdf: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class _State:
    """Between two rounds. ``places`` are those of the signatures so far, oldest first; the last is not filled yet.

    ``signature`` is the letter's own, raw; ``info`` is what the next time stamp says.
    """

    level: str
    pdf: bytes
    paper: tuple[bytes, ...]
    stamps: tuple[bytes, ...]
    serials: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    places: tuple[Place, ...]
    step: str
    signature: bytes = b""
    info: bytes = b""


def prepare(
    pdf: bytes,
    level: str,
    at: int,
    until: int,
    paper: Sequence[bytes],
    stamps: Mapping[str, Any] | None = None,
    evidence: Mapping[str, Any] | None = None,
    role: str = PAPER,
) -> Round:
    """The first round of a certification signature that allows no change, ``at`` Unix seconds.

    ``until`` is how long the letter is to hold: no certificate is outlived. ``paper`` is the chain of the signer (DER,
    leaf first, root left out), ``role`` whose key that is. From B-T on, ``stamps`` is {"chain": the same of the
    time-stamp authority, "serials": one random number of ``timestamp.SERIAL_BYTES`` per time stamp}; for B-LTA,
    ``evidence`` is {"certificates": the roots, "crls": their revocation lists}, DER. Raises ``DocumentError``:
    ``level``, ``pdf``, ``pdf-signed``, ``key-usage-period``, ``outlives-certificate``.
    """
    given, known = stamps or {}, evidence or {}
    serials, crls = tuple(given.get("serials", ())), tuple(known.get("crls", ()))
    if level not in LEVELS or len(serials) < LEVELS.index(level) or (level == "B-LTA" and not crls):
        raise DocumentError("level", f"A level is one of {', '.join(LEVELS)}, with the time stamps that it needs.")
    require_may_sign(paper[0], at, until)
    written, place = with_certification(pdf, SIGNATURE_FIELD, at)
    chain = tuple(given.get("chain", ()))
    certificates = (*paper, *chain, *known.get("certificates", ()))
    state = _State(level, written, tuple(paper), chain, serials, certificates, crls, (place,), "signature")
    return _round(role, cms.signed_attributes(cms.DATA, place.digest, paper[0]), state)


def seal(state: bytes, signature: bytes, at: int) -> Round | Sealed:
    """The next round, or the letter, with the raw ``r||s`` signature over the payload of the round before.

    ``at`` is now, in Unix seconds: what a time stamp of the next round says. Raises ``DocumentError``: ``signature``,
    ``cms``, ``signature-size``, ``key-usage-period``; ``pdf-changed`` where the letter is not what was signed.
    """
    known = _decoded(state)
    return STEPS[known.step](known, signature, at)


def _letter_signed(state: _State, signature: bytes, at: int) -> Round | Sealed:
    if state.level == "B-B":
        return _finished(_filled(state, _certification(state, signature)))
    # RFC 3161 appendix A: what is stamped is the signature's value, as it stands in the SignerInfo
    imprint = hashlib.sha256(der_signature(signature)).digest()
    return _stamping(replace(state, signature=signature, step="signature stamp"), imprint, at)


def _signature_stamped(state: _State, signature: bytes, at: int) -> Round | Sealed:
    stamp = timestamp.token(state.info, signature, state.stamps)
    filled = _filled(state, _certification(state, state.signature, stamp))
    if state.level == "B-T":
        return _finished(filled)
    written, place = with_document_stamp(filled.pdf, STAMP_FIELD, state.certificates, state.crls)
    stamping = replace(filled, pdf=written, places=(*filled.places, place), step="document stamp")
    return _stamping(stamping, place.digest, at)


def _document_stamped(state: _State, signature: bytes, _at: int) -> Round | Sealed:
    return _finished(_filled(state, timestamp.token(state.info, signature, state.stamps)))


STEPS: Final[Mapping[str, Callable[[_State, bytes, int], Round | Sealed]]] = {
    "signature": _letter_signed,
    "signature stamp": _signature_stamped,
    "document stamp": _document_stamped,
}


def _certification(state: _State, signature: bytes, stamp: bytes | None = None) -> bytes:
    attributes = cms.signed_attributes(cms.DATA, state.places[0].digest, state.paper[0])
    unsigned = None if stamp is None else {cms.STAMP_ATTRIBUTE: stamp}
    return cms.sealed(cms.DATA, None, attributes, signature, state.paper, unsigned)


def _stamping(state: _State, digest: bytes, at: int) -> Round:
    """The round of a time stamp over a SHA-256 ``digest``."""
    require_may_sign(state.stamps[0], at, at)
    serial, *left = state.serials
    info = timestamp.tst_info(
        Imprint("sha256", digest), policy=timestamp.POLICY, serial=int.from_bytes(serial, "big"), at=at
    )
    payload = timestamp.to_be_signed(info, state.stamps[0])
    return _round(TIME_STAMP, payload, replace(state, serials=tuple(left), info=info))


def _filled(state: _State, signature: bytes) -> _State:
    return replace(state, pdf=state.places[-1].filled(state.pdf, signature))


def _finished(state: _State) -> Sealed:
    """The letter, read once more from its own bytes: every signature is there, is ours and holds."""
    signed = (
        (cms.DATA, state.places[0].digest, state.paper),
        (timestamp.CONTENT_TYPE, hashlib.sha256(state.info).digest(), state.stamps),
    )
    for place, (content_type, digest, chain) in zip(state.places, signed, strict=False):
        if not place.holds_in(state.pdf):
            raise DocumentError("pdf-changed", "The letter is not what was signed.")
        cms.require_signed(place.signature(state.pdf), content_type, digest, chain[0])
    return {"pdf": state.pdf, "revision": state.places[0].size}


def _round(role: str, payload: bytes, state: _State) -> Round:
    return {"role": role, "payload": payload, "state": _encoded(state)}


def _encoded(state: _State) -> bytes:
    fields = {name: getattr(state, name) for name in _State.__slots__}
    places = [[place.start, place.end, place.size, place.digest] for place in state.places]
    return cbor2.dumps(fields | {"places": places})


def _decoded(state: bytes) -> _State:
    """Our own bytes, which nobody but us has had."""
    fields = cbor2.loads(state)
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return _State(**fields | lists | {"places": tuple(Place(*place) for place in fields["places"])})
