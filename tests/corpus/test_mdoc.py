"""Every hostile mdoc through the whole verify service; and without its rule, each rule lets one be accepted."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import cbor2
import pytest

from idverify.core.verdict import CheckId, Outcome
from idverify.errors import DocumentError
from idverify.formats import cose, status_list, strict_cbor, x509
from idverify.formats.mdoc import device_response, issuer_signed, mobile_security_object, rules
from tests.corpus import forgiving, make_mdoc
from tests.corpus.examiner import Examiner
from tests.corpus.knockout import Step, steps, switch_off
from tests.corpus.layout import Case, file_of, files, stored
from tests.simulators import mdoc_world as mdoc

FOLDER = make_mdoc.FOLDER
EXAMINER = Examiner(FOLDER, mdoc.TRUST, mdoc.ASKED)
AT_LEAST = 40

TABLES: tuple[tuple[ModuleType, str], ...] = (
    (issuer_signed, "ITEM_RULES"),
    (mobile_security_object, "MSO_RULES"),
    (device_response, "RESPONSE_RULES"),
    (rules, "SIGNER_RULES"),
    (rules, "RULES"),
    (x509, "LEAF_RULES"),
    (x509, "TIME_RULES"),
)
# Where a rule raises what a shared helper calls it, or passes on what a table of another module says.
RAISES: Mapping[str, str] = {
    "issuer_signature": "signature",
    "issuer_certified": "path-not-revoked",  # the path is walked by every rule that asks of the signer
    "device_authenticated": "device-signature",
}
# A name that is missing is refused when it is looked up, if it was not before.
THEN: Mapping[str, str] = {"doc_type_named": "type-allowed"}


def test_files_are_what_the_script_makes() -> None:
    """The checked-in files are exactly what the checked-in script writes, and there are enough of them."""
    assert stored(FOLDER) == files(make_mdoc.cases())
    assert len({file_of(case.breaks) for case in EXAMINER.hostile}) >= AT_LEAST


def test_the_page_has_every_rule() -> None:
    """docs/formats.md lists each rule with its check, its clause and the number of its documents, and no other."""
    EXAMINER.require_page("mdoc")


@pytest.mark.parametrize("case", EXAMINER.params())
async def test_case(case: Case) -> None:
    """A document holds, or exactly the check that its file names fails, by the rule that it names."""
    await EXAMINER.require_judged(case)


@pytest.mark.parametrize("step", list(steps(TABLES)), ids=str)
async def test_rule_knockout(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, a document that it alone refused is accepted."""
    rule = RAISES.get(step.rule, step.rule.replace("_", "-"))
    switch_off(step, monkeypatch)
    await EXAMINER.require_slip(rule, THEN.get(step.rule))


@pytest.mark.parametrize("check", [check for check in rules.RULES if rules.RULES[check]])
async def test_check_knockout(check: CheckId, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of the format's checks, a document that it alone rejects is accepted."""
    monkeypatch.setattr(rules, "RULES", {**rules.RULES, check: ()})
    await EXAMINER.require_slip_of(check)


@pytest.mark.parametrize("rule", [rule.__name__ for rule in cose.HEADER_RULES if rule is not cose.header_typ])
async def test_header_knockout(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise of the headers. That of ``typ`` is asked of no mdoc: ``tests/unit/formats/test_cose.py``."""
    switch_off(Step(cose, "HEADER_RULES", rule), monkeypatch)
    await EXAMINER.require_slip(rule.replace("_", "-"))


def unwalked(_parts: object, _what: str, _most: int, *, bignums: bool = False) -> list[tuple[int, int]]:
    """As if everything had been held against the caps and nothing was embedded."""
    return []


def read_by_cbor2(data: bytes, _spans: object, _what: str) -> Any:
    """CBOR as cbor2 reads it by itself."""
    try:
        return cbor2.loads(data, tag_hook=lambda tag, _: strict_cbor.embed(tag.value) if tag.tag == 24 else tag)
    except cbor2.CBORError as wrong:
        raise DocumentError("cbor", str(wrong)) from wrong


STRICT = ("depth", "duplicate-key", "key", "length", "number", "simple", "tag", "trailing")


@pytest.mark.parametrize("rule", STRICT)
async def test_parser_knockout(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With cbor2 alone in place of our own walk, a document that the walk refused is accepted."""
    monkeypatch.setattr(strict_cbor, "_walk", unwalked)
    monkeypatch.setattr(strict_cbor, "_loads", read_by_cbor2)
    await EXAMINER.require_slip(f"cbor-{rule}")


async def test_status_knockout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the bounds of a status list, an index beyond it is accepted."""
    monkeypatch.setattr(status_list.StatusList, "status_at", lambda *_: 0)
    await EXAMINER.require_slip("status-index")


async def test_path_knockout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the path check, a document under a stranger's root is accepted."""
    (case,) = (case for case in EXAMINER.hostile if case.name == "another root of the same name")
    monkeypatch.setattr(x509, "_path_to_root", forgiving.path_to_root)
    assert (await EXAMINER.examined(case)).outcome is Outcome.ACCEPT
