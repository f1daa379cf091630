"""Every hostile status list through the whole verify service; and without its rule, each rule lets one be relied on."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import cbor2
import pytest

from idverify.core.trust import TrustStore
from idverify.core.verdict import CheckId, Outcome, Result
from idverify.errors import DocumentError
from idverify.formats import cose, jose, status_list, status_list_cwt, strict_cbor, strict_json, x509
from idverify.ledger.policy import Policy
from idverify.services.status_source import KeptList, StatusSource
from idverify.services.verify import Submission, Verifier, verify
from tests.corpus import forgiving, make_status_list
from tests.corpus.examiner import forget, refused_by
from tests.corpus.knockout import Step, steps, switch_off
from tests.corpus.layout import Case, file_of, files, load, stored
from tests.simulators import credential_world as world
from tests.simulators.ledger_memory import SoftwareSigner

FOLDER = make_status_list.FOLDER
CASES = load(FOLDER)
HOSTILE = [case for case in CASES if case.breaks]
AT_LEAST = 15

TABLES: tuple[tuple[ModuleType, str], ...] = (
    (status_list, "RULES"),
    (jose, "HEADER_RULES"),
    (cose, "HEADER_RULES"),
    (x509, "LEAF_RULES"),
    (x509, "TIME_RULES"),
    (x509, "SIGNER_RULES"),
)
RAISES: Mapping[str, str] = {"list_signature": "signature", "list_issuer": "path"}
# What is asked again of a kept list, whenever it is used.
AGAIN: Mapping[str, str] = {"list_issued": "speaks_of", "list_not_expired": "usable"}


class Serving:
    """An address at which there is one list."""

    def __init__(self, listed: bytes) -> None:
        self._listed = listed

    async def fetch(self, *_: str) -> bytes:
        """The list."""
        return self._listed


class Seen:
    """What was relied on before the case."""

    def __init__(self, age: tuple[int, int]) -> None:
        self._age = age

    async def newest(self, _: str) -> tuple[int, int] | None:
        """How new that was."""
        return self._age

    async def remember(self, _uri: str, _age: tuple[int, int]) -> None:
        """Nothing comes after a case."""


def revoked(case: Case) -> frozenset[tuple[str, int]]:
    """The certificates that are revoked, of which a case's is the only one with its number."""
    if not case.given.get("revoked"):
        return frozenset()
    (signer,) = status_list_cwt.read_either(case.document).signing_chain
    certificate = x509.read_certificate(signer)
    return frozenset({(certificate.issuer.rfc4514_string(), certificate.serial_number)})


async def examined(case: Case) -> tuple[Outcome, Result, str]:
    """The verdict on a document that refers to a case, what became of its status, and why."""
    seen = Seen(tuple(case.given["seen"])) if "seen" in case.given else None
    statuses = StatusSource(Serving(case.document), seen)
    trust = TrustStore(world.TRUST.issuers, revoked(case))
    status = {"status_list": {"idx": case.given.get("index", 5), "uri": world.STATUS_URI}}
    document = world.present(world.sd_jwt(world.payload(status=status)))
    verifier = Verifier(trust, statuses, Policy.of_log([SoftwareSigner().verifier]))
    verdict = (await verify(verifier, Submission(document, expected=world.ASKED), case.at)).verdict
    (check,) = (one for one in verdict.checks if one.id is CheckId.STATUS)
    assert [one.id for one in verdict.checks if one.result is Result.FAIL] in ([], [CheckId.STATUS])
    return verdict.verdict, check.result, check.detail


def refused(case: Case) -> DocumentError | None:
    """Why the list itself is refused, if it is."""
    try:
        listed = status_list_cwt.read_either(case.document)
        expected = status_list.StatusExpected(world.STATUS_URI, world.TRUSTED, revoked(case), case.at)
        status_list.check(listed, expected).status_at(case.given.get("index", 5))
    except DocumentError as wrong:
        return wrong
    return None


def test_files_are_what_the_script_makes() -> None:
    """The checked-in files are exactly what the checked-in script writes, and there are enough of them."""
    assert stored(FOLDER) == files(make_status_list.cases())
    assert len({file_of(case.breaks) for case in HOSTILE}) >= AT_LEAST
    assert {case.breaks.name for case in HOSTILE if case.breaks} == make_status_list.RULES.keys()


