"""Every hostile SD-JWT VC through the whole verify service; and without its rule, each rule lets one be accepted."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.x509 import Certificate

from idverify.core.trust import TrustStore
from idverify.core.verdict import CheckId, Outcome
from idverify.formats import jose, key_binding, sdjwt, sdjwt_vc, sdjwt_vc_draft, status_list, strict_json, x509
from idverify.services.verify import Submission
from tests.corpus import make_sd_jwt
from tests.corpus.knockout import Step, steps, switch_off
from tests.corpus.layout import Case, file_of, files, load, stored
from tests.corpus.verified import Broken, broken, verifier
from tests.simulators import credential_world as world

FOLDER = make_sd_jwt.FOLDER
PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
CASES = load(FOLDER)
HOSTILE = [case for case in CASES if case.breaks]
AT_LEAST = 40

TABLES: tuple[tuple[ModuleType, str], ...] = (
    (jose, "HEADER_RULES"),
    (jose, "JWK_RULES"),
    (sdjwt, "PAYLOAD_RULES"),
    (sdjwt, "DISCLOSURE_RULES"),
    (sdjwt, "NESTING_RULES"),
    (sdjwt, "LEVEL_RULES"),
    (sdjwt, "ARRAY_RULES"),
    (sdjwt, "DIGEST_RULES"),
    (sdjwt, "PROPERTY_RULES"),
    (sdjwt, "ELEMENT_RULES"),
    (sdjwt, "WHOLE_RULES"),
    (sdjwt_vc_draft, "FORMAT_RULES"),
    (sdjwt_vc, "FORMAT_RULES"),
    (sdjwt_vc, "RULES"),
    (x509, "LEAF_RULES"),
    (x509, "TIME_RULES"),
    (x509, "SIGNER_RULES"),
    (key_binding, "BINDING_RULES"),
    (key_binding, "REPLAY_RULES"),
    (key_binding, "AUDIENCE_RULES"),
)
# Where a rule raises what a shared helper calls it, or passes on what a table of another module says.
RAISES: Mapping[str, str] = {
    "issuer_named": "iss",
    "type_named": "vct",
    "issuer_signature": "signature",
    "issuer_certified": "path",
    "binding_holds": "binding-signature",
    "made_for_us": "binding-nonce",
}
# A name that is missing is refused when it is looked up, if it was not before.
THEN: Mapping[str, str] = {"issuer_named": "issuer-known", "type_named": "type-allowed"}


async def examined(case: Case) -> Broken:
    """What the service says of a case."""
    revoked = frozenset[tuple[str, int]]()
    if case.given.get("revoked"):
        signer = x509.read_certificate(world.CHAIN[0])
        revoked = frozenset({(signer.issuer.rfc4514_string(), signer.serial_number)})
    expected = world.ASKED if case.given.get("asked", True) else None
    submission = Submission(case.document, expected=expected, requested_type=case.given.get("requested_type"))
    return await broken(verifier(case.at, TrustStore(world.TRUST.issuers, revoked)), submission, case.at)


@pytest.fixture(autouse=True)
def _forget_verified_paths() -> Iterator[None]:
    x509._verified.cache_clear()
    yield
    x509._verified.cache_clear()


def test_files_are_what_the_script_makes() -> None:
    """The checked-in files are exactly what the checked-in script writes, and there are enough of them."""
    assert stored(FOLDER) == files(make_sd_jwt.cases())
    assert len({file_of(case.breaks) for case in HOSTILE}) >= AT_LEAST


def test_the_page_has_every_rule() -> None:
    """docs/formats.md lists each rule with its check, its clause and the number of its documents, and no other."""
    section = PAGE.read_text().partition("\n## SD-JWT VC\n")[2].partition("\n## ")[0]
    table = section.partition("\n### Rules\n")[2].partition("\n### ")[0]
    listed = ["|".join(line.split("|")[:5]) for line in table.splitlines() if line.startswith("| `")]
    counted = Counter(case.breaks for case in HOSTILE if case.breaks)
    due = {f"| `{rule.check}` | `{rule.name}` | {rule.clause} | {many} " for rule, many in counted.items()}

    assert set(listed) == due


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{file_of(case.breaks)}: {case.name}") for case in CASES])
async def test_case(case: Case) -> None:
    """A document holds, or exactly the check that its file names fails, by the rule that it names."""
    found = await examined(case)
    if case.breaks is None:
        asked = case.given.get("asked", True)
        assert found == Broken(Outcome.ACCEPT if asked else Outcome.REFER, (), ())
    else:
        assert found == Broken(Outcome.REJECT, (case.breaks.check,), (case.breaks.name,))


@pytest.mark.parametrize("step", list(steps(TABLES)), ids=str)
async def test_rule_knockout(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, a document that it alone refused is accepted."""
    rule = RAISES.get(step.rule, step.rule.replace("_", "-"))
    switch_off(step, monkeypatch)
    await require_slip(refused_by(rule), THEN.get(step.rule))


