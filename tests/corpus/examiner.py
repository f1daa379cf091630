"""The examiner of a folder of documents: each goes through the whole verify service, with its rule and without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import pytest

from idverify.core.trust import TrustStore
from idverify.core.verdict import CheckId, Outcome
from idverify.formats import cose, jose, x509
from idverify.formats.base import HolderBindingExpected
from idverify.ports import Sandbox
from idverify.services.letter_checks import States
from idverify.services.verify import Submission
from tests.corpus.layout import Case, file_of, load
from tests.corpus.verified import Broken, broken, verifier
from tests.simulators import credential_world as world

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "formats.md"


def forget() -> None:
    """Let nothing that was found right before be taken for right."""
    x509._verified.cache_clear()
    jose._header.cache_clear()
    cose._header.cache_clear()


def refused_by(cases: Sequence[Case], rule: str) -> list[Case]:
    """Every case that this rule alone refuses."""
    return [case for case in cases if case.breaks and case.breaks.name == rule]


@dataclass(frozen=True)
class Examiner:
    """Whoever examines a folder: whom they rely on, and what they asked the wallet (if a case says that they did).

    ``asked`` is ``None`` for what is on paper, of which nobody is asked.
    """

    folder: str
    trust: TrustStore
    asked: HolderBindingExpected | None
    sandbox: Sandbox | None = None
    states: States | None = None

    @cached_property
    def cases(self) -> Sequence[Case]:
        """Every document of the folder."""
        return tuple(load(self.folder))

    @cached_property
    def hostile(self) -> Sequence[Case]:
        """The cases that break a rule."""
        return tuple(case for case in self.cases if case.breaks)

    def require_page(self, heading: str) -> None:
        """docs/formats.md lists below it each rule with its check, clause and number of documents, and no other."""
        section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        listed = [line for line in section.partition("\n### Rules\n")[2].splitlines() if line.startswith("| `")]
        counted = Counter(case.breaks for case in self.hostile if case.breaks)
        assert set(listed) == {
            f"| `{rule.check}` | `{rule.name}` | {rule.clause} | {many} |" for rule, many in counted.items()
        }

    def params(self) -> list[object]:
        """A parameter for each case, named by its file."""
        return [pytest.param(case, id=f"{file_of(case.breaks)}: {case.name}") for case in self.cases]

    async def examined(self, case: Case) -> Broken:
        """What the service says of a case."""
        revoked = frozenset[tuple[str, int]]()
        if serial := case.given.get("revoked"):
            signer = x509.read_certificate(world.CHAIN[0])
            number = signer.serial_number if serial is True else serial
            revoked = frozenset({(case.given.get("of", signer.issuer.rfc4514_string()), number)})
        expected = self.asked if _was_asked(case) else None
        if case.given.get("asks"):
            expected = world.ASKED
        submission = Submission(case.document, expected=expected, requested_type=case.given.get("requested_type"))
        relying = verifier(case.at, TrustStore(self.trust.issuers, revoked))
        return await broken(replace(relying, sandbox=self.sandbox, states=self.states), submission, case.at)

    async def require_judged(self, case: Case) -> None:
        """The document holds, or exactly the check that its file names fails, by the rule that it names."""
        found = await self.examined(case)
        if case.breaks is None:
            assert found == Broken(Outcome.ACCEPT if _was_asked(case) or self.asked is None else Outcome.REFER, (), ())
        else:
            assert found == Broken(Outcome.REJECT, (case.breaks.check,), (case.breaks.name,))

    async def require_slip(self, rule: str, then: str | None = None) -> None:
        """One of the documents that this rule refused is accepted, or is met by the rule ``then`` that comes next."""
        await self._require_slip(refused_by(self.hostile, rule), then)

    async def require_slip_of(self, check: CheckId) -> None:
        """Likewise of the documents that a whole check rejected."""
        await self._require_slip([case for case in self.hostile if case.breaks and case.breaks.check is check], None)

    async def _require_slip(self, cases: list[Case], then: str | None) -> None:
        forget()
        for case in cases:
            found = await self.examined(case)
            if found.outcome is Outcome.ACCEPT or (then is not None and found.rules == (then,)):
                return
        pytest.fail(f"nothing gets through without it: {[case.name for case in cases]}")


def _was_asked(case: Case) -> bool:
    return bool(case.given.get("asked", True))
