"""Letters on paper: one copy each, on the ledger, made once, and made again from their rows after a crash."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from idverify.core.credential_type import Purpose
from idverify.core.letter_choices import LetterChoices
from idverify.core.policy import Principal
from idverify.core.verdict import Verdict
from idverify.errors import Conflict, Gone, NotAllowed, NotFound, TokenAway, Unavailable, Unprocessable
from idverify.formats.carriers import FORMATS
from idverify.formats.qr_image import read_codes
from idverify.formats.status_list import StatusValue
from idverify.ledger.proof import TlogProof
from idverify.services import letter, letter_pdf, letter_rights
from idverify.services.audit_sample import draw, judge
from idverify.services.ceremonies import Given
from idverify.services.check import online_verifier
from idverify.services.issue import CollectionRequest, collect
from idverify.services.letter_rights import CODE_SECONDS
from idverify.services.office import PAPER_SIGNER
from idverify.services.people import read
from idverify.services.recover import close_open_issuances
from idverify.services.verify import Submission, verify
from idverify.stores import tables
from idverify.stores.open import Location
from tests.simulators.holder import decided_by_two, failed
from tests.simulators.invariants import broken
from tests.simulators.printed_letters import attached, person_with_photo, printed, published
from tests.simulators.service import VCT
from tests.simulators.software_office import Premises, SoftToken, SoftwareOffice, premises
from tests.unit.services.test_issue import Interrupted, PowerCut


@pytest.fixture
async def house(tmp_path: Path, location: Location) -> AsyncIterator[Premises]:
    """A deployment over each driver."""
    async with premises(tmp_path, location) as made:
        yield made


@pytest.fixture
async def served(house: Premises) -> AsyncIterator[SoftwareOffice]:
    """An office; whatever was done, the rows hold at the end."""
    async with house.open() as running:
        yield running
    assert broken(house.location) == []


async def _rows(served: SoftwareOffice, table: Any) -> list[Any]:
    return await served.office.store.fetch(select(table), {})


async def _file(served: SoftwareOffice, handle: bytes) -> bytes:
    officer = await served.principal("officer")
    made = await published(served, letter_pdf.letter_file(served.office, officer, handle))
    return made.pdf


async def _code(served: SoftwareOffice, handle: bytes) -> str:
    """The text of the code that is on a letter."""
    (row,) = [one for one in await _rows(served, tables.letter) if one["handle"] == handle]
    (person,) = await _rows(served, tables.person)
    holder = await read(served.office, person["handle"])
    return str(letter.read_sealed(row, holder.key)["code"])


async def _verdict(served: SoftwareOffice, document: str) -> Verdict:
    verifier, at = online_verifier(served.office), served.office.clock.now()
    return (await verify(verifier, Submission(document.encode()), at)).verdict


async def test_a_letter_is_one_copy_on_the_ledger(served: SoftwareOffice) -> None:
    """Credential and code name one place in the status list; receipt, digests and entries say what was handed out."""
    handle = await printed(served, await person_with_photo(served), purpose="work", portrait=True)
    pdf = await _file(served, handle)
    within, (copy,), (row,) = attached(pdf), await _rows(served, tables.credential), await _rows(served, tables.letter)

    credential = FORMATS["dc+sd-jwt"].read(within["credential.sdjwt"])
    code = FORMATS["idv1"].read((await _code(served, handle)).encode())
    assert credential.status == code.status
    assert credential.holder_key is None
    assert (copy["status_list"], copy["status_index"]) == (credential.status.uri, credential.status.index)
    assert copy["issuer_signed_digest"] == hashlib.sha256(credential.issuer_signed).digest()
    assert row["code_digest"] == hashlib.sha256(code.issuer_signed).digest()
    assert row["file_digest"] == hashlib.sha256(pdf).digest()
    assert row["revision_digest"] == hashlib.sha256(pdf[: row["revision_size"]]).digest()
    assert TlogProof.decode(within["receipt.tlog-proof"]).index == copy["ledger_index"]
    types = [one["type"] for one in await _rows(served, tables.ledger_record)]
    assert (types.count("credential.issued"), types.count("letter.made")) == (1, 1)
    assert (await _verdict(served, await _code(served, handle))).verdict == "accept"


@pytest.mark.drivers_alike
async def test_nothing_that_is_printed_leads_to_the_ledger(served: SoftwareOffice) -> None:
    """The handle of the copy's entry is in the receipt of the file alone; references and digests are in no entry."""
    handle = await printed(served, await person_with_photo(served))
    pdf = await _file(served, handle)
    (row,), (copy,) = await _rows(served, tables.letter), await _rows(served, tables.credential)
    entries = b"".join([bundle["entries"] for bundle in await _rows(served, tables.ledger_bundle)])
    text = await _code(served, handle)
    on_paper = text.encode() + repr(FORMATS["idv1"].read(text.encode())).encode() + handle.hex().encode()

    assert copy["handle"] in entries
    assert copy["handle"] in TlogProof.decode(attached(pdf)["receipt.tlog-proof"]).extra
    assert copy["handle"].hex().encode() not in on_paper
    assert repr(copy["handle"])[2:-1].encode() not in on_paper
    digests = [row["code_digest"], row["revision_digest"], row["file_digest"], hashlib.sha256(text.encode()).digest()]
    credential = attached(pdf)["credential.sdjwt"]
    decision = bytes.fromhex(FORMATS["dc+sd-jwt"].read(credential).claims["status_reference"])
    for told in (handle, decision, *digests, hashlib.sha256(credential).digest()):
        assert told not in entries
        assert told.hex().encode() not in entries