@pytest.mark.parametrize("check", sdjwt_vc.RULES)
async def test_check_knockout(check: CheckId, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of the format's checks, a document that it alone rejects is accepted."""
    monkeypatch.setattr(sdjwt_vc, "RULES", {**sdjwt_vc.RULES, check: ()})
    await require_slip([case for case in HOSTILE if case.breaks and case.breaks.check is check], None)


def forgiving(encoded: bytes, _what: str) -> bytes:
    """Base64 as most libraries read it."""
    return base64.b64decode(encoded.translate(bytes.maketrans(b"-_", b"+/")) + b"==")


def rounded(claims: Mapping[str, Any], name: str, _what: str) -> int:
    """A time as Python would have it: whole or not."""
    value = claims.get(name)
    return int(value) if isinstance(value, int | float) else 0


# Parsing is no table of rules: in place of each strict part, what a forgiving parser would have.
STRICT: Mapping[str, tuple[Any, str, Any, str | None]] = {
    "base64url": (jose, "b64url_decode", forgiving, None),
    "json-duplicate-name": (strict_json, "_decode_json", json.loads, None),
    "json-number": (strict_json, "_decode_json", json.loads, None),
    "json-depth": (strict_json, "_deeper_than", lambda *_: False, "nesting-depth"),
    "size": (jose, "MAX_HEADER", jose.MAX_TOKEN, None),
    "exp": (jose, "numeric_date", rounded, None),
    "status-index": (status_list.StatusList, "status_at", lambda *_: 0, None),
}


@pytest.mark.parametrize("rule", STRICT)
async def test_parser_knockout(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a forgiving parser in place of ours, a document that ours alone refused is accepted."""
    place, name, lenient, then = STRICT[rule]
    monkeypatch.setattr(place, name, lenient)
    await require_slip(refused_by(rule), then)


def refused_by(rule: str) -> list[Case]:
    """Every case that this rule alone refuses."""
    return [case for case in HOSTILE if case.breaks and case.breaks.name == rule]


async def require_slip(cases: list[Case], then: str | None) -> None:
    """One of the cases is now accepted, or is met by the rule ``then`` that comes next."""
    x509._verified.cache_clear()
    jose._header.cache_clear()
    for case in cases:
        found = await examined(case)
        if found.outcome is Outcome.ACCEPT or (then is not None and found.rules == (then,)):
            return
    pytest.fail(f"nothing gets through without it: {[case.name for case in cases]}")


async def test_path_knockout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the path check, a document under a stranger's root is accepted."""
    (case,) = (case for case in HOSTILE if case.name == "another root")

    def believe(chain: tuple[bytes, ...], roots: tuple[bytes, ...]) -> list[Certificate]:
        return [x509.read_certificate(der) for der in (*chain, roots[0])]

    monkeypatch.setattr(x509, "_path_to_root", believe)
    assert (await examined(case)).outcome is Outcome.ACCEPT
