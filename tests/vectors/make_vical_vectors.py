"""Writes ``credentials/vical.json``: lists that hold, and for each rule of ours one list that breaks it alone.

Run from the root of the project: ``python -m tests.vectors.make_vical_vectors``. Keys and signatures are fixed, so a
second run writes the same bytes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cbor2

from idverify.formats import x509
from tests.simulators import credential_world as world
from tests.simulators import vical_world as vicals
from tests.simulators.foreign_issuer import NORTH, SOUTH, Foreign

FILE = Path(__file__).parent / "credentials" / "vical.json"
STATE = Foreign("Stately Authority", "https://state.example", 3201)


@dataclass(frozen=True)
class Case:
    """A list in base64 at one time. ``breaks`` is the rule that refuses it; ``entry``: it refuses one certificate."""

    name: str
    vical: str
    breaks: str | None = None
    entry: bool = False
    at: int = world.NOW


def _case(name: str, vical: bytes, breaks: str | None = None, **how: Any) -> Case:
    return Case(name, base64.b64encode(vical).decode("ascii"), breaks, **how)


def reading_cases() -> Iterator[Case]:
    """C.1.7.1 and RFC 8949: what is no list at all."""
    listed, signed = vicals.listed, vicals.signed
    twice = cbor2.dumps(listed())
    twice = bytes([twice[0] + 1]) + twice[1:] + cbor2.dumps("version") + cbor2.dumps("1.0")
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    yield _case("two entries", signed())
    yield _case("the root along", signed(chain=[vicals.signer(), vicals.root()]))
    yield _case("in a tag", b"\xd2" + signed())
    yield _case("no issue, no next update", signed(listed(vicalIssueID=None, nextUpdate=None)))
    yield _case("what is for later", signed(listed(extensions={"a": 1}, more=[b"x"])))
    yield _case("an entry of the least", signed(listed(_least())))
    yield _case("not a message", b"\x01", "cose")
    yield _case("another algorithm", signed(alg=-35), "header-alg")
    yield _case("nothing signed", signed(payload=b""), "cbor-length")
    yield _case("a list of lists", signed(payload=cbor2.dumps([1])), "vical-form")
    yield _case("a member twice", signed(payload=twice), "cbor-duplicate-key")
    yield _case("nested 40 deep", signed(listed(extensions=deep)), "cbor-depth")
    yield _case("no provider", signed(listed(vicalProvider=None)), "vical-form")
    yield _case("a date as text", signed(listed(date="2026-01-01T00:00:00Z")), "vical-form")
    yield _case("an issue below zero", signed(listed(vicalIssueID=-1)), "vical-form")
    yield _case("a provider of control characters", signed(listed(vicalProvider="a\x1b[2J")), "vical-form")
    yield _case("entries in a map", signed(listed(certificateInfos={})), "vical-form")
    yield _case("an entry that is none", signed(listed(certificateInfos=[7])), "vical-form")
    yield _case("for no type", signed(listed(vicals.entry(docType=[]))), "vical-form")
    yield _case("a type that is no text", signed(listed(vicals.entry(docType=[7]))), "vical-form")
    yield _case("without its certificate", signed(listed(_without("certificate"))), "vical-form")
    yield _case("without its SKI", signed(listed(_without("ski"))), "vical-form")
    yield _case("without certificates of its own", signed(chain=[]), "x5chain")


def list_cases() -> Iterator[Case]:
    """C.1.7: signed, by whom, and when."""
    listed, signed, signer = vicals.listed, vicals.signed, vicals.signer
    yield _case("version 2", signed(listed(version="2.0")), "vical-version")
    yield _case("another key", signed(key=vicals.STRANGER_KEY), "signature")
    yield _case("another root", signed(chain=[signer(root_key=vicals.STRANGER_KEY)]), "path")
    yield _case("a document signer", signed(chain=[signer(purpose=x509.Purpose.DOCUMENT)]), "leaf-purpose")
    yield _case(
        "a signer that expired", signed(listed(nextUpdate=None)), "path-validity", at=world.NOW + 500 * world.DAY
    )
    yield _case("from tomorrow", signed(listed(date=_day(1))), "vical-date")
    yield _case("out of date", signed(listed(nextUpdate=_day(-1))), "vical-next-update")
    both = [vicals.entry(), vicals.entry(NORTH, vicals.PERMIT)]
    yield _case("a certificate twice", signed(listed(*both)), "vical-certificate-once")


def entry_cases() -> Iterator[Case]:
    """C.1.7.1 and B.1.2: what is said of a certificate is what it says; each list has a right one besides."""

    def beside(**changes: Any) -> bytes:
        return vicals.signed(vicals.listed(vicals.entry(SOUTH), vicals.entry(**changes)))

    subject = x509.read_certificate(SOUTH.root()).subject.public_bytes()
    soon = x509.not_after(NORTH.root()) - 1
    yield _case("a signer for a root", beside(certificate=NORTH.leaf()), "root-is-authority", entry=True)
    yield _case("another SKI", beside(ski=bytes(20)), "entry-ski", entry=True)
    yield _case("another serial number", beside(serialNumber=5), "entry-serial", entry=True)
    yield _case("another subject", beside(subject=subject), "entry-names", entry=True)
    yield _case("another issuer", beside(issuer=subject), "entry-names", entry=True)
    yield _case("another end", beside(notAfter=vicals.instant(soon)), "entry-dates", entry=True)
    yield _case("another country", beside(issuingCountry="XZ"), "entry-country", entry=True)
    yield _case(
        "another state", vicals.signed(vicals.listed(vicals.entry(SOUTH), _of_state())), "entry-state", entry=True
    )
    yield _case(
        "a root that expired", beside(certificate=NORTH.root(days=0)), "entry-in-time", entry=True, at=world.NOW + 60
    )


def _least() -> dict[str, Any]:
    kept = {"certificate", "serialNumber", "ski", "docType"}
    return {name: value for name, value in vicals.entry().items() if name in kept}


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in vicals.entry().items() if key != name}


def _of_state() -> dict[str, Any]:
    return vicals.entry(STATE, certificate=vicals.root_of_state(STATE, "East"), stateOrProvinceName="West")


def _day(days: int) -> Any:
    return vicals.instant(world.NOW + days * world.DAY)


def cases() -> Iterator[Case]:
    """All of them."""
    yield from reading_cases()
    yield from list_cases()
    yield from entry_cases()


def text() -> str:
    """The file."""
    return json.dumps([asdict(case) for case in cases()], indent=1) + "\n"


def load() -> list[Case]:
    """The cases, from the file."""
    return [Case(**case) for case in json.loads(FILE.read_text())]


if __name__ == "__main__":
    FILE.write_text(text())
