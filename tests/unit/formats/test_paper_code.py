"""The paper code: made and read back, small enough for its place on a letter, and signed by one of several."""

from __future__ import annotations

import zlib
from typing import Any

import base45
import pytest
import zxingcpp

from idverify.core.credential import Credential, Issuer, StatusReference
from idverify.core.verdict import CheckId, Outcome, Result
from idverify.errors import DocumentError
from idverify.formats import carriers, x509
from idverify.formats.claims_json import json_of
from idverify.formats.handed_over import HandedOver, handed_over
from idverify.formats.paper_code import PREFIX, PaperCode
from idverify.services.verify import Submission, Verified, verify
from tests.corpus.verified import verifier
from tests.simulators import code_world as paper
from tests.simulators import credential_world as world


async def verified(code: bytes, at: int = world.NOW, **trust: Any) -> Verified:
    """What the service makes of a code."""
    return await verify(verifier(world.NOW, trust.get("trust", paper.trust())), Submission(code), at)


def test_it_is_read_as_it_was_made() -> None:
    """Claims by the names of the SD-JWT VC, the portrait as a URL, the status, and no holder's key."""
    claims = {**paper.CLAIMS, "picture": paper.PORTRAIT}
    presented = paper.FORMAT.read(paper.issue(claims))
    assert presented.claims == claims
    assert (presented.format, presented.type, presented.iss) == ("idv1", world.VCT, world.ISS)
    assert presented.status == StatusReference(world.STATUS_URI, 5)
    assert presented.holder_key is None
    assert json_of(presented.claims)


def test_what_the_ledger_commits_to_is_what_was_signed() -> None:
    """However well it was compressed."""
    code = paper.issue()
    again = paper.text(zlib.compress(zlib.decompress(base45.b45decode(code[5:])), 1))
    assert again != code
    assert paper.FORMAT.read(again).issuer_signed == paper.FORMAT.read(code).issuer_signed


@pytest.mark.parametrize("name", ["iss", "exp", "iat", "status", "vct"])
def test_claims_do_not_take_the_place_of_its_own(name: str) -> None:
    """What the format fills in is nobody else's to say."""
    credential = Credential(world.VCT, {name: 1}, frozenset(), 0, 1, StatusReference("", 0), None)
    with pytest.raises(ValueError, match=name):
        PaperCode().prepare(credential, Issuer(world.ISS, (paper.LEAF,), paper.KEY_ID), world.entropy())


async def test_paper_is_accepted_and_proves_nobody() -> None:
    """The document is genuine; whoever holds it is not proven."""
    found = await verified(paper.issue())
    assert found.verdict.verdict is Outcome.ACCEPT
    assert "compare the photo" in found.verdict.next_step
    assert found.claims_for(None) == dict(paper.CLAIMS)


async def test_an_old_status_refers() -> None:
    """Green only while what is known of its status is young: amber after."""
    found = await verified(paper.issue(), world.NOW + 301)
    unknown = [check.id for check in found.verdict.checks if check.result is Result.UNKNOWN]
    assert (found.verdict.verdict, unknown) == (Outcome.REFER, [CheckId.FRESHNESS])


async def test_key_ids_that_collide_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight bytes may be those of two keys: the one that signed is found, in whatever order they are known."""
    other = world.leaf(x509.Purpose.PAPER, key=world.STRANGER_KEY, serial=9)
    monkeypatch.setattr(x509, "key_id", lambda _: paper.KEY_ID)
    for signers in ((other,), ()):
        held = await verified(paper.issue(), trust=paper.trust(*signers))
        assert held.verdict.verdict is Outcome.ACCEPT
    by_other = await verified(paper.code(key=world.STRANGER_KEY), trust=paper.trust(other))
    assert by_other.presented is not None
    assert (by_other.verdict.verdict, by_other.presented.signing_chain) == (Outcome.ACCEPT, (other,))


async def test_a_code_that_nobody_here_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever's key id it names, if none of them made the signature it is forged."""
    found = await verified(paper.code(key=world.private_key(77)))
    assert [check.id for check in found.verdict.checks if check.result is Result.FAIL] == [CheckId.SIGNATURE]


# --- how it is handed over ----------------------------------------------------------------------------------------


def with_blank() -> bytes:
    """A code that has a blank among its digits."""
    codes = (paper.issue({**paper.CLAIMS, "given_name": f"Ada {number}"}) for number in range(100))
    return next(code for code in codes if b" " in code)


def test_blanks_are_digits() -> None:
    """Base45 has one: it stays, and what e-mail put around or between goes."""
    code = with_blank()
    wrapped = b"\xef\xbb\xbf \r\n" + code[:40] + b"\r\n" + code[40:] + b" \n"
    assert {handed_over(one) for one in (code, wrapped, code + b"\t")} == {HandedOver(code)}


def test_base45_never_ends_with_a_blank() -> None:
    """So blanks at the end are not the code's own: the last digit of two or three counts 45 or 2025."""
    last_of_two = {base45.b45encode(bytes([value]))[-1:] for value in range(256)}
    last_of_three = {base45.b45encode(value.to_bytes(2, "big"))[-1:] for value in range(65536)}
    assert b" " not in last_of_two | last_of_three


def test_in_a_wallets_answer() -> None:
    """As JSON that somebody's program wrote around it."""
    code = with_blank()
    assert handed_over(json_of({"document": code.decode() + "\n"})) == HandedOver(code)


def test_it_is_sniffed_by_its_first_letters() -> None:
    """And by nothing else: what only looks like it later is another document's."""
    assert carriers.sniff(paper.issue()).name == "idv1"
    with pytest.raises(DocumentError):
        carriers.sniff(b"x" + PREFIX)


# --- its size -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["M", "Q"])
def test_it_fits_into_forty_five_millimetres(level: str) -> None:
    """Without a portrait a module is at least 0.4 mm wide, which phones read from a hand's distance."""
    drawn: Any = zxingcpp.create_barcode(paper.issue().decode(), zxingcpp.BarcodeFormat.QRCode, ec_level=level)
    modules = memoryview(drawn.to_image(scale=1, add_quiet_zones=True)).shape[0]
    assert 45 / modules >= 0.4, modules
