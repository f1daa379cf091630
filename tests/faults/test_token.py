"""The token goes away under the running service, and comes back: the process serves on, and nothing is restarted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from prometheus_client.parser import text_string_to_metric_families

from hsm import HsmState
from idverify.ports import TOKEN_STATES
from tests.simulators.service import DETAILS, Api, Deployment, client, serving, workers_of

LABEL = "idverify-online"
PATIENCE = 60.0


def home(deployment: Deployment) -> Path:
    """Where the online token lies, with its PIN."""
    return deployment.data / "tokens" / LABEL


@contextmanager
def away(path: Path) -> Iterator[None]:
    """A file or directory is somewhere else for a while."""
    elsewhere = path.rename(path.with_name(f"{path.name}-elsewhere"))
    try:
        yield
    finally:  # other tests have the token after this one, whatever came of it
        elsewhere.rename(path)


async def figures(api: Api) -> dict[str, float]:
    """What `/metrics` has of the token, by name without the prefix; for the states, by state."""
    status, text = await api.call("GET", "/metrics", "monitor")
    assert status == 200
    return {
        sample.labels.get("state", sample.name.removeprefix("idverify_hsm_")): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.labels.get("token") == LABEL
    }


async def until_ready(api: Api) -> Any:
    """Wait until `/readyz` is 200."""
    async with asyncio.timeout(PATIENCE):
        while (ready := await api.call("GET", "/readyz"))[0] != 200:  # noqa: ASYNC110  it tells nobody by itself
            await asyncio.sleep(0.1)
    return ready[1]


async def until_in(api: Api, state: str) -> dict[str, float]:
    """Wait until the token is in this state."""
    async with asyncio.timeout(PATIENCE):
        while (seen := await figures(api))[state] != 1:  # noqa: ASYNC110  it tells nobody by itself
            await asyncio.sleep(0.1)
    return seen


def logged(deployment: Deployment, process: subprocess.Popen[bytes]) -> list[Any]:
    """What the service's log says of the token; the process is the one that was started."""
    assert process.poll() is None
    lines = (deployment.data / "service.log").read_bytes().splitlines()
    events = [orjson.loads(line) for line in lines if line.startswith(b"{")]
    return [event for event in events if event.get("event") == "token"]


async def until_logged(deployment: Deployment, process: subprocess.Popen[bytes], state: str) -> list[Any]:
    """The log's events of the token, once the last one is of this state."""
    async with asyncio.timeout(PATIENCE):
        while not (said := logged(deployment, process)) or said[-1]["state"] != state:  # noqa: ASYNC110  a file
            await asyncio.sleep(0.2)
    return said


async def works(api: Api) -> None:
    """What needs the token's keys is done."""
    await api.ok("POST", "/api/v1/people", "register", {"details": DETAILS})


async def refused(api: Api) -> None:
    """What needs them is refused as a part that is away, with the time to come back; what does not is served."""
    status, answer, headers = await api.send(
        "POST", "/api/v1/people", {"details": DETAILS}, await api.identity("register")
    )
    assert (status, answer["type"]) == (503, "/problems/unavailable"), answer
    assert int(headers["Retry-After"]) > 0
    status, ready = await api.call("GET", "/readyz")
    assert (status, ready["status"]) == (503, "not-ready")
    assert ready["checks"] == {"database": "ok", "hsm": ready["checks"]["hsm"], "ledger": "ok"}
    assert "HSM is away" in ready["checks"]["hsm"]
    for public in ("/livez", "/log/1/checkpoint", "/status/1", "/pki/root.cer"):
        assert await api.ok("GET", public)


def test_the_states_are_the_hsms() -> None:
    """The label's closed set, which the web knows without knowing the HSM."""
    assert set(TOKEN_STATES) == set(HsmState)


async def test_the_token_directory_is_removed_and_put_back(deployment: Deployment) -> None:
    """503 while it is away, `/metrics` and the log say so and why, and it signs again by itself when it is back."""
    with serving(deployment) as process:
        async with client() as session:
            api = Api(session, deployment)
            await works(api)
            before = await figures(api)
            assert (before["ready"], before["down"], before["workers"]) == (1, 0, 1)
            assert 0 <= before["probe_age_seconds"] < PATIENCE
            with away(home(deployment) / "tokens"):
                status, _ = await api.call("POST", "/api/v1/people", "register", {"details": DETAILS})
                assert status == 503
                seen = await until_in(api, "down")
                assert (seen["ready"], seen["workers"]) == (0, 0)
                await refused(api)
                await until_logged(deployment, process, "down")
            await until_ready(api)
            await works(api)
            after = await until_in(api, "ready")
            assert after["restarts"] > before["restarts"]
        said = await until_logged(deployment, process, "ready")
    assert said[0]["state"] in {"down", "restarting"}
    assert any("check that SOFTHSM2_CONF" in str(event["reason"]) for event in said)


async def test_a_pin_refused_under_the_service_is_corrected(deployment: Deployment) -> None:
    """The worker is lost and the PIN file is wrong by now: one attempt, an alarm, and the corrected file is enough."""
    pin_file = home(deployment) / "pin"
    right = pin_file.read_bytes()
    with serving(deployment) as process:
        async with client() as session:
            api = Api(session, deployment)
            pin_file.write_bytes(b"wrong-1234")
            try:
                for worker in workers_of(process.pid):
                    os.kill(worker, signal.SIGKILL)
                seen = await until_in(api, "refused")
                assert (seen["pin_refused"], seen["workers"]) == (1, 0)
                await refused(api)
                await until_logged(deployment, process, "refused")  # it looks at its tokens now and then
            finally:
                pin_file.write_bytes(right)
            await until_ready(api)
            await works(api)
            seen = await until_in(api, "ready")
            assert (seen["pin_refused"], seen["pin_count_low"]) == (0, 1)
        said = logged(deployment, process)
    assert any(event["state"] == "refused" and "Correct the PIN file" in event["reason"] for event in said)
    assert b"wrong-1234" not in (deployment.data / "service.log").read_bytes()
    assert not list(home(deployment).glob("*.refused"))


async def test_the_service_never_knows_its_pin(deployment: Deployment) -> None:
    """Its memory, which a core would hold, its environment, arguments and log are without it, and so are workers'."""
    pin = (home(deployment) / "pin").read_bytes().strip()
    with serving(deployment) as process:
        async with client() as session:
            api = Api(session, deployment)
            await works(api)
            for worker in workers_of(process.pid):
                os.kill(worker, signal.SIGKILL)
            await until_ready(api)
            await works(api)
        seen = shown(process.pid, *workers_of(process.pid))
        held = memory(process.pid)
    assert len(pin) >= 16
    assert pin not in seen
    assert str(deployment.data).encode() in held
    assert pin not in held
    assert pin not in (deployment.data / "service.log").read_bytes()


def shown(*pids: int) -> bytes:
    """What processes show to others: arguments and environment."""
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for pid in pids for name in ("cmdline", "environ"))


def memory(pid: int) -> bytes:
    """All that a process has written into memory of its own."""
    held = b""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            begin, end = (int(address, 16) for address in place.split("-"))
            try:
                file.seek(begin)
                held += file.read(end - begin)
            except OSError:
                continue  # it has gone since
    return held
