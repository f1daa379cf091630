"""What each command of `python -m hsm` does: arguments in, (holds, report) out."""

from argparse import Namespace
from typing import Any

from hsm import bench as benchmark
from hsm import bench_page, bench_service
from hsm.algorithms import SIGNING
from hsm.client import Hsm
from hsm.config import TokenConfig
from hsm.errors import HsmError, HsmPolicy
from hsm.signer import SIGNER_LABEL
from hsm.softhsm import find_module, render
from hsm.tokens import init_token, require_label

Outcome = tuple[bool | None, list[dict[str, Any]]]
"""Whether what was asked holds (None: could not tell), and the rows to print."""


async def init(arguments: Namespace) -> Outcome:
    """Make a token; SoftHSM's configuration and the PIN files are made first where they are missing."""
    if arguments.so_pin_file is None and arguments.module_arguments is None:
        raise HsmPolicy(
            "Expected --so-pin-file, got none. Only a module that has no security officer and takes arguments (NSS) "
            "goes without."
        )
    require_label(arguments.label)
    module = arguments.module or find_module()
    kept = [str(file) for file in (arguments.so_pin_file, arguments.pin_file) if file is not None and file.exists()]
    configuration = arguments.conf
    if configuration is not None and not configuration.exists():
        configuration = render(configuration.parent, configuration.name)
    serial = await init_token(
        module,
        arguments.label,
        arguments.so_pin_file,
        arguments.pin_file,
        configuration,
        module_arguments=arguments.module_arguments,
    )
    return True, [{"label": arguments.label, "serial": serial, "module": str(module), "conf": str(configuration)}] + [
        {"kept": file, "detail": "a PIN file that was there already: its PIN is the token's now"} for file in kept
    ]


async def probe(arguments: Namespace) -> Outcome:
    """Sign and verify with each key; holds when every signature does."""
    report: list[dict[str, Any]] = []
    async with Hsm(token_of(arguments)) as hsm:
        keys = arguments.key or [
            key.id for key in await hsm.inventory() if key.algorithm in SIGNING and key.label != SIGNER_LABEL
        ]
        for key in keys:
            try:
                await hsm.probe(key)
            except HsmError as error:
                report.append({"id": key.hex(), "holds": False, "detail": str(error)})
            else:
                report.append({"id": key.hex(), "holds": True, "detail": "signed and verified"})
    if not report:
        return None, [{"holds": None, "detail": "Expected a key that signs, got none on the token. Make one."}]
    return all(row["holds"] for row in report), report


async def bench(arguments: Namespace) -> Outcome:
    """Measure; holds when every ratio reaches its target."""
    if arguments.soak is not None:
        rows = await bench_service.soak(arguments.soak)
    else:
        rows = await benchmark.measure(seconds=arguments.seconds, workers=arguments.workers, callers=arguments.callers)
        rows += await bench_service.measure_service(seconds=arguments.seconds)
    if arguments.into is not None:
        bench_page.write(arguments.into, rows)
    return all(row["holds"] for row in rows), [dict(row) for row in rows]


def token_of(arguments: Namespace, *, writable: bool = False) -> TokenConfig:
    """The token that the options name."""
    require_label(arguments.label)
    return TokenConfig(
        module=arguments.module or find_module(),
        label=arguments.label,
        serial=arguments.serial,
        pin_file=arguments.pin_file,
        softhsm_conf=arguments.conf,
        writable=writable,
        module_arguments=arguments.module_arguments,
        tells_origin=arguments.tells_origin,
    )
