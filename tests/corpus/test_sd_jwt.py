"""Every hostile SD-JWT VC through the whole verify service; and without its rule, each rule lets one be accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType

import pytest
from cryptography.x509 import Certificate

from idverify.core.trust import TrustStore
from idverify.core.verdict import Outcome
from idverify.formats import jose, key_binding, sdjwt, sdjwt_vc, x509
from idverify.services.verify import Submission
from tests.corpus import make_sd_jwt
from tests.corpus.knockout import Step, steps, switch_off
from tests.corpus.layout import Case, file_of, files, load, stored
from tests.corpus.verified import Broken, broken, verifier
from tests.simulators import credential_world as world

FOLDER = make_sd_jwt.FOLDER
CASES = load(FOLDER)
HOSTILE = [case for case in CASES if case.breaks]
AT_LEAST = 40

TABLES: tuple[tuple[ModuleType, str], ...] = (
    (jose, "HEADER_RULES"),
    (sdjwt, "PAYLOAD_RULES"),
    (sdjwt, "DISCLOSURE_RULES"),
    (sdjwt, "NESTING_RULES"),
    (sdjwt, "LEVEL_RULES"),
    (sdjwt, "ARRAY_RULES"),
    (sdjwt, "DIGEST_RULES"),
    (sdjwt, "PROPERTY_RULES"),
    (sdjwt, "ELEMENT_RULES"),
    (sdjwt, "WHOLE_RULES"),
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
    """With its rule switched off, at least one document that it alone refused is accepted."""
    raises = RAISES.get(step.rule, step.rule.replace("_", "-"))
    cases = [case for case in HOSTILE if case.breaks and case.breaks.name == raises]
    switch_off(step, monkeypatch)
    x509._verified.cache_clear()
    let_through = [case.name for case in cases if let_go(await examined(case), step)]

    assert let_through, f"nothing shows what {step.rule} is for"


async def test_path_knockout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the path check, a document under a stranger's root is accepted."""
    (case,) = (case for case in HOSTILE if case.name == "another root")

    def believe(chain: tuple[bytes, ...], roots: tuple[bytes, ...]) -> list[Certificate]:
        return [x509.read_certificate(der) for der in (*chain, roots[0])]

    monkeypatch.setattr(x509, "_path_to_root", believe)
    assert (await examined(case)).outcome is Outcome.ACCEPT


def let_go(found: Broken, step: Step) -> bool:
    """Whether a document got past a rule that is off: it is accepted, or met by the rule that comes next."""
    return found.rules == (THEN[step.rule],) if step.rule in THEN else found.outcome is Outcome.ACCEPT