@pytest.mark.drivers_alike
async def test_it_says_what_the_purpose_shows(served: SoftwareOffice) -> None:
    """Neither code nor credential holds more about the person; the portrait in the code is small."""
    handle = await printed(served, await person_with_photo(served), purpose="work", portrait=True)
    shown = FORMATS["dc+sd-jwt"].read(attached(await _file(served, handle))["credential.sdjwt"]).claims
    code = FORMATS["idv1"].read((await _code(served, handle)).encode()).claims

    assert {"family_name", "work", "picture"} <= shown.keys()
    assert not {"birthdate", "nationalities", "rent", "status_type"} & shown.keys()
    assert code.keys() <= shown.keys()
    assert all(code[name] == shown[name] for name in code.keys() - {"picture"})
    assert len(code["picture"]) < 1300


@pytest.mark.drivers_alike
async def test_it_is_made_once(served: SoftwareOffice) -> None:
    """Whoever asks again gets the same bytes, and no further entry or copy comes of it."""
    handle = await printed(served, await person_with_photo(served))
    first = await _file(served, handle)
    entries = len(await _rows(served, tables.ledger_record))

    assert await _file(served, handle) == first
    assert len(await _rows(served, tables.ledger_record)) == entries


@pytest.mark.drivers_alike
async def test_the_audit_judges_it(served: SoftwareOffice) -> None:
    """Every check on its entries holds; a file or a digest that was exchanged is found."""
    await _file(served, await printed(served, await person_with_photo(served)))
    await served.office.publisher.publish_once()
    sample = await draw(served.office, 1000)
    found = [finding async for finding in judge(served.office, sample)]
    assert [one for one in found if not one.holds] == []
    assert {one.type for one in found} >= {"letter.made", "credential.issued"}


async def test_the_power_goes_before_the_copy(served: SoftwareOffice) -> None:
    """An intent that nobody is left to close is void at the next start; the next letter has another place."""
    person = await person_with_photo(served)

    async def cut() -> None:
        raise PowerCut

    torn = replace(served.office, signer=Interrupted(served.token, cut))

    async def act(officer: Principal, given: Given | None) -> bytes:
        return await letter.print_for(torn, officer, person, LetterChoices(type=VCT), given)

    with pytest.raises(PowerCut):
        await served.confirmed("officer", act)
    assert await close_open_issuances(served.office) == 1
    assert await _rows(served, tables.letter) == []
    assert [one["value"] for one in await _rows(served, tables.status_entry)] == [StatusValue.INVALID]
    await _file(served, await printed(served, person))
    assert [one["state"] for one in await _rows(served, tables.issuance)] == ["void", "issued"]


class PaperAway:
    """A token that loses the key of paper's signer, or the one of time stamps, after so many signatures."""

    def __init__(self, token: SoftToken, left: int) -> None:
        self._token, self._left = token, left

    async def sign(self, key_id: bytes, message: bytes) -> bytes:
        """The signature, as long as there are some left."""
        self._left -= 1
        if self._left < 0:
            raise PowerCut
        return await self._token.sign(key_id, message)

    async def probe(self) -> None:
        """As the token."""
        await self._token.probe()


