"""Every hostile SD-JWT VC through the whole verify service; and without its rule, each rule lets one be accepted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from idverify.core.verdict import CheckId, Outcome
from idverify.formats import jose, key_binding, sdjwt, sdjwt_vc, sdjwt_vc_draft, status_list, strict_json, x509
from tests.corpus import forgiving, make_sd_jwt
from tests.corpus.examiner import Examiner
from tests.corpus.knockout import Step, steps, switch_off
from tests.corpus.layout import Case, file_of, files, stored
from tests.simulators import credential_world as world

FOLDER = make_sd_jwt.FOLDER
PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
EXAMINER = Examiner(FOLDER, world.TRUST, world.ASKED)
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


def test_files_are_what_the_script_makes() -> None:
    """The checked-in files are exactly what the checked-in script writes, and there are enough of them."""
    assert stored(FOLDER) == files(make_sd_jwt.cases())
    assert len({file_of(case.breaks) for case in EXAMINER.hostile}) >= AT_LEAST


def test_the_page_has_every_rule() -> None:
    """docs/formats.md lists each rule with its check, its clause and the number of its documents, and no other."""
    section = PAGE.read_text().partition("\n## SD-JWT VC\n")[2].partition("\n## ")[0]
    table = section.partition("\n### Rules\n")[2].partition("\n### ")[0]
    listed = ["|".join(line.split("|")[:5]) for line in table.splitlines() if line.startswith("| `")]
    counted = Counter(case.breaks for case in EXAMINER.hostile if case.breaks)
    due = {f"| `{rule.check}` | `{rule.name}` | {rule.clause} | {many} " for rule, many in counted.items()}

    assert set(listed) == due


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


@pytest.mark.parametrize("check", sdjwt_vc.RULES)
async def test_check_knockout(check: CheckId, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of the format's checks, a document that it alone rejects is accepted."""
    monkeypatch.setattr(sdjwt_vc, "RULES", {**sdjwt_vc.RULES, check: ()})
    await EXAMINER.require_slip_of(check)


def rounded(claims: Mapping[str, Any], name: str, _what: str) -> int:
    """A time as Python would have it: whole or not."""
    value = claims.get(name)
    return int(value) if isinstance(value, int | float) else 0


# Parsing is no table of rules: in place of each strict part, what a forgiving parser would have.
STRICT: Mapping[str, tuple[Any, str, Any, str | None]] = {
    "base64url": (jose, "b64url_decode", forgiving.base64url, None),
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
    await EXAMINER.require_slip(rule, then)


async def test_path_knockout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the path check, a document under a stranger's root is accepted."""
    (case,) = (case for case in EXAMINER.hostile if case.name == "another root")
    monkeypatch.setattr(x509, "_path_to_root", forgiving.path_to_root)
    assert (await EXAMINER.examined(case)).outcome is Outcome.ACCEPT
