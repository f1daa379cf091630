"""Three organisations witness the log: receipts bear their cosignatures, and rest on what enough of them have seen."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from idverify.config import FILE_NAME
from idverify.ledger import Policy, parse_policy
from idverify.ledger.note import vkey
from idverify.ledger.proof import TlogProof
from idverify.services.log_keys import log_keys
from idverify.stores.open import open_log
from tests.simulators.holder import Holding, holding, results, shown
from tests.simulators.service import ROOT, Api, Deployment, client, deploy, serving

NAMES = ("north", "east", "south")
GROUPS = "group {0} any {0}-ed25519 {0}-mldsa44\n"
QUORUM = "group two-of-three 2 north east south\nquorum two-of-three\n"
LONGEST_WAIT = 20.0


class Organisation:
    """A witness as another organisation runs it: a directory, an address, a process that comes and goes."""

    def __init__(self, home: Path, name: str, log: list[str]) -> None:
        self.home, self.name, self.port = home / name, name, 0
        self._logs = [argument for key in log for argument in ("--log", key)]
        self._process: subprocess.Popen[bytes] | None = None
        made = self._command("init", "--name", f"{name}.example")
        self.keys = orjson.loads(subprocess.run(made, cwd=ROOT, check=True, capture_output=True).stdout)["vkeys"]

    def open(self) -> None:
        """Serve, on the same port as before."""
        command = self._command("serve", "--port", str(self.port), *self._logs)
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        said = b"".join(iter(self._process.stdout.readline, b"}\n")) + b"}"
        self.port = int(orjson.loads(said)["address"].rpartition(":")[2])

    def close(self) -> None:
        """Stop serving."""
        if self._process is not None and self._process.stdout is not None:
            self._process.terminate()
            self._process.wait(15)
            self._process.stdout.close()
            self._process = None

    def lines(self) -> str:
        """What it gives to the log for its policy."""
        kinds = zip(("ed25519", "mldsa44"), self.keys, strict=True)
        address = f"http://127.0.0.1:{self.port}"
        return "".join(f"witness {self.name}-{kind} {key} {address}\n" for kind, key in kinds)

    def _command(self, verb: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "idverify.cli", "witness", verb, "--dir", str(self.home), "--json", *arguments]


@contextmanager
def witnessed(deployment: Deployment, folder: Path) -> Iterator[list[Organisation]]:
    """Three witnesses of the deployment's log, which its settings name."""
    with closing(open_log(deployment.location)) as source:
        (log,) = source.shards()
        keys = [vkey(key.verifier(log["origin"])) for key in log_keys(source.signing_keys())]
    with ExitStack() as stack:
        organisations = [Organisation(folder, name, keys) for name in NAMES]
        for one in organisations:
            stack.callback(one.close)
            one.open()
        policy = folder / "witnesses"
        policy.write_text("".join([*(one.lines() for one in organisations), *map(GROUPS.format, NAMES), QUORUM]))
        with (deployment.data / FILE_NAME).open("a") as settings:
            settings.write(f'\n[ledger]\nwitnesses = "{policy}"\n')
        yield organisations


async def policy_of(api: Api) -> Policy:
    """What the log publishes of whom to believe."""
    _, described, _ = await api.send("GET", "/log/1/log.json")
    return parse_policy(described["policy"])


async def size_of(api: Api, name: str) -> int:
    """The size of a published checkpoint."""
    status, note, _ = await api.send("GET", f"/log/1/{name}")
    return int(note.split(b"\n")[1]) if status == 200 else 0


async def receipt_of(api: Api, answer: dict[str, Any]) -> bytes:
    """The receipt, as soon as there is one."""
    headers = {"Authorization": f"Bearer {answer['receipt_token']}", "Prefer": "wait=5"}
    async with asyncio.timeout(LONGEST_WAIT):
        while True:
            status, receipt, _ = await api.send("GET", answer["receipt_url"], None, headers)
            if status == 200:
                return bytes(receipt)
            assert (status, receipt["type"]) == (503, "/problems/receipt-not-yet")


async def test_receipts_rest_on_what_two_of_three_witnesses_have_seen(tmp_path: Path) -> None:
    """With two there is a receipt within seconds; with one none, though the log goes on, until two are back."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    deployment = await deploy(tmp_path / "data")
    early = await _before_there_were_witnesses(deployment)
    with witnessed(deployment, tmp_path) as (north, east, _south), serving(deployment):
        async with client() as session:
            api = Api(session, deployment)
            policy = await policy_of(api)
            assert policy.quorum == "two-of-three"
            verdict = await shown(api, "employer", early, ["work"], receipt=early.answer["receipt"])
            assert (verdict["verdict"], results(verdict)["receipt"]) == ("accept", "not_applicable")
            anew = (await receipt_of(api, early.answer)).decode()
            verdict = await shown(api, "employer", early, ["work"], receipt=anew)
            assert results(verdict)["receipt"] == "pass"

            north.close()
            held = await holding(api, wait=5)
            proof = TlogProof.decode(await receipt_of(api, held.answer))
            _, names = policy.open(proof.checkpoint_note)
            assert {name.partition("-")[0] for name in names} == {"east", "south"}
            verdict = await shown(api, "employer", held, ["work"], receipt=proof.encode().decode())
            assert results(verdict)["receipt"] == "pass"

            east.close()
            quorum = await size_of(api, "checkpoint.quorum")
            late = await holding(api, wait=2)
            assert late.answer["receipt"] is None
            assert await size_of(api, "checkpoint") > await size_of(api, "checkpoint.quorum") == quorum

            north.open()
            proof = TlogProof.decode(await receipt_of(api, late.answer))
            assert policy.require(proof.checkpoint_note).size > quorum


async def _before_there_were_witnesses(deployment: Deployment) -> Holding:
    """A credential whose receipt rests on the log's word alone."""
    with serving(deployment):
        async with client() as session:
            held = await holding(Api(session, deployment), wait=5)
    assert held.answer["receipt"]
    return held