@pytest.mark.drivers_alike
@pytest.mark.parametrize("signatures", [0, 1, 2])
async def test_the_power_goes_before_the_letter(served: SoftwareOffice, signatures: int) -> None:
    """In whichever round it goes, the copy stays, and the letter is made of it by whoever asks next."""
    handle = await printed(served, await person_with_photo(served))
    torn, officer = (
        replace(served.office, signer=PaperAway(served.token, signatures)),
        await served.principal("officer"),
    )
    with pytest.raises(PowerCut):
        await published(served, letter_pdf.letter_file(torn, officer, handle))
    (row,) = await _rows(served, tables.letter)
    assert (row["made_at"], row["sealed_pdf"], await close_open_issuances(served.office)) == (None, None, 0)

    pdf = await _file(served, handle)

    (copy,) = await _rows(served, tables.credential)
    held = FORMATS["dc+sd-jwt"].read(attached(pdf)["credential.sdjwt"])
    assert copy["issuer_signed_digest"] == hashlib.sha256(held.issuer_signed).digest()


@pytest.mark.drivers_alike
async def test_the_hsm_goes_away(served: SoftwareOffice) -> None:
    """What cannot be signed is void at once, and nobody's letter."""
    person = await person_with_photo(served)

    async def away() -> None:
        raise Unavailable("The HSM is away.")

    torn = replace(served.office, signer=Interrupted(served.token, away))

    async def act(officer: Principal, given: Given | None) -> bytes:
        return await letter.print_for(torn, officer, person, LetterChoices(type=VCT), given)

    with pytest.raises(Unavailable):
        await served.confirmed("officer", act)
    assert [one["state"] for one in await _rows(served, tables.issuance)] == ["void"]


@pytest.mark.drivers_alike
@pytest.mark.parametrize("how", ["at the counter", "with a slip"])
async def test_another_token_makes_the_letter(served: SoftwareOffice, how: str) -> None:
    """What one token left undone is void, and the other makes the letter of the same confirmation."""
    person = await person_with_photo(served)
    code = await _slip(served, person)
    calls = []

    async def away_for_the_code() -> None:
        calls.append(len(calls))
        if calls == [0, 1]:  # the document is signed, its code is not
            raise TokenAway("The HSM is away.")

    keys = served.office.keys
    two = replace(keys, further={PAPER_SIGNER: (keys.issuers[PAPER_SIGNER],)})
    torn = replace(served.office, keys=two, signer=Interrupted(served.token, away_for_the_code))

    async def act(officer: Principal, given: Given | None) -> bytes:
        choices = LetterChoices(type=VCT)
        if how == "at the counter":
            return await letter.print_for(torn, officer, person, choices, given)
        return await letter.collect(torn, officer, code, choices, given)

    await _file(served, await served.confirmed("second", act))
    assert [one["state"] for one in await _rows(served, tables.issuance)] == ["void", "issued"]
    assert len(await _rows(served, tables.letter)) == 1


@pytest.mark.drivers_alike
async def test_decisions_reach_paper(served: SoftwareOffice) -> None:
    """Suspended it is rejected, reinstated accepted, revoked rejected: like every other copy."""
    person = await person_with_photo(served)
    code = await _code(served, await printed(served, person))
    verdicts = [(await _verdict(served, code)).verdict]
    for kind, reason in (
        ("suspend", "under-review"),
        ("reinstate", "review-closed"),
        ("revoke", "fraud-found"),
    ):
        await decided_by_two(served.api, person.hex(), kind, reason)
        answer = await _verdict(served, code)
        verdicts.append(answer.verdict)
        assert failed(answer.to_json()) in ([], ["status"])
    assert verdicts == ["accept", "reject", "accept", "reject"]


async def test_a_letter_takes_the_place_of_a_lost_one(served: SoftwareOffice) -> None:
    """The holder prints another in its place: the lost one is retired with it, and its code is rejected."""
    person = await person_with_photo(served)
    lost = await _code(served, await printed(served, person))
    (copy,) = await _rows(served, tables.credential)
    who = await served.api.enrol_citizen(person.hex())

    async def act(citizen: Principal, given: Given | None) -> bytes:
        return await letter.print_own(served.office, citizen, LetterChoices(type=VCT), given, copy["handle"])

    handle = await served.confirmed(who, act)

    assert (await _verdict(served, lost)).verdict == "reject"
    citizen = await served.principal(who)
    own = await published(served, letter_pdf.own_letter_file(served.office, citizen, handle))
    assert own.pdf.startswith(b"%PDF-")
    other = await served.principal(await served.api.enrol_citizen((await person_with_photo(served)).hex()))
    with pytest.raises(NotFound):
        await letter_pdf.own_letter_file(served.office, other, handle)


async def _slip(served: SoftwareOffice, person: bytes) -> str:
    async def act(officer: Principal, given: Given | None) -> letter_rights.LetterCode:
        return await letter_rights.make_code(served.office, officer, person, VCT, given)

    return (await served.confirmed("officer", act)).code


