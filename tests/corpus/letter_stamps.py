"""Letters whose time stamps do not hold, of those that ``make_letter`` writes; and those whose stamps prove nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from cryptography import x509 as cryptography_x509

from idverify.formats import x509
from idverify.formats.der import OCTET_STRING, tlv
from idverify.services.letter_stamps import DOCUMENT_STAMP, SIGNATURE_STAMP
from tests.simulators import credential_world as world
from tests.simulators import letters
from tests.simulators import stamp_world as stamps

AT: Final = world.NOW + 60
HOUR: Final = 3600
_NEXT: Final = world.NOW + 3 * HOUR
_LATER: Final = AT + 40 * world.DAY


class Stamped(NamedTuple):
    """A letter that breaks ``rule`` (empty: none); ``at`` is when it is checked."""

    rule: str
    name: str
    pdf: bytes
    at: int = AT
    given: Mapping[str, Any] = {}


def _strange() -> stamps.Stamping:
    """An authority that nobody chose."""
    return stamps.by(world.leaf(x509.Purpose.TIME_STAMP, key=world.STRANGER_KEY), world.STRANGER_KEY)


def _used_for_an_hour() -> bytes:
    """A certificate for paper whose key is in use for an hour more."""
    return letters.paper_leaf(stamps.in_use_until(world.NOW + HOUR))


def holds() -> Iterator[Stamped]:
    """Stamps that prove nothing here, and break nothing."""
    signed = letters.signed()
    yield Stamped("", "stamped by an authority that nobody chose", letters.stamped(_strange()))
    yield Stamped("", "and so the document", stamps.over_document(signed, _strange()))
    yield Stamped("", "a stamp without a certificate", letters.stamped(stamps.by(certificates=False)))
    brief = stamps.by(stamps.leaf(days=30))
    yield Stamped("", "an authority that has expired since", letters.stamped(brief), _LATER)
    yield Stamped("", "B-B, and a time stamp over the document", stamps.over_document(signed, stamps.by()))
    late = stamps.by(at=world.NOW + 2 * HOUR)
    of_short_use = letters.stamped(chain=[_used_for_an_hour()])
    yield Stamped("", "B-B, stamped after the key was in use", stamps.over_document(of_short_use, late), _NEXT)
    renewed = stamps.over_document(letters.stamped(stamps.by(), chain=[_used_for_an_hour()]), late)
    yield Stamped("", "B-T, renewed after the key was in use", renewed, _NEXT)
    kept_up = stamps.over_document(letters.stamped(brief, chain=[_used_for_an_hour()]), late)
    yield Stamped("", "renewed before its first authority had expired", kept_up, _LATER)


# What is wrong with a stamp, whatever it is over
WRONG: Final[Mapping[str, stamps.Stamping]] = {
    "of something else": stamps.by(of=b"another letter"),
    "altered": stamps.altered(stamps.by(), b"20260921141321Z", b"20260921141421Z"),
    "signed with another key": stamps.by(key=world.STRANGER_KEY),
    "by a signer of documents": stamps.by(stamps.leaf(x509.Purpose.DOCUMENT)),
    "by a signer for another issuer": stamps.by(stamps.leaf(iss="https://other.example")),
    "by a certificate in the root's name": stamps.by(stamps.unusual(root_key=world.STRANGER_KEY)),
    "by one whose purpose is not critical": stamps.by(stamps.unusual(critical=False)),
    "by an authority": stamps.by(stamps.unusual((cryptography_x509.BasicConstraints(ca=True, path_length=None), True))),
    "after the authority's key was in use": stamps.by(stamps.unusual(stamps.in_use_until(world.NOW - HOUR))),
    "from before what it is over": stamps.by(at=world.NOW - HOUR),
    "from tomorrow": stamps.by(at=world.NOW + world.DAY),
}
# A signature field of these bytes is none that a reader of PDF takes
_MALFORMED: Final[Mapping[str, stamps.Stamping]] = {
    "no token": lambda _: tlv(OCTET_STRING, b"a stamp"),
    "a token of nothing": stamps.altered(stamps.by(), bytes.fromhex("2a864886f70d0109100104"), b"\x2a" * 11),
}


def broken() -> Iterator[Stamped]:
    """Stamps that do not hold."""
    signed = letters.signed()
    expired = stamps.by(stamps.leaf(days=30), at=world.NOW + 35 * world.DAY)
    revoked = {"revoked": x509.read_certificate(stamps.LEAF).serial_number, "of": f"CN={stamps.ROOT_NAME},C=XU"}
    for name, stamping in WRONG.items():
        yield Stamped(SIGNATURE_STAMP, name, letters.stamped(stamping))
        yield Stamped(DOCUMENT_STAMP, name, stamps.over_document(signed, stamping))
    for name, stamping in _MALFORMED.items():
        yield Stamped(SIGNATURE_STAMP, name, letters.stamped(stamping))
    yield Stamped(SIGNATURE_STAMP, "outside of its certificate", letters.stamped(expired), _LATER)
    yield Stamped(DOCUMENT_STAMP, "outside of its certificate", stamps.over_document(signed, expired), _LATER)
    yield Stamped(SIGNATURE_STAMP, "its authority revoked", letters.stamped(stamps.by()), given=revoked)
    later = stamps.over_document(letters.stamped(stamps.by(at=AT + 50)), stamps.by(at=AT - 50), "Stamp")
    yield Stamped(DOCUMENT_STAMP, "from before the signature's own", later)
    second = letters.stamped(stamps.by(), stamps.by(of=b"another letter"))
    yield Stamped(SIGNATURE_STAMP, "the second of two", second)
    many = letters.stamped(*(stamps.by(at=world.NOW + number) for number in range(5)))
    yield Stamped(SIGNATURE_STAMP, "five of them", many)
    late = letters.stamped(stamps.by(at=world.NOW + 2 * HOUR), chain=[_used_for_an_hour()])
    yield Stamped("key-usage-period", "stamped after the key was in use", late, _NEXT)
    brief = stamps.by(stamps.leaf(days=30), at=world.NOW + 2 * HOUR)
    renewed = stamps.over_document(letters.stamped(brief, chain=[_used_for_an_hour()]), stamps.by(at=_NEXT))
    yield Stamped("key-usage-period", "and renewed, so that its stamp still counts", renewed, _LATER)
