"""Which token to use, and how hard."""

from dataclasses import dataclass
from pathlib import Path

from hsm.errors import HsmModuleMissing, HsmTokenMissing

PROBE_LABEL = "probe"
"""Of the key pair that signs probes and nothing else."""


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """One token and the signer processes that serve it.

    The token is chosen by `label` and, where two share one, by `serial` (as the module prints it): slot numbers
    change. `pin_file` is read at every start of a signer process, so it must be readable more than once; a
    systemd credential or `/dev/fd/N` of a regular file will do. `softhsm_conf` becomes SOFTHSM2_CONF of the
    signer processes alone. Only a `writable` token can generate keys. `queue_limit` bounds requests, answered
    or not yet sent, over all workers. `hang_after` is seconds of silence before a worker is killed, and
    `generate_within` takes its place while one makes a key: an HSM may take tens of seconds for RSA. With an
    `inventory` every use of a key is held against it; it must be the file that this very token signed.

    `sessions` is how many threads of one worker use the token at once, each in a session of its own: for network HSMs,
    which answer late rather than slowly. A module that cannot lock gets one. `module_arguments` is handed to the
    module at initialisation, for those that need it (NSS: "configdir='sql:DIR'").

    `probe_key` is the id of the key whose signature shows that the token works, before a worker serves and every
    `probe_every` seconds while nothing else is asked of it; without one it is the key pair labelled `PROBE_LABEL`.

    `tells_origin` is False for a module that never sets CKA_LOCAL (NSS, docs/providers.md). Its keys are used although
    nobody says that they were made in it, and none of them is ever `KeyInfo.born_here`.
    """

    module: Path
    label: str
    serial: str | None
    pin_file: Path
    softhsm_conf: Path | None = None
    workers: int = 1
    writable: bool = False
    queue_limit: int = 1024
    hang_after: float = 5.0
    generate_within: float = 120.0
    sessions: int = 1
    module_arguments: str | None = None
    probe_key: bytes | None = None
    probe_every: float = 10.0
    inventory: Path | None = None
    tells_origin: bool = True


def check_paths(module: Path, softhsm_conf: Path | None) -> None:
    """Raise the error that names the cure while it can still be told which file is missing."""
    if not module.is_file():
        raise HsmModuleMissing(
            f"Expected a PKCS#11 module at {module}, got no such file. Install it (Debian: softhsm2) or "
            "correct the path."
        )
    if softhsm_conf is not None and not softhsm_conf.is_file():
        raise HsmTokenMissing(
            f"Expected SoftHSM's configuration at {softhsm_conf}, got no such file. Bring it back, or "
            "correct the path; `python -m hsm init-token` makes it with a new token."
        )
