"""The time-stamp service over HTTP: OpenSSL verifies, failures have RFC 3161's names, and strangers have a budget."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from cryptography.hazmat.primitives.serialization import Encoding

from idverify.core import key_order
from idverify.core.policy import Role
from idverify.errors import Busy, Unavailable
from idverify.formats import timestamp, x509
from idverify.formats.timestamp import Imprint
from idverify.services.branches import DOCUMENTS, TIME_STAMPS
from idverify.services.invite import Invited
from idverify.services.key_ceremony import open_orders
from idverify.services.office import TIME_STAMP_SIGNER
from idverify.services.time_stamp import AT_ONCE, PER_SECOND, Budget
from idverify.stores import queries
from idverify.web import tsa
from tests.simulators.software_office import SoftwareOffice

IMPRINT = Imprint("sha256", hashlib.sha256(b"a letter").digest())
ASKED = timestamp.query(IMPRINT, nonce=7)


async def _post(served: SoftwareOffice, body: bytes, content_type: str = tsa.QUERY) -> tuple[int, Any, bytes]:
    url = served.api.deployment.url + tsa.PATH
    async with served.api.session.post(url, data=body, headers={"Content-Type": content_type}) as response:
        return response.status, response.headers, await response.read()


async def _get(served: SoftwareOffice, path: str) -> tuple[int, bytes]:
    async with served.api.session.get(served.api.deployment.url + path) as response:
        return response.status, await response.read()


def _status(reply: bytes) -> tuple[str, set[str]]:
    said = tsp.PKIStatusInfo.load(core.Sequence.load(reply, strict=True)[0].dump()).native
    return said["status"], said["fail_info"] or set()


def _said(reply: bytes) -> Any:
    token = core.Sequence.load(reply, strict=True)[1].dump()
    return cms.ContentInfo.load(token)["content"]["encap_content_info"]["content"].parsed


async def test_openssl_verifies(served: SoftwareOffice, tmp_path: Path) -> None:
    """What it asked for, under the root that the service publishes."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")

    def openssl(*more: str) -> str:
        run = subprocess.run(["openssl", "ts", *more], cwd=tmp_path, capture_output=True, text=True, check=True)
        return run.stdout

    (tmp_path / "data").write_bytes(b"a letter")
    openssl("-query", "-data", "data", "-sha256", "-cert", "-out", "asked")
    status, headers, reply = await _post(served, (tmp_path / "asked").read_bytes())
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, tsa.REPLY, "no-store")
    (tmp_path / "answer").write_bytes(reply)
    root = x509.read_certificate((await _get(served, TIME_STAMPS.certificate_path))[1])
    (tmp_path / "root").write_bytes(root.public_bytes(Encoding.PEM))
    at = str(served.clock.now())
    said = openssl("-verify", "-queryfile", "asked", "-in", "answer", "-CAfile", "root", "-attime", at)
    assert "Verification: OK" in said
    assert int(_said(reply)["gen_time"].native.timestamp()) == served.clock.now()


async def test_serial_numbers_are_unlike(served: SoftwareOffice) -> None:
    """Two time stamps over one digest in one second are two."""
    replies = [(await _post(served, ASKED))[2] for _ in range(8)]
    assert len({_said(reply)["serial_number"].native for reply in replies}) == len(replies)
    assert {_said(reply)["nonce"].native for reply in replies} == {7}


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"", "bad_data_format"),
        (b"\x30\x80", "bad_data_format"),
        (ASKED[:-1], "bad_data_format"),
        (timestamp.query(IMPRINT, policy="1.2.3.4"), "unaccepted_policy"),
    ],
    ids=["empty", "without end", "cut", "another policy"],
)
async def test_failures_are_told_in_the_answer(served: SoftwareOffice, body: bytes, failure: str) -> None:
    """As RFC 3161 has it: HTTP went well, the request did not."""
    status, headers, reply = await _post(served, body)
    assert (status, headers["Content-Type"]) == (200, tsa.REPLY)
    assert _status(reply) == ("rejection", {failure})


async def test_what_is_no_request_at_all(served: SoftwareOffice) -> None:
    """Another media type, too many bytes, another method: problems of HTTP."""
    assert (await _post(served, ASKED, "application/json"))[0] == 400
    assert (await _post(served, bytes(timestamp.MAX_REQUEST + 1)))[0] == 413
    assert (await _get(served, tsa.PATH))[0] == 405


