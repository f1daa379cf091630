"""The hostile corpus, decided by us and by the libraries that one might take instead; the page shows the figures."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cbor2
import pytest
from fido2.cose import CoseKey

from tests.simulators.relying_parties import OTHERS, OURS, RelyingParty, decision
from tests.vectors.make_fido2_vectors import Case, load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security-keys.md"
CASES = [(family, case) for family in ("registration", "assertion") for case in load(family)]
SIGNED = ("authenticatorData", "clientDataJSON", "signature")
HOSTILE = [(family, case) for family, case in CASES if case.breaks is not None]


@dataclass(frozen=True)
class Score:
    """How a relying party decided the corpus. ``foreign`` counts exceptions that are none of its own, by type."""

    honest: int
    hostile: int
    foreign: Counter[str]

    @property
    def right(self) -> int:
        """Honest answers taken and hostile ones refused."""
        return self.honest + self.hostile

    def row(self, name: str) -> str:
        """Its line in the page's table."""
        leaks = ", ".join(f"{count} `{kind}`" for kind, count in sorted(self.foreign.items())) or "none"
        share = 100 * self.right / len(CASES)
        return f"| {name} | {self.hostile} | {self.honest} | {share:.0f} % | {leaks} |"


def score(party: RelyingParty) -> Score:
    """Let a relying party decide every case."""
    decided = [(case, decision(party, case, family)) for family, case in CASES]
    right = [case for case, one in decided if one.is_right(case)]
    return Score(
        honest=sum(case.breaks is None for case in right),
        hostile=sum(case.breaks is not None for case in right),
        foreign=Counter(one.foreign for _, one in decided if one.foreign is not None),
    )


def signed(case: Case) -> bool:
    """Whether an assertion bears the signature of the key on record over its bytes as they were sent."""
    parts = case.response.get("response")
    if not isinstance(parts, dict):
        return False
    try:
        said, client, signature = (base64.urlsafe_b64decode(parts[name] + "==") for name in SIGNED)
        key = CoseKey.parse(cbor2.loads(bytes.fromhex(case.cose_key)))
        key.verify(said + hashlib.sha256(client).digest(), signature)
    except Exception:  # noqa: BLE001  whatever is wrong with it, it is not signed
        return False
    return True


def test_the_corpus_is_large_enough() -> None:
    """A hundred hostile assertions at least are signed by the right key: a check of signatures finds none of them."""
    assert sum(signed(case) for family, case in HOSTILE if family == "assertion") >= 100


def test_every_case_is_decided_right_by_us() -> None:
    """All of it, with no exception but our own."""
    ours = score(OURS)

    assert ours.right == len(CASES)
    assert not ours.foreign


@pytest.mark.parametrize("party", OTHERS, ids=lambda party: party.name)
def test_others_leave_something_open(party: RelyingParty) -> None:
    """A corpus that libraries decide as we do would show nothing; one that they never decide right would be unfair."""
    theirs = score(party)

    assert len(CASES) / 2 < theirs.right < len(CASES)
    assert theirs.hostile < len(HOSTILE)


def test_the_page_shows_these_figures() -> None:
    """The table of the page is what was measured just now."""
    rows = [score(party).row(party.name) for party in (OURS, *OTHERS)]
    shown = [line for line in PAGE.read_text().splitlines() if " % | " in line]

    assert shown == rows


def test_the_page_counts_the_corpus() -> None:
    """So are the sizes in its text."""
    signed_ones = sum(signed(case) for family, case in HOSTILE if family == "assertion")
    sizes = f"{len(HOSTILE)} hostile answers and {len(CASES) - len(HOSTILE)} honest ones"

    assert sizes in PAGE.read_text()
    assert f"{signed_ones} of the hostile answers" in PAGE.read_text()


@pytest.mark.parametrize("rule", sorted({str(case.breaks) for _, case in HOSTILE}))
def test_the_page_names_every_rule(rule: str) -> None:
    """Whatever refuses a case of the corpus has its row, with its clause."""
    assert PAGE.read_text().count(f"| `{rule}` |") == 1
