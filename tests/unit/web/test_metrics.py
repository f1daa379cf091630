"""What is counted, under which labels, and who may read it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from idverify.app.services import tell_of_tokens
from idverify.core.policy import Role
from idverify.core.verdict import Channel, Outcome
from idverify.errors import CeremonyRefused, DocumentError, Gone
from idverify.ports import TOKEN_STATES, EndingCertificate, TokenStanding
from idverify.sandbox.workers import open_workers
from idverify.web.metrics import ENDING, GAUGES, HELD, TOKEN_GAUGES, Metrics
from tests.simulators.software_office import SoftwareOffice

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
METHODS_A_CLIENT_MADE_UP = ("BREW", "get", "G\u00c9T", "")


def series(text: bytes) -> Series:
    """Every sample of a scrape, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


async def scrape(metrics: Metrics, served: SoftwareOffice) -> Series:
    return series(await metrics.text(served.office))


def one(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


async def test_each_event_is_one_under_its_labels(served: SoftwareOffice) -> None:
    """A verdict, a session, a decision and a credential each raise their own series, and no other."""
    metrics = Metrics()
    before = await scrape(metrics, served)

    metrics.checked(Outcome.REFER, Channel.DOCUMENT)
    metrics.session_opened(Role.OFFICER)
    metrics.decided("proposed")
    metrics.issued("urn:idverify:immigration-status:1")

    after = await scrape(metrics, served)
    ours = {name for name in after if name[0].startswith("idverify_")} - {one(gauge) for gauge in GAUGES}
    assert {name: after[name] for name in ours if after[name] != before[name]} == {
        one("idverify_verdicts_total", outcome="refer", channel="document"): 1,
        one("idverify_sessions_opened_total", role="officer"): 1,
        one("idverify_decisions_total", stage="proposed"): 1,
        one("idverify_credentials_issued_total", type="urn:idverify:immigration-status:1"): 1,
    }


async def test_requests_are_timed_by_method_route_and_status(served: SoftwareOffice) -> None:
    """A histogram counts each, and sorts it by the time that it took."""
    metrics = Metrics()

    metrics.answered("GET", "/livez", 200, 0.002)
    metrics.answered("GET", "/livez", 200, 7.0)

    labels = {"method": "GET", "route": "/livez", "status": "200"}
    seen = await scrape(metrics, served)
    assert seen[one("idverify_http_request_seconds_count", **labels)] == 2
    assert seen[one("idverify_http_request_seconds_sum", **labels)] == pytest.approx(7.002)
    assert seen[one("idverify_http_request_seconds_bucket", **labels, le="0.001")] == 0
    assert seen[one("idverify_http_request_seconds_bucket", **labels, le="0.0025")] == 1
    assert seen[one("idverify_http_request_seconds_bucket", **labels, le="+Inf")] == 2


async def test_clients_make_no_labels(served: SoftwareOffice) -> None:
    """Methods that no standard knows share one series, whatever a client calls them."""
    metrics = Metrics()

    for method in METHODS_A_CLIENT_MADE_UP:
        metrics.answered(method, "unknown", 405, 0.001)

    counts = {
        name: value
        for name, value in (await scrape(metrics, served)).items()
        if name[0] == "idverify_http_request_seconds_count"
    }
    expected = one("idverify_http_request_seconds_count", method="other", route="unknown", status="405")
    assert counts == {expected: len(METHODS_A_CLIENT_MADE_UP)}


async def test_a_ceremony_counts_as_held_or_by_the_rule_it_broke(served: SoftwareOffice) -> None:
    """The error goes on to the caller; its rule, or else its kind, is what is counted."""
    metrics = Metrics()

    with metrics.ceremony("sign-in"):
        pass
    with pytest.raises(CeremonyRefused), metrics.ceremony("sign-in"):
        raise CeremonyRefused("signature")
    with pytest.raises(Gone), metrics.ceremony("enrol"):
        raise Gone("The code has expired.")

    seen = await scrape(metrics, served)
    assert {name: value for name, value in seen.items() if name[0] == "idverify_ceremonies_total"} == {
        one("idverify_ceremonies_total", kind="sign-in", outcome=HELD): 1,
        one("idverify_ceremonies_total", kind="sign-in", outcome="signature"): 1,
        one("idverify_ceremonies_total", kind="enrol", outcome="expired"): 1,
    }


async def test_gauges_are_read_when_asked_for(served: SoftwareOffice) -> None:
    """The age of the status list grows with the clock, and the ledger's size is that of the database."""
    metrics = Metrics()
    before = await scrape(metrics, served)
    served.clock.advance(60)

    after = await scrape(metrics, served)

    age, entries = one("idverify_status_list_age_seconds"), one("idverify_ledger_entries")
    assert after[age] - before[age] == 60
    assert after[entries] == before[entries] >= 1


async def test_applications_count_apart(served: SoftwareOffice) -> None:
    """Nothing is shared between two applications of one process."""
    busy, idle = Metrics(), Metrics()

    busy.session_opened(Role.ADMIN)

    opened = one("idverify_sessions_opened_total", role="admin")
    assert (await scrape(busy, served))[opened] == 1
    assert (await scrape(idle, served))[opened] == 0


async def test_only_those_who_may_read_it(served: SoftwareOffice) -> None:
    """Nobody unknown and no other role reads `/metrics`; an admin does, without the paths that were asked for."""
    await served.api.call("GET", f"/api/v1/people/{'5' * 32}", "officer")

    unknown, _ = await served.api.call("GET", "/metrics")
    officer, _ = await served.api.call("GET", "/metrics", "officer")
    admin, text = await served.api.call("GET", "/metrics", "admin")

    assert [unknown, officer, admin] == [401, 403, 200]
    assert b'route="/api/v1/people/{person}"' in text
    assert b"5555" not in text


async def test_workers_are_watched(served: SoftwareOffice) -> None:
    """A job is counted by name and outcome and timed; workers are there, and every series is there before."""
    metrics = Metrics()
    before = await scrape(metrics, served)
    async with open_workers(1, tally=metrics) as workers:
        with pytest.raises(DocumentError):
            await workers.do("read-codes", {"image": b"no picture"})
        during = await scrape(metrics, served)

    assert before[one("idverify_worker_jobs_total", job="read-letter", outcome="killed")] == 0
    assert before[one("idverify_workers", pool="making")] == 0
    assert during[one("idverify_worker_jobs_total", job="read-codes", outcome="refused")] == 1
    assert during[one("idverify_worker_job_seconds_count", job="read-codes")] == 1
    assert during[one("idverify_workers", pool="reading")] == 1
    assert during[one("idverify_worker_jobs_waiting", pool="reading")] == 0


async def test_workers_that_end_are_told_by_why(served: SoftwareOffice) -> None:
    """Lost ones raise one series, replaced ones another; what waits rises and falls."""
    metrics = Metrics()
    for more in (1, 1, -1):
        metrics.jobs_waiting("making", more)
    metrics.worker_started("making")
    metrics.worker_started("making")
    metrics.worker_ended("making", lost=True)
    metrics.worker_ended("making", lost=False)

    seen = await scrape(metrics, served)
    assert seen[one("idverify_worker_jobs_waiting", pool="making")] == 1
    assert seen[one("idverify_workers", pool="making")] == 0
    assert {why: seen[one("idverify_workers_ended_total", pool="making", why=why)] for why in ("lost", "replaced")} == {
        "lost": 1,
        "replaced": 1,
    }


async def test_tokens_are_shown_as_they_stand(served: SoftwareOffice) -> None:
    """One state of each is 1 and the others 0; before the first probe there is no age of it."""
    metrics, office = Metrics(), served.office
    down = TokenStanding("one", "down", 2, 3, 4, pin_refused=True, pin_count_low=False, since_probe=None, reason="Why.")
    seen = series(await metrics.text(replace(office, tokens=lambda: (down,))))
    assert {state: seen[one("idverify_hsm_state", token="one", state=state)] for state in TOKEN_STATES} == {
        state: float(state == "down") for state in TOKEN_STATES
    }
    assert seen[one("idverify_hsm_workers", token="one")] == 2
    assert seen[one("idverify_hsm_pending", token="one")] == 3
    assert seen[one("idverify_hsm_restarts", token="one")] == 4
    assert seen[one("idverify_hsm_pin_refused", token="one")] == 1
    assert seen[one("idverify_hsm_pin_count_low", token="one")] == 0
    assert one("idverify_hsm_probe_age_seconds", token="one") not in seen

    ready = replace(down, state="ready", since_probe=1.5)
    seen = series(await metrics.text(replace(office, tokens=lambda: (ready,))))
    assert seen[one("idverify_hsm_state", token="one", state="down")] == 0
    assert seen[one("idverify_hsm_state", token="one", state="ready")] == 1
    assert seen[one("idverify_hsm_probe_age_seconds", token="one")] == 1.5


def test_metrics_of_tokens_are_documented() -> None:
    """Each has its row in docs/hsm.md."""
    page = (Path(__file__).parents[3] / "docs" / "hsm.md").read_text()
    rows = set(re.findall(r"^\| `(idverify_hsm_\w+)\{token", page, re.MULTILINE))

    assert rows == {"idverify_hsm_state", ENDING, *TOKEN_GAUGES}


async def test_certificates_that_end_are_there_until_they_are_replaced(served: SoftwareOffice) -> None:
    """By token and key, the time that is left; gone with the alarm."""
    metrics, office = Metrics(), served.office
    ending = EndingCertificate(b"\1" * 8, "documents#1", office.clock.now() + 60, 1)
    standing = TokenStanding("one", "ready", 1, 0, 0, False, False, None, None, (ending,))
    left = one("idverify_hsm_certificate_seconds_left", token="one", key="documents#1")

    assert series(await metrics.text(replace(office, tokens=lambda: (standing,))))[left] == 60
    renewed = replace(standing, certificates=())
    assert left not in series(await metrics.text(replace(office, tokens=lambda: (renewed,))))


async def test_a_token_that_changes_is_logged_once(served: SoftwareOffice) -> None:
    """With its reason; one that stays as it is, or is well from the start, is not."""
    standing = TokenStanding(
        "one", "ready", 1, 0, 0, pin_refused=False, pin_count_low=False, since_probe=None, reason=None
    )
    down = replace(standing, state="down", workers=0, reason="Expected a device, got none. Plug it in.")
    with capture_logs() as logged:
        told: dict[str, tuple[str, str | None]] = {}
        for now in (standing, standing, down, down, standing):
            told = tell_of_tokens(replace(served.office, tokens=lambda now=now: (now,)), told)

    assert [(entry["log_level"], entry["state"], entry["reason"]) for entry in logged] == [
        ("warning", "down", down.reason),
        ("info", "ready", None),
    ]