async def test_while_the_hsm_is_away(served: SoftwareOffice) -> None:
    """A failure of the system, which clients that look at the status alone see, too."""
    served.token.away = Unavailable("The HSM is away.")
    try:
        status, headers, reply = await _post(served, ASKED)
    finally:
        served.token.away = None
    assert (status, headers["Retry-After"]) == (503, "5")
    assert _status(reply) == ("rejection", {"system_failure"})
    assert _status((await _post(served, ASKED))[2])[0] == "granted"


async def test_after_its_time_the_key_signs_no_more(served: SoftwareOffice) -> None:
    """Though its certificate lives on."""
    served.clock.advance(458 * 86_400)
    status, _, reply = await _post(served, ASKED)
    assert (status, _status(reply)) == (503, ("rejection", {"system_failure"}))


def test_strangers_have_a_budget() -> None:
    """So many at once, then so many a second; waiting long gives no more than that."""
    now = [100.0]
    budget = Budget(lambda: now[0])

    def taken() -> int:
        for count in range(10 * AT_ONCE):
            try:
                budget.take()
            except Busy:
                return count
        raise AssertionError

    assert taken() == AT_ONCE
    now[0] += 0.5
    assert taken() == PER_SECOND / 2
    now[0] += 3600
    assert taken() == AT_ONCE


async def test_over_the_budget(served: SoftwareOffice) -> None:
    """Whoever asks for too many comes back; nothing else waits for them."""
    answers = await asyncio.gather(*(_post(served, ASKED) for _ in range(2 * AT_ONCE)))
    counted = {status: sum(each[0] == status for each in answers) for status in (200, 503)}
    assert counted[200] >= AT_ONCE
    assert counted[503] > 0
    assert counted[200] + counted[503] == len(answers)
    assert all(each[1]["Retry-After"] == "1" for each in answers if each[0] == 503)


async def test_both_roots_and_lists_are_published(served: SoftwareOffice) -> None:
    """Each list is signed by the root of its branch, and no root is the other's."""
    roots = {branch: (await _get(served, branch.certificate_path))[1] for branch in (DOCUMENTS, TIME_STAMPS)}
    assert len({x509.read_certificate(root).subject for root in roots.values()}) == 2
    ours = served.office.trust.issuer(served.office.deployment.iss)
    assert ours is not None
    assert (ours.roots, ours.stamp_roots) == ((roots[DOCUMENTS],), (roots[TIME_STAMPS],))
    for branch, root in roots.items():
        assert x509.read_crl(
            (await _get(served, branch.crl_path))[1], x509.require_root(root).public_bytes(Encoding.DER)
        )


async def test_a_compromised_key_goes_on_the_list_of_its_branch(served: SoftwareOffice) -> None:
    """Ordered by two admins, certified by the root of its branch; the other list stays as it is."""
    await served.api.identity("admin")
    await served.api.enrol("abel", await served.api.deployment.invite(Invited(Role.ADMIN, "Abel Admin")))
    old = served.office.keys.issuer(TIME_STAMP_SIGNER)
    await served.agreed(key_order.action(old.key_id, TIME_STAMP_SIGNER, "compromised"))
    (order,) = await open_orders(served.office.store)
    await served.ceremony().carry_out(order, served.token.generate(TIME_STAMP_SIGNER))

    lists = {}
    for branch in (DOCUMENTS, TIME_STAMPS):
        row: Any = await served.office.store.fetch_one(queries.CRL_OF, {"root_role": branch.root_role})
        lists[branch] = x509.read_crl(row["der"], row["issuer_certificate"])
    serial = x509.read_certificate(old.chain[0]).serial_number
    assert [one[0] for one in lists[TIME_STAMPS].entries] == [serial]
    assert (lists[DOCUMENTS].number, lists[DOCUMENTS].entries) == (1, ())
    rows: list[Any] = await served.office.store.fetch(queries.KEYS_IN_USE, {})
    fresh = next(row["certificate"] for row in rows if row["role"] == TIME_STAMP_SIGNER)
    root = next(row["certificate"] for row in rows if row["role"] == TIME_STAMPS.root_role)
    assert x509.verify_chain((fresh,), (root,), served.clock.now(), purposes=frozenset({x509.Purpose.TIME_STAMP}))
