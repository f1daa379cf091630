"""A token that locks: opencryptoki's, which gives three tries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "swtok.py"

# Mounts over the fixed places of the daemon and of the token, seen by this command and its children alone
NAMESPACE = (
    "unshare",
    "--mount",
    "--ipc",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)
PLACES = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib/opencryptoki
mkdir -p /run/lock/opencryptoki/swtok /var/lib/opencryptoki/swtok/TOK_OBJ
chgrp -R pkcs11 /run/lock/opencryptoki /var/lib/opencryptoki
chmod -R 0770 /run/lock/opencryptoki /var/lib/opencryptoki
printf 'version opencryptoki-3.1\\nslot 0\\n{\\nstdll = libpkcs11_sw.so\\n}\\n' > /run/opencryptoki.conf
mount --bind /run/opencryptoki.conf /etc/opencryptoki/opencryptoki.conf
exec "$@"
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """What each attempt led to, in order; a skip where the token or the namespace cannot be had."""
    modules = [*Path("/").glob("usr/lib/*/opencryptoki/libopencryptoki.so.0")]
    if not modules or shutil.which("pkcsslotd") is None:
        pytest.skip("needs opencryptoki (Debian: opencryptoki)")
    if os.geteuid() != 0 or subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs root and namespaces: opencryptoki's daemon and its token have fixed places")
    directory = tmp_path_factory.mktemp("swtok")
    command = ["sh", "-c", PLACES, "sh", sys.executable, str(PROGRAM), str(modules[0]), str(directory)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*NAMESPACE, *command], capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    outcomes: list[dict[str, str]] = json.loads(done.stdout)
    return outcomes


def test_a_wrong_pin_costs_one_try_however_many_workers_there_are(told: list[dict[str, str]]) -> None:
    """One, then one with three workers to be, leave the last try; the right PIN before them restored all three."""
    assert [one["outcome"] for one in told[:5]] == [
        "opened",
        "HsmPinRefused",
        "opened",
        "HsmPinRefused",
        "HsmPinRefused",
    ]
    assert "PinIncorrect" in told[4]["detail"]
    assert (told[0]["detail"], told[2]["detail"]) == ("", "count low")


def test_the_last_try_is_left_to_a_person(told: list[dict[str, str]]) -> None:
    """Not even the right PIN is tried: a stale PIN file would lock the token for good."""
    assert told[5]["outcome"] == "HsmPinRefused"
    assert "one wrong PIN from being locked" in told[5]["detail"]
    assert "The PIN was not tried" in told[5]["detail"]


def test_a_locked_token_says_so(told: list[dict[str, str]]) -> None:
    """When another program has spent the last try."""
    assert told[6]["outcome"] == "HsmPinRefused"
    assert "PIN is locked" in told[6]["detail"]
