"""Certificates that end are told of in the log, once for each of 30, 7 and 1 days."""

from __future__ import annotations

from structlog.testing import capture_logs

from idverify.app.services import tell_of_certificates
from idverify.core.certificate_alarm import DAY
from idverify.core.types import CREDENTIAL_TYPES
from idverify.ports import EndingCertificate, TokenStanding
from tests.simulators.software_office import SoftwareOffice


async def test_each_signer_is_named_as_its_end_comes_near(served: SoftwareOffice) -> None:
    """Nothing while there is time; then a line per signer, and again only when a nearer day is reached."""
    first = min(served.office.keys.ends().values())
    told: dict[str, int | None] = {}
    named: list[dict[int, set[str]]] = []
    for left in (31, 29, 28, 6, 0):
        served.clock.advance(first - left * DAY - served.clock.now())
        with capture_logs() as logs:
            told = tell_of_certificates(served.office, told)
        days = {line["within_days"] for line in logs}
        named.append({each: {line["role"] for line in logs if line["within_days"] == each} for each in days})

    signers = {kind.key_role for kind in CREDENTIAL_TYPES.values()}
    assert [set(lines) for lines in named] == [set(), {30}, set(), {7}, {0}]
    assert all(roles >= signers for lines in named for roles in lines.values())


async def test_what_a_token_s_inventory_says_is_told_once(served: SoftwareOffice) -> None:
    """By token and key; again when a nearer day is reached."""
    told: dict[str, int | None] = {}
    named = []
    for days in (30, 30, 7):
        ending = EndingCertificate(b"another.", "lamps#2", served.clock.now() + days * DAY, days)
        served.token.standing = (TokenStanding("north", "ready", 1, 0, 0, False, False, None, None, (ending,)),)
        with capture_logs() as logs:
            told = tell_of_certificates(served.office, told)
        named.append([(line["token"], line["key"], line["within_days"]) for line in logs])

    assert named == [[("north", "lamps#2", 30)], [], [("north", "lamps#2", 7)]]