def test_both_forms_are_there() -> None:
    """What can be wrong with either form is tried with either."""
    forms = [status_list_cwt.media_type_of(case.document) for case in HOSTILE]
    assert min(forms.count(form) for form in status_list_cwt.FORMS) >= 40


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{file_of(case.breaks)}: {case.name}") for case in CASES])
async def test_case(case: Case) -> None:
    """A list tells the status, or is refused by the rule that its file names; then no verdict accepts the document."""
    outcome, result, why = await examined(case)
    if case.breaks is None:
        assert (outcome, result) == (Outcome.ACCEPT, Result.PASS)
        return
    wrong = refused(case)
    if case.breaks.name == "list-newest":
        assert wrong is None
        assert (outcome, result) == (Outcome.REFER, Result.UNKNOWN)
        assert "older than one that was seen before" in why
        return
    assert wrong is not None
    assert wrong.rule == case.breaks.name
    if case.breaks.name == "status-index":  # section 8.3: the document must be rejected
        assert (outcome, result) == (Outcome.REJECT, Result.FAIL)
    else:
        assert (outcome, result) == (Outcome.REFER, Result.UNKNOWN)
    assert str(wrong) in why


@pytest.mark.parametrize("step", list(steps(TABLES)), ids=str)
async def test_rule_knockout(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, a list that it alone refused is relied on."""
    rule = RAISES.get(step.rule, step.rule.replace("_", "-"))
    switch_off(step, monkeypatch)
    if step.rule in AGAIN:
        monkeypatch.setattr(KeptList, AGAIN[step.rule], lambda *_: True)
    if step.module in (jose, cose):
        form = status_list.MEDIA_TYPE if step.module is jose else status_list_cwt.MEDIA_TYPE
        await require_slip(
            [one for one in refused_by(HOSTILE, rule) if status_list_cwt.media_type_of(one.document) == form]
        )
    else:
        await require_slip(refused_by(HOSTILE, rule))


async def test_path_knockout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the path, the key of another issuer speaks of ours."""
    monkeypatch.setattr(x509, "_path_to_root", forgiving.path_to_root)
    await require_slip(refused_by(HOSTILE, "path"))


def forgiving_inflate(compressed: bytes) -> bytes:
    """As far as it goes, and whatever follows."""
    try:
        return zlib.decompressobj().decompress(compressed, status_list.MAX_PACKED)
    except zlib.error as wrong:
        raise DocumentError("zlib", str(wrong)) from wrong


class AnyTag(bytes):
    """The tag that is there."""

    def __ne__(self, _: object) -> bool:
        return False

    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = bytes.__hash__


def rounded(claims: Mapping[str, Any], name: str, _what: str) -> int:
    """A time as Python would have it."""
    value = claims.get(name)
    return int(value) if isinstance(value, int | float) else world.NOW + 300


def any_bits(_bits: Any, compressed: bytes) -> status_list.StatusList:
    """Two bits, whatever is said."""
    return status_list.StatusList(2, status_list.inflate(compressed))


async def anything(*_: Any) -> None:
    """No list is too old."""


# Parsing is no table of rules: in place of each strict part, what a forgiving parser would have.
STRICT: Mapping[str, tuple[Any, str, Any]] = {
    "size": (status_list, "MAX_PACKED", 64 * 1024 * 1024),
    "base64url": (jose, "b64url_decode", forgiving.base64url),
    "json-duplicate-name": (strict_json, "_decode_json", json.loads),
    "cbor-duplicate-key": (strict_cbor, "decode", lambda data, _what: cbor2.loads(data)),
    "cbor-trailing": (strict_cbor, "decode", lambda data, _what: cbor2.loads(data)),
    "cwt-tag": (status_list_cwt, "_TAG", AnyTag()),
    "iat": (jose, "numeric_date", rounded),
    "exp": (jose, "numeric_date", rounded),
    "ttl": (jose, "numeric_date", rounded),
    "nbf": (jose, "numeric_date", rounded),
    "status-list": (status_list, "aggregation_uri", lambda _listed: None),
    "sub": (jose, "text_claim", lambda *_: world.STATUS_URI),
    "status-bits": (status_list, "statuses_of", any_bits),
    "status-zlib": (status_list, "inflate", forgiving_inflate),
    "status-index": (status_list.StatusList, "status_at", lambda *_: 0),
    "list-newest": (StatusSource, "_require_newest", anything),
}


@pytest.mark.parametrize("rule", STRICT)
async def test_parser_knockout(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a forgiving parser in place of ours, a list that ours alone refused is relied on."""
    place, name, lenient = STRICT[rule]
    monkeypatch.setattr(place, name, lenient)
    await require_slip(refused_by(HOSTILE, rule))


async def require_slip(cases: list[Case]) -> None:
    """With one of the lists the document is now accepted."""
    assert cases, "nothing shows what this rule is for"
    outcomes = []
    for case in cases:
        forget()
        outcomes.append((await examined(case))[0])
    assert Outcome.ACCEPT in outcomes


def test_a_bomb_takes_no_more_than_a_list() -> None:
    """What a bomb would unpack to is never held in memory."""
    for case in refused_by(HOSTILE, "size"):
        wrong = refused(case)
        assert wrong is not None
        assert str(status_list.MAX_PACKED) in str(wrong)
