"""Every hostile paper code through the whole verify service; and without its rule, each rule lets one be accepted."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import base45
import cbor2
import pytest

from idverify.core.verdict import CheckId
from idverify.errors import DocumentError
from idverify.formats import cose, paper_code, status_list, strict_cbor, x509
from tests.corpus import forgiving, make_paper_code
from tests.corpus.examiner import Examiner
from tests.corpus.knockout import Step, steps, switch_off
from tests.corpus.layout import Case, file_of, files, stored

FOLDER = make_paper_code.FOLDER
EXAMINER = Examiner(FOLDER, make_paper_code.TRUST, None)
AT_LEAST = 15

TABLES: tuple[tuple[ModuleType, str], ...] = (
    (paper_code, "MESSAGE_RULES"),
    (paper_code, "CLAIM_RULES"),
    (paper_code, "RULES"),
    (x509, "LEAF_RULES"),
    (x509, "TIME_RULES"),
    (x509, "SIGNER_RULES"),
)
# Where a rule raises what a shared helper calls it, or passes on what a table of another module says.
RAISES: Mapping[str, str] = {
    "issuer_signature": "signature",
    "issuer_certified": "path",
    "signed_in_period": "key-usage-period",
}
# Without claims there is nothing to decode.
THEN: Mapping[str, str] = {"claims_inside": "cbor-length"}


def test_files_are_what_the_script_makes() -> None:
    """The checked-in files are exactly what the checked-in script writes, and there are enough of them."""
    assert stored(FOLDER) == files(make_paper_code.cases())
    assert len({file_of(case.breaks) for case in EXAMINER.hostile}) >= AT_LEAST


def test_the_page_has_every_rule() -> None:
    """docs/formats.md lists each rule with its check, its clause and the number of its documents, and no other."""
    EXAMINER.require_page("Paper code")


@pytest.mark.parametrize("case", EXAMINER.params())
async def test_case(case: Case) -> None:
    """A code holds, or exactly the check that its file names fails, by the rule that it names."""
    await EXAMINER.require_judged(case)


@pytest.mark.parametrize("step", list(steps(TABLES)), ids=str)
async def test_rule_knockout(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, a code that it alone refused is accepted."""
    rule = RAISES.get(step.rule, step.rule.replace("_", "-"))
    switch_off(step, monkeypatch)
    await EXAMINER.require_slip(rule, THEN.get(step.rule))


@pytest.mark.parametrize("check", paper_code.RULES)
async def test_check_knockout(check: CheckId, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of the format's checks, a code that it alone rejects is accepted."""
    monkeypatch.setattr(paper_code, "RULES", {**paper_code.RULES, check: ()})
    await EXAMINER.require_slip_of(check)


async def test_algorithm_knockout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without our own list of algorithms, a code that says another one is accepted."""
    switch_off(Step(cose, "HEADER_RULES", "header_alg"), monkeypatch)
    await EXAMINER.require_slip("header-alg")


def unpacked_by_anybody(document: bytes) -> bytes:
    """The message as a reader has it that takes what it can get."""
    message = base45.b45decode(document[5:].upper())
    with contextlib.suppress(zlib.error):
        message = zlib.decompressobj().decompress(message)
    return message if message[:1] == b"\xd2" else b"\xd2" + message.removeprefix(b"\xd1")


@pytest.mark.parametrize("rule", ["base45", "compressed", "cose"])
async def test_text_knockout(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a forgiving reader in place of ours, a code that ours alone refused is accepted."""
    monkeypatch.setattr(paper_code, "_message", unpacked_by_anybody)
    await EXAMINER.require_slip(rule)


def read_by_cbor2(data: bytes, what: str, **_: Any) -> Any:
    """CBOR as cbor2 reads it by itself."""
    try:
        return cbor2.loads(data)
    except cbor2.CBORError as wrong:
        raise DocumentError("cbor", f"{what}: {wrong}") from wrong


@pytest.mark.parametrize("rule", ["cbor-duplicate-key", "cbor-depth"])
async def test_parser_knockout(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With cbor2 alone in place of our own walk, a code that the walk refused is accepted."""
    monkeypatch.setattr(strict_cbor, "decode", read_by_cbor2)
    await EXAMINER.require_slip(rule)


async def test_status_knockout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the bounds of a status list, an index beyond it is accepted."""
    monkeypatch.setattr(status_list.StatusList, "status_at", lambda *_: 0)
    await EXAMINER.require_slip("status-index")


async def test_path_knockout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the path check, a code under a stranger's root is accepted."""
    monkeypatch.setattr(x509, "_path_to_root", forgiving.path_to_root)
    await EXAMINER.require_slip("path")
