"""PAdES at three levels, made in rounds: what other validators say of it, and what is never signed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cbor2
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import SignatureCoverageLevel
from pyhanko.sign.validation.dss import DocumentSecurityStore

from idverify.errors import DocumentError
from idverify.formats import cms, x509
from idverify.formats.pdf import sign
from tests.simulators import credential_world as world
from tests.simulators import paper_world as paper
from tests.simulators.pdf_oracle import judged

ROOTS = [world.ROOT, paper.stamp_root()]
ASKED = {
    "B-B": [sign.PAPER],
    "B-T": [sign.PAPER, sign.TIME_STAMP],
    "B-LTA": [sign.PAPER, sign.TIME_STAMP, sign.TIME_STAMP],
}


@pytest.mark.parametrize("level", sign.LEVELS)
async def test_pyhanko_agrees(level: str) -> None:
    """Trusted, intact, certified with no change allowed; the time stamps hold, and the last signature covers all."""
    pdf, asked = paper.rounds(paper.prepared(level))
    assert asked == ASKED[level]
    assert pdf.startswith(paper.letter())

    signature, *stamps = await judged(pdf, ROOTS, world.NOW + 60)
    assert signature.bottom_line
    assert signature.docmdp_ok
    assert (signature.timestamp_validity is not None) is (level != "B-B")
    if level != "B-B":
        assert signature.timestamp_validity.valid
        assert signature.timestamp_validity.trusted
        assert int(signature.timestamp_validity.timestamp.timestamp()) == world.NOW + 1
    assert [stamp.trusted and stamp.valid for stamp in stamps] == ([True] if level == "B-LTA" else [])
    assert [signature, *stamps][-1].coverage == SignatureCoverageLevel.ENTIRE_FILE
    changed = ModificationLevel.LTA_UPDATES if level == "B-LTA" else ModificationLevel.NONE
    assert signature.modification_level == changed


@pytest.mark.parametrize("level", sign.LEVELS)
def test_poppler_and_qpdf_agree(level: str, tmp_path: Path) -> None:
    """``pdfsig`` finds the signature valid and knows its form; ``qpdf`` finds nothing wrong with the file."""
    if shutil.which("pdfsig") is None or shutil.which("qpdf") is None:
        pytest.skip("needs poppler-utils and qpdf")
    path = tmp_path / "letter.pdf"
    path.write_bytes(paper.rounds(paper.prepared(level))[0])
    said = subprocess.run(["pdfsig", "-nocert", path], capture_output=True, text=True, check=True).stdout
    first = said.partition("Signature #2")[0]
    assert "Signature is Valid." in first
    assert "ETSI.CAdES.detached" in first
    checked = subprocess.run(["qpdf", "--check", path], capture_output=True, text=True, check=True).stdout
    assert "No syntax or stream encoding errors found" in checked


def test_what_validation_needs_is_in_the_letter() -> None:
    """Both revocation lists, and every certificate of both paths."""
    pdf, _ = paper.rounds(paper.prepared("B-LTA"))
    store = DocumentSecurityStore.read_dss(PdfFileReader(BytesIO(pdf)))
    lists = [one.get_object().data for one in store.crls]
    certificates = {one.dump() for one in store.load_certs()}

    assert lists == paper.EVIDENCE["crls"]
    assert certificates == {paper.paper_signer(), paper.stamp_signer(), *ROOTS}


def test_a_letter_says_when_it_was_signed_and_by_whom() -> None:
    """The signature names its certificate itself, and the time stands in the signature's dictionary, not in the CMS."""
    pdf, _ = paper.rounds(paper.prepared("B-B"))
    (signature,) = PdfFileReader(BytesIO(pdf)).embedded_signatures
    names = [attribute["type"].native for attribute in signature.signer_info["signed_attrs"]]

    assert sorted(names) == ["content_type", "message_digest", "signing_certificate_v2"]
    assert int(signature.self_reported_timestamp.timestamp()) == world.NOW
    assert signature.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert signature.docmdp_level.value == 1


def test_only_what_is_asked_goes_in() -> None:
    """No clock and no chance: the same letter at the same time is the same bytes, and describes itself as it did."""
    first, second = (cbor2.loads(paper.prepared("B-LTA")["state"])["pdf"] for _ in range(2))
    assert first == second
    before, after = (PdfFileReader(BytesIO(one)) for one in (paper.letter(), paper.rounds(paper.prepared("B-LTA"))[0]))
    assert dict(after.trailer["/Info"]) == dict(before.trailer["/Info"])
    assert after.root["/Metadata"].data == before.root["/Metadata"].data
    assert after.trailer["/ID"][0].original_bytes == before.trailer["/ID"][0].original_bytes