async def _taken(served: SoftwareOffice, code: str, wanted: LetterChoices | None = None) -> bytes:
    async def act(officer: Principal, given: Given | None) -> bytes:
        return await letter.collect(served.office, officer, code, wanted or LetterChoices(type=VCT), given)

    return await served.confirmed("second", act)


async def test_a_code_on_a_slip_is_good_once(served: SoftwareOffice) -> None:
    """At any counter, typed as people type; then it is used up. No wallet can use it."""
    code = await _slip(served, await person_with_photo(served))
    with pytest.raises(Unprocessable, match="on paper"):
        await collect(served.office, CollectionRequest(code.replace("-", ""), "proof", "0123456789"))
    pdf = await _file(served, await _taken(served, code.lower().replace("-", " ")))
    assert pdf.startswith(b"%PDF-")
    with pytest.raises(Conflict):
        await letter_rights.find_code(served.office, await served.principal("officer"), code)


def _scanned(pdf: bytes, folder: Path) -> bytes:
    """The first page as a scanner gives it, JPEG."""
    (folder / "letter.pdf").write_bytes(pdf)
    render = ("pdftoppm", "-jpeg", "-r", "200", "-singlefile", "letter.pdf", "scan")
    subprocess.run(render, cwd=folder, check=True)
    return (folder / "scan.jpg").read_bytes()


@pytest.mark.drivers_alike
async def test_an_employer_scans_what_a_counter_printed(served: SoftwareOffice, tmp_path: Path) -> None:
    """Somebody without a phone brings a slip; a scan at 200 dpi of what is printed says what an employer needs."""
    if shutil.which("pdftoppm") is None:
        pytest.skip("needs pdftoppm (poppler-utils)")
    person = await person_with_photo(served)
    wanted = LetterChoices(type=VCT, purpose=Purpose.WORK, portrait=True, large_print=True)
    pdf = await _file(served, await _taken(served, await _slip(served, person), wanted))
    (code,) = read_codes(_scanned(pdf, tmp_path))

    at = served.clock.now()
    verified = await verify(online_verifier(served.office), Submission(code["text"].encode()), at)
    claims = verified.claims_for(Purpose.WORK)
    assert verified.verdict.verdict == "accept"
    assert claims is not None
    assert {"family_name", "given_name", "work", "picture"} <= claims.keys()
    assert "birthdate" not in claims


async def test_a_code_on_a_slip_ends(served: SoftwareOffice) -> None:
    """After its days it is over; what was never a code is unknown."""
    code = await _slip(served, await person_with_photo(served))
    served.clock.advance(CODE_SECONDS)
    officer = await served.principal("officer")
    with pytest.raises(Gone):
        await letter_rights.find_code(served.office, officer, code)
    with pytest.raises(NotFound):
        await letter_rights.find_code(served.office, officer, "0000-0000-0000-0000-0000")


async def test_a_void_letter_leaves_the_slip_good(served: SoftwareOffice) -> None:
    """If the HSM goes while it is collected, the same code works afterwards."""
    code = await _slip(served, await person_with_photo(served))

    async def away() -> None:
        raise Unavailable("The HSM is away.")

    torn = replace(served.office, signer=Interrupted(served.token, away))

    async def act(officer: Principal, given: Given | None) -> bytes:
        return await letter.collect(torn, officer, code, LetterChoices(type=VCT), given)

    with pytest.raises(Unavailable):
        await served.confirmed("second", act)
    await _file(served, await _taken(served, code))


@pytest.mark.drivers_alike
async def test_who_may(served: SoftwareOffice) -> None:
    """Organisations and admins print nothing; a citizen makes none for another, and none without a status."""
    person = await person_with_photo(served)
    for who in ("partner", "admin"):
        caller = await served.principal(who)
        with pytest.raises(NotAllowed):
            await letter.print_for(served.office, caller, person, LetterChoices(type=VCT), None)
    await decided_by_two(served.api, person.hex(), "suspend", "under-review")
    officer = await served.principal("officer")
    with pytest.raises(Unprocessable):
        await letter.print_for(served.office, officer, person, LetterChoices(type=VCT), None)
    looks = [(one["channel"], one["verdict"]) for one in await _rows(served, tables.look)]
    assert ("record", "viewed") in looks


@pytest.mark.drivers_alike
async def test_a_portrait_needs_a_photo_that_the_purpose_shows(served: SoftwareOffice) -> None:
    """For age nothing but the age is shown, and no face beside it."""
    officer, person = await served.principal("officer"), await person_with_photo(served)
    wanted = LetterChoices(type=VCT, purpose=Purpose.AGE, portrait=True)
    with pytest.raises(Unprocessable, match="without a portrait"):
        await letter.print_for(served.office, officer, person, wanted, None)