@pytest.mark.parametrize(
    ("prepare", "rule"),
    [
        (lambda: paper.prepared("B-X"), "level"),
        (lambda: sign.prepare(paper.letter(), "B-T", world.NOW, world.NOW, [paper.paper_signer()]), "level"),
        (
            lambda: sign.prepare(
                paper.letter(), "B-LTA", world.NOW, world.NOW, [paper.paper_signer()], paper.STAMPS, {"crls": []}
            ),
            "level",
        ),
        (lambda: paper.prepared("B-B", b"%PDF-1.7 nothing"), "pdf"),
        (lambda: paper.prepared("B-B", paper.letter().replace(b"/ID [", b"/Id [")), "pdf"),
        (lambda: paper.prepared("B-B", paper.rounds(paper.prepared("B-B"))[0]), "pdf-signed"),
        (lambda: paper.prepared("B-B", at=world.NOW + 2 * paper.YEAR), "key-usage-period"),
        (lambda: paper.prepared("B-B", at=world.NOW - 2 * world.DAY), "key-usage-period"),
        (
            lambda: sign.prepare(
                paper.letter(), "B-B", world.NOW, world.NOW + paper.YEAR, [paper.paper_signer(days=300)]
            ),
            "outlives-certificate",
        ),
    ],
    ids=["no level", "no stamps", "no lists", "no pdf", "no identifier", "signed", "too late", "too early", "outlived"],
)
def test_what_is_not_signed(prepare: Callable[[], Any], rule: str) -> None:
    """Refused by name before anything is signed."""
    with pytest.raises(DocumentError) as refused:
        prepare()
    assert refused.value.rule == rule


@pytest.mark.parametrize("wrong", range(3))
def test_a_wrong_signature_is_found_when_it_is_sealed(wrong: int) -> None:
    """In whichever round it comes: nothing leaves that does not verify."""
    step: Any = paper.prepared("B-LTA")
    with pytest.raises(DocumentError) as refused:  # noqa: PT012  the rounds go on until the wrong one is found
        for number in range(3):
            key = world.STRANGER_KEY if number == wrong else paper.KEYS[step["role"]]
            step = sign.seal(step["state"], world.sign(key, step["payload"]), world.NOW)
    assert refused.value.rule == "signature"


def test_a_letter_that_changed_between_rounds() -> None:
    """What is sealed is what was signed, or nothing."""
    begun = paper.prepared("B-B")
    state = cbor2.loads(begun["state"])
    state["pdf"] = state["pdf"].replace(b"/DocMDP", b"/DocMDQ")
    assert state["pdf"] != cbor2.loads(begun["state"])["pdf"]
    with pytest.raises(DocumentError) as refused:
        sign.seal(cbor2.dumps(state), world.sign(world.ISSUER_KEY, begun["payload"]), world.NOW)
    assert refused.value.rule == "pdf-changed"


def test_the_authority_gives_no_stamp_after_its_time() -> None:
    """A round that comes when its key has ceased to sign is not begun."""
    begun = paper.prepared("B-T")
    with pytest.raises(DocumentError) as refused:
        sign.seal(begun["state"], world.sign(world.ISSUER_KEY, begun["payload"]), world.NOW + 2 * paper.YEAR)
    assert refused.value.rule == "key-usage-period"


def test_a_signature_that_has_no_room() -> None:
    """A chain that does not fit is refused, not cut off."""
    begun = paper.prepared("B-B")
    state = cbor2.loads(begun["state"])
    state["paper"] *= 8
    with pytest.raises(DocumentError) as refused:
        sign.seal(cbor2.dumps(state), world.sign(world.ISSUER_KEY, begun["payload"]), world.NOW)
    assert refused.value.rule == "signature-size"


def test_a_verifier_asks_whether_the_key_was_in_use() -> None:
    """The certificate holds for years after; what the key signed then was not signed by us."""
    chain, paper_only = (paper.paper_signer(),), frozenset({x509.Purpose.PAPER})
    x509.verify_chain(chain, (world.ROOT,), world.NOW + 5 * paper.YEAR, purposes=paper_only)
    x509.require_signed_in_period(chain[0], world.NOW)
    for signed_at in (world.NOW + 2 * paper.YEAR, world.NOW - 2 * world.DAY):
        with pytest.raises(DocumentError) as refused:
            x509.require_signed_in_period(chain[0], signed_at)
        assert refused.value.rule == "key-usage-period"


def test_other_signers_sign_as_long_as_their_certificates_live() -> None:
    """They say nothing of a period of their own."""
    (leaf,) = world.CHAIN
    assert (x509.signs_from(leaf), x509.signs_until(leaf)) == (x509.not_before(leaf), x509.not_after(leaf))


def test_what_is_no_cms() -> None:
    """Damage is told as such."""
    for damaged in (b"", b"\x30\x03\x02\x01", b"\x30\x00"):
        with pytest.raises(DocumentError) as refused:
            cms.require_signed(damaged, cms.DATA, bytes(32), paper.paper_signer())
        assert refused.value.rule == "cms"
